"""What the workers of a cluster do with their part of the customers, and how its sums come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.models.base import BASE_NUMBERS, base_numbers, eligible_customers
from churnkit.models.portfolio import Scored
from churnkit.models.purchase import PurchaseForecast
from churnkit.scoring.predictions import Drift, predicted_columns, raw_scores
from churnkit.scoring.table import OF_SUBSCRIBERS, score_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.engines import ClusterEngine
    from churnkit.features.table import Finishing
    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase import FittedPurchases
    from churnkit.models.training import Level
    from churnkit.scoring.request import ScoreRequest

    Floats = NDArray[np.float64]
    Tables = Iterator[pa.Table]

__all__ = [
    "Finish",
    "Forecast",
    "OnCluster",
    "Predict",
    "Raw",
    "forecast_schema",
    "predicted_schema",
    "raw_schema",
    "total",
]

FORECAST = (
    "order_probability",
    "expected_orders",
    "expected_spend",
    "p_alive",
    "next_order_days",
    "worth",
)
PREDICTED = (
    "churn_probability",
    "expected_spend",
    "expected_ltv",
    "value_at_risk",
    "expected_spend_low",
    "expected_spend_high",
    "expected_orders",
    "p_alive",
    "next_order_us",
)
# Log-odds are counted in cells this narrow around their mean: what sets the level differs from a
# count of single values by less than 1e-7.
CELLS_PER_UNIT = 1000.0


def raw_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`Raw`."""
    import pyarrow as pa

    fields = [("customer_id", pa.string()), ("eligible", pa.bool_())]
    fields += [(name, pa.float64()) for name in (*BASE_NUMBERS, "log_odds", *_values(bundle))]
    fields += _reasons(request)
    return pa.schema([*fields, ("drift", pa.list_(pa.int64()))])


def forecast_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`Forecast`."""
    import pyarrow as pa

    numbers = ("log_odds", *_values(bundle), *(f"forecast_{name}" for name in FORECAST))
    fields = [("customer_id", pa.string()), *((name, pa.float64()) for name in numbers)]
    return pa.schema([*fields, *_reasons(request)])


def predicted_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`Predict`."""
    import pyarrow as pa

    fields = [("customer_id", pa.string()), *((n, pa.float64()) for n in _predicted(bundle))]
    return pa.schema([*fields, *_reasons(request)])


def _predicted(bundle: Bundle) -> tuple[str, ...]:
    return PREDICTED if bundle.models.contract is None else (*PREDICTED, *OF_SUBSCRIBERS)


def _values(bundle: Bundle) -> tuple[str, ...]:
    spend = bundle.models.spend
    return ("value_0",) if spend is None or spend.typical is None else ("value_0", "value_1")


def _reasons(request: ScoreRequest) -> list[tuple[str, Any]]:
    import pyarrow as pa

    number, words = pa.float64(), pa.string()
    return [(n, number if n.endswith("_contribution") else words) for n in request.reason_columns]


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """From rows of features: what the models say of each customer, and counts for drift."""

    bundle: Bundle
    snapshot: Snapshot
    request: ScoreRequest
    finishing: Finishing

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`raw_schema`; the first of each batch holds its counts."""
        for table in tables:
            if table.num_rows:
                yield self._scored(self.finishing(table))

    def _scored(self, batch: pa.Table) -> pa.Table:
        import pyarrow as pa

        base = base_numbers(batch)
        eligible = eligible_customers(base, self.snapshot, **self.bundle.population)
        columns: dict[str, Any] = {
            "customer_id": batch.column("customer_id"),
            "eligible": pa.array(eligible),
            **{name: pa.array(base[name], from_pandas=True) for name in BASE_NUMBERS},
        }
        schema = raw_schema(self.bundle, self.request)
        if eligible.any():
            drift = Drift(bundle=self.bundle)
            chunk = raw_scores(
                batch,
                self.bundle,
                snapshot=self.snapshot,
                request=self.request,
                drift=drift,
            )
            said = {"log_odds": chunk.log_odds, **dict(chunk.reasons)}
            said |= dict(zip(_values(self.bundle), chunk.value.T, strict=True))
            # Null for those outside the population.
            place = pa.array(np.cumsum(eligible) - 1, mask=~eligible)
            for name, values in said.items():
                given = pa.array(values, schema.field(name).type, from_pandas=True)
                columns[name] = given.take(place)
            names = [n for n in self.bundle.feature_names if n in drift.counts]
            counts = np.concatenate([drift.counts[n] for n in names]) if names else None
            if counts is not None:
                rest = [None] * (batch.num_rows - 1)
                columns["drift"] = pa.array([counts.tolist(), *rest], pa.list_(pa.int64()))
        return _table(columns, schema=schema, rows=batch.num_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """From rows of :class:`Raw`: what the purchase model expects of each customer beside them.

    Attributes
    ----------
    fitted : FittedPurchases or None
    terms : mapping
        Of the lifetime value, see :func:`churnkit.scoring.predictions.value_terms`.
    """

    fitted: FittedPurchases | None
    terms: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`forecast_schema`."""
        import pyarrow as pa

        for table in tables:
            columns = {name: table.column(name) for name in table.column_names}
            if self.fitted is not None:
                forecast = self.fitted.forecast(base_numbers(table), **self.terms)
                for name in FORECAST:
                    values = getattr(forecast, name)
                    columns[f"forecast_{name}"] = pa.array(values, from_pandas=True)
            dropped = {*BASE_NUMBERS, "eligible", "drift"}
            kept = [field for field in table.schema if field.name not in dropped]
            first, rest = kept[: _numbers_end(kept)], kept[_numbers_end(kept) :]
            numbers = [pa.field(f"forecast_{name}", pa.float64()) for name in FORECAST]
            yield _table(columns, schema=pa.schema([*first, *numbers, *rest]), rows=table.num_rows)


