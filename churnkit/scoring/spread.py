"""What the workers of a cluster do with their part of the customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.base import (
    BASE_NUMBERS,
    SUBSCRIPTION_NUMBERS,
    base_numbers,
    eligible_customers,
)
from churnkit.models.portfolio import Scored
from churnkit.models.purchase import PurchaseForecast
from churnkit.models.staying import StayForecast
from churnkit.scoring.predictions import Drift, predicted_columns, raw_scores
from churnkit.scoring.table import OF_SUBSCRIBERS, score_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.features.table import Finishing
    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase import FittedPurchases
    from churnkit.models.training import Level
    from churnkit.scoring.request import ScoreRequest

    Floats = NDArray[np.float64]
    Tables = Iterator[pa.Table]

__all__ = [
    "Classical",
    "Finish",
    "Forecast",
    "Predict",
    "Raw",
    "forecast_schema",
    "predicted_schema",
    "raw_schema",
    "scored_of",
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


@dataclass(frozen=True, kw_only=True)
class Classical:
    """The day of the forecast by each classical model; None without one.

    Attributes
    ----------
    purchases : date or None
        Of the purchase model.
    stays : date or None
        Of the retention curve, where the customers are subscribers.
    """

    purchases: date | None = None
    stays: date | None = None


def raw_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`Raw`."""
    import pyarrow as pa

    fields = [("customer_id", pa.string()), ("eligible", pa.bool_())]
    numbers = (*_base(bundle), "log_odds", *_values(bundle))
    fields += [(name, pa.float64()) for name in numbers]
    fields += _reasons(request)
    return pa.schema([*fields, ("drift", pa.list_(pa.int64()))])


def forecast_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`Forecast`."""
    import pyarrow as pa

    forecasts = (f"forecast_{name}" for name in FORECAST)
    numbers = (*_staying(bundle), "log_odds", *_values(bundle), *forecasts)
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


def _base(bundle: Bundle) -> tuple[str, ...]:
    return BASE_NUMBERS if bundle.models.contract is None else SUBSCRIPTION_NUMBERS


def _staying(bundle: Bundle) -> tuple[str, ...]:
    return () if bundle.models.contract is None else ("log_stay",)


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
            **{name: pa.array(base[name], from_pandas=True) for name in _base(self.bundle)},
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
    schema : pyarrow.Schema
        :func:`forecast_schema`.
    fitted : FittedPurchases or None
    terms : mapping
        Of the lifetime value, see :func:`churnkit.scoring.predictions.value_terms`.
    """

    schema: pa.Schema
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
            yield _table(columns, schema=self.schema, rows=table.num_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Predict:
    """From rows of :class:`Forecast`: predictions at the level of the portfolio."""

    bundle: Bundle
    level: Level
    snapshot: Snapshot
    classical: Classical

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`predicted_schema`."""
        import pyarrow as pa

        for table in tables:
            rows = scored_of(table, classical=self.classical)
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


def scored_of(table: pa.Table, *, classical: Classical) -> Scored:
    """Return rows of :class:`Forecast` as arrays."""
    values = [name for name in ("value_0", "value_1") if name in table.column_names]
    forecast = staying = None
    if classical.purchases is not None:
        columns = {name: _array(table, f"forecast_{name}") for name in FORECAST}
        forecast = PurchaseForecast(**columns, cutoff=classical.purchases)
    if classical.stays is not None:
        staying = StayForecast.of_log_stay(_array(table, "log_stay"), cutoff=classical.stays)
    return Scored(
        log_odds=_array(table, "log_odds"),
        value=np.column_stack([_array(table, name) for name in values]),
        forecast=forecast,
        staying=staying,
    )


def _array(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)
