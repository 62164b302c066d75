"""How many customers were active on each day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.retention.order_counts import with_segments

if TYPE_CHECKING:
    from churnkit.engines import Engine
    from churnkit.retention.periods import Periods

__all__ = ["daily_customers", "daily_subscribers"]

EPOCH = date(1970, 1, 1).toordinal()
NEVER_US = 2**62


def daily_customers(
    orders: nw.LazyFrame[Any],
    *,
    periods: Periods,
    window_days: int,
    segments: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> dict[tuple[int, str], list[int]]:
    """Return how many customers were active at the end of each day of each period, by segment.

    An order keeps its customer active at the end of its day and of ``window_days - 1`` more; what
    two orders of a customer share is counted once.
    """
    zone = periods.time_zone
    end_us = periods.boundaries_us[-1]
    previous = business_day(nw.col("previous_order_us"), time_zone=zone)
    days = with_segments(
        orders.filter(nw.col("is_order_day") == 1, nw.col("ts_us") < end_us), segments
    ).select("segment", "day", previous=previous)
    shared = days.filter(nw.col("previous") + window_days > nw.col("day"))
    steps = [
        days.select("segment", at=nw.col("day"), change=nw.lit(1)),
        days.select("segment", at=nw.col("day") + window_days, change=nw.lit(-1)),
        shared.select("segment", at=nw.col("day"), change=nw.lit(-1)),
        shared.select("segment", at=nw.col("previous") + window_days, change=nw.lit(1)),
    ]
    return _counted(nw.concat(steps), periods=periods, engine=engine)


def daily_subscribers(
    subscriptions: nw.LazyFrame[Any],
    *,
    periods: Periods,
    segments: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> dict[tuple[int, str], list[int]]:
    """Return how many customers had a subscription at the end of each day, by period and segment.

    Subscriptions that run at once are one customer.
    """
    zone = periods.time_zone
    until = nw.col("until_us")
    spells = (
        with_segments(
            subscriptions.filter(nw.col("started_at_us") < periods.boundaries_us[-1]), segments
        )
        .select(
            "customer_id",
            "segment",
            "started_at_us",
            until_us=nw.col("ended_at_us").fill_null(NEVER_US),
        )
        .with_columns(
            reached_us=until.cum_max().over("customer_id", order_by=("started_at_us", "until_us"))
        )
        .with_columns(
            before_us=nw.col("reached_us")
            .shift(1)
            .over("customer_id", order_by=("started_at_us", "until_us"))
        )
    )
    later = nw.col("before_us") > nw.col("started_at_us")
    from_us = nw.when(later).then(nw.col("before_us")).otherwise(nw.col("started_at_us"))
    added = spells.with_columns(from_us=from_us).filter(nw.col("from_us") < until)
    day = business_day(nw.col("from_us"), time_zone=zone)
    last = business_day(until, time_zone=zone)
    steps = [
        added.select("segment", at=day, change=nw.lit(1)),
        added.filter(until < NEVER_US).select("segment", at=last, change=nw.lit(-1)),
    ]
    return _counted(nw.concat(steps), periods=periods, engine=engine)


def _counted(
    steps: nw.LazyFrame[Any], *, periods: Periods, engine: Engine
) -> dict[tuple[int, str], list[int]]:
    """Return the running sum of ``change`` from day ``at`` on, for the days of each period."""
    changes = steps.group_by("segment", "at").agg(nw.col("change").sum().cast(nw.Int64))
    by_segment: dict[str, dict[int, int]] = defaultdict(dict)
    for row in engine.collect(changes).to_pylist():
        by_segment[row["segment"]][row["at"]] = row["change"]
    found: dict[tuple[int, str], list[int]] = {}
    for segment, change in by_segment.items():
        days = sorted(change)
        active, next_ = 0, 0
        for position, period in enumerate(periods.each):
            first = period.start.toordinal() - EPOCH
            found[position, segment] = []
            for day in range(first, first + period.days):
                while next_ < len(days) and days[next_] <= day:
                    active += change[days[next_]]
                    next_ += 1
                found[position, segment].append(active)
    return found
