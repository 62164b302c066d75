"""Where the store is, and what happens when its folder is moved or is no store."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from churnkit.errors import ParameterError
from churnkit.models.bundle import load_bundle
from churnkit.tracking import Tracker
from churnkit.tracking.quiet_mlflow import asking
from churnkit.tracking.store import artifact_root, store_uri


def test_embedded_store_is_the_default(tmp_path, monkeypatch):
    """Without a URI and without the environment variable the store is a file in the folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    uri = store_uri(None, folder="models")

    assert uri == f"sqlite:///{tmp_path}/models/mlflow.db"
    assert artifact_root(uri) == tmp_path / "models" / "artifacts"
    assert not (tmp_path / "models").exists()


def test_environment_variable_comes_before_the_folder(monkeypatch):
    """MLFLOW_TRACKING_URI is used where the configuration names no store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")

    assert store_uri(None, folder="models") == "http://tracking.example:5000"


def test_configured_uri_comes_first(monkeypatch):
    """A URI in the configuration overrides the environment; a server keeps its own files."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")

    uri = store_uri("http://127.0.0.1:5001", folder="models")

    assert uri == "http://127.0.0.1:5001"
    assert artifact_root(uri) is None


def test_moved_folder_keeps_its_models_and_documents(shop, tracker, store, tmp_path):
    """After the folder is moved, models are found and new runs write to the new place only."""
    with tracker.start_run("moving", run_name="before") as run:
        run.log_document("note.txt", "kept")
        version = run.log_bundle(shop.bundle, shop.folder, registered_model="mover")
    moved = tmp_path / "elsewhere" / "models"
    shutil.move(store, moved)

    after = Tracker(None, folder=moved)
    with after.start_run("moving", run_name="after") as second:
        second.log_document("note.txt", "new")

    found = after.download(f"models:/mover/{version}")
    assert moved in found.parents
    assert load_bundle(found).feature_names == shop.bundle.feature_names
    notes = {path.read_text() for path in moved.rglob("note.txt")}
    assert notes == {"kept", "new"}
    assert not store.exists()


def test_file_that_is_no_database_is_named(tmp_path):
    """A file of another kind in the store's place stops in a sentence, at once."""
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to look like one")
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")

    with pytest.raises(ParameterError, match=r"^tracking\.uri: .*mlflow\.db is not an SQLite"):
        tracker.champion("shop")


def test_damaged_database_is_named(tmp_path):
    """A database whose pages are not readable stops in a sentence with SQLite's reason."""
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")

    with pytest.raises(ParameterError, match=r"mlflow\.db cannot be used; SQLite says: \w+"):
        tracker.champion("shop")


def test_folder_that_cannot_be_made_is_named(tmp_path):
    """A file where the folder should be stops in a sentence."""
    (tmp_path / "models").write_text("")
    tracker = Tracker(f"sqlite:///{tmp_path}/models/mlflow.db")

    with pytest.raises(ParameterError, match=r"^tracking\.uri: .*models: cannot be used as a fold"):
        tracker.champion("shop")


def test_store_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    """A job that dies while the store is made leaves nothing that the next one would stumble over."""

    def killed(engine):
        msg = "killed"
        raise KeyboardInterrupt(msg)

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with monkeypatch.context() as patched:
        patched.setattr("mlflow.store.db.utils._upgrade_db", killed)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            Tracker(None, folder=tmp_path).champion("nobody")

    assert [p.name for p in tmp_path.iterdir()] == ["artifacts"]
    assert Tracker(None, folder=tmp_path).champion("nobody") is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["artifacts", "mlflow.db"]


@pytest.mark.slow
def test_two_jobs_may_make_the_store_at_once(tmp_path):
    """The first jobs of two models, started together, end well and share one store."""
    ask = (
        "import sys; from churnkit.tracking import Tracker;"
        "t = Tracker(sys.argv[1])\n"
        "with t.start_run('same', run_name='one') as run: print(run.experiment_id)"
    )
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", ask, f"sqlite:///{tmp_path}/mlflow.db"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]

    told = [job.communicate(timeout=120) for job in jobs]

    assert [job.returncode for job in jobs] == [0, 0], told
    assert len({out for out, _ in told}) == 1


def test_a_store_that_cannot_be_written_is_noticed_beforehand(tmp_path, monkeypatch):
    """What is there and may not be written is named; nothing is made by asking."""
    folder = tmp_path / "models"
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db")

    tracker.check()
    assert not folder.exists()

    # Root, as in a container, may write wherever the disk lets it: permissions would not do.
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    with pytest.raises(ParameterError, match=rf"^tracking\.uri: {tmp_path} cannot be written"):
        tracker.check()
    folder.mkdir()
    (folder / "mlflow.db").write_text("no database")
    with pytest.raises(ParameterError, match=r"mlflow\.db is not an SQLite database$"):
        tracker.check()


def test_what_the_database_says_is_told():
    """SQLAlchemy's advice, which may stand first, is left out."""
    message = (
        "(raised as a result of Query-invoked autoflush; consider something)\n"
        "(sqlite3.OperationalError) attempt to write a readonly database\n[SQL: INSERT]"
    )

    with (
        pytest.raises(ParameterError, match=r"db: \(sqlite3.* write a readonly database$"),
        asking("sqlite:///db") as mlflow,
    ):
        raise mlflow.exceptions.MlflowException(message)
