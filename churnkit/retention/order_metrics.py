"""Company metrics that the order table gives: retention, repeat purchases, money, lifetime value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.formulas import (
    average_order_value,
    customer_churn_rate,
    customer_retention_rate,
    customer_retention_rate_strict,
    purchase_frequency,
    quotient,
    repeat_purchase_rate,
)
from churnkit.retention.daily import daily_customers
from churnkit.retention.lifetime import MARGIN_METRICS, lifetime_values
from churnkit.retention.order_counts import YEAR_DAYS, OrderCounts, count_orders
from churnkit.retention.scope import with_interval
from churnkit.retention.year_orders import count_year_orders

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.formulas import MetricValue
    from churnkit.retention.definitions import Definitions
    from churnkit.retention.order_counts import CustomerCounts
    from churnkit.retention.report import ReportRow
    from churnkit.retention.scope import Scope

__all__ = [
    "ORDER_METRICS",
    "TOP_DECILE",
    "customer_metrics_of",
    "order_metrics",
    "top_part",
    "total",
]

ORDER_METRICS = (
    "customer_retention_rate",
    "customer_retention_rate_strict",
    "customer_churn_rate",
    "repeat_purchase_rate",
    "purchase_frequency",
    "average_order_value",
    "pareto_share",
    "top_decile_spend_ratio",
    "customer_lifetime_value",
    *MARGIN_METRICS,
)
"""Metrics of :func:`order_metrics`; the last three only with a gross margin."""

TOP_SPENDERS, TOP_DECILE = 0.2, 0.1

Cell = tuple[int, str]


def order_metrics(
    buckets: nw.LazyFrame[Any], *, orders: nw.LazyFrame[Any], scope: Scope
) -> tuple[list[ReportRow], dict[Cell, OrderCounts]]:
    """Return the metrics of orders, and the counts that other metrics need.

    Parameters
    ----------
    buckets : narwhals.LazyFrame
        See :func:`churnkit.retention.order_counts.order_buckets`.
    orders : narwhals.LazyFrame
        The order table; read again for the purchases of a year where a period is shorter, and for
        the churn rate ``mean_of_daily``.
    scope : Scope
        Cells and definitions.

    Returns
    -------
    rows : list of ReportRow
        :data:`ORDER_METRICS` of every cell.
    counts : dict of (int, str) to OrderCounts
        By position and segment.
    """
    found = count_orders(
        buckets, positions=scope.positions, segments=scope.segments, engine=scope.engine
    )
    counts = {cell: found.get(cell, OrderCounts()) for cell in scope.cells(found)}
    if any(scope.period(position).days < YEAR_DAYS for position in scope.positions):
        of_year = count_year_orders(
            orders, periods=scope.periods, segments=scope.segments, engine=scope.engine
        )
        for cell, each in counts.items():
            each.year_orders = of_year.get(cell, 0)
    days: dict[Cell, list[int]] = {}
    if scope.definitions.churn == "mean_of_daily":
        days = daily_customers(
            orders,
            periods=scope.periods,
            window_days=scope.window_days,
            segments=scope.segments,
            engine=scope.engine,
        )
    rows = []
    for position in scope.positions:
        has_order = nw.when(nw.col("first_us").is_null()).then(nw.lit(0)).otherwise(nw.lit(1))
        spent = buckets.filter(nw.col("period") == position).with_columns(buyer=has_order)
        arrays = scope.arrays(spent, "revenue", "orders", "buyer")
        for cell in (cell for cell in counts if cell[0] == position):
            values = [
                *customer_metrics_of(counts[cell], days=days.get(cell, []), scope=scope),
                _repeat_rate(counts[cell], scope.definitions),
                *_money(arrays.get(cell[1], [np.zeros(0)] * 3), scope=scope),
                *lifetime_values(counts[cell], days=scope.period(position).days, scope=scope),
            ]
            rows += [scope.row(cell, value, "orders") for value in values]
    return rows, counts


def customer_metrics_of(
    counts: CustomerCounts, *, days: list[int], scope: Scope
) -> list[MetricValue]:
    """Return retention, strict retention and churn of one cell.

    Parameters
    ----------
    counts : CustomerCounts
        Of orders or of subscriptions.
    days : list of int
        Active customers at the end of each day, for the churn rate ``mean_of_daily``.
    scope : Scope
        Definitions.
    """
    level, variant = scope.definitions.level, scope.definitions.churn
    return [
        # The reactivated stay in E here; new are those of E who are new.
        customer_retention_rate(
            customers_at_start=counts.start,
            customers_at_end=counts.end,
            new_customers=counts.new,
            level=level,
        ),
        customer_retention_rate_strict(
            customers_at_start=counts.start, retained_customers=counts.retained, level=level
        ),
        customer_churn_rate(
            customers_at_start=counts.start,
            lost_customers=counts.lost,
            joined_customers=counts.joined,
            lost_joiners=counts.joined - counts.new,
            daily_customers=days,
            variant=variant,
            level=level,
        ),
    ]


def _repeat_rate(counts: OrderCounts, definitions: Definitions) -> MetricValue:
    in_period = definitions.repeat == "in_period"
    return repeat_purchase_rate(
        customers=counts.buyers,
        repeat_customers=counts.repeat if in_period else counts.ever_repeat,
        variant=definitions.repeat,
        level=definitions.level,
    )


def _money(arrays: list[NDArray[np.float64]], *, scope: Scope) -> list[MetricValue]:
    """Return what each customer's revenue and orders of a period give, all from one resampling."""
    revenue, orders, buyer = arrays
    n, buyers = revenue.size, int(buyer.sum())
    top = top_part(revenue, TOP_SPENDERS)
    decile = top_part(revenue, TOP_DECILE)
    k = _count(TOP_DECILE, n)
    upper, rest = decile / max(k, 1), (revenue - decile) / max(n - k, 1)
    aov, frequency, pareto, ratio = scope.resampling.intervals(
        [revenue, orders, buyer, top, upper, rest], [(0, 1), (1, 2), (3, 0), (4, 5)]
    )
    share = quotient(
        "pareto_share",
        numerator=total(top),
        denominator=total(revenue),
        unit="percent",
        n=n,
        empty="no revenue",
        negative="net revenue is negative",
    )
    times = quotient(
        "top_decile_spend_ratio",
        numerator=total(upper),
        denominator=total(rest) if n > k else 0.0,
        unit="ratio",
        n=n,
        empty="the other customers spent nothing" if n > k else "no customers outside the top",
        negative="the other customers returned more than they bought",
    )
    made = float(orders.sum())
    value = average_order_value(net_revenue=total(revenue), orders=made)
    return [
        with_interval(purchase_frequency(orders=made, customers=buyers), frequency, n=buyers),
        with_interval(value, aov, n=n),
        with_interval(share, pareto, n=n),
        with_interval(times, ratio, n=n),
    ]


def total(values: NDArray[np.float64]) -> float:
    """Return the sum, zero where only the rounding of cancelling amounts is left of it."""
    whole = float(values.sum())
    return 0.0 if abs(whole) <= 1e-12 * float(np.abs(values).sum()) else whole


def _count(share: float, n: int) -> int:
    return math.ceil(round(share * n, 9))


def top_part(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return what each customer adds to the sum of the largest values; see ``pareto_share``."""
    k = _count(share, values.size)
    if not k:
        return values
    q = np.partition(values, values.size - k)[values.size - k]
    return np.asarray(q * k / values.size + np.maximum(values - q, 0.0))
