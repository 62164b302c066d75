"""A shop with every kind of customer, as a file, a model trained on it once, and a cluster of Spark."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import churnkit
from churnkit.config import Config
from churnkit.data.simulate import simulate_shop
from churnkit.tracking import Tracker
from churnkit.tracking.quiet_mlflow import import_mlflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from churnkit.pipeline.results import ScoreResult, TrainResult

AS_OF = "2024-01-20"
DAYS = 420
PARAMS = {"num_leaves": 4, "learning_rate": 0.3, "min_data_in_leaf": 20}

# Customer, time, amount, order: each a case of the score table's status.
SPECIAL = (
    ("long-ago", "2022-10-01T10:00:00", "40", "s1"),
    ("not-lately", "2023-02-01T10:00:00", "40", "s2"),
    ("only-returns", "2023-11-01T10:00:00", "-12.5", "s3"),
    ("only-rejected", "2023-11-02T10:00:00", "abc", "s4"),
    ("only-without-time", "", "10", "s5"),
    ("rejected-and-good", "2023-12-01T10:00:00", "", "s6"),
    ("rejected-and-good", "2023-12-02T10:00:00", "25", "s7"),
    ("only-later", "2024-02-01T10:00:00", "25", "s8"),
    ("only-later-and-rejected", "2024-02-01T10:00:00", "abc", "s9"),
    ("first-instant-after", f"{AS_OF}T00:00:00", "25", "s10"),
    ("last-instant-before", "2024-01-19T23:59:59", "25", "s11"),
)
ABSENT = {"only-later", "only-later-and-rejected", "first-instant-after"}


def shop_orders() -> pd.DataFrame:
    """Return order lines as text, as a CSV file has them."""
    made = simulate_shop(customers=300, days=DAYS, seed=7, tables=["orders"])
    orders = made.tables["orders"].to_pandas()[["customer_id", "ts", "amount", "order_id"]]
    orders["ts"] = orders["ts"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    text = orders.astype(str)
    special = pd.DataFrame(SPECIAL, columns=text.columns)
    return pd.concat([text, special], ignore_index=True)


def shop_config(source: Path | str, **changes: Any) -> dict[str, Any]:
    """Return a configuration for the shop; ``changes`` replace whole sections."""
    return {
        "name": "shop",
        "engine": {"threads": 1},
        "data": {
            "time_zone": "UTC",
            "orders": {
                "source": str(source),
                "columns": {
                    "customer_id": "customer_id",
                    "ts": "ts",
                    "amount": "amount",
                    "order_id": "order_id",
                },
            },
        },
        "snapshots": {
            "horizon_days": 60,
            "observation_days": 365,
            "every_days": 60,
            "count": 2,
            "test": 1,
        },
        "population": {"active_within_days": 180},
        "features": {"rfm": {"windows_days": [30, 90]}, "purchase_model": {"kind": "bg_nbd"}},
        "churn": {"params": PARAMS, "calibration": "none", "level": "purchase_model"},
        "lifetime_value": {
            "params": PARAMS,
            "level": "purchase_model",
            "gross_margin": 0.4,
            "yearly_discount_rate": 0.1,
        },
        "scoring": {"as_of": dt.date.fromisoformat(AS_OF), "output": "out/scores.parquet"},
        **changes,
    }


@pytest.fixture(scope="session")
def metrics_config():
    """Give a function that writes tables as Parquet and returns a configuration of every view."""

    def made(frames: dict[str, pd.DataFrame], *, folder: Path) -> dict[str, Any]:
        data = {}
        for name, frame in frames.items():
            frame.to_parquet(folder / f"{name}.parquet")
            data[name] = {"source": str(folder / f"{name}.parquet")}
        return {
            "name": "shop",
            "engine": {"threads": 1},
            "data": data,
            "snapshots": {"horizon_days": 60},
            "lifetime_value": {"gross_margin": 0.5},
            "retention": {
                "activity_window_days": 60,
                "funnel_steps": ["product_view", "cart_add", "purchase"],
                "yearly_discount_rate": 0.1,
            },
        }

    return made


@dataclass(frozen=True)
class Shop:
    """A trained shop.

    Attributes
    ----------
    orders : DataFrame
        All columns text.
    csv : Path
        The same as a file.
    config : dict
        What it was trained with.
    trained : TrainResult
    bundle : Path
        The model's folder.
    trained_hash : str
        Hash of the configuration.
    """

    orders: pd.DataFrame
    csv: Path
    config: dict[str, Any]
    trained: TrainResult
    bundle: Path
    trained_hash: str
    as_of: str = AS_OF


@pytest.fixture(scope="session", autouse=True)
def imported_mlflow() -> None:
    """Import MLflow the way the product does: some of its modules warn on their first import."""
    import_mlflow()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an embedded store without runs; making one takes MLflow seconds, copying it none."""
    folder = tmp_path_factory.mktemp("empty")
    assert Tracker(None, folder=folder).champion("nobody") is None
    return folder / "mlflow.db"


