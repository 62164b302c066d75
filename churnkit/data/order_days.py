"""Marks which rows of orders are orders, which are a customer's first of a day, and the days beside it."""

from __future__ import annotations

from typing import Any

import narwhals as nw

__all__ = [
    "KEY",
    "ORDER_COLUMNS",
    "flag_orders",
    "flag_single_days",
    "order_days",
]

KEY = ("customer_id", "order_key")

OPTIONAL = {"discount": nw.Float64, "quantity": nw.Float64, "refunded_at_us": nw.Int64}

NOTHING = 1e-6
"""Amounts below this are what rounding leaves of lines that cancel each other: 0.1 + 0.2 - 0.3."""

ORDER_COLUMNS = (
    "customer_id",
    "ts_us",
    "day",
    "amount",
    "gross_amount",
    "refund_amount",
    "discount",
    "quantity",
    "lines",
    "is_order",
    "is_order_day",
    "previous_order_us",
    "next_order_us",
    "refunded_at_us",
)


def flag_single_days(daily: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Mark net positive days of orders that have no other day."""
    is_order = nw.when(nw.col("amount") >= NOTHING).then(nw.lit(1)).otherwise(nw.lit(0))
    return daily.with_columns(is_order=is_order)


def flag_orders(daily: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Mark the first positive day of each order, and when its running net falls to zero."""
    positive = nw.when(nw.col("amount") >= NOTHING).then(nw.lit(1)).otherwise(nw.lit(0))
    over = {"order_by": "day"}
    running = daily.with_columns(positive=positive).with_columns(
        so_far=nw.col("positive").cum_sum().over(*KEY, **over),
        net=nw.col("amount").cum_sum().over(*KEY, **over),
    )
    is_order = (nw.col("positive") == 1) & (nw.col("so_far") == 1)
    # Rounding must not keep a refunded order alive.
    emptied = nw.when((nw.col("so_far") > 0) & (nw.col("net") < NOTHING)).then(nw.col("ts_us"))
    return running.with_columns(
        is_order=nw.when(is_order).then(nw.lit(1)).otherwise(nw.lit(0)),
        refunded_at_us=emptied.min().over(*KEY),
    ).drop("positive", "so_far", "net")


def order_days(flagged: nw.LazyFrame[Any], *, several_a_day: bool) -> nw.LazyFrame[Any]:
    """Mark the customer's first order of each day and look to the order days beside it.

    Parameters
    ----------
    flagged : narwhals.LazyFrame
        Rows with ``is_order``; ``discount``, ``quantity`` and ``refunded_at_us`` may be absent and
        are null then.
    several_a_day : bool
        Whether a customer may have more than one order on a day; rows then have ``order_key``.
    """
    is_order = nw.col("is_order") == 1
    if several_a_day:
        over = {"order_by": ("ts_us", "order_key")}
        before = nw.col("day").shift(1).over("customer_id", "is_order", **over)
        flagged = flagged.with_columns(before=before)
        is_order &= nw.col("before").is_null() | (nw.col("before") != nw.col("day"))
    marked = flagged.with_columns(
        is_order_day=nw.when(is_order).then(nw.lit(1)).otherwise(nw.lit(0))
    )
    beside = {"previous_order_us": 1, "next_order_us": -1}
    looked = marked.with_columns(
        nw.col("ts_us").shift(n).over("customer_id", "is_order_day", order_by="ts_us").alias(name)
        for name, n in beside.items()
    )
    is_day = nw.col("is_order_day") == 1
    only_days = {name: nw.when(is_day).then(nw.col(name)) for name in beside}
    # What is null in every row comes last: windows would carry it along.
    names = flagged.collect_schema().names()
    absent = {name: nw.lit(None).cast(kind) for name, kind in OPTIONAL.items() if name not in names}
    return looked.with_columns(**only_days, **absent).select(*ORDER_COLUMNS)
