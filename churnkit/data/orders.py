"""Turns checked lines into the order table that labels, features and formulas share.

An order is one ``order_id``; without order ids, all lines of one customer on one business day. The
amount is net on the day: lines of a later day of the same order are a row of their own, since
returns count on the day they happen.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.data.order_days import (
    KEY,
    ORDER_COLUMNS,
    flag_orders,
    flag_single_days,
    order_days,
)
from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnkit.engines import Engine

__all__ = ["ORDER_COLUMNS", "known_at", "order_span", "order_table"]

OPTIONAL = ("quantity", "discount")
EPOCH = date(1970, 1, 1)


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
        null if it never did; an order refunded once stays refunded, whatever is charged later.

    Notes
    -----
    ``next_order_us`` and ``refunded_at_us`` look ahead; every other column depends on the past and
    on the row's own day. :func:`known_at` replaces those two by what was known at a cutoff.
    """
    ends = engine.collect(lines.select(first=nw.col("ts_us").min(), last=nw.col("ts_us").max()))
    first, last = (ends[name][0].as_py() for name in ("first", "last"))
    span = None if first is None else (int(first), int(last))
    day = business_day(nw.col("ts_us"), time_zone=time_zone, span=span)
    # Customers are apart from one another: so is the work on parts that hold all lines of each.
    ordered = (
        rows
        for part in engine.parts(lines)
        for rows in _ordered(part, day=day, columns=columns, engine=engine)
    )
    # Sorted once, so that every later pass reads customers in order.
    return engine.materialize_all(ordered, sort_by=("customer_id", "ts_us"))


def _ordered(
    lines: nw.LazyFrame[Any], *, day: nw.Expr, columns: frozenset[str], engine: Engine
) -> Iterator[nw.LazyFrame[Any]]:
    """Give the order rows of some customers, unsorted, and forget what they are made from."""
    amount = nw.col("amount") if "amount" in columns else nw.lit(1.0)
    by_day = nw.concat_str([nw.lit("day "), nw.col("day").cast(nw.String)])
    order = nw.when(nw.col("order_id").is_null()).then(by_day).otherwise(nw.col("order_id"))
    prepared = lines.with_columns(amount.alias("amount"), day=day)
    if "order_id" not in columns:
        daily = engine.materialize(_aggregate(prepared, by=("customer_id", "day"), columns=columns))
        yield order_days(flag_single_days(daily), several_a_day=False)
        engine.forget(daily)
        return
    prepared = prepared.with_columns(order_key=order)
    kept = engine.materialize(_aggregate(prepared, by=KEY, columns=columns))
    one_day = nw.col("day") == nw.col("last_day")
    flagged = flag_single_days(kept.filter(one_day))
    # Few orders span days, and only they need the windows of a running net.
    spanning = engine.materialize(kept.filter(~one_day).select(*KEY))
    if _has_rows(spanning, engine=engine):
        theirs = prepared.join(spanning, on=list(KEY), how="semi")
        several = flag_orders(_aggregate(theirs, by=(*KEY, "day"), columns=columns))
        flagged = flagged.with_columns(refunded_at_us=nw.lit(None).cast(nw.Int64))
        both = [flagged, several.select(*flagged.collect_schema().names())]
        flagged = engine.materialize(nw.concat(both))
        engine.forget(kept)
        kept = flagged
    yield order_days(flagged, several_a_day=True)
    engine.forget(kept, spanning)


def _has_rows(frame: nw.LazyFrame[Any], *, engine: Engine) -> bool:
    return bool(engine.collect(frame.head(1)).num_rows)


