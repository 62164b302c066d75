"""The tables that travel between the steps on the workers of a cluster: columns, and back to arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.population import BASE_NUMBERS, SUBSCRIPTION_NUMBERS
from churnkit.models.portfolio import Scored
from churnkit.models.purchase_forecast import PurchaseForecast
from churnkit.models.staying import StayForecast
from churnkit.scoring.table import OF_SUBSCRIBERS

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.models.bundle import Bundle
    from churnkit.scoring.request import ScoreRequest

    Floats = NDArray[np.float64]

__all__ = [
    "FORECAST",
    "Classical",
    "base_names",
    "forecast_schema",
    "in_schema",
    "predicted_names",
    "predicted_schema",
    "raw_schema",
    "scored_of",
    "value_names",
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
    """Return the columns of :class:`~.spread.Raw`."""
    import pyarrow as pa

    fields = [("customer_id", pa.string()), ("eligible", pa.bool_())]
    numbers = (*base_names(bundle), "log_odds", *value_names(bundle))
    fields += [(name, pa.float64()) for name in numbers]
    fields += _reasons(request)
    return pa.schema([*fields, ("drift", pa.list_(pa.int64()))])


def forecast_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`~.spread.Forecast`."""
    import pyarrow as pa

    forecasts = (f"forecast_{name}" for name in FORECAST)
    numbers = (*_staying(bundle), "log_odds", *value_names(bundle), *forecasts)
    fields = [("customer_id", pa.string()), *((name, pa.float64()) for name in numbers)]
    return pa.schema([*fields, *_reasons(request)])


def predicted_schema(bundle: Bundle, request: ScoreRequest) -> pa.Schema:
    """Return the columns of :class:`~.spread.Predict`."""
    import pyarrow as pa

    fields = [("customer_id", pa.string()), *((n, pa.float64()) for n in predicted_names(bundle))]
    return pa.schema([*fields, *_reasons(request)])


def predicted_names(bundle: Bundle) -> tuple[str, ...]:
    """Return what is predicted of each customer."""
    return PREDICTED if bundle.models.contract is None else (*PREDICTED, *OF_SUBSCRIBERS)


def value_names(bundle: Bundle) -> tuple[str, ...]:
    """Return the columns of what the spend model says, one or two."""
    spend = bundle.models.spend
    return ("value_0",) if spend is None or spend.typical is None else ("value_0", "value_1")


def base_names(bundle: Bundle) -> tuple[str, ...]:
    """Return the base columns that travel: of orders, or of subscriptions."""
    return BASE_NUMBERS if bundle.models.contract is None else SUBSCRIPTION_NUMBERS


def in_schema(columns: dict[str, Any], *, schema: pa.Schema, rows: int) -> pa.Table:
    """Return columns in the order and the types of a schema, nulls where there is none."""
    import pyarrow as pa

    arrays = [
        columns[f.name].cast(f.type) if f.name in columns else pa.nulls(rows, f.type)
        for f in schema
    ]
    return pa.table(arrays, schema=schema)


def scored_of(table: pa.Table, *, classical: Classical) -> Scored:
    """Return rows of :class:`~.spread.Forecast` as arrays."""
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


def _staying(bundle: Bundle) -> tuple[str, ...]:
    return () if bundle.models.contract is None else ("log_stay",)


def _reasons(request: ScoreRequest) -> list[tuple[str, Any]]:
    import pyarrow as pa

    number, words = pa.float64(), pa.string()
    return [(n, number if n.endswith("_contribution") else words) for n in request.reason_columns]
