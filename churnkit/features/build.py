"""The contract of a feature builder, and how the declarations of several become one query.

A builder does not run queries. It declares aggregates over a table that ends at the cutoff, and
features that follow from them; :func:`build_features` merges the declarations of all builders that
read the same rows into one group-by, so that a table is read once per cutoff however many builders
there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.errors import DataError
from churnkit.features.known import History, Known
from churnkit.features.phrases import Phrase
from churnkit.features.staying import with_log_stay
from churnkit.features.table import (
    BASE_COLUMNS,
    SUBSCRIPTION_COLUMNS,
    FeatureTable,
    table_columns,
)
from churnkit.features.tally import AtOrderDay, Count, tallied
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot

__all__ = [
    "BASE_COLUMNS",
    "FEATURE_BUILDERS",
    "IS_ORDER",
    "SUBSCRIPTION_COLUMNS",
    "Aggregation",
    "AtOrderDay",
    "Count",
    "FeatureBuilder",
    "FeatureTable",
    "History",
    "Known",
    "Phrase",
    "build_features",
    "ratio",
    "sum_if",
    "unknown",
]


@dataclass(frozen=True, kw_only=True)
class Aggregation:
    """What one builder takes from one table.

    Parameters
    ----------
    rows : narwhals.LazyFrame
        Rows with ``customer_id``. Builders that pass the same table object share one group-by.
    aggregates : mapping of str to narwhals.Expr
        Column name → aggregate over a customer's rows. A name may be a feature's; one that is not
        begins with ``_`` and the builder's name. Values are Float64 unless they are a time or a day.
    counts : mapping of str to Count
        Column name, as of aggregates → marked rows to count; those of all builders share sums.
        Only where ``rows`` is the table ``orders`` itself.
    at_order_days : mapping of str to AtOrderDay
        Column name, as of aggregates → a value at the first or the last order day; as ``counts``
        only of the table ``orders``.
    ranks : mapping of str to narwhals.Expr
        Column name, as of aggregates → what compares customers with each other, computed like
        features, and before them.
    features : mapping of str to narwhals.Expr
        Feature name → expression over the columns above and :data:`BASE_COLUMNS` of one customer, computed
        when all tables are joined: those of a table in which a customer has no row are null.
    finish : callable, optional
        Takes Arrow rows with :data:`BASE_COLUMNS`, the engine's features and this plan's
        aggregates, and returns arrays by feature name, NaN for null: for what no query engine can
        compute. It sees one batch at a time and must not depend on it.
    """

    rows: nw.LazyFrame[Any]
    aggregates: Mapping[str, nw.Expr] = field(default_factory=dict)
    counts: Mapping[str, Count] = field(default_factory=dict)
    at_order_days: Mapping[str, AtOrderDay] = field(default_factory=dict)
    ranks: Mapping[str, nw.Expr] = field(default_factory=dict)
    features: Mapping[str, nw.Expr] = field(default_factory=dict)
    finish: Callable[[pa.Table], Mapping[str, NDArray[np.float64]]] | None = None

    @property
    def grouped(self) -> tuple[str, ...]:
        """Names of the columns that the group-by makes."""
        return (*self.aggregates, *self.counts, *self.at_order_days)


class FeatureBuilder(Protocol):
    """Declares features of customers from tables that end at a cutoff."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` cannot do without."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order, known before any data is read; :data:`BASE_COLUMNS` may be among them."""
        ...

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people, one phrase a feature."""
        ...

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate from the known tables."""
        ...


FEATURE_BUILDERS: Registry[FeatureBuilder] = Registry("feature builder")

IS_ORDER = nw.col("is_order").cast(nw.Float64)
"""1 for rows of orders that stand, else 0: sums of its products are cheap."""


def sum_if(condition: nw.Expr, value: nw.Expr | float = 1.0) -> nw.Expr:
    """Return the sum of ``value``, which must be finite, over the rows where ``condition`` holds.

    0 where it holds in none.
    """
    # A product is summed in two thirds of the time that a choice takes, and an engine computes
    # what several products share once.
    holds = condition.cast(nw.Float64)
    return (holds if isinstance(value, float) and value == 1.0 else holds * value).sum()


def ratio(numerator: nw.Expr, denominator: nw.Expr) -> nw.Expr:
    """Return the quotient where the denominator is positive, null elsewhere."""
    return nw.when(denominator > 0).then(numerator / denominator)


def unknown(*names: str) -> dict[str, nw.Expr]:
    """Return features that are null for everybody: what the data cannot say at this cutoff."""
    return {name: nw.lit(None).cast(nw.Float64) for name in names}


def _base_plans(known: Known) -> list[Aggregation]:
    """Return what population, baselines and formulas need; the first plan's rows say who is there."""
    if known.stays is None:
        return [_of_orders(known)]
    reaches_in = nw.col("ended_at_us") >= known.snapshot.observation_start_us
    stays = known.stays.filter(nw.col("ended_at_us").is_null() | reaches_in)
    stays, log_stay = with_log_stay(stays, known)
    since = nw.when(nw.col("running") > 0).then(nw.col("started_at_us"))
    aggregates = dict(
        zip(
            SUBSCRIPTION_COLUMNS[1:],
            (nw.col("running").sum(), nw.col("mrr").sum(), since.min(), log_stay),
            strict=True,
        )
    )
    plans = [Aggregation(rows=stays, aggregates=aggregates)]
    if "orders" in known.tables:
        plans.append(_of_orders(known))
    return plans


