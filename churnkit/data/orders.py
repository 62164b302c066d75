"""Turns checked lines into the order table that labels, features and formulas share.

An order is one ``order_id``; without order ids, all lines of one customer on one business day. The
amount is net on the day: lines of a later day of the same order are a row of their own, since
returns count on the day they happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import business_day

if TYPE_CHECKING:
    from churnkit.engines import Engine

__all__ = ["ORDER_COLUMNS", "known_at", "order_table"]

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

KEY = ("customer_id", "order_key")


def order_table(
    lines: nw.LazyFrame[Any], *, columns: frozenset[str], engine: Engine, time_zone: str
) -> nw.LazyFrame[Any]:
    """Return one row per order and business day, sorted by customer and time, kept in the engine.

    Parameters
    ----------
    lines : narwhals.LazyFrame
        ``customer_id``, ``ts_us`` and what the source has of ``amount`` (1 per line when absent),
        ``order_id``, ``quantity``, ``discount``.
    columns : frozenset of str
        Contract columns that the source has.
    engine : Engine
        Where the table is kept.
    time_zone : str
        Business zone, in which days begin.

    Returns
    -------
    narwhals.LazyFrame
        ``customer_id``; ``ts_us``, the first instant of the row's lines; ``day``, days since 1970 in
        the business zone; ``amount`` net; ``gross_amount`` and ``refund_amount``, both >= 0;
        ``discount`` and ``quantity`` (null where the source has none); ``lines``; ``is_order`` 1 for
        the first day on which an order is net positive, else 0 (returns, free lines);
        ``is_order_day`` 1 for the customer's first such row of a day; ``previous_order_us``, the
        order day before this one, null for the first and for rows that are not; ``next_order_us``,
        the one after it; ``refunded_at_us``, when the order's running net fell to zero or below,
        null if it never did.

    Notes
    -----
    Every column but the last two depends on the row's past only. :func:`known_at` replaces those
    two by what was known at a cutoff.
    """
    day = business_day(nw.col("ts_us"), time_zone=time_zone)
    amount = nw.col("amount") if "amount" in columns else nw.lit(1.0)
    by_day = nw.concat_str([nw.lit("day "), nw.col("day").cast(nw.String)])
    order = nw.when(nw.col("order_id").is_null()).then(by_day).otherwise(nw.col("order_id"))
    optional = [
        (nw.col(c) if c in columns else nw.lit(None).cast(nw.Float64)).alias(c)
        for c in ("quantity", "discount")
    ]
    prepared = (
        lines.with_columns(amount.alias("amount"), *optional)
        .with_columns(day=day)
        .with_columns((order if "order_id" in columns else by_day).alias("order_key"))
    )
    absent = [c for c in ("quantity", "discount") if c not in columns]
    daily = _aggregate(prepared, by=(*KEY, "day")).with_columns(
        *(nw.lit(None).cast(nw.Float64).alias(c) for c in absent)
    )
    if "order_id" in columns:
        daily = engine.materialize(daily)
        flagged = _flag_orders(daily)
    else:
        flagged = daily.with_columns(
            is_order=(nw.col("amount") > 0).cast(nw.Int64),
            refunded_at_us=nw.lit(None).cast(nw.Int64),
        )
    flagged = engine.materialize(flagged)
    # The engine sorts once here; every later pass reads customers in order.
    return engine.materialize(_order_days(flagged), sort_by=("customer_id", "ts_us"))


def known_at(orders: nw.LazyFrame[Any], *, start_us: int, cutoff_us: int) -> nw.LazyFrame[Any]:
    """Return the order rows of ``[start_us, cutoff_us)`` as they were known at the cutoff.

    Refunds at or after the cutoff have not happened yet; orders refunded before it are no orders.
    ``is_first_order_day`` and ``is_last_order_day`` (1 or 0) mark the ends of a customer's interval.
    """
    is_day = nw.col("is_order_day") == 1
    no_next = nw.col("next_order_us").is_null() | (nw.col("next_order_us") >= cutoff_us)
    no_previous = nw.col("previous_order_us").is_null() | (nw.col("previous_order_us") < start_us)
    one, zero = nw.lit(1), nw.lit(0)
    standing = nw.when(nw.col("refunded_at_us") < cutoff_us).then(nw.lit(0)).otherwise(nw.lit(1))
    in_reach = nw.col("previous_order_us") >= start_us
    return (
        orders.filter(nw.col("ts_us") >= start_us, nw.col("ts_us") < cutoff_us)
        .with_columns(
            is_order=nw.col("is_order") * standing,
            previous_order_us=nw.when(in_reach).then(nw.col("previous_order_us")),
            is_first_order_day=nw.when(is_day & no_previous).then(one).otherwise(zero),
            is_last_order_day=nw.when(is_day & no_next).then(one).otherwise(zero),
        )
        .drop("refunded_at_us", "next_order_us")
    )


def _aggregate(lines: nw.LazyFrame[Any], *, by: tuple[str, ...]) -> nw.LazyFrame[Any]:
    amount = nw.col("amount")
    return (
        lines.with_columns(
            gross_amount=nw.when(amount > 0).then(amount).otherwise(nw.lit(0.0)),
            refund_amount=nw.when(amount < 0).then(-amount).otherwise(nw.lit(0.0)),
            one=nw.lit(1),
        )
        .group_by(*by)
        .agg(
            nw.col("ts_us").min(),
            *(nw.col(c).sum() for c in ("amount", "gross_amount", "refund_amount")),
            *(nw.col(c).sum() for c in ("discount", "quantity")),
            nw.col("one").sum().cast(nw.Int64).alias("lines"),
        )
    )


def _flag_orders(daily: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
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


def _order_days(flagged: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Mark the customer's first order of each day and look back to the order day before."""
    orders = flagged.filter(nw.col("is_order") == 1)
    rest = flagged.filter(nw.col("is_order") == 0)
    rank = nw.col("one").cum_sum().over("customer_id", "day", order_by=("ts_us", "order_key"))
    ranked = orders.with_columns(one=nw.lit(1)).with_columns(rank=rank)
    first = ranked.filter(nw.col("rank") == 1).with_columns(
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
    later = ranked.filter(nw.col("rank") > 1).with_columns(**nothing)
    parts = [first, later, rest.with_columns(**nothing)]
    return nw.concat([part.select(*ORDER_COLUMNS) for part in parts])
