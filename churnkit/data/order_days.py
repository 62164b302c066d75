"""Marks which rows of orders are orders, which are a customer's first of a day, and the days beside it."""

from __future__ import annotations

from typing import Any

import narwhals as nw

__all__ = [
    "FLAGGED",
    "KEY",
    "ORDER_COLUMNS",
    "crowded_days",
    "flag_orders",
    "flag_single_days",
    "order_days",
]

KEY = ("customer_id", "order_key")

FLAGGED = (
    *KEY,
    "ts_us",
    "day",
    "amount",
    "gross_amount",
    "refund_amount",
    "discount",
    "quantity",
    "lines",
    "is_order",
    "refunded_at_us",
)

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
    return daily.with_columns(
        is_order=nw.when(nw.col("amount") > 0).then(nw.lit(1)).otherwise(nw.lit(0)),
        refunded_at_us=nw.lit(None).cast(nw.Int64),
    )


def flag_orders(daily: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Mark the first positive day of each order, and when its running net falls to zero."""
    positive = nw.when(nw.col("amount") > 0).then(nw.lit(1)).otherwise(nw.lit(0))
    over = {"order_by": "day"}
    running = daily.with_columns(positive=positive).with_columns(
        so_far=nw.col("positive").cum_sum().over(*KEY, **over),
        net=nw.col("amount").cum_sum().over(*KEY, **over),
    )
    is_order = (nw.col("positive") == 1) & (nw.col("so_far") == 1)
    # A cent's rounding must not keep a refunded order alive.
    emptied = nw.when((nw.col("so_far") > 0) & (nw.col("net") < 1e-6)).then(nw.col("ts_us"))
    return running.with_columns(
        is_order=nw.when(is_order).then(nw.lit(1)).otherwise(nw.lit(0)),
        refunded_at_us=emptied.min().over(*KEY),
    ).drop("positive", "so_far", "net")


def crowded_days(flagged: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the days on which a customer placed more than one order."""
    placed = flagged.filter(nw.col("is_order") == 1)
    counted = placed.group_by("customer_id", "day").agg(orders=nw.len())
    return counted.filter(nw.col("orders") > 1).select("customer_id", "day")


def order_days(
    flagged: nw.LazyFrame[Any], *, crowded: nw.LazyFrame[Any] | None = None
) -> nw.LazyFrame[Any]:
    """Mark the customer's first order of each day and look to the order days beside it.

    Only the rows of ``crowded`` days, if there are any, need to be ranked.
    """
    first = placed = flagged.filter(nw.col("is_order") == 1)
    others = [flagged.filter(nw.col("is_order") == 0)]
    if crowded is not None:
        on = ["customer_id", "day"]
        ranked = placed.join(crowded, on=on, how="semi").with_columns(one=nw.lit(1))
        rank = nw.col("one").cum_sum().over(*on, order_by=("ts_us", "order_key"))
        ranked = ranked.with_columns(rank=rank)
        alone = placed.join(crowded, on=on, how="anti")
        columns = alone.collect_schema().names()
        earliest = ranked.filter(nw.col("rank") == 1).select(*columns)
        first = nw.concat([alone, earliest])
        others.append(ranked.filter(nw.col("rank") > 1))
    first = first.with_columns(
        is_order_day=nw.lit(1),
        previous_order_us=nw.col("ts_us").shift(1).over("customer_id", order_by="ts_us"),
        next_order_us=nw.col("ts_us").shift(-1).over("customer_id", order_by="ts_us"),
    )
    null_time = nw.lit(None).cast(nw.Int64)
    nothing = {
        "is_order_day": nw.lit(0),
        "previous_order_us": null_time,
        "next_order_us": null_time,
    }
    parts = [first, *(part.with_columns(**nothing) for part in others)]
    return nw.concat([part.select(*ORDER_COLUMNS) for part in parts])
