"""Base columns of customers as numbers, and which customers are in the population."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from churnkit.data.windows import midnight_us

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot

    Floats = NDArray[np.float64]

__all__ = ["BASE_NUMBERS", "SUBSCRIPTION_NUMBERS", "base_numbers", "eligible_customers"]

BASE_NUMBERS = (
    "orders",
    "order_days",
    "first_order_us",
    "last_order_us",
    "net_revenue",
    "order_amount",
    "horizon_orders",
    "horizon_amount",
)
SUBSCRIPTION_NUMBERS = ("subscriptions_running", "mrr", "subscribed_since_us", "log_stay")
"""Base columns where the customers are subscribers."""


def eligible_customers(
    base: Mapping[str, Floats], snapshot: Snapshot, *, active_within_days: int, min_orders: int
) -> NDArray[np.bool_]:
    """Return who is in the population: enough orders, the last within ``active_within_days``.

    These are business days before the cutoff, so that one with 23 or 25 hours counts as one. Among
    subscribers: whoever has a paid subscription running.
    """
    if "subscriptions_running" in base:
        return np.asarray(np.nan_to_num(base["subscriptions_running"]) > 0.0)
    first_day = snapshot.cutoff - timedelta(days=active_within_days)
    # NaN, for customers without an order, is not later than anything.
    recent = base["last_order_us"] >= midnight_us(first_day, time_zone=snapshot.time_zone)
    return np.asarray(recent & (base["orders"] >= max(min_orders, 1)))


def base_numbers(table: pa.Table) -> dict[str, Floats]:
    """Return the base columns of a feature table as float64 arrays; nulls become NaN.

    Those of subscriptions where the table has them, else those of orders.
    """
    subscribed = "subscriptions_running" in table.column_names
    return {
        name: np.asarray(table.column(name).cast("double").to_numpy(), dtype=np.float64)
        for name in (SUBSCRIPTION_NUMBERS if subscribed else BASE_NUMBERS)
    }