def known_at(orders: nw.LazyFrame[Any], *, start_us: int, cutoff_us: int) -> nw.LazyFrame[Any]:
    """Return the order rows of ``[start_us, cutoff_us)`` as they were known at the cutoff.

    Refunds at or after the cutoff have not happened yet. An order refunded before it is no order any
    more (``is_order`` 0); the day on which the customer placed it stays an order day.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        From :func:`order_table`.
    start_us, cutoff_us : int
        First instants of business days, microseconds since 1970 UTC.

    Returns
    -------
    narwhals.LazyFrame
        The columns of :func:`order_table` without ``next_order_us`` and ``refunded_at_us``;
        ``previous_order_us`` is null where that order lies before ``start_us``;
        ``is_first_order_day`` and ``is_last_order_day`` (1 or 0) mark the ends of a customer's
        interval.

    Notes
    -----
    Rows at or after the cutoff make no difference: the result is what :func:`order_table` would
    have given on the rows before it.
    """
    is_day, zero = nw.col("is_order_day"), nw.lit(0)
    is_refunded = nw.col("refunded_at_us") < cutoff_us
    in_reach = nw.col("previous_order_us") >= start_us
    is_followed = nw.col("next_order_us") < cutoff_us
    return (
        orders.filter(nw.col("ts_us") >= start_us, nw.col("ts_us") < cutoff_us)
        .with_columns(
            is_order=nw.when(is_refunded).then(zero).otherwise(nw.col("is_order")),
            previous_order_us=nw.when(in_reach).then(nw.col("previous_order_us")),
            is_first_order_day=nw.when(in_reach).then(zero).otherwise(is_day),
            is_last_order_day=nw.when(is_followed).then(zero).otherwise(is_day),
        )
        .drop("refunded_at_us", "next_order_us")
    )


def order_span(
    orders: nw.LazyFrame[Any],
    *,
    engine: Engine,
    start_us: int | None = None,
    end_us: int | None = None,
) -> tuple[date, date]:
    """Return the first business day with an order, and the day after the last.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        From :func:`order_table`.
    engine : Engine
        Where they are.
    start_us, end_us : int, optional
        Look only at ``[start_us, end_us)``.

    Raises
    ------
    DataError
        If there is no order, or none in the range.
    """
    placed = orders.filter(nw.col("is_order") == 1)
    in_range = placed
    if start_us is not None:
        in_range = in_range.filter(nw.col("ts_us") >= start_us)
    if end_us is not None:
        in_range = in_range.filter(nw.col("ts_us") < end_us)

    def span(rows: nw.LazyFrame[Any]) -> tuple[date, date] | None:
        found = engine.collect(
            rows.select(first=nw.col("day").min(), last=nw.col("day").max())
        ).to_pylist()[0]
        if found["first"] is None:
            return None
        return EPOCH + timedelta(days=found["first"]), EPOCH + timedelta(days=found["last"] + 1)

    if known := span(in_range):
        return known
    anywhere = span(placed)
    if anywhere is None:
        msg = "orders: no row is an order; all amounts are zero or refunds"
    else:
        first, end = anywhere
        msg = (
            "orders: no order in the date range asked for; the orders are from"
            f" {first} to {end - timedelta(days=1)}"
        )
    raise DataError(msg)


def _aggregate(
    lines: nw.LazyFrame[Any], *, by: tuple[str, ...], columns: frozenset[str]
) -> nw.LazyFrame[Any]:
    """Return one row per key with ``day`` and ``last_day`` of its lines, equal where it is a key."""
    amount, day = nw.col("amount"), nw.col("day")
    ends = {"last_day": day.max()} if "day" in by else {"day": day.min(), "last_day": day.max()}
    return (
        lines.with_columns(
            gross_amount=nw.when(amount > 0).then(amount).otherwise(nw.lit(0.0)),
            refund_amount=nw.when(amount < 0).then(nw.lit(0.0) - amount).otherwise(nw.lit(0.0)),
            one=nw.lit(1),
        )
        .group_by(*by)
        .agg(
            nw.col("ts_us").min(),
            *(nw.col(c).sum() for c in ("amount", "gross_amount", "refund_amount")),
            *(nw.col(c).sum() for c in OPTIONAL if c in columns),
            nw.col("one").sum().cast(nw.Int64).alias("lines"),
            **ends,
        )
    )
