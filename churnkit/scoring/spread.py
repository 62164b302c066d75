"""What the workers of a cluster do with their part of the customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.population import base_numbers, eligible_customers
from churnkit.scoring.predictions import Drift, predicted_columns, raw_scores
from churnkit.scoring.spread_tables import (
    FORECAST,
    base_names,
    in_schema,
    predicted_names,
    raw_schema,
    scored_of,
    value_names,
)
from churnkit.scoring.table import score_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from churnkit.data.windows import Snapshot
    from churnkit.features.table import Finishing
    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase_forecast import FittedPurchases
    from churnkit.models.training import Level
    from churnkit.scoring.request import ScoreRequest
    from churnkit.scoring.spread_tables import Classical

    Tables = Iterator[pa.Table]

__all__ = ["Finish", "Forecast", "Predict", "Raw"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """From rows of features: what the models say of each customer, and counts for drift."""

    bundle: Bundle
    snapshot: Snapshot
    request: ScoreRequest
    finishing: Finishing

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`~.spread_tables.raw_schema`; the first of each batch holds its counts."""
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
            **{name: pa.array(base[name], from_pandas=True) for name in base_names(self.bundle)},
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
            said |= dict(zip(value_names(self.bundle), chunk.value.T, strict=True))
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
        return in_schema(columns, schema=schema, rows=batch.num_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """From rows of :class:`Raw`: what the purchase model expects of each customer beside them.

    Attributes
    ----------
    schema : pyarrow.Schema
        :func:`~.spread_tables.forecast_schema`.
    fitted : FittedPurchases or None
    terms : mapping
        Of the lifetime value, see :func:`churnkit.scoring.predictions.value_terms`.
    """

    schema: pa.Schema
    fitted: FittedPurchases | None
    terms: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`~.spread_tables.forecast_schema`."""
        import pyarrow as pa

        for table in tables:
            columns = {name: table.column(name) for name in table.column_names}
            if self.fitted is not None:
                forecast = self.fitted.forecast(base_numbers(table), **self.terms)
                for name in FORECAST:
                    values = getattr(forecast, name)
                    columns[f"forecast_{name}"] = pa.array(values, from_pandas=True)
            yield in_schema(columns, schema=self.schema, rows=table.num_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Predict:
    """From rows of :class:`Forecast`: predictions at the level of the portfolio."""

    bundle: Bundle
    level: Level
    snapshot: Snapshot
    classical: Classical

    def __call__(self, tables: Tables) -> Tables:
        """Return rows of :func:`~.spread_tables.predicted_schema`."""
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
            fields += [pa.field(name, pa.float64()) for name in predicted_names(self.bundle)]
            yield in_schema(columns, schema=pa.schema([*fields, *reasons]), rows=table.num_rows)


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
