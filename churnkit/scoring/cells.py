"""What of the customers on a cluster is counted in cells: features' drift, order histories, ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.clock import business_day
from churnkit.models.purchase import OrderCells, ValueCells, fit_purchase_cells
from churnkit.scoring.predictions import Drift
from churnkit.scoring.sums import total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.engines import ClusterEngine
    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase_forecast import FittedPurchases

__all__ = ["feature_drift", "fit_in_cells", "ranks"]

# Mean order values are fitted in cells this narrow: a fit on single values differs by less than 1e-6.
VALUE_CELLS_PER_E = 1000.0
RANK_CELLS = 10_000


def feature_drift(raw: nw.LazyFrame[Any], bundle: Bundle, *, engine: ClusterEngine) -> Drift:
    """Return the counts of the features in the training's bins, added up over the workers."""
    drift = Drift(bundle=bundle)
    names = [name for name in bundle.feature_names if name in bundle.distribution]
    sizes = [len(bundle.distribution[name]["edges"]) + 2 for name in names]
    seen = raw.filter(~nw.col("drift").is_null()).select("drift")
    counts = total(seen, _listed, engine=engine)
    if counts is not None:
        parts = np.split(np.rint(counts).astype(np.int64), np.cumsum(sizes)[:-1])
        drift.counts = dict(zip(names, parts, strict=True))
    return drift


def _listed(table: Any) -> NDArray[np.float64]:
    return np.array(table.column("drift").to_pylist(), dtype=np.float64)


def fit_in_cells(
    raw: nw.LazyFrame[Any], bundle: Bundle, *, snapshot: Snapshot, engine: ClusterEngine
) -> FittedPurchases | None:
    """Fit the purchase model to customers counted in cells."""
    known = raw.filter(nw.col("order_days") > 0)
    first, last = (
        business_day(nw.col(name).cast(nw.Int64), time_zone=snapshot.time_zone)
        for name in ("first_order_us", "last_order_us")
    )
    by = ("order_days", "first_day", "last_day")
    counted = known.with_columns(first_day=first, last_day=last).group_by(*by)
    orders = _arrays(engine, counted.agg(customers=nw.len()), sort_by=by)
    if not len(orders["customers"]):
        return None
    mean = nw.col("order_amount") / nw.col("order_days")
    bin_of = nw.when(mean > 0).then((mean.log() * VALUE_CELLS_PER_E).floor())
    valued = known.with_columns(mean=mean).with_columns(bin=bin_of).group_by("order_days", "bin")
    values = _arrays(
        engine,
        valued.agg(
            nw.col("mean").mean(),
            nw.col("order_amount").sum(),
            nw.col("net_revenue").sum(),
            customers=nw.len(),
        ),
        sort_by=("order_days", "bin"),
    )
    return fit_purchase_cells(
        OrderCells(**orders),
        value=ValueCells(
            mean=values["mean"],
            order_days=values["order_days"],
            customers=values["customers"],
            order_amount=float(values["order_amount"].sum()),
            net_revenue=float(values["net_revenue"].sum()),
        ),
        snapshot=snapshot,
        kind=bundle.models.settings.purchase_kind,
    )


def _arrays(
    engine: ClusterEngine, cells: nw.LazyFrame[Any], *, sort_by: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return cells by column, in an order that does not depend on the workers."""
    table = engine.collect(cells).sort_by([(name, "ascending") for name in sort_by])
    return {name: np.asarray(table[name].to_numpy(), np.float64) for name in table.column_names}


def ranks(predicted: nw.LazyFrame[Any], *, engine: ClusterEngine) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` and ``risk_rank``; equal risks share the better rank.

    Ranked within narrow cells of probability, so that no worker must hold everybody.
    """
    import pyarrow as pa

    cell = (nw.col("churn_probability") * RANK_CELLS).floor().cast(nw.Int64)
    celled = predicted.select("customer_id", "churn_probability", cell=cell)
    cells = engine.collect(celled.group_by("cell").agg(customers=nw.len()))
    cells = cells.sort_by([("cell", "descending")])
    customers = cells["customers"].to_numpy()
    before = pa.table({"cell": cells["cell"], "before": np.cumsum(customers) - customers})
    offsets = engine.select(f"SELECT * FROM {engine.add_arrow(before)}")
    within = nw.col("churn_probability").rank("min", descending=True).over("cell")
    return (
        celled.with_columns(within=within)
        .join(offsets, on="cell", how="left")
        .select("customer_id", risk_rank=(nw.col("before") + nw.col("within")).cast(nw.Int64))
    )
