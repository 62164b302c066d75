"""The contract of a feature builder, and the one place where the future is cut away.

A builder does not run queries. It declares aggregates over a table that ends at the cutoff, and
features that follow from them; :func:`build_features` merges the declarations of all builders that
read the same rows into one group-by, so that a table is read once per cutoff however many builders
there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.data.stays import stays_at
from churnkit.data.windows import midnight_us
from churnkit.errors import ConfigError, DataError
from churnkit.features.cut import first_time, known_rows
from churnkit.features.phrases import Phrase
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.stays import StayRule
    from churnkit.data.windows import Snapshot
    from churnkit.engines import Engine

__all__ = [
    "BASE_COLUMNS",
    "FEATURE_BUILDERS",
    "SUBSCRIPTION_COLUMNS",
    "Aggregation",
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

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class History:
    """The checked tables of a run, kept in one engine.

    Parameters
    ----------
    tables : mapping of str to narwhals.LazyFrame
        By name: ``orders`` (see :func:`churnkit.data.orders.order_table`), ``lines``, and the
        checked rows of any other input table.
    engine : Engine
        Where they are.
    stays : StayRule, optional
        Given, the customers are those of ``subscriptions``, and this says what joins their periods;
        without it they are those of ``orders``.
    """

    tables: Mapping[str, nw.LazyFrame[Any]]
    engine: Engine
    stays: StayRule | None = None

    def sample(self, share: float, *, seed: int) -> History:
        """Return the history of about a share of the customers, all rows of each.

        Who is drawn follows from the id and the seed, the same on every engine. All customers are
        drawn with one probability, so that rates and means are those of everybody: each customer
        drawn stands for ``1 / share`` of them.
        """
        drawn = {
            name: self.engine.sample(table, by="customer_id", share=share, seed=seed)
            if "customer_id" in table.collect_schema().names()
            else table
            for name, table in self.tables.items()
        }
        order = {"orders": ("customer_id", "ts_us")}
        kept = {
            name: self.engine.materialize(table, sort_by=order.get(name, ()))
            for name, table in drawn.items()
        }
        return History(tables=kept, engine=self.engine)

    def known(self, snapshot: Snapshot) -> Known:
        """Return the tables as they were known at the cutoff; see :func:`~.cut.known_rows`."""
        cut = {
            name: known_rows(table, name=name, snapshot=snapshot)
            for name, table in self.tables.items()
        }
        return Known(
            tables=cut,
            snapshot=snapshot,
            engine=self.engine,
            stays=self.stays_at(snapshot),
            first_day=self._first_order_day,
            first_us=self._first_us,
        )

    def stays_at(self, snapshot: Snapshot) -> nw.LazyFrame[Any] | None:
        """Return how long subscribers have stayed; see :func:`~churnkit.data.stays.stays_at`."""
        if self.stays is None:
            return None
        rows = self.tables["subscriptions"]
        return stays_at(rows, rule=self.stays, cutoff_us=snapshot.cutoff_us)

    @cached_property
    def _first_order_day(self) -> int | None:
        """Business day of the oldest row of orders, days since 1970; None without rows."""
        if "orders" not in self.tables:
            return None
        oldest = self.tables["orders"].select(nw.col("day").min())
        found = self.engine.collect(oldest).to_pylist()[0]["day"]
        return None if found is None else int(found)

    @cached_property
    def _first_us(self) -> dict[str, int]:
        """First instant of each table that has times and rows, orders left out."""
        found = {}
        for name, table in self.tables.items():
            column = first_time(name)
            if name in {"orders", "lines"} or column is None:
                continue
            if column in table.collect_schema().names():
                oldest = self.engine.collect(table.select(first=nw.col(column).min()))
                found[name] = oldest["first"][0].as_py()
        return {name: int(first) for name, first in found.items() if first is not None}


@dataclass(frozen=True, kw_only=True)
class Known:
    """The tables of a history cut at a snapshot's cutoff, each with ``age_days`` before it (> 0).

    Attributes
    ----------
    first_day : int or None
        Business day of the oldest row of orders that the history has, days since 1970.
    first_us : mapping of str to int
        First instant that the history has of each other table with times; tables without rows are
        absent.
    stays : narwhals.LazyFrame or None
        How long subscribers have stayed, where the customers are those of ``subscriptions``.
    """

    tables: Mapping[str, nw.LazyFrame[Any]]
    snapshot: Snapshot
    engine: Engine
    first_day: int | None = None
    first_us: Mapping[str, int] = field(default_factory=dict)
    stays: nw.LazyFrame[Any] | None = None

    @property
    def cutoff_day(self) -> int:
        """The cutoff as ``day`` counts: days since 1970. The last ``d`` days: ``day >= this - d``."""
        return (self.snapshot.cutoff - EPOCH).days

    def days_ago_us(self, days: int) -> int:
        """Return the first instant of the business day so many days before the cutoff."""
        day = self.snapshot.cutoff - timedelta(days=days)
        return midnight_us(day, time_zone=self.snapshot.time_zone)

    def reaches_back(self, days: int, *, table: str = "orders") -> bool:
        """Return whether the last ``days`` days of a table were observed in full.

        A comparison with a time before the first row of the table, or before the observation
        interval, would take "not recorded" for "did not happen".
        """
        if table == "orders":
            recorded = self.first_day is not None and self.first_day <= self.cutoff_day - days
        else:
            first = self.first_us.get(table)
            recorded = first is not None and first < self.days_ago_us(days - 1)
        return recorded and days <= self.snapshot.observation_days

    @property
    def everybody(self) -> nw.LazyFrame[Any]:
        """``customer_id`` of the customers whose features are built, once each."""
        rows = self["orders"] if self.stays is None else self.stays
        return rows.select("customer_id").unique()

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
        Column name → aggregate over a customer's rows. A name may be a feature's; one that is not
        begins with ``_`` and the builder's name. Values are Float64 unless they are a time or a day.
    features : mapping of str to narwhals.Expr
        Feature name → expression over aggregates and :data:`BASE_COLUMNS`, computed when all tables
        are joined: aggregates of a table in which a customer has no row are null.
    finish : callable, optional
        Takes Arrow rows with :data:`BASE_COLUMNS`, the engine's features and this plan's
        aggregates, and returns arrays by feature name, NaN for null: for what no query engine can
        compute. It sees one batch at a time and must not depend on it.
    """

    rows: nw.LazyFrame[Any]
    aggregates: Mapping[str, nw.Expr] = field(default_factory=dict)
    features: Mapping[str, nw.Expr] = field(default_factory=dict)
    finish: Callable[[pa.Table], Mapping[str, NDArray[np.float64]]] | None = None


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


