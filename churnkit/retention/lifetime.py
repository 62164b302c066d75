"""Lifetime values of an average customer, and what raising retention would add to them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from churnkit.formulas import (
    DAYS_PER_YEAR,
    customer_lifetime_value,
    customer_lifetime_value_margin,
    discounted_lifetime_value,
    retention_lift,
)
from churnkit.retention.order_counts import YEAR_DAYS
from churnkit.retention.scope import no_value

if TYPE_CHECKING:
    from churnkit.formulas import MetricValue
    from churnkit.retention.order_counts import OrderCounts
    from churnkit.retention.scope import Scope

__all__ = ["MARGIN_METRICS", "lifetime_values", "margin_per_customer", "yearly_probability"]

MARGIN_METRICS = (
    "customer_lifetime_value_margin",
    "discounted_lifetime_value",
    "retention_lift",
)
"""Metrics that need a gross margin."""

US_PER_YEAR = DAYS_PER_YEAR * 86_400e6


def lifetime_values(counts: OrderCounts, *, days: int, scope: Scope) -> list[MetricValue]:
    """Return the lifetime values of one cell, and with a gross margin what hangs on it.

    Parameters
    ----------
    counts : OrderCounts
        Of the cell.
    days : int
        Length of the period.
    scope : Scope
        Definitions and gross margin.

    Notes
    -----
    Purchases per customer and year are those of the 365 days that end with the period, or of the
    period if it is longer. Those of a month times twelve would be far too many: whoever buys in a
    month at all has at least one purchase in it. The margin of a customer and period rests on the
    same number.
    """
    variant = scope.definitions.lifespan
    names = ["customer_lifetime_value"]
    names += ["customer_lifetime_value_margin"] if scope.gross_margin is not None else []
    lost = (counts.lost / counts.start) if counts.start else None
    reason = "no orders in the period" if not counts.orders else ""
    if variant == "churn" and lost is None:
        reason = "no customers at period start"
    if reason:
        found = [no_value(name, unit="currency", reason=reason, variant=variant) for name in names]
        return found + _with_margin(counts, days=days, scope=scope)
    given: dict[str, Any] = {
        "average_order_value": counts.revenue / counts.orders,
        "purchases_per_year": _purchases_per_year(counts, days=days),
        "lifespan_years": counts.lifespan_us / counts.customers_ever / US_PER_YEAR,
        "yearly_churn_probability": yearly_probability(lost or 0.0, days=days),
        "variant": variant,
        "customers": counts.buyers,
    }
    found = [customer_lifetime_value(**given)]
    if scope.gross_margin is not None:
        found.append(customer_lifetime_value_margin(gross_margin=scope.gross_margin, **given))
    return found + _with_margin(counts, days=days, scope=scope)


def _purchases_per_year(counts: OrderCounts, *, days: int) -> float:
    if days < YEAR_DAYS:
        return counts.year_orders / counts.year_buyers
    return counts.orders / counts.buyers * DAYS_PER_YEAR / days


def margin_per_customer(counts: OrderCounts, *, days: int, gross_margin: float) -> float:
    """Return what a customer brings in so many days, in currency; there must be orders."""
    yearly = _purchases_per_year(counts, days=days) * counts.revenue / counts.orders
    return yearly * gross_margin * days / DAYS_PER_YEAR


def _with_margin(counts: OrderCounts, *, days: int, scope: Scope) -> list[MetricValue]:
    """Return the discounted lifetime value and the lift of retention; nothing without a margin."""
    if scope.gross_margin is None:
        return []
    chosen = scope.definitions
    reason = "" if counts.start else "no customers at period start"
    if not counts.buyers:
        reason = "no customers with an order in the period"
    if reason:
        return [
            no_value(
                "discounted_lifetime_value",
                unit="currency",
                reason=reason,
                variant=chosen.discounted,
            ),
            no_value("retention_lift", unit="percent", reason=reason, variant="lifetime_value"),
        ]
    retained = counts.retained / counts.start
    given: dict[str, Any] = {
        "margin_per_period": margin_per_customer(
            counts, days=days, gross_margin=scope.gross_margin
        ),
        "retention_probability": retained,
        "discount_rate": (1.0 + chosen.yearly_discount_rate) ** (days / DAYS_PER_YEAR) - 1.0,
    }
    value = discounted_lifetime_value(**given, variant=chosen.discounted, customers=counts.start)
    if not 0.0 <= retained + chosen.lift_points / 100.0 <= 1.0:
        reason = f"retention cannot change by {chosen.lift_points:g} points from {retained:.1%}"
        lift = no_value("retention_lift", unit="percent", reason=reason, variant="lifetime_value")
    else:
        lift = retention_lift(points=chosen.lift_points, customers=counts.start, **given)
    return [value, lift]


def yearly_probability(probability: float, *, days: int) -> float:
    """Return the probability over a year of what has a probability over some days.

    Examples
    --------
    >>> round(yearly_probability(0.1, days=73), 4)
    0.4097
    """
    return (
        float(-math.expm1(math.log1p(-probability) * DAYS_PER_YEAR / days))
        if probability < 1
        else 1.0
    )
