"""The shell command in this process, with a small shop to work on."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import churnkit
from churnkit.cli import entry
from churnkit.config.yaml_text import dump_yaml
from churnkit.data.simulate import simulate_shop
from churnkit.tracking import Tracker
from churnkit.tracking.quiet_mlflow import import_mlflow

ROOT = Path(churnkit.__file__).parents[1]
PARAMS = {"num_leaves": 4, "learning_rate": 0.3}


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout, which must be the only one, as JSON."""
        (line,) = self.out.splitlines()
        return json.loads(line)


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


@pytest.fixture(scope="session")
def shop_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the orders of 250 customers as a CSV file."""
    made = simulate_shop(customers=250, days=400, seed=11, tables=["orders"])
    orders = made.tables["orders"].to_pandas()[["customer_id", "ts", "amount", "order_id"]]
    path = tmp_path_factory.mktemp("data") / "orders.csv"
    orders.to_csv(path, index=False)
    return path


@pytest.fixture
def workplace(
    shop_csv: Path, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Work in a folder with ``shop.yaml``, its data and an empty store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "models").mkdir()
    shutil.copy(empty_store, tmp_path / "models" / "mlflow.db")
    shutil.copy(shop_csv, tmp_path / "orders.csv")
    config = {
        "name": "shop",
        "engine": {"threads": 1},
        "data": {"orders": {"source": "orders.csv"}},
        "snapshots": {"horizon_days": 60, "observation_days": 365, "every_days": 60, "count": 2},
        "features": {"rfm": {"windows_days": [30, 90]}, "purchase_model": {}},
        "churn": {"params": PARAMS, "calibration": "none"},
        "lifetime_value": {"params": PARAMS},
    }
    (tmp_path / "shop.yaml").write_text(dump_yaml(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def churnkit_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Give a function that runs the command in this process and returns what it left."""

    def run(*arguments: str, columns: int | None = None) -> Done:
        def leave(code: int) -> None:
            raise SystemExit(code)

        if columns is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(entry, "_leave", leave)
        monkeypatch.setattr(sys, "argv", ["churnkit", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            entry.main()
        captured = capsys.readouterr()
        return Done(code=left.value.code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def environment() -> dict[str, str]:
    """Give the environment of a process of its own that finds this package."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}
