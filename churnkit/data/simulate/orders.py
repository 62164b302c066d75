"""Places the orders of a simulated shop and writes their lines, discounts and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churnkit.data.simulate.columns import (
    US_PER_DAY,
    cents,
    hours_of_the_day,
    ids,
    mean,
    names,
    numbers,
    times,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.data.simulate.columns import Clock
    from churnkit.data.simulate.portfolio import Portfolio

__all__ = [
    "REFUNDED_SHARE",
    "OrderLog",
    "draw_products",
    "order_table",
    "place_orders",
    "product_names",
]

REFUNDED_SHARE = 0.5
REFUND_DAYS = (2, 20)
DISCOUNTED_LINES = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class OrderLog:
    """Orders in order of time, in arrays of shape (n_orders,); an order's id is its position.

    Attributes
    ----------
    customer : ndarray of int32
        Position of the customer.
    ts_us : ndarray of int64
        Naive microseconds of the business zone.
    state : ndarray of int8
        Hidden state in which the order was placed.
    value : ndarray of float64
        Sum of the order's lines before refunds, not rounded.
    """

    customer: NDArray[np.int32]
    ts_us: NDArray[np.int64]
    state: NDArray[np.int8]
    value: NDArray[np.float64]

    def take(self, chosen: NDArray[Any]) -> OrderLog:
        """Return some of the orders."""
        return OrderLog(
            customer=self.customer[chosen],
            ts_us=self.ts_us[chosen],
            state=self.state[chosen],
            value=self.value[chosen],
        )


def place_orders(shop: Portfolio, *, clock: Clock, rng: np.random.Generator) -> OrderLog:
    """Draw the time and value of every order.

    Within a stretch of one hidden state the number of orders is Poisson, and given their number
    their days are independent draws from the season: that is the Poisson process itself.
    """
    lives = shop.lives
    so_far = np.concatenate([[0.0], np.cumsum(shop.season)])
    stretch = np.repeat(
        np.arange(len(lives.customer), dtype=np.int32), rng.poisson(shop.expected_orders)
    )
    low, high = so_far[shop.ordering_from[stretch]], so_far[lives.last[stretch]]
    day = np.searchsorted(so_far, low + (high - low) * rng.random(len(stretch)), side="right") - 1
    # Rounding may put a draw on the upper edge, which is the next day's.
    day = np.minimum(day, lives.last[stretch] - 1)
    del low, high
    joined = np.flatnonzero(shop.join_day >= 0).astype(np.int32)
    day = np.concatenate([day.astype(np.int32), shop.join_day[joined]])
    ts_us = clock.at(day + hours_of_the_day(len(day), rng))
    customer = np.concatenate([lives.customer[stretch], joined])
    state = np.concatenate(
        [shop.chain.state_of[lives.code[stretch]], np.zeros(len(joined), dtype=np.int8)]
    )
    del day, stretch
    order = np.argsort(ts_us, kind="stable")
    spread = shop.scenario.value_sd_within
    customer = customer[order]
    value = np.exp(spread * rng.standard_normal(len(order)) - spread**2 / 2.0)
    value *= shop.order_value[customer]
    return OrderLog(customer=customer, ts_us=ts_us[order], state=state[order], value=value)


def order_table(
    shop: Portfolio, orders: OrderLog, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return the order lines, refunds among them, in order of time, and what they must show.

    Columns: ``customer_id``, ``ts``, ``amount`` (paid for the line, after discount; negative for a
    refund), ``order_id`` (a refund bears that of its order), ``product_id``, ``quantity`` (negative
    for a refund), ``discount`` (money taken off the line, 0 where there is none).
    """
    scenario, n_orders = shop.scenario, len(orders.ts_us)
    order, share = np.arange(n_orders), np.ones(n_orders)
    if scenario.lines_per_order > 1.0:
        order = np.repeat(order, 1 + rng.poisson(scenario.lines_per_order - 1.0, n_orders))
        weight = rng.standard_exponential(len(order))
        share = weight / np.bincount(order, weights=weight, minlength=n_orders)[order]
    amount = cents(orders.value[order] * share)
    off = rng.uniform(0.1, 0.3, len(order)) * (rng.random(len(order)) < DISCOUNTED_LINES)
    lines: dict[str, NDArray[Any]] = {
        "order": order,
        "ts_us": orders.ts_us[order],
        "amount": amount,
        "product": draw_products(len(order), scenario.products, rng),
        "quantity": (1 + rng.poisson(0.5, len(order))).astype(np.int32),
        "discount": np.round(amount * off / (1.0 - off), 2),
    }
    del order, share, amount, off
    lines = _with_refunds(lines, orders, rate=scenario.refund_rate, clock=clock, rng=rng)
    table = pa.table(
        {
            "customer_id": ids(orders.customer[lines["order"]]),
            "ts": times(lines["ts_us"]),
            "amount": numbers(lines["amount"]),
            "order_id": ids(lines["order"]),
            "product_id": names(lines["product"], product_names(scenario.products)),
            "quantity": numbers(lines["quantity"]),
            "discount": numbers(lines["discount"]),
        }
    )
    return table, _rates(shop, orders, clock=clock)