def _numbers_end(fields: list[Any]) -> int:
    """Return where the reasons begin: after the last of the learners' values."""
    return max(i for i, f in enumerate(fields) if f.name.startswith("value_")) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Predict:
    """From rows of :class:`Forecast`: predictions at the level of the portfolio."""

    bundle: Bundle
    level: Level
    snapshot: Snapshot
    cutoff: date | None

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`predicted_schema`."""
        import pyarrow as pa

        for table in tables:
            rows = _scored(table, cutoff=self.cutoff)
            predicted = self.bundle.models.apply_level(rows, level=self.level)
            found = predicted_columns(
                predicted, self.bundle, forecast=rows.forecast, snapshot=self.snapshot
            )
            columns = {n: pa.array(v, from_pandas=True) for n, v in found.items()}
            reasons = [f for f in table.schema if f.name.startswith("reason_")]
            columns |= {f.name: table.column(f.name) for f in reasons}
            columns["customer_id"] = table.column("customer_id")
            fields = [pa.field("customer_id", pa.string())]
            fields += [pa.field(name, pa.float64()) for name in _predicted(self.bundle)]
            yield _table(columns, schema=pa.schema([*fields, *reasons]), rows=table.num_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Finish:
    """From formula metrics joined with predictions: rows of the score table."""

    schema: pa.Schema
    bundle: Bundle
    request: ScoreRequest

    @property
    def written(self) -> pa.Schema:
        """The columns as they are written: the part's name says ``as_of``, times are in UTC."""
        import pyarrow as pa

        utc = pa.timestamp("us", "UTC")
        return pa.schema(
            (f.name, utc if pa.types.is_timestamp(f.type) else f.type)
            for f in self.schema
            if f.name != "as_of"
        )

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :attr:`written`."""
        written = self.written
        for table in tables:
            ready = score_rows(table, schema=self.schema, bundle=self.bundle, request=self.request)
            yield ready.select(written.names).cast(written)


def _table(columns: dict[str, Any], *, schema: pa.Schema, rows: int) -> pa.Table:
    """Return columns in the order and the types of a schema, nulls where there is none."""
    import pyarrow as pa

    arrays = [
        columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type)
        for f in schema
    ]
    return pa.table(arrays, schema=schema)


def _scored(table: pa.Table, *, cutoff: date | None) -> Scored:
    """Return rows of :class:`Forecast` as arrays."""
    values = [name for name in ("value_0", "value_1") if name in table.column_names]
    forecast = None
    if cutoff is not None:
        columns = {name: _array(table, f"forecast_{name}") for name in FORECAST}
        forecast = PurchaseForecast(**columns, cutoff=cutoff)
    return Scored(
        log_odds=_array(table, "log_odds"),
        value=np.column_stack([_array(table, name) for name in values]),
        forecast=forecast,
    )


def _array(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class OnCluster:
    """A portfolio on the workers of a cluster; see :class:`churnkit.models.portfolio.Portfolio`.

    Attributes
    ----------
    frame : narwhals.LazyFrame
        Rows of :func:`forecast_schema`.
    engine : ClusterEngine
    cutoff : date or None
        The day of the purchase model's forecast; None without one.
    """

    frame: nw.LazyFrame[Any]
    engine: ClusterEngine
    cutoff: date | None

    def sums(self, measure: Callable[[Scored], Floats]) -> Floats:
        """Return sums over all customers, added up over the workers."""
        found = total(self.frame, partial(_measured, measure, self.cutoff), engine=self.engine)
        return np.zeros(2) if found is None else found

    def distribution(self, measure: Callable[[Scored], Floats]) -> tuple[Floats, Floats]:
        """Return means of narrow cells of what is measured, and the customers in each."""
        import pyarrow as pa

        cutoff = self.cutoff

        def single(tables: Tables) -> Tables:
            for table in tables:
                yield pa.table({"value": pa.array(measure(_scored(table, cutoff=cutoff)))})

        each = self.engine.map_batches(
            self.frame, single, schema=pa.schema([("value", pa.float64())])
        )
        cell = (nw.col("value") * CELLS_PER_UNIT).floor()
        cells = self.engine.collect(
            each.with_columns(cell=cell)
            .group_by("cell")
            .agg(nw.col("value").mean(), customers=nw.len())
        ).sort_by("cell")
        return _array(cells, "value"), _array(cells, "customers")


def _measured(measure: Callable[[Scored], Floats], cutoff: date | None, table: pa.Table) -> Floats:
    return measure(_scored(table, cutoff=cutoff))


def total(
    frame: nw.LazyFrame[Any], measure: Callable[[Any], Floats], *, engine: ClusterEngine
) -> Floats | None:
    """Return the sums over all rows of what is measured of tables; one row comes from each part.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        The rows.
    measure : callable
        Takes an Arrow table of n rows and returns an array of shape (m, k).

    Returns
    -------
    ndarray of float64, shape (k,), or None
        None where there are no rows.
    """
    import pyarrow as pa

    schema = pa.schema([("sums", pa.list_(pa.float64()))])

    def added(tables: Tables) -> Tables:
        found = [measure(table).sum(axis=0) for table in tables if table.num_rows]
        if found:
            yield pa.table({"sums": [np.sum(found, axis=0).tolist()]}, schema=schema)

    parts = engine.collect(engine.map_batches(frame, added, schema=schema)).column("sums")
    return np.sum(np.array(parts.to_pylist(), dtype=np.float64), axis=0) if len(parts) else None
