"""What the lifetime value formula, and a model, said at a past date, against what then happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import numpy as np

from churnkit.data.windows import midnight_us
from churnkit.errors import DataError, ParameterError
from churnkit.formulas import DAYS_PER_YEAR, quotient
from churnkit.retention.customer import customer_metrics
from churnkit.retention.metric_table import arrow_of
from churnkit.retention.resampling import Resampling
from churnkit.retention.scope import with_interval

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.engines import Engine
    from churnkit.formulas import MetricValue

__all__ = ["HINDSIGHT_COLUMNS", "ForecastError", "Hindsight", "formula_hindsight"]

HINDSIGHT_COLUMNS = {
    "forecast": "text",
    **dict.fromkeys(
        ("predicted", "actual", "overshoot", "ci_low", "ci_high", "mean_absolute_error"), "number"
    ),
    "customers": "count",
}
"""Columns of the table of errors, each with its kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastError:
    """How far one forecast of spend was off.

    Parameters
    ----------
    forecast : str
        ``formula`` or ``model``.
    overshoot : MetricValue
        Predicted less actual spend of all customers together, in percent of the actual; the
        interval resamples customers. Below zero if too little was predicted.
    mean_absolute_error : float or None
        Mean over customers of the distance between both, in currency; null without customers.
    """

    forecast: str
    overshoot: MetricValue
    mean_absolute_error: float | None

    @property
    def sentence(self) -> str:
        """Return the result in words.

        Examples
        --------
        >>> from churnkit.formulas import quotient
        >>> value = quotient("spend_overshoot", numerator=30.0, denominator=120.0, unit="percent",
        ...                  empty="nothing was spent")
        >>> ForecastError(forecast="formula", overshoot=value, mean_absolute_error=3.0).sentence
        'your formula overshoots by 25.0 %'
        """
        value = self.overshoot.value
        if value is None:
            return f"your {self.forecast} cannot be judged: {self.overshoot.reason}"
        verb = "overshoots" if value >= 0 else "undershoots"
        return f"your {self.forecast} {verb} by {abs(value):.1f} %"