@pytest.fixture
def workplace(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty working directory with an embedded store of its own, and work in it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "models").mkdir()
    shutil.copy(empty_store, tmp_path / "models" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Shop:
    """Give a model trained on the shop's file."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "models").mkdir()
    shutil.copy(empty_store, folder / "models" / "mlflow.db")
    orders = shop_orders()
    orders.to_csv(folder / "orders.csv", index=False)
    config = shop_config(folder / "orders.csv")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        trained = churnkit.train(config)
    return Shop(
        orders=orders,
        csv=folder / "orders.csv",
        config=config,
        trained=trained,
        bundle=folder / trained.bundle_folder,
        trained_hash=Config.from_mapping(config).hash,
    )


@pytest.fixture
def config_of():
    """Give the maker of the shop's configuration."""
    return shop_config


@pytest.fixture
def score(shop: Shop, workplace: Path):
    """Give a function that scores the shop with its model and returns the result."""

    def make(config=None, **options):
        return churnkit.score(
            shop.config if config is None else config, **{"model": shop.bundle, **options}
        )

    return make


@pytest.fixture(scope="session")
def result(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> ScoreResult:
    """Give the shop scored once with its own configuration; for tests that only look."""
    target = tmp_path_factory.mktemp("scores") / "scores.parquet"
    return churnkit.score(shop.config, model=shop.bundle, output=target)


@pytest.fixture(scope="session")
def scored(result: ScoreResult) -> pd.DataFrame:
    """Give the score table of the shop by customer; for tests that only look."""
    return result.to_pandas().set_index("customer_id")


# To compile queries and methods takes longer than to run them on small tables.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
QUICK = {
    "spark.driver.memory": "600m",
    "spark.executor.memory": "512m",
    "spark.driver.extraJavaOptions": QUICK_JVM,
    "spark.executor.extraJavaOptions": QUICK_JVM,
    "spark.sql.codegen.wholeStage": False,
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": 4,
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A master of Spark and two workers of one core, on loopback.

    Attributes
    ----------
    master : str
        Its address.
    workers : list of Popen
    environment : dict
        Of whatever is to use the cluster.
    conf : dict
        Settings for small tables.
    """

    master: str
    workers: list[subprocess.Popen[bytes]]
    environment: dict[str, str]
    conf: dict[str, Any] = field(default_factory=lambda: dict(QUICK))

    @staticmethod
    def kill(process: subprocess.Popen[bytes]) -> None:
        """End a process and all that it has started, as a machine does that loses power."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)

    @staticmethod
    def wait_for(found: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            time.sleep(0.05)

    @contextlib.contextmanager
    def job(self, command: Sequence[str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Give a running command that may use the cluster; it is ended if it has not ended."""
        with log.open("w") as output:
            job = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield job
        finally:
            if job.poll() is None:
                job.kill()
            job.wait(timeout=30)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a master and two workers that run."""
    import pyspark

    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    environment = os.environ | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": QUICK_JVM,
        "SPARK_LOCAL_DIRS": str(tmp_path / "local"),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    started = []

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(spark_class), f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1"]
        with (tmp_path / f"{len(started)}.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--webui-port", "0", *arguments],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    master = f"spark://127.0.0.1:{port}"
    start("master.Master", "--port", str(port))
    size = ("--cores", "1", "--memory", "900m")
    folders = [("--work-dir", str(tmp_path / f"worker{i}")) for i in range(2)]
    workers = [start("worker.Worker", *size, *folder, master) for folder in folders]
    yield Cluster(master=master, workers=workers, environment=environment)
    for process in started:
        Cluster.kill(process)


@pytest.fixture
def orders(tmp_path, monkeypatch):
    """Work in an empty folder, and give what writes 400 daily orders of nine customers to orders.csv.

    Columns given replace or add to the usual ones; None takes one away.
    """
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-05", periods=400, freq="D")

    def write(**columns):
        base = {
            "customer": [f"c{i % 9}" for i in range(len(days))],
            "order_date": days.strftime("%Y-%m-%d"),
            "amount": [f"{1.25 + i}" for i in range(len(days))],
        }
        kept = {name: values for name, values in (base | columns).items() if values is not None}
        pd.DataFrame(kept).to_csv("orders.csv", index=False)

    return write
