"""A shop with every kind of customer, as a file, and a model trained on it once."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import churnkit
from churnkit.config import Config
from churnkit.data.simulate import simulate_shop
from churnkit.tracking import Tracker
from churnkit.tracking.quiet_mlflow import import_mlflow

if TYPE_CHECKING:
    from pathlib import Path

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