def sum_if(condition: nw.Expr, value: nw.Expr | float = 1.0) -> nw.Expr:
    """Return the sum of ``value``, which must be finite, over the rows where ``condition`` holds.

    0 where it holds in none.
    """
    # A product is summed in two thirds of the time that a choice takes.
    holds = condition.cast(nw.Float64)
    return (holds if isinstance(value, float) and value == 1.0 else holds * value).sum()


def ratio(numerator: nw.Expr, denominator: nw.Expr) -> nw.Expr:
    """Return the quotient where the denominator is positive, null elsewhere."""
    return nw.when(denominator > 0).then(numerator / denominator)


def unknown(*names: str) -> dict[str, nw.Expr]:
    """Return features that are null for everybody: what the data cannot say at this cutoff."""
    return {name: nw.lit(None).cast(nw.Float64) for name in names}


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


SUBSCRIPTION_COLUMNS = ("customer_id", "subscriptions_running", "mrr", "subscribed_since_us")
"""Base columns where the customers are those of ``subscriptions``; those of orders follow them."""


def _base_plans(known: Known) -> list[Aggregation]:
    """Return what population, baselines and formulas need; the first plan's rows say who is there."""
    if known.stays is None:
        return [Aggregation(rows=known["orders"], aggregates=_base(known))]
    reaches_in = nw.col("ended_at_us") >= known.snapshot.observation_start_us
    stays = known.stays.filter(nw.col("ended_at_us").is_null() | reaches_in)
    since = nw.when(nw.col("running") > 0).then(nw.col("started_at_us"))
    aggregates = dict(
        zip(
            SUBSCRIPTION_COLUMNS[1:],
            (nw.col("running").sum(), nw.col("mrr").sum(), since.min()),
            strict=True,
        )
    )
    plans = [Aggregation(rows=stays, aggregates=aggregates)]
    if "orders" in known.tables:
        plans.append(Aggregation(rows=known["orders"], aggregates=_base(known)))
    return plans


