"""A small trained bundle, an empty embedded store to copy, and MLflow's own servers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

import churnkit.features
import churnkit.models  # noqa: F401 - registers the learners
from churnkit.data.simulate import simulate_shop
from churnkit.data.sources import TableSpec
from churnkit.data.windows import plan_snapshots
from churnkit.engines import DuckDBEngine
from churnkit.evaluation.predictive import spend_metrics
from churnkit.evaluation.snapshots import SnapshotLoader
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.features.history import read_history
from churnkit.labels import LABELS
from churnkit.models.bundle import Bundle, save_bundle
from churnkit.models.training import ModelSettings, fit_models
from churnkit.tracking import Tracker
from churnkit.tracking.quiet_mlflow import import_mlflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

COLUMNS = ["customer_id", "ts", "amount", "order_id"]
FEATURES = {"rfm": {"windows_days": [30, 90]}, "purchase_model": {}}
START_SECONDS = 90


@pytest.fixture(scope="session", autouse=True)
def imported_mlflow() -> None:
    """Import MLflow the way the product does: some of its modules warn on their first import."""
    import_mlflow()


@dataclass(frozen=True)
class TrainedShop:
    """Orders, the bundle trained on them, and the folder it is saved in."""

    orders: pa.Table
    bundle: Bundle
    folder: Path


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    """Give a bundle trained on 400 simulated customers."""
    made = simulate_shop(customers=400, days=420, seed=7, tables=["orders"])
    orders = made.tables["orders"].select(COLUMNS)
    builders = [
        FEATURE_BUILDERS["rfm"](windows_days=(30, 90)),
        FEATURE_BUILDERS["purchase_model"](),
    ]
    with DuckDBEngine(threads=1) as engine:
        read = read_history({"orders": TableSpec(source=orders)}, engine=engine, time_zone="UTC")
        plan = plan_snapshots(
            first_day=read.first_day,
            end_day=read.end_day,
            horizon_days=60,
            observation_days=365,
            every_days=60,
            count=2,
        )
        load = SnapshotLoader(
            history=read.history,
            builders=builders,
            label=LABELS["no_order"](),
            active_within_days=365,
            min_orders=1,
        )
        train = [load(snapshot) for snapshot in plan.train]
        small = {"num_leaves": 4, "learning_rate": 0.3}
        settings = ModelSettings(
            threads=1,
            churn_params=small,
            spend_params=small,
            calibration="none",
            objective="tweedie_1.5",
        )
        models, _ = fit_models(train, settings=settings, judge=spend_metrics)
    bundle = Bundle(
        name="shop",
        version="1",
        created_at="2024-03-01T00:00:00+00:00",
        models=models,
        features=FEATURES,
        feature_names=train[0].features.names,
        data={
            "time_zone": "UTC",
            "refunds": "net",
            "duplicates": "keep",
            "columns": sorted(COLUMNS),
            "tables": {"orders": sorted(COLUMNS)},
            "scales": {"csat_options": 5, "ces_options": 7},
        },
        snapshot={"observation_days": 365, "horizon_days": 60, "gap_days": 0},
        label={"kind": "no_order"},
        population={"active_within_days": 365, "min_orders": 1},
        value={"gross_margin": 1.0, "yearly_discount_rate": 0.0},
    )
    folder = save_bundle(bundle, tmp_path_factory.mktemp("bundles") / "1")
    return TrainedShop(orders=orders, bundle=bundle, folder=folder)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an embedded store without runs; making one takes MLflow seconds, copying it none."""
    folder = tmp_path_factory.mktemp("empty")
    assert Tracker(f"sqlite:///{folder}/mlflow.db").champion("nobody") is None
    return folder / "mlflow.db"


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with an embedded store of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    return folder


@pytest.fixture
def tracker(store: Path) -> Tracker:
    """Give a tracker on an embedded store of its own."""
    return Tracker(None, folder=store)


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    """Return what a server answers: JSON where it is, else the text."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith("{") else text


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: str, *options: str, folder: Path) -> Iterator[str]:
    """Run ``mlflow COMMAND`` on loopback and give its address; end it and its workers afterwards."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    arguments = [sys.executable, "-m", "mlflow", command, "--host", "127.0.0.1"]
    with (folder / f"{command}.log").open("wb") as log:
        process = subprocess.Popen(
            [*arguments, "--port", str(port), "--workers", "1", *options],
            cwd=folder,
            env={**os.environ, **quiet},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(f"{address}/health", process=process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=15)


def _wait_for(url: str, *, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            ask(url)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, "the server ended while starting"
            assert time.monotonic() < deadline, f"no answer after {START_SECONDS} seconds"
            time.sleep(0.2)
        else:
            return


@pytest.fixture
def mlflow_serving() -> Callable[..., Any]:
    """Give the function that runs an MLflow server on loopback."""
    return serving


@pytest.fixture
def unused_port() -> int:
    """Give a port on which nobody listens."""
    return free_port()


@pytest.fixture
def get() -> Callable[..., Any]:
    """Give the function that asks a server."""
    return ask
