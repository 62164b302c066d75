"""The contract of a feature builder, and the one place where the future is cut away.

A builder does not run queries. It declares aggregates over a table that ends at the cutoff, and
features that follow from them; :func:`build_features` merges the declarations of all builders that
read the same rows into one group-by, so that a table is read once per cutoff however many builders
there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.data.orders import known_at
from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ConfigError, DataError
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.engines import Engine

__all__ = [
    "BASE_COLUMNS",
    "FEATURE_BUILDERS",
    "Aggregation",
    "FeatureBuilder",
    "FeatureTable",
    "History",
    "Known",
    "Phrase",
    "build_features",
    "sum_if",
]


@dataclass(frozen=True, kw_only=True)
class History:
    """The checked tables of a run, kept in one engine.

    Parameters
    ----------
    tables : mapping of str to narwhals.LazyFrame
        By name: ``orders`` (see :func:`churnkit.data.orders.order_table`), ``lines``, and later ones.
        Every table has ``customer_id`` and ``ts_us``, the instant at which a row becomes known.
    engine : Engine
        Where they are.
    """

    tables: Mapping[str, nw.LazyFrame[Any]]
    engine: Engine

    def known(self, snapshot: Snapshot) -> Known:
        """Return the tables as they were known at the cutoff: later rows and refunds are gone."""
        start, end = snapshot.observation_start_us, snapshot.cutoff_us
        cut = {
            name: known_at(table, start_us=start, cutoff_us=end)
            if name == "orders"
            else table.filter(nw.col("ts_us") >= start, nw.col("ts_us") < end)
            for name, table in self.tables.items()
        }
        age_days = (nw.lit(end) - nw.col("ts_us")) / US_PER_DAY
        cut = {name: table.with_columns(age_days=age_days) for name, table in cut.items()}
        return Known(tables=cut, snapshot=snapshot, engine=self.engine)


@dataclass(frozen=True, kw_only=True)
class Known:
    """The tables of a history cut at a snapshot's cutoff, each with ``age_days`` before it (> 0)."""

    tables: Mapping[str, nw.LazyFrame[Any]]
    snapshot: Snapshot
    engine: Engine

    def __getitem__(self, name: str) -> nw.LazyFrame[Any]:
        """Return a table, or say that the data has none of this name."""
        if name not in self.tables:
            msg = f"features: a builder needs the table data.{name}, which is not configured"
            raise ConfigError(msg)
        return self.tables[name]


@dataclass(frozen=True, kw_only=True)
class Aggregation:
    """What one builder takes from one table.

    Parameters
    ----------
    rows : narwhals.LazyFrame
        Rows with ``customer_id``. Builders that pass the same table object share one group-by.
    aggregates : mapping of str to narwhals.Expr
        Column name → aggregate over a customer's rows. A name may be a feature's.
    features : mapping of str to narwhals.Expr
        Feature name → expression over aggregates, computed after the group-by.
    finish : callable, optional
        Takes Arrow rows with ``customer_id`` and all columns, returns arrays by feature name: for
        what no query engine can compute. It sees one batch at a time and must not depend on it.
    """

    rows: nw.LazyFrame[Any]
    aggregates: Mapping[str, nw.Expr] = field(default_factory=dict)
    features: Mapping[str, nw.Expr] = field(default_factory=dict)
    finish: Callable[[pa.Table], Mapping[str, NDArray[np.float64]]] | None = None


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """How a feature is said to people.

    Parameters
    ----------
    text : str
        With ``{value}`` and optionally ``{typical}``: ``"no order for {value} days"``.
    decimals : int, default 0
        How many decimals the value is shown with.
    percent : bool, default False
        Show a share as a percentage.
    """

    text: str
    decimals: int = 0
    percent: bool = False

    def say(self, value: float | None, *, typical: float | None = None) -> str:
        """Return the phrase for a value, with the typical value in brackets where it is known.

        Examples
        --------
        >>> Phrase(text="no order for {value} days").say(143.2, typical=31.0)
        'no order for 143 days (customers who stay: 31)'
        """
        words = self.text.format(value=self._number(value))
        if "{value}" not in self.text or typical is None or typical != typical:
            return words
        return f"{words} (customers who stay: {self._number(typical)})"

    def _number(self, value: float | None) -> str:
        if value is None or value != value:
            return "unknown"
        scaled = value * 100 if self.percent else value
        return f"{scaled:,.{self.decimals}f}" + (" %" if self.percent else "")


class FeatureBuilder(Protocol):
    """Declares features of customers from tables that end at a cutoff."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` reads."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns that the builder adds, in order, known before any data is read."""
        ...

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people, one phrase a feature."""
        ...

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate from the known tables."""
        ...


FEATURE_BUILDERS: Registry[FeatureBuilder] = Registry("feature builder")


def sum_if(condition: nw.Expr, value: nw.Expr | float = 1.0) -> nw.Expr:
    """Return the sum of ``value`` over the rows where ``condition`` holds, 0 where none does."""
    amount = value if isinstance(value, nw.Expr) else nw.lit(value)
    return nw.when(condition).then(amount).otherwise(nw.lit(0.0)).sum()