@dataclass(frozen=True, kw_only=True)
class Hindsight:
    """The errors of the formula, and of a model if there is one, over the same customers.

    Parameters
    ----------
    errors : tuple of ForecastError
        The formula's first.
    actual : float
        Net spend of the customers in the horizon, in currency.
    customers : int
        Customers with an order before the date.
    """

    errors: tuple[ForecastError, ...]
    actual: float
    customers: int

    def to_arrow(self) -> pa.Table:
        """Return a row per forecast with :data:`HINDSIGHT_COLUMNS`."""
        rows = [
            {
                "forecast": error.forecast,
                "predicted": self.actual + error.overshoot.numerator,
                "actual": self.actual,
                "overshoot": error.overshoot.value,
                "ci_low": error.overshoot.ci_low,
                "ci_high": error.overshoot.ci_high,
                "mean_absolute_error": error.mean_absolute_error,
                "customers": self.customers,
            }
            for error in self.errors
        ]
        return arrow_of(rows, HINDSIGHT_COLUMNS)

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def formula_hindsight(
    orders: nw.LazyFrame[Any],
    *,
    as_of: date,
    horizon_days: int,
    time_zone: str,
    engine: Engine,
    predictions: nw.LazyFrame[Any] | None = None,
    lifespan: Literal["observed", "churn"] = "observed",
    yearly_churn_probability: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Hindsight:
    """Compare the spend that the lifetime value formula implies with what customers then spent.

    The formula says that a customer spends ``average_order_value * purchase_frequency_per_year``
    in each of the years of the expected lifespan. Over a horizon that makes ``formula_ltv`` times
    the share of the lifespan that the horizon covers, all of it if the horizon is longer.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`; must reach past the horizon.
    as_of : date
        The past date: first business day that is not known.
    horizon_days : int
        Business days from it on whose spend is compared, >= 1.
    time_zone : str
        Business zone, in which days begin.
    engine : Engine
        Where the orders are.
    predictions : narwhals.LazyFrame, optional
        ``customer_id``, once each, and ``expected_spend`` over the same horizon, as a model said
        at the same date. Customers without a prediction count as 0.
    lifespan, yearly_churn_probability
        As in :func:`churnkit.retention.customer.customer_metrics`.
    level, seed
        Of the intervals, which resample customers.

    Returns
    -------
    Hindsight
        Over all customers with an order before the date, those who never came back included.

    Raises
    ------
    ParameterError
        If the horizon is below one day.
    DataError
        If there are no rows of orders after the horizon's end, so that it may not be over.

    References
    ----------
    Practice; definition in docs/metrics.
    """
    if horizon_days < 1:
        msg = f"formula_hindsight: horizon_days must be >= 1; got {horizon_days!r}"
        raise ParameterError(msg)
    as_of_us, last_us, end_us = (
        midnight_us(as_of + timedelta(days=days), time_zone=time_zone)
        for days in (0, horizon_days - 1, horizon_days)
    )
    time = nw.col("ts_us")
    if not engine.collect(orders.filter(time >= last_us).head(1)).num_rows:
        msg = (
            f"formula_hindsight: orders must reach to the end of the horizon ({horizon_days} days"
            " from as_of on); got none on its last day or later"
        )
        raise DataError(msg)
    known = customer_metrics(
        orders,
        as_of_us=as_of_us,
        lifespan=lifespan,
        yearly_churn_probability=yearly_churn_probability,
    ).filter(nw.col("orders") > 0)
    spent = (
        orders.filter(time >= as_of_us, time < end_us)
        .group_by("customer_id")
        .agg(nw.col("amount").sum().alias("actual"))
    )
    names = ["average_order_value", "purchase_frequency_per_year", "formula_ltv"]
    joined = known.select("customer_id", *names).join(spent, on="customer_id", how="left")
    if predictions is not None:
        said = predictions.select("customer_id", "expected_spend")
        joined = joined.join(said, on="customer_id", how="left")
        names.append("expected_spend")
    table = engine.collect(joined.select("actual", *names))
    actual = _filled(table["actual"])
    yearly = _filled(table[names[0]]) * _filled(table[names[1]])
    lifetime = _filled(table["formula_ltv"])
    # One lifespan for all: that of any customer with a yearly spend.
    base = float(np.abs(yearly).sum())
    years = float(np.abs(lifetime).sum()) / base if base else 0.0
    forecasts = {"formula": yearly * min(years, horizon_days / DAYS_PER_YEAR)}
    if predictions is not None:
        forecasts["model"] = _filled(table["expected_spend"])
    resampling = Resampling(level=level, seed=seed)
    errors = [
        _error(name, predicted=each, actual=actual, resampling=resampling)
        for name, each in forecasts.items()
    ]
    return Hindsight(errors=tuple(errors), actual=float(actual.sum()), customers=actual.size)


def _filled(column: Any) -> NDArray[np.float64]:
    """Return an Arrow column as floats, nulls as 0."""
    return np.asarray(np.nan_to_num(column.to_numpy().astype(np.float64), nan=0.0))


def _error(
    forecast: str,
    *,
    predicted: NDArray[np.float64],
    actual: NDArray[np.float64],
    resampling: Resampling,
) -> ForecastError:
    n = actual.size
    value = quotient(
        "spend_overshoot",
        numerator=float((predicted - actual).sum()),
        denominator=float(actual.sum()),
        unit="percent",
        n=n,
        empty="nothing was spent in the horizon",
        negative="more was returned than bought in the horizon",
    )
    (bounds,) = resampling.intervals([predicted - actual, actual], [(0, 1)])
    return ForecastError(
        forecast=forecast,
        overshoot=with_interval(value, bounds, n=n),
        mean_absolute_error=float(np.abs(predicted - actual).mean()) if n else None,
    )
