"""The registry: versions, the champion, fetching a model, and what is said when it is not there."""

from __future__ import annotations

import shutil
import sys

import mlflow
import pytest

from churnkit.errors import ModelGuardError, ParameterError
from churnkit.models.bundle import DOCUMENT, load_bundle
from churnkit.tracking import Tracker


@pytest.fixture(scope="module")
def two_versions(shop, empty_store, tmp_path_factory):
    """Give a folder whose registry holds two versions of ``shop`` and no champion."""
    folder = tmp_path_factory.mktemp("two-versions")
    shutil.copy(empty_store, folder)
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
    for name in ("first", "second"):
        with tracker.start_run("shop", run_name=name) as run:
            run.log_bundle(shop.bundle, shop.folder)
    return folder


@pytest.fixture
def registered(two_versions, tmp_path):
    """Give a tracker on a copy of those two versions."""
    copy = shutil.copytree(two_versions, tmp_path / "models")
    return Tracker(f"sqlite:///{copy}/mlflow.db")


def test_empty_registry_has_no_champion_and_starts_at_one(tracker):
    """Before anything is registered there is no champion, and the next version is 1."""
    assert tracker.champion("shop") is None
    assert tracker.next_version("shop") == "1"


def test_registers_versions_and_moves_the_champion(registered):
    """Versions count up; the alias names the promoted one and can move back."""
    assert registered.champion("shop") is None
    assert registered.next_version("shop") == "3"

    registered.promote("shop", "2")
    second = registered.champion("shop")
    registered.promote("shop", "1")

    assert (second.name, second.version) == ("shop", "2")
    assert second.run_id is not None
    assert registered.champion("shop").version == "1"


@pytest.mark.parametrize("ref", ["models:/shop@champion", "models:/shop/1"])
def test_downloaded_bundle_equals_the_logged_one(registered, shop, ref):
    """Fetched by alias or version, every file of the bundle is the one that was saved."""
    registered.promote("shop", "1")

    found = registered.download(ref)

    assert {p.name for p in found.iterdir()} == {p.name for p in shop.folder.iterdir()}
    assert all(p.read_bytes() == (shop.folder / p.name).read_bytes() for p in found.iterdir())


def test_logged_bundle_carries_the_version_of_the_registry(registered, shop):
    """A bundle saved as version 1 and registered as version 2 says 2 when it is fetched."""
    found = load_bundle(registered.download("models:/shop/2"))

    assert shop.bundle.version == "1"
    assert found.version == "2"


def test_deleted_newest_version_is_not_given_again(registered, shop):
    """After the newest version is deleted, the next one still carries its own number."""
    mlflow.MlflowClient(registered.uri).delete_model_version("shop", "2")

    with registered.start_run("shop", run_name="third") as run:
        version = run.log_bundle(shop.bundle, shop.folder)

    assert load_bundle(registered.download(f"models:/shop/{version}")).version == version


def test_failed_registration_leaves_no_version(tracker, shop, tmp_path):
    """A bundle that cannot be read does not leave a version that loads nothing."""
    with (
        pytest.raises(FileNotFoundError, match="nowhere"),
        tracker.start_run("shop", run_name="broken") as run,
    ):
        run.log_bundle(shop.bundle, tmp_path / "nowhere")

    with pytest.raises(ParameterError, match=r"'shop' has no version '1'\. Known: none\.$"):
        tracker.promote("shop", "1")


def test_folder_of_a_bundle_is_returned_as_it_is(tracker, shop):
    """A plain folder needs no store."""
    assert tracker.download(str(shop.folder)) == shop.folder


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        (
            "models:/shpo@champion",
            r"no model 'shpo' is registered in sqlite:.*mlflow\.db: churnkit train makes one\."
            r" Did you mean 'shop'\? Known: shop",
        ),
        ("models:/shop@champoin", r"no version with the alias 'champoin'\. Known: none"),
        ("models:/shop/9", r"'shop' has no version '9'\. Known: 1, 2\."),
        ("models:/shop/latest", r"must be a bundle folder, .*; got 'models:/shop/latest'"),
        ("modles/shop/1", r"modles/shop/1: no such folder; give that of a bundle, or models:/name"),
        ("models:shop", r"must be a bundle folder, .*; got 'models:shop'"),
    ],
)
def test_reference_to_what_is_not_there_says_what_is(registered, ref, says):
    """Unknown names, aliases and versions, and other forms, are refused with what is known."""
    with pytest.raises(ParameterError, match=rf"^model: .*{says}"):
        registered.download(ref)


def test_promoting_an_unknown_version_says_which_there_are(registered):
    """The alias cannot move to a version that does not exist."""
    with pytest.raises(ParameterError, match=r"^model: 'shop' has no version '7'\. Known: 1, 2\.$"):
        registered.promote("shop", "7")


def test_folder_without_a_bundle_is_refused(tracker, tmp_path):
    """A folder that holds something else is named."""
    with pytest.raises(ModelGuardError, match=rf"holds no model bundle \({DOCUMENT} is missing\)"):
        tracker.download(str(tmp_path))


def test_model_of_another_kind_is_refused(tracker, tmp_path):
    """A version that was not logged by churnkit has no bundle, and that is what is said."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "MLmodel").write_text("flavors: {}\n")
    client = mlflow.MlflowClient(tracker.uri)
    assert tracker.champion("foreign") is None
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source=str(other))

    with pytest.raises(ModelGuardError, match="models:/foreign/1 holds no model bundle"):
        tracker.download("models:/foreign/1")


def test_database_without_its_driver_names_the_package(monkeypatch):
    """A store whose driver is not installed asks for it, and shows no password."""
    monkeypatch.setitem(sys.modules, "pymysql", None)
    tracker = Tracker("mysql+pymysql://ana:secret@localhost/mlflow")

    with pytest.raises(ParameterError, match="needs the Python package") as caught:
        tracker.champion("shop")

    assert str(caught.value) == (
        "tracking.uri: mysql+pymysql://localhost/mlflow needs the Python package 'pymysql'"
    )


def test_server_that_does_not_answer_is_one_short_sentence(unused_port):
    """Nobody listens: the address and the cause, without a stack of retries."""
    tracker = Tracker(f"http://ana:secret@127.0.0.1:{unused_port}")

    with pytest.raises(ParameterError, match="no MLflow server answers") as caught:
        tracker.champion("shop")

    assert str(caught.value) == (
        f"tracking.uri: no MLflow server answers at http://127.0.0.1:{unused_port}"
        " (connection refused)"
    )


def test_an_experiment_that_another_job_has_just_made_is_used(tracker, monkeypatch):
    """Two jobs look for the same experiment and find none; the slower one uses the faster one's."""
    with tracker.start_run("same", run_name="faster") as first:
        pass
    client = tracker._client
    look = client.get_experiment_by_name
    answers = iter([None])
    monkeypatch.setattr(
        client, "get_experiment_by_name", lambda name: next(answers, None) or look(name)
    )

    with tracker.start_run("same", run_name="slower") as second:
        pass

    assert second.experiment_id == first.experiment_id
