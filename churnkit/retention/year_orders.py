"""How many orders the year before each boundary held."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.retention.order_counts import YEAR_DAYS, with_segments
from churnkit.retention.periods import steps_reached

if TYPE_CHECKING:
    from churnkit.engines import Engine
    from churnkit.retention.periods import Periods

__all__ = ["count_year_orders"]


def count_year_orders(
    orders: nw.LazyFrame[Any],
    *,
    periods: Periods,
    segments: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> dict[tuple[int, str], int]:
    """Return the orders of the 365 business days before the end of each period, by segment."""
    enter = steps_reached(nw.col("ts_us"), periods.boundaries_us)
    leave = steps_reached(nw.col("ts_us"), periods.days_before_us(YEAR_DAYS)) - 1
    first_us = periods.days_before_us(YEAR_DAYS)[0]
    time = nw.col("ts_us")
    placed = orders.filter(
        nw.col("is_order") == 1, time >= first_us, time < periods.boundaries_us[-1]
    ).select("customer_id", enter=enter, leave=leave)
    spans = (
        with_segments(placed, segments)
        .group_by("segment", "enter", "leave")
        .agg(nw.len().cast(nw.Int64).alias("orders"))
    )
    found: dict[tuple[int, str], int] = defaultdict(int)
    for row in engine.collect(spans).to_pylist():
        # The end of period p is boundary p + 1.
        for boundary in range(max(row["enter"], 1), row["leave"] + 1):
            found[boundary - 1, row["segment"]] += row["orders"]
    return dict(found)
