"""The order histories that accuracy is measured on, and the labelled snapshots made of them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import order_table
from churnkit.data.simulate import simulate_shop
from churnkit.data.sources import TableSpec, load_table
from churnkit.data.windows import plan_snapshots
from churnkit.engines import DuckDBEngine
from churnkit.evaluation.snapshots import SnapshotLoader
from churnkit.features.build import FEATURE_BUILDERS, History
from churnkit.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from churnkit.models.base import LabelledSnapshot

__all__ = ["REAL", "SIMULATED", "OrderHistory", "Origin", "origins"]

EPOCH = date(1970, 1, 1)
BUILDERS = ("rfm", "regularity", "basket", "purchase_model")


@dataclass(frozen=True, kw_only=True)
class OrderHistory:
    """One order history with the only settings that differ between histories.

    Attributes
    ----------
    name : str
        Folder below ``--data`` for a real history, ``simulated_<scenario>`` for a simulated one.
    horizon_days : int
        Length of the label window.
    columns : mapping
        Our column names → the file's.
    where : str or None
        SQL predicate on the file's columns.
    time_zone : str
        Business time zone.
    cutoffs : int
        How many test cutoffs, each ``step_days`` (a multiple of 30) before the one after it.
    active_within_days : int
        Who ordered within so many days is in the population.
    """

    name: str
    horizon_days: int = 90
    columns: Mapping[str, str] = field(default_factory=lambda: {"ts": "timestamp"})
    where: str | None = None
    time_zone: str = "UTC"
    cutoffs: int = 3
    step_days: int = 90
    counts_only: bool = False
    active_within_days: int = 730

    def source(self, folder: Path) -> Any:
        """Return what :func:`churnkit.data.sources.load_table` reads: a path or a frame."""
        scenario = self.name.removeprefix("simulated_")
        if scenario != self.name:
            shop = simulate_shop(
                customers=3000, days=1095, seed=11, scenario=scenario, tables=["orders"]
            )
            return shop.tables["orders"]
        path = folder / self.name / "transactions.parquet"
        if self.counts_only:
            import pandas as pd

            return pd.read_parquet(path).assign(amount=1.0)
        return str(path)


REAL = (
    OrderHistory(name="cdnow", horizon_days=91, step_days=60),
    OrderHistory(
        name="online_retail_ii",
        where="sheet=1 or timestamp >= '2010-12-10'",
        time_zone="Europe/London",
        cutoffs=4,
    ),
    OrderHistory(name="grocery", counts_only=True),
    OrderHistory(name="apparel", horizon_days=180, cutoffs=4, step_days=180),
    OrderHistory(
        name="global_electronics",
        horizon_days=180,
        where="currency='USD'",
        cutoffs=4,
        step_days=180,
    ),
)
SIMULATED = tuple(
    OrderHistory(name=f"simulated_{scenario}", columns={"ts": "ts"}, cutoffs=1)
    for scenario in (
        "stationary",
        "seasonal",
        "growing",
        "shrinking",
        "clumpy",
        "rhythmic",
        "heavy_tailed",
        "no_churn",
    )
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One test: training snapshots, oldest first, and the snapshot whose outcome is predicted."""

    history: str
    train: tuple[LabelledSnapshot, ...]
    test: LabelledSnapshot


def origins(
    histories: Sequence[OrderHistory], *, data: Path, cache: Path | None = None
) -> Iterator[Origin]:
    """Return every origin of every history; with ``cache``, snapshots are made once and kept."""
    for history in histories:
        kept = cache / f"{history.name}.pickle" if cache is not None else None
        if kept is not None and kept.exists():
            made = pickle.loads(kept.read_bytes())  # our own file
        else:
            made = _make(history, data=data)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(pickle.dumps(made))
        snapshots, plans = made
        for train, test in plans:
            yield Origin(
                history=history.name, train=tuple(snapshots[c] for c in train), test=snapshots[test]
            )


def _make(history: OrderHistory, *, data: Path) -> tuple[dict[str, Any], list[Any]]:
    engine = DuckDBEngine()
    spec = TableSpec(
        source=history.source(data), columns=dict(history.columns), filter=history.where
    )
    loaded = load_table(
        spec, contract=CONTRACTS["orders"](), engine=engine, time_zone=history.time_zone
    )
    orders = order_table(
        loaded.rows, columns=loaded.columns, engine=engine, time_zone=history.time_zone
    )
    tables = {"orders": orders}
    if "product_id" in loaded.columns:
        tables["lines"] = loaded.rows
    load = SnapshotLoader(
        history=History(tables=tables, engine=engine),
        builders=[FEATURE_BUILDERS[name]() for name in BUILDERS],
        label=LABELS["no_order"](),
        active_within_days=history.active_within_days,
        min_orders=1,
    )
    days = engine.collect(orders.select(a=nw.col("day").min(), b=nw.col("day").max()))
    first, end = (
        EPOCH + timedelta(days=days.to_pylist()[0][k] + d) for k, d in (("a", 0), ("b", 1))
    )
    plans = [
        plan_snapshots(
            first_day=first,
            end_day=end,
            horizon_days=history.horizon_days,
            time_zone=history.time_zone,
            last=end - timedelta(days=history.horizon_days + back * history.step_days),
        )
        for back in reversed(range(history.cutoffs))
    ]
    snapshots = {str(s.cutoff): load(s) for plan in plans for s in (*plan.train, *plan.test)}
    return snapshots, [
        ([str(s.cutoff) for s in plan.train], str(plan.test[-1].cutoff)) for plan in plans
    ]
