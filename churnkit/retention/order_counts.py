"""What the order table says of each period and segment, counted in the engine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.order_days import NOTHING
from churnkit.errors import DataError
from churnkit.retention.periods import steps_reached
from churnkit.retention.report import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.engines import Engine
    from churnkit.retention.periods import Periods

__all__ = [
    "UNKNOWN",
    "YEAR_DAYS",
    "CustomerCounts",
    "OrderCounts",
    "count_orders",
    "order_buckets",
    "with_segments",
]

YEAR_DAYS = 365
KIND = ("segment", "period", "follow", "reach", "year_reach", "has_order", "is_new", "was_active")

UNKNOWN = "unknown"
"""Segment of customers of whom the attribute is not known."""


@dataclass(kw_only=True)
class CustomerCounts:
    """How many customers were there at the start and the end of a period, and how they moved.

    Parameters
    ----------
    start, end : int
        S and E, active just before the period's first instant, and just before its end.
    lost : int
        Of S, those not in E.
    retained : int
        Of S, those in E.
    new : int
        Of E, those whose first order or subscription ever falls in the period.
    reactivated : int
        Of E, those neither in S nor new.
    joined : int
        First ever in the period, whether or not in E.
    """

    start: int = 0
    end: int = 0
    lost: int = 0
    retained: int = 0
    new: int = 0
    reactivated: int = 0
    joined: int = 0

    def check(self, where: str) -> None:
        """Refuse counts that contradict each other.

        Raises
        ------
        DataError
            If ``E = S - lost + new + reactivated`` or ``S = lost + retained`` does not hold.
        """
        balance = self.start - self.lost + self.new + self.reactivated
        if balance != self.end or self.start != self.lost + self.retained:
            msg = (
                f"{where}: customers at the end must be those at the start - lost + new +"
                f" reactivated; got {self.end} and {self.start} - {self.lost} + {self.new} +"
                f" {self.reactivated}, {self.retained} being retained; are there two rows of one"
                " order, or orders whose previous_order_us is not the customer's?"
            )
            raise DataError(msg)


@dataclass(kw_only=True)
class OrderCounts(CustomerCounts):
    """The counts of customers with what they ordered.

    Parameters
    ----------
    buyers : int
        Customers with an order in the period.
    repeat, ever_repeat : int
        Of the buyers, those with several orders in it, and up to its end.
    orders : int
        Orders of the period.
    revenue : float
        Net revenue of the period, in currency.
    customers_ever : int
        Customers with an order before the end.
    lifespan_us : float
        Sum over them of last - first order, microseconds, as ``recency_days`` has it.
    year_buyers, year_orders : int
        Customers and orders of the 365 business days before the end.
    """

    buyers: int = 0
    repeat: int = 0
    ever_repeat: int = 0
    orders: int = 0
    revenue: float = 0.0
    customers_ever: int = 0
    lifespan_us: float = 0.0
    year_buyers: int = 0
    year_orders: int = 0


def order_buckets(
    orders: nw.LazyFrame[Any], *, periods: Periods, window_days: int
) -> nw.LazyFrame[Any]:
    """Return one row per customer and period with any row of orders; one for all before the first.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`.
    periods : Periods
        The periods; rows after the last are left out.
    window_days : int
        Business days for which an order keeps its customer active.

    Returns
    -------
    narwhals.LazyFrame
        ``customer_id``; ``period``, its position, -1 for all time before the first; ``orders``;
        ``revenue``; ``first_us`` and ``last_us``, the first order of the first and of the last day
        with one; ``last_order_us``, the last of all; ``prior_us``, the order day before the first,
        or null; ``follow``, the position of the period of the next order, or the number of periods;
        ``reach``, the last boundary at which the last order keeps the customer active, if no other
        followed; ``prior_reach``, the same of ``prior_us``; ``year_reach``, the last boundary less
        than 365 days after the last order.
    """
    expiry = periods.days_before_us(window_days)
    first, last = nw.col("first_us"), nw.col("last_us")
    previous, next_ = nw.col("previous_us"), nw.col("next_us")
    follow = nw.when(next_ > last).then(periods.index(next_)).otherwise(nw.lit(len(periods.each)))
    return (
        orders.filter(nw.col("ts_us") < periods.boundaries_us[-1])
        .select(
            "customer_id",
            "is_order",
            "amount",
            "previous_order_us",
            "next_order_us",
            day_us=nw.when(nw.col("is_order_day") == 1).then(nw.col("ts_us")),
            order_us=nw.when(nw.col("is_order") == 1).then(nw.col("ts_us")),
            period=periods.index(nw.col("ts_us")),
        )
        .group_by("customer_id", "period")
        .agg(
            orders=nw.col("is_order").sum().cast(nw.Int64),
            net=nw.col("amount").sum(),
            first_us=nw.col("day_us").min(),
            last_us=nw.col("day_us").max(),
            last_order_us=nw.col("order_us").max(),
            previous_us=nw.col("previous_order_us").min(),
            next_us=nw.col("next_order_us").max(),
        )
        # The earliest previous order of the period is before the period, or the period's first.
        .with_columns(
            prior_us=nw.when(previous < first).then(previous),
            follow=follow,
            # What rounding leaves of refunded money would be a denominator.
            revenue=nw.when(nw.col("net").abs() < NOTHING)
            .then(nw.lit(0.0))
            .otherwise(nw.col("net")),
        )
        .with_columns(
            reach=steps_reached(last, expiry) - 1,
            prior_reach=steps_reached(nw.col("prior_us"), expiry) - 1,
            year_reach=steps_reached(last, periods.days_before_us(YEAR_DAYS)) - 1,
        )
        .drop("previous_us", "next_us", "net")
    )


def with_segments(
    frame: nw.LazyFrame[Any], segments: nw.LazyFrame[Any] | None
) -> nw.LazyFrame[Any]:
    """Add ``segment``: of each customer, :data:`UNKNOWN` where there is none, or everybody's."""
    if segments is None:
        return frame.with_columns(segment=nw.lit(ALL))
    joined = frame.join(segments, on="customer_id", how="left")
    return joined.with_columns(nw.col("segment").fill_null(UNKNOWN))


def count_orders(
    buckets: nw.LazyFrame[Any],
    *,
    positions: Sequence[int],
    segments: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> dict[tuple[int, str], OrderCounts]:
    """Count customers, orders and revenue.

    Parameters
    ----------
    buckets : narwhals.LazyFrame
        See :func:`order_buckets`.
    positions : sequence of int
        Periods that are wanted.
    segments : narwhals.LazyFrame or None
        ``customer_id``, once each, and ``segment``.
    engine : Engine
        Where the frames are.

    Returns
    -------
    dict of (int, str) to OrderCounts
        By period and segment; segments without any customer before a period's end are left out.

    Raises
    ------
    DataError
        If the counts contradict each other.
    """
    has_order = ~nw.col("first_us").is_null()
    is_new = nw.col("prior_us").is_null()
    start_us = nw.when(is_new).then(nw.col("first_us")).otherwise(nw.col("prior_us"))
    one, none = nw.lit(1), nw.lit(0)
    kinds = (
        with_segments(buckets, segments)
        .with_columns(
            has_order=nw.when(has_order).then(one).otherwise(none),
            is_new=nw.when(has_order & is_new).then(one).otherwise(none),
            was_active=nw.when(has_order & (nw.col("prior_reach") >= nw.col("period")))
            .then(one)
            .otherwise(none),
            repeat=nw.when(nw.col("orders") > 1).then(one).otherwise(none),
            ever_repeat=nw.when(has_order & ((nw.col("orders") > 1) | ~is_new))
            .then(one)
            .otherwise(none),
            # In seconds: sums over millions of customers stay within 64 bits. From one day's first
            # order to the next day's; the last day reaches to its last order.
            gained=(nw.col("last_us") - start_us) / 1e6,
            last_day=(nw.col("last_order_us") - nw.col("last_us")) / 1e6,
        )
        .group_by(*KIND)
        .agg(
            customers=nw.len().cast(nw.Int64),
            orders=nw.col("orders").sum().cast(nw.Int64),
            revenue=nw.col("revenue").sum(),
            repeat=nw.col("repeat").sum().cast(nw.Int64),
            ever_repeat=nw.col("ever_repeat").sum().cast(nw.Int64),
            gained=nw.col("gained").sum(),
            last_day=nw.col("last_day").sum(),
        )
    )
    found: dict[tuple[int, str], OrderCounts] = defaultdict(OrderCounts)
    for row in engine.collect(kinds).to_pylist():
        for position in positions:
            if row["period"] <= position:
                _add(found[position, row["segment"]], row, position)
    for (position, segment), counts in found.items():
        counts.revenue = 0.0 if abs(counts.revenue) < NOTHING else counts.revenue
        counts.check(f"orders: period {position}, segment {segment!r}")
    return dict(found)


def _add(counts: OrderCounts, row: dict[str, Any], position: int) -> None:
    """Add customers whose last row up to a period is of one kind to the counts of the period."""
    n, reach, here = row["customers"], row["reach"], row["period"] == position
    if here:
        counts.orders += row["orders"]
        counts.revenue += row["revenue"] or 0.0
    if not row["has_order"]:
        return
    counts.customers_ever += n * row["is_new"]
    counts.lifespan_us += 1e6 * (row["gained"] + row["last_day"] * (row["follow"] > position))
    # A boundary after the next order is that order's to keep.
    at_start = not here and reach >= position and row["follow"] >= position
    at_end = reach > position and row["follow"] > position
    counts.start += n * at_start
    counts.end += n * at_end
    counts.year_buyers += n * (row["year_reach"] > position and row["follow"] > position)
    if here:
        counts.buyers += n
        counts.repeat += row["repeat"]
        counts.ever_repeat += row["ever_repeat"]
        counts.joined += n * row["is_new"]
        if row["was_active"]:
            counts.retained += n * at_end
            counts.lost += n * (not at_end)
        else:
            counts.new += n * at_end * row["is_new"]
            counts.reactivated += n * at_end * (1 - row["is_new"])
    elif at_start and row["follow"] > position:
        counts.retained += n * at_end
        counts.lost += n * (not at_end)
