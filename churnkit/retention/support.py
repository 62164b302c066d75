"""Company metrics of support tickets: how many there are, and how soon they are dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import US_PER_DAY
from churnkit.formulas import (
    MetricValue,
    contact_rate,
    first_response_hours,
    resolution_hours,
    resolution_rate,
    support_contacts,
)
from churnkit.retention.engagement import counted
from churnkit.retention.movements import SubscriptionCounts
from churnkit.retention.order_counts import OrderCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from churnkit.retention.order_counts import CustomerCounts
    from churnkit.retention.report import ReportRow
    from churnkit.retention.scope import Scope

__all__ = ["RESOLVED_METRICS", "SUPPORT_METRICS", "support_metrics"]

RESOLVED_METRICS = ("resolution_rate", "resolution_hours")
SUPPORT_METRICS = ("support_contacts", "contact_rate", "first_response_hours", *RESOLVED_METRICS)
"""Metrics of :func:`support_metrics`."""

US_PER_HOUR = US_PER_DAY // 24

Cell = tuple[int, str]


def support_metrics(
    tickets: nw.LazyFrame[Any],
    *,
    counts: Mapping[str, Mapping[Cell, CustomerCounts]],
    columns: set[str],
    scope: Scope,
) -> list[ReportRow]:
    """Return the metrics of the tickets opened in each period.

    Parameters
    ----------
    tickets : narwhals.LazyFrame
        ``customer_id``, ``opened_at_us``, and as far as they are known ``first_response_at_us``
        and ``resolved_at_us``.
    counts : mapping of str to mapping of (int, str) to CustomerCounts
        By table, ``orders`` and ``subscriptions``: what contacts are counted against. Orders come
        first; with neither there is no ``contact_rate``.
    columns : set of str
        Columns of the tickets; without a time of response or resolution its metrics are absent.
    scope : Scope
        Cells and level.

    Returns
    -------
    list of ReportRow
        :data:`SUPPORT_METRICS`. What happened at or after the end of the report has not happened.
    """
    level, end_us = scope.definitions.level, scope.periods.boundaries_us[-1]
    base = next((name for name in ("orders", "subscriptions") if name in counts), None)
    known = {name for name in ("first_response_at_us", "resolved_at_us") if name in columns}
    resolved = nw.lit(0)
    if "resolved_at_us" in known:
        resolved = nw.when(nw.col("resolved_at_us") < end_us).then(nw.lit(1)).otherwise(nw.lit(0))
    found = {
        (row["period"], row["segment"]): row
        for row in counted(tickets, at="opened_at_us", scope=scope, resolved=resolved)
    }
    hours = {
        name: _hours(tickets, until=name, end_us=end_us, scope=scope) for name in sorted(known)
    }
    rows = []
    for cell in scope.cells({**found, **(counts[base] if base else {})}):
        row = found.get(cell, {"one": 0, "resolved": 0})
        values = [support_contacts(contacts=row["one"])]
        if "first_response_at_us" in known:
            waited = hours["first_response_at_us"].get(cell, np.zeros(0))
            values.append(first_response_hours(hours=waited, level=level))
        if "resolved_at_us" in known:
            waited = hours["resolved_at_us"].get(cell, np.zeros(0))
            values += [
                resolution_rate(resolved=row["resolved"], opened=row["one"], level=level),
                resolution_hours(hours=waited, level=level),
            ]
        rows += [scope.row(cell, value, "support_tickets") for value in values]
        if base is not None:
            value = _contact_rate(row["one"], counts[base].get(cell), level=level, base=base)
            rows.append(scope.row(cell, value, f"support_tickets, {base}"))
    return rows


def _contact_rate(
    contacts: int, counts: CustomerCounts | None, *, level: float, base: str
) -> MetricValue:
    if base == "orders":
        made = counts.orders if isinstance(counts, OrderCounts) else 0
        return contact_rate(contacts=contacts, orders=made, level=level)
    there = counts.there if isinstance(counts, SubscriptionCounts) else 0
    return contact_rate(contacts=contacts, customers=there, variant="per_customer", level=level)


def _hours(
    tickets: nw.LazyFrame[Any], *, until: str, end_us: int, scope: Scope
) -> dict[Cell, NDArray[np.float64]]:
    """Return the hours from the opening of tickets to a later time, by period and segment."""
    opened, done = nw.col("opened_at_us"), nw.col(until)
    waited = tickets.filter(done < end_us).select(
        "customer_id",
        period=scope.periods.index(opened),
        hours=(done - opened) / US_PER_HOUR,
    )
    return {
        (position, segment): arrays[0]
        for position in scope.positions
        for segment, arrays in scope.arrays(
            waited.filter(nw.col("period") == position), "hours"
        ).items()
    }
