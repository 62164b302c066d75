"""Which carts customers fill and leave behind."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from churnkit.retention.funnels import NEVER_US

__all__ = ["abandoned_carts"]


def abandoned_carts(
    events: nw.LazyFrame[Any],
    *,
    cart_event: str,
    purchase_event: str,
    window_us: int,
    by_session: bool,
) -> nw.LazyFrame[Any]:
    """Return the carts that customers filled, and whether they left them behind.

    Parameters
    ----------
    events : narwhals.LazyFrame
        ``customer_id``, ``ts_us``, ``event_type`` and, for sessions, ``session_id``.
    cart_event, purchase_event : str
        ``event_type`` of what is put into a cart, and of a purchase.
    window_us : int
        A purchase of the customer less than so many microseconds later empties the cart.
    by_session : bool
        Whether a cart is what is filled in one session. Without sessions, and of events without
        one, it is what a customer fills until a purchase or a pause as long as the window.

    Returns
    -------
    narwhals.LazyFrame
        ``customer_id``; ``ts_us``, the first event of the cart; ``abandoned``, 1 or 0.
    """
    is_cart = nw.col("event_type") == cart_event
    is_purchase = nw.col("event_type") == purchase_event
    order = ("ts_us", "is_purchase", *(("session_id",) if by_session else ()))
    flagged = (
        events.filter(is_cart | is_purchase)
        .with_columns(is_purchase=nw.when(is_purchase).then(nw.lit(1)).otherwise(nw.lit(0)))
        .with_columns(
            bought_us=nw.when(is_purchase).then(nw.col("ts_us")).otherwise(nw.lit(NEVER_US))
        )
        .with_columns(
            next_us=nw.col("bought_us").cum_min(reverse=True).over("customer_id", order_by=order),
            previous_us=nw.col("ts_us").shift(1).over("customer_id", order_by=order),
            after_purchase=nw.col("is_purchase").shift(1).over("customer_id", order_by=order),
        )
        .filter(nw.col("is_purchase") == 0)
    )
    names = ("customer_id", "ts_us", "next_us")
    pause = nw.col("ts_us") - nw.col("previous_us") >= window_us
    fresh = nw.col("previous_us").is_null() | (nw.col("after_purchase") == 1) | pause
    if by_session:
        no_session = nw.col("session_id").is_null()
        sessions = flagged.filter(~no_session).group_by("customer_id", "session_id")
        by_id = sessions.agg(nw.col("ts_us").min(), nw.col("next_us").min())
        carts = nw.concat(
            [by_id.select(*names), flagged.filter(no_session).filter(fresh).select(*names)]
        )
    else:
        carts = flagged.filter(fresh).select(*names)
    bought = nw.col("next_us") - nw.col("ts_us") < window_us
    return carts.select(
        "customer_id", "ts_us", abandoned=nw.when(bought).then(nw.lit(0)).otherwise(nw.lit(1))
    )