def _base(known: Known) -> dict[str, nw.Expr]:
    """Return what the population, the purchase models and the formulas need of every customer."""
    is_day = nw.col("is_order_day") == 1
    is_recent = nw.col("day") >= known.cutoff_day - known.snapshot.horizon_days
    return {
        "orders": nw.col("is_order").cast(nw.Float64).sum(),
        "order_days": nw.col("is_order_day").cast(nw.Float64).sum(),
        "first_order_us": nw.when(is_day).then(nw.col("ts_us")).min(),
        "last_order_us": nw.when(is_day).then(nw.col("ts_us")).max(),
        "net_revenue": nw.col("amount").sum(),
        "order_amount": sum_if(nw.col("is_order") == 1, nw.col("amount")),
        "horizon_orders": sum_if(is_recent & (nw.col("is_order") == 1)),
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
    base_columns: tuple[str, ...] = BASE_COLUMNS

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order: the base ones, then the features that are not among them."""
        return _columns(self.feature_names, base=self.base_columns)

    def to_arrow(self) -> pa.Table:
        """Return all rows, ordered by customer."""
        return self._finish(self.engine.collect(self.frame)).sort_by("customer_id")

    def batches(self, *, rows: int) -> Iterator[pa.Table]:
        """Return the rows as a stream of Arrow tables of about ``rows`` rows, ordered by customer.

        At least one comes, if need be an empty one.
        """
        import pyarrow as pa

        none = True
        for batch in self.engine.batches(self.frame, rows=rows, sort_by=("customer_id",)):
            none = False
            yield self._finish(pa.Table.from_batches([batch]))
        if none:
            yield self.to_arrow()

    @property
    def finishing(self) -> Finishing:
        """What turns rows of :attr:`frame` into rows of :attr:`columns`, wherever they are."""
        return Finishing(columns=self.columns, finishers=self.finishers)

    def _finish(self, table: pa.Table) -> pa.Table:
        return self.finishing(table)


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """Adds to Arrow rows of a feature frame what no query engine can compute."""

    columns: tuple[str, ...]
    finishers: tuple[Callable[[pa.Table], Mapping[str, NDArray[np.float64]]], ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the rows with all columns, in order."""
        import pyarrow as pa

        for finish in self.finishers:
            for name, values in finish(table).items():
                if name in table.column_names:
                    msg = f"features: two builders make the column(s) {name}"
                    raise DataError(msg)
                column = pa.array(values, pa.float64(), from_pandas=True)
                table = table.append_column(name, column)
        if missing := [name for name in self.columns if name not in table.column_names]:
            msg = f"features: a builder promised {', '.join(missing)} and does not build it"
            raise DataError(msg)
        return table.select(list(self.columns))


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
        If two builders promise the same column, or one does not build what it promised.
    ConfigError
        If a builder needs a table that the history lacks.
    """
    names = tuple(name for builder in builders for name in builder.feature_names)
    _refuse_repeated(names, rule="two builders make the column(s)")
    known = history.known(snapshot)
    plans = _base_plans(known)
    spine = plans[0].rows
    base = ("customer_id", *(name for plan in plans for name in plan.aggregates))
    for builder in builders:
        built = builder.build(known)
        _check_promise(builder, built)
        plans += built
    made = [name for plan in plans for name in (*plan.aggregates, *plan.features)]
    _refuse_repeated(made, rule="two builders aggregate under the name(s)")

    frame = _aggregate([plan for plan in plans if plan.rows is spine])
    for rows in {id(plan.rows): plan.rows for plan in plans if plan.rows is not spine}.values():
        grouped = _aggregate([plan for plan in plans if plan.rows is rows])
        frame = frame.join(grouped, on="customer_id", how="left")
    features = [expr.alias(name) for plan in plans for name, expr in plan.features.items()]
    frame = frame.with_columns(*features) if features else frame
    inputs = {name for plan in plans if plan.finish is not None for name in plan.aggregates}
    wanted = [name for name in _columns(names, base=base) if name in {"customer_id", *made}]
    return FeatureTable(
        snapshot=snapshot,
        feature_names=names,
        frame=frame.select(*wanted, *sorted(inputs.difference(wanted))),
        finishers=tuple(plan.finish for plan in plans if plan.finish is not None),
        engine=history.engine,
        base_columns=base,
    )


def _columns(feature_names: Sequence[str], *, base: Sequence[str]) -> tuple[str, ...]:
    return (*base, *(name for name in feature_names if name not in base))


def _aggregate(plans: Sequence[Aggregation]) -> nw.LazyFrame[Any]:
    """Return one row per customer from plans that read the same rows: one group-by for all."""
    aggregates = [expr.alias(name) for plan in plans for name, expr in plan.aggregates.items()]
    return plans[0].rows.group_by("customer_id").agg(*aggregates)


def _refuse_repeated(names: Sequence[str], *, rule: str) -> None:
    if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
        msg = f"features: {rule} {', '.join(repeated)}"
        raise DataError(msg)


def _check_promise(builder: FeatureBuilder, built: Sequence[Aggregation]) -> None:
    """Refuse a builder whose promise the plans cannot keep; what is finished is checked in the rows."""
    made = {name for plan in built for name in (*plan.aggregates, *plan.features)}
    missing = sorted(set(builder.feature_names) - made - set(BASE_COLUMNS))
    if missing and all(plan.finish is None for plan in built):
        msg = f"features: {builder!r} promised {', '.join(missing)} and does not build it"
        raise DataError(msg)