def _with_refunds(
    lines: dict[str, NDArray[Any]],
    orders: OrderLog,
    *,
    rate: float,
    clock: Clock,
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    """Return the lines with those that pay back half of some orders, on their own day."""
    refunded = np.flatnonzero(rng.random(len(orders.ts_us)) < rate)
    days = rng.integers(REFUND_DAYS[0], REFUND_DAYS[1] + 1, len(refunded))
    ts_us = orders.ts_us[refunded] + days * US_PER_DAY
    refunded, ts_us = refunded[ts_us < clock.end_us], ts_us[ts_us < clock.end_us]
    if not len(refunded):
        return lines
    total = np.bincount(lines["order"], weights=lines["amount"])[refunded]
    back = {
        "order": refunded,
        "ts_us": ts_us,
        "amount": -cents(REFUNDED_SHARE * total),
        "product": lines["product"][np.searchsorted(lines["order"], refunded)],
        "quantity": np.full(len(refunded), -1, dtype=np.int32),
        "discount": np.zeros(len(refunded)),
    }
    when = np.argsort(np.concatenate([lines["ts_us"], ts_us]), kind="stable")
    return {name: np.concatenate([lines[name], back[name]])[when] for name in lines}


def _rates(shop: Portfolio, orders: OrderLog, *, clock: Clock) -> dict[str, float]:
    """Return what the order table must show in expectation, given the hidden states."""
    expected = np.bincount(shop.lives.customer, weights=shop.expected_orders, minlength=shop.size)
    none = np.exp(-expected)
    joined = shop.join_day >= 0
    buyers = np.where(joined, 1.0, 1.0 - none)
    repeaters = np.where(joined, 1.0 - none, 1.0 - none * (1.0 + expected))
    count = expected + joined
    shortest, longest = REFUND_DAYS
    delays_known = np.clip(
        np.ceil(clock.days_left(orders.ts_us)) - shortest, 0, 1 + longest - shortest
    )
    refunded = shop.scenario.refund_rate * mean(delays_known) / (1 + longest - shortest)
    gross = (count * shop.order_value).sum() / count.sum()
    return {
        "orders": float(count.sum()),
        "repeat_purchase_rate": float(100.0 * repeaters.sum() / buyers.sum()),
        "average_order_value": float(gross * (1.0 - REFUNDED_SHARE * refunded)),
        "refund_rate": 100.0 * refunded,
    }


def product_names(products: int) -> list[str]:
    """Return the stock codes of a catalogue."""
    return [f"P{number:05d}" for number in range(1, products + 1)]


def draw_products(size: int, products: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return product positions whose popularity falls with their rank (Zipf's law)."""
    popularity = np.cumsum(1.0 / np.arange(1, products + 1))
    u = rng.random(size) * popularity[-1]
    rank = np.searchsorted(popularity, u, side="right").astype(np.int32)
    return np.asarray(np.minimum(rank, np.int32(products - 1)))
