"""Company metrics of marketing costs: what a new customer costs, and whether that pays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.formulas import (
    DAYS_PER_YEAR,
    cac_payback_months,
    customer_acquisition_cost,
    ltv_to_cac,
)
from churnkit.retention.lifetime import margin_per_customer
from churnkit.retention.report import ALL
from churnkit.retention.scope import no_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.formulas import MetricValue
    from churnkit.retention.order_counts import CustomerCounts, OrderCounts
    from churnkit.retention.report import ReportRow
    from churnkit.retention.scope import Scope

__all__ = ["COST_METRICS", "cost_metrics"]

COST_METRICS = ("customer_acquisition_cost", "ltv_to_cac", "cac_payback_months")

Cell = tuple[int, str]


def cost_metrics(
    costs: nw.LazyFrame[Any],
    *,
    joined: Mapping[Cell, CustomerCounts],
    source: str,
    counts: Mapping[Cell, OrderCounts],
    lifetime: Mapping[int, MetricValue],
    scope: Scope,
) -> list[ReportRow]:
    """Return the acquisition cost of each period and what it is compared with.

    Parameters
    ----------
    costs : narwhals.LazyFrame
        ``ts_us``, ``amount``.
    joined : mapping of (int, str) to CustomerCounts
        Customers who joined, by position and segment.
    source : str
        Table that says so: ``orders`` or ``subscriptions``.
    counts : mapping of (int, str) to OrderCounts
        Orders and revenue; empty without orders.
    lifetime : mapping of int to MetricValue
        Lifetime value of each period, that of the margin if there is one; empty without orders.
    scope : Scope
        Cells; costs are not known by segment.

    Returns
    -------
    list of ReportRow
        ``customer_acquisition_cost``; with a lifetime value ``ltv_to_cac``, its variant saying of
        what (``revenue`` or ``margin``); with a gross margin and orders ``cac_payback_months``.
    """
    placed = costs.with_columns(period=scope.periods.index(nw.col("ts_us")))
    sums = placed.group_by("period").agg(nw.col("amount").sum())
    spent = {row["period"]: row["amount"] for row in scope.engine.collect(sums).to_pylist()}
    name = f"marketing_costs, {source}"
    rows = []
    for position in scope.positions:
        cell = (position, ALL)
        cost = customer_acquisition_cost(
            marketing_cost=spent.get(position, 0.0), new_customers=joined[cell].joined
        )
        values = [cost]
        if position in lifetime:
            values.append(_ltv_to_cac(lifetime[position], cost))
        if cell in counts and scope.gross_margin is not None:
            values.append(_payback(counts[cell], cost, position=position, scope=scope))
        rows += [scope.row(cell, value, name) for value in values]
    return rows


def _ltv_to_cac(lifetime: MetricValue, cost: MetricValue) -> MetricValue:
    variant = "margin" if lifetime.metric.endswith("margin") else "revenue"
    if lifetime.value is None or cost.value is None:
        reason = cost.reason if cost.value is None else lifetime.reason
        return no_value("ltv_to_cac", unit="ratio", reason=reason, variant=variant)
    found = ltv_to_cac(lifetime_value=lifetime.value, acquisition_cost=cost.value)
    return replace(found, variant=variant)


def _payback(counts: OrderCounts, cost: MetricValue, *, position: int, scope: Scope) -> MetricValue:
    if cost.value is None or not counts.buyers:
        reason = cost.reason if cost.value is None else "no customers with an order in the period"
        return no_value("cac_payback_months", unit="months", reason=reason)
    days, months = scope.period(position).days, 12.0 / DAYS_PER_YEAR
    margin = margin_per_customer(counts, days=days, gross_margin=scope.gross_margin or 0.0)
    margin /= days * months
    return cac_payback_months(acquisition_cost=cost.value, monthly_margin_per_customer=margin)
