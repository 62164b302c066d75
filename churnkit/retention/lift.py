"""What each point of retention more would be worth, from the company's own figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.formulas import DAYS_PER_YEAR, discounted_lifetime_value, retention_lift
from churnkit.retention.lifetime import margin_per_customer
from churnkit.retention.metric_table import arrow_of
from churnkit.retention.order_counts import YEAR_DAYS, count_orders, order_buckets
from churnkit.retention.periods import report_periods
from churnkit.retention.report import ALL
from churnkit.retention.year_orders import count_year_orders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import narwhals as nw
    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.formulas import MetricValue

__all__ = ["LIFT_COLUMNS", "LiftScenario", "RetentionLift", "lift_scenarios"]

LIFT_COLUMNS = {
    "points": "number",
    "retention": "number",
    "lifetime_value": "number",
    "lifetime_value_lift": "number",
    "margin_gain": "number",
    "profit_lift": "number",
}
"""Columns of the table of scenarios, each with its kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiftScenario:
    """One rise of retention.

    Parameters
    ----------
    points : float
        Percentage points.
    retention : float
        Strict retention of the period with them, in percent.
    lifetime_value : MetricValue
        ``discounted_lifetime_value`` with them, first margin counted.
    lifetime_value_lift : MetricValue
        ``retention_lift`` of the lifetime value.
    margin_gain : float
        Margin of the customers kept, in one period and in currency.
    profit_lift : MetricValue or None
        ``retention_lift`` of the profit of the period; null where the profit is not known.
    """

    points: float
    retention: float
    lifetime_value: MetricValue
    lifetime_value_lift: MetricValue
    margin_gain: float
    profit_lift: MetricValue | None


@dataclass(frozen=True, kw_only=True)
class RetentionLift:
    """Rises of retention and what they are worth.

    Parameters
    ----------
    scenarios : tuple of LiftScenario
        By points.
    retention : float or None
        Present strict retention of the period in percent; null where nobody was there at its
        start or nobody ordered, and then there are no scenarios.
    margin_per_customer : float or None
        Margin that a customer brings in the period, in currency; of one shorter than a year by
        the purchases of the 365 days that end with it.
    customers : int
        Customers at the start of the period.
    profit : float or None
        Present profit of the period: margin less marketing costs.
    """

    scenarios: tuple[LiftScenario, ...]
    retention: float | None
    margin_per_customer: float | None
    customers: int
    profit: float | None

    def to_arrow(self) -> pa.Table:
        """Return a row per scenario with :data:`LIFT_COLUMNS`."""
        rows = [
            {
                "points": each.points,
                "retention": each.retention,
                "lifetime_value": each.lifetime_value.value,
                "lifetime_value_lift": each.lifetime_value_lift.value,
                "margin_gain": each.margin_gain,
                "profit_lift": None if each.profit_lift is None else each.profit_lift.value,
            }
            for each in self.scenarios
        ]
        return arrow_of(rows, LIFT_COLUMNS)

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def lift_scenarios(
    orders: nw.LazyFrame[Any],
    *,
    engine: Engine,
    start: date,
    end: date,
    time_zone: str,
    activity_window_days: int,
    points: Sequence[float],
    gross_margin: float = 1.0,
    yearly_discount_rate: float = 0.0,
    marketing_cost: float | None = None,
) -> RetentionLift:
    """Return what rises of retention would be worth, given the customers of a period.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`.
    engine : Engine
        Where the orders are.
    start, end : date
        The period: first business day, and the day after the last.
    time_zone : str
        Business zone.
    activity_window_days : int
        Business days for which an order keeps its customer active.
    points : sequence of float
        Percentage points; those that would take retention out of 0 to 100 are left out.
    gross_margin : float, default 1
        Share of revenue left after the cost of goods. The lift of the lifetime value is the same
        for any margin.
    yearly_discount_rate : float, default 0
        As a fraction.
    marketing_cost : float, optional
        Of the period. With it the profit is margin less cost, and its lift is known.

    References
    ----------
    Practice; definition in docs/metrics.
    """
    periods = report_periods(start=start, end=end, every=None, time_zone=time_zone)
    buckets = order_buckets(orders, periods=periods, window_days=activity_window_days)
    counts = count_orders(buckets, positions=(0,), segments=None, engine=engine).get((0, ALL))
    if counts is None or not counts.start or not counts.buyers:
        customers = 0 if counts is None else counts.start
        return RetentionLift(
            scenarios=(),
            retention=None,
            margin_per_customer=None,
            customers=customers,
            profit=None,
        )
    days = periods.each[0].days
    if days < YEAR_DAYS:
        of_year = count_year_orders(orders, periods=periods, segments=None, engine=engine)
        counts.year_orders = of_year.get((0, ALL), 0)
    margin = counts.revenue * gross_margin
    present = _Present(
        retained=counts.retained / counts.start,
        margin=margin_per_customer(counts, days=days, gross_margin=gross_margin),
        customers=counts.start,
        profit=None if marketing_cost is None else margin - marketing_cost,
        discount_rate=(1.0 + yearly_discount_rate) ** (days / DAYS_PER_YEAR) - 1.0,
    )
    return RetentionLift(
        scenarios=tuple(
            present.with_more(x)
            for x in sorted(set(points))
            if 0.0 <= present.retained + x / 100.0 <= 1.0
        ),
        retention=100.0 * present.retained,
        margin_per_customer=present.margin,
        customers=present.customers,
        profit=present.profit,
    )


@dataclass(frozen=True, kw_only=True)
class _Present:
    """The figures of the period from which retention would rise; retention and rate as fractions."""

    retained: float
    margin: float
    customers: int
    profit: float | None
    discount_rate: float

    def with_more(self, points: float) -> LiftScenario:
        """Return what so many points more are worth."""
        with_points = self.retained + points / 100.0
        given: dict[str, Any] = {
            "points": points,
            "margin_per_period": self.margin,
            "retention_probability": self.retained,
            "customers": self.customers,
        }
        gain = None
        if self.profit is not None:
            gain = retention_lift(profit=self.profit, variant="profit", **given)
        return LiftScenario(
            points=points,
            retention=100.0 * with_points,
            lifetime_value=discounted_lifetime_value(
                margin_per_period=self.margin,
                retention_probability=with_points,
                discount_rate=self.discount_rate,
                variant="first_margin_counted",
                customers=self.customers,
            ),
            lifetime_value_lift=retention_lift(discount_rate=self.discount_rate, **given),
            margin_gain=self.customers * points / 100.0 * self.margin,
            profit_lift=gain,
        )
