"""The same round trip with MLflow's own servers on loopback."""

from __future__ import annotations

import shutil

import mlflow
import pytest

from churnkit.models.bundle import load_bundle
from churnkit.tracking import Tracker


@pytest.fixture
def no_uri(monkeypatch):
    """Leave MLflow's global store as it was found."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    mlflow.set_tracking_uri(None)


@pytest.mark.slow
def test_round_trip_with_a_tracking_server(
    mlflow_serving, shop, empty_store, tmp_path, no_uri, capfd
):
    """Run, documents, registration, alias, download and loading work over HTTP, and print nothing."""
    database = shutil.copy(empty_store, tmp_path / "server.db")
    options = ("--backend-store-uri", f"sqlite:///{database}")
    files = ("--artifacts-destination", str(tmp_path / "served"))
    with mlflow_serving("server", *options, *files, folder=tmp_path) as address:
        tracker = Tracker(address, folder=tmp_path / "models")

        with tracker.start_run("shop", run_name="remote") as run:
            run.log_params({"seed": 7})
            run.log_metrics({"churn.auc": 0.8})
            run.log_document("config.yaml", "name: shop\n")
            version = run.log_bundle(shop.bundle, shop.folder)
        tracker.promote("shop", version)
        folder = tracker.download("models:/shop@champion")
        printed = capfd.readouterr()

        mlflow.set_tracking_uri(address)
        model = mlflow.pyfunc.load_model("models:/shop@champion")
        scores = model.predict(shop.orders.to_pandas())
        found = mlflow.MlflowClient(address).get_run(run.run_id)

    assert (printed.out, printed.err) == ("", "")
    assert found.data.params == {"seed": "7"}
    assert found.data.metrics == {"churn.auc": 0.8}
    assert found.info.status == "FINISHED"
    assert tracker.uri == address
    assert load_bundle(folder).version == version == "1"
    assert all(p.read_bytes() == (shop.folder / p.name).read_bytes() for p in folder.iterdir())
    assert len(scores) == len(set(shop.orders.column("customer_id").to_pylist()))
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_mlflow_ui_shows_runs_and_files_of_the_embedded_store(
    mlflow_serving, tracker, store, get, tmp_path
):
    """``mlflow ui --backend-store-uri sqlite:///models/mlflow.db`` lists the run and its document."""
    with tracker.start_run("shop", run_name="seen") as run:
        run.log_metrics({"churn.auc": 0.8})
        run.log_document("config.yaml", "name: shop\n")
    relative = f"sqlite:///{store.relative_to(tmp_path)}/mlflow.db"

    with mlflow_serving("ui", "--backend-store-uri", relative, folder=tmp_path) as address:
        api = f"{address}/api/2.0/mlflow"
        experiments = {"experiment_ids": [run.experiment_id]}
        listed = get(f"{api}/runs/search", experiments)
        files = get(f"{api}/artifacts/list?run_id={run.run_id}")

    (shown,) = listed["runs"]
    assert shown["info"]["run_name"] == "seen"
    assert shown["data"]["metrics"][0]["value"] == 0.8
    assert [entry["path"] for entry in files["files"]] == ["config.yaml"]