BASE_COLUMNS = (
    "customer_id",
    "orders",
    "order_days",
    "first_order_us",
    "last_order_us",
    "net_revenue",
    "order_amount",
    "horizon_orders",
    "horizon_amount",
)


def _base(snapshot: Snapshot) -> dict[str, nw.Expr]:
    """Return what the population, the purchase models and the formulas need of every customer."""
    is_day = nw.col("is_order_day") == 1
    is_recent = nw.col("age_days") <= snapshot.horizon_days
    return {
        "orders": nw.col("is_order").cast(nw.Float64).sum(),
        "order_days": nw.col("is_order_day").cast(nw.Float64).sum(),
        "first_order_us": nw.when(is_day).then(nw.col("ts_us")).min(),
        "last_order_us": nw.when(is_day).then(nw.col("ts_us")).max(),
        "net_revenue": nw.col("amount").sum(),
        "order_amount": sum_if(nw.col("is_order") == 1, nw.col("amount")),
        "horizon_orders": sum_if((nw.col("is_order") == 1) & is_recent),
        "horizon_amount": sum_if(is_recent, nw.col("amount")),
    }


@dataclass(frozen=True, kw_only=True)
class FeatureTable:
    """Features of every customer known at a cutoff: lazy in the engine until rows are asked for.

    Attributes
    ----------
    snapshot : Snapshot
        The cutoff.
    feature_names : tuple of str
        Columns a model sees, in order.
    """

    snapshot: Snapshot
    feature_names: tuple[str, ...]
    frame: nw.LazyFrame[Any]
    finishers: tuple[Callable[[pa.Table], Mapping[str, NDArray[np.float64]]], ...]
    engine: Engine

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order: :data:`BASE_COLUMNS`, then the features that are not among them."""
        return (*BASE_COLUMNS, *(n for n in self.feature_names if n not in BASE_COLUMNS))

    def to_arrow(self) -> pa.Table:
        """Return all rows, ordered by customer."""
        return self._finish(self.engine.collect(self.frame)).sort_by("customer_id")

    def batches(self, *, rows: int) -> Iterator[pa.Table]:
        """Return the rows as a stream of Arrow tables of about ``rows`` rows, in no fixed order."""
        import pyarrow as pa

        for batch in self.engine.batches(self.frame, rows=rows):
            yield self._finish(pa.Table.from_batches([batch]))

    def _finish(self, table: pa.Table) -> pa.Table:
        import pyarrow as pa

        for finish in self.finishers:
            for name, values in finish(table).items():
                table = table.append_column(name, pa.array(values, pa.float64()))
        return table.select(list(self.columns))


def build_features(
    history: History, snapshot: Snapshot, *, builders: Sequence[FeatureBuilder]
) -> FeatureTable:
    """Return the features of every customer with a row of orders in the observation interval.

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
        If two builders promise the same column, or one does not build what it promised.
    ConfigError
        If a builder needs a table that the history lacks.
    """
    known = history.known(snapshot)
    orders = known["orders"]
    plans = [Aggregation(rows=orders, aggregates=_base(snapshot))]
    finishers = []
    for builder in builders:
        built = builder.build(known)
        _check_promise(builder, built)
        plans += built
        finishers += [plan.finish for plan in built if plan.finish is not None]
    names = tuple(name for builder in builders for name in builder.feature_names)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        msg = f"features: two builders make the column(s) {', '.join(repeated)}"
        raise DataError(msg)
    frame = _aggregate([plan for plan in plans if plan.rows is orders])
    for rows in {id(plan.rows): plan.rows for plan in plans if plan.rows is not orders}.values():
        grouped = _aggregate([plan for plan in plans if plan.rows is rows])
        frame = frame.join(grouped, on="customer_id", how="left")
    return FeatureTable(
        snapshot=snapshot,
        feature_names=names,
        frame=frame,
        finishers=tuple(finishers),
        engine=history.engine,
    )


def _aggregate(plans: Sequence[Aggregation]) -> nw.LazyFrame[Any]:
    aggregates: dict[str, nw.Expr] = {}
    features: dict[str, nw.Expr] = {}
    for plan in plans:
        if clash := sorted(aggregates.keys() & plan.aggregates.keys()):
            msg = f"features: two builders aggregate under the name(s) {', '.join(clash)}"
            raise DataError(msg)
        aggregates |= plan.aggregates
        features |= plan.features
    grouped = (
        plans[0]
        .rows.group_by("customer_id")
        .agg(*(expression.alias(name) for name, expression in aggregates.items()))
    )
    return grouped.with_columns(*(expr.alias(name) for name, expr in features.items()))


def _check_promise(builder: FeatureBuilder, built: Sequence[Aggregation]) -> None:
    made = {name for plan in built for name in (*plan.aggregates, *plan.features)}
    promised = set(builder.feature_names)
    has_finish = any(plan.finish is not None for plan in built)
    missing = sorted(promised - made)
    if missing and not has_finish:
        msg = f"features: {builder!r} promised {', '.join(missing)} and does not build it"
        raise DataError(msg)