def _of_orders(known: Known) -> Aggregation:
    """Return what the population, the purchase models and the formulas need of every customer."""
    amount, ts_us = nw.col("amount"), nw.col("ts_us").cast(nw.Float64)
    is_recent = nw.col("day") >= known.cutoff_day - known.snapshot.horizon_days
    aggregates = {
        "net_revenue": amount.sum(),
        "order_amount": (IS_ORDER * amount).sum(),
        "horizon_amount": sum_if(is_recent, amount),
    }
    counts = {
        "orders": Count(mark="is_order"),
        "order_days": Count(mark="is_order_day"),
        "horizon_orders": Count(mark="is_order", where=is_recent),
    }
    # Exact: an instant before 2255 is a whole number that a double holds.
    ends = {
        "first_order_us": AtOrderDay(mark="is_first_order_day", value=ts_us, whole=True),
        "last_order_us": AtOrderDay(mark="is_last_order_day", value=ts_us, whole=True),
    }
    return Aggregation(
        rows=known["orders"], aggregates=aggregates, counts=counts, at_order_days=ends
    )


def build_features(
    history: History, snapshot: Snapshot, *, builders: Sequence[FeatureBuilder]
) -> FeatureTable:
    """Return the features of every customer with a row of orders in the observation interval.

    Where the history says what a stay is, of every paying subscriber of the interval instead.

    Parameters
    ----------
    history : History
        All rows, future ones included: they are cut away here, once, above the builders.
    snapshot : Snapshot
        The cutoff and the length of the observation.
    builders : sequence of FeatureBuilder
        Order is kept in the columns.

    Raises
    ------
    DataError
        If two builders promise the same column, or one does not build what it promised or counts
        rows that are not those of orders.
    ConfigError
        If a builder needs a table that the history lacks.
    """
    names = tuple(name for builder in builders for name in builder.feature_names)
    _refuse_repeated(names, rule="two builders make the column(s)")
    known = history.known(snapshot)
    plans = _base_plans(known)
    spine = plans[0].rows
    based = {"customer_id", *(name for plan in plans for name in plan.grouped)}
    base = tuple(n for n in (*SUBSCRIPTION_COLUMNS, *BASE_COLUMNS[1:]) if n in based)
    for builder in builders:
        built = builder.build(known)
        _check_promise(builder, built, known=known)
        plans += built
    made = [name for plan in plans for name in (*plan.grouped, *plan.ranks, *plan.features)]
    _refuse_repeated(made, rule="two builders aggregate under the name(s)")

    frame = _aggregate([plan for plan in plans if plan.rows is spine], known=known)
    for rows in {id(plan.rows): plan.rows for plan in plans if plan.rows is not spine}.values():
        grouped = _aggregate([plan for plan in plans if plan.rows is rows], known=known)
        frame = frame.join(grouped, on="customer_id", how="left")
    if ranks := {name: expr for plan in plans for name, expr in plan.ranks.items()}:
        frame = frame.with_columns(**ranks)
    features = {name: expr for plan in plans for name, expr in plan.features.items()}
    inputs = {name for plan in plans if plan.finish is not None for name in plan.grouped}
    wanted = [name for name in table_columns(names, base=base) if name in {"customer_id", *made}]
    return FeatureTable(
        snapshot=snapshot,
        feature_names=names,
        joined=frame,
        derived=tuple(
            features[name].alias(name) if name in features else nw.col(name)
            for name in (*wanted, *sorted(inputs.difference(wanted)))
        ),
        finishers=tuple(plan.finish for plan in plans if plan.finish is not None),
        engine=history.engine,
        base_columns=base,
    )


def _aggregate(plans: Sequence[Aggregation], *, known: Known) -> nw.LazyFrame[Any]:
    """Return one row per customer from plans that read the same rows: one group-by for all."""
    aggregates = {name: expr for plan in plans for name, expr in plan.aggregates.items()}
    counts = {name: count for plan in plans for name, count in plan.counts.items()}
    at_days = {name: at for plan in plans for name, at in plan.at_order_days.items()}
    if not counts:
        return plans[0].rows.group_by("customer_id").agg(**aggregates)
    sums, found = tallied(counts, most_rows=known.most_order_rows)
    totals = {name: at.total for name, at in at_days.items()}
    grouped = plans[0].rows.group_by("customer_id").agg(**aggregates, **totals, **sums)
    order_days = found["order_days"]
    found |= {name: at.of(name, order_days=order_days) for name, at in at_days.items()}
    return grouped.select("customer_id", *aggregates, **found)


def _refuse_repeated(names: Sequence[str], *, rule: str) -> None:
    if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
        msg = f"features: {rule} {', '.join(repeated)}"
        raise DataError(msg)


def _check_promise(builder: FeatureBuilder, built: Sequence[Aggregation], *, known: Known) -> None:
    """Refuse a builder whose promise the plans cannot keep; what is finished is checked in the rows."""
    for plan in built:
        # Counts share sums that hold as many rows as a customer has of orders.
        counted = (*plan.counts, *plan.at_order_days)
        if counted and plan.rows is not known.tables.get("orders"):
            msg = f"features: {builder!r} may only count rows of orders; got {', '.join(counted)}"
            raise DataError(msg)
    made = {name for plan in built for name in (*plan.grouped, *plan.ranks, *plan.features)}
    missing = sorted(set(builder.feature_names) - made - set(BASE_COLUMNS))
    if missing and all(plan.finish is None for plan in built):
        msg = f"features: {builder!r} promised {', '.join(missing)} and does not build it"
        raise DataError(msg)
