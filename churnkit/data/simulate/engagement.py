"""Messages, visits and clicks of a simulated shop: they show drift before orders do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churnkit.data.simulate.chain import DAYS_PER_MONTH, STATES
from churnkit.data.simulate.columns import ids, names, numbers, times
from churnkit.data.simulate.orders import draw_products, product_names
from churnkit.data.simulate.portfolio import MESSAGE_CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.data.simulate.columns import Clock
    from churnkit.data.simulate.orders import OrderLog
    from churnkit.data.simulate.portfolio import Portfolio

    # Columns of equal length; those of _ABSENT may be left out.
    Events = dict[str, NDArray[Any]]

__all__ = [
    "EVENT_TYPES",
    "OPEN_PROBABILITY",
    "VISITS_PER_MONTH",
    "eagerness",
    "event_table",
    "fit_of_message",
]

STEPS = ("sent", "opened", "clicked")
VISIT, PRODUCT_VIEW, CART_ADD, CHECKOUT, PURCHASE, FAVOURITE = range(9, 15)
EVENT_TYPES = (
    *(f"{channel}_{step}" for channel in MESSAGE_CHANNELS for step in STEPS),
    "visit", "product_view", "cart_add", "checkout", "purchase", "favourite",
)  # fmt: skip
CHANNELS = (*MESSAGE_CHANNELS, "web", "app")

EVERY_DAYS = 14  # between two messages to everybody
# Per hidden state: engaged, drifting, gone.
OPEN_PROBABILITY = np.array([0.80, 0.20, 0.01])  # on the best channel at the best hour
CLICK_PROBABILITY = np.array([0.30, 0.12, 0.05])  # of an opened message
VISITS_PER_MONTH = np.array([3.0, 0.6, 0.02])  # beside those that end in an order
WRONG_CHANNEL = 0.4  # what another than the best channel keeps of the chance to be opened
WRONG_HOUR, TOLERANCE_HOURS = 0.3, 3.0

VIEW_PROBABILITY, CART_PROBABILITY, CHECKOUT_PROBABILITY = 0.7, 0.2, 0.4  # each given the last
FAVOURITE_PROBABILITY = 0.08  # given a view

_ABSENT: dict[str, Any] = {
    "campaign": np.int32(-1), "session": np.int64(-1), "product": np.int32(-1), "value": np.nan,
}  # fmt: skip


def event_table(
    shop: Portfolio, orders: OrderLog, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``events`` in order of time, and what they must show in expectation.

    Every fortnight each known customer gets one message, on a channel and at an hour left to
    chance, so that the best of both can be learnt. Visits come and go with the hidden state, and
    every order ends a session of its own, with its net value on the ``purchase``.

    The expectations are ``open_rate_<state>`` and ``visits_per_month_<state>`` (without those that
    end in an order), and ``cart_abandonment_rate`` (percent of the sessions with a cart).
    """
    messages, rates = _messages(shop, clock=clock, rng=rng)
    visits = _visits(shop, clock=clock, rng=rng)
    browsing = _browsing(visits, products=shop.scenario.products, rng=rng)
    buying = _buying(
        orders, first_session=len(visits["ts_us"]), products=shop.scenario.products, rng=rng
    )
    events = _stack([*messages, *browsing, *buying])
    rows = np.argsort(events["ts_us"], kind="stable")
    rows = rows[events["ts_us"][rows] < clock.end_us]
    events = {name: column[rows] for name, column in events.items()}
    campaigns = [f"M{number:04d}" for number in range(1, shop.days // EVERY_DAYS + 2)]
    table = pa.table(
        {
            "customer_id": ids(events["customer"]),
            "ts": times(events["ts_us"]),
            "event_type": names(events["event"], EVENT_TYPES),
            "channel": names(events["channel"], CHANNELS),
            "campaign_id": names(events["campaign"], campaigns),
            "session_id": ids(events["session"]),
            "product_id": names(events["product"], product_names(shop.scenario.products)),
            "value": numbers(events["value"]),
        }
    )
    for state, monthly in zip(STATES, VISITS_PER_MONTH, strict=True):
        rates[f"visits_per_month_{state}"] = float(monthly)
    carts = len(visits["ts_us"]) * VIEW_PROBABILITY * CART_PROBABILITY
    sessions = carts + len(orders.ts_us)
    rates["cart_abandonment_rate"] = 100.0 * carts / sessions if sessions else float("nan")
    return table, rates


def _stack(parts: list[Events]) -> Events:
    """Return all events in one set of columns, with nulls where a part lacks one."""
    return {
        name: np.concatenate(
            [
                part[name] if name in part else np.full(len(part["ts_us"]), _ABSENT[name])
                for part in parts
            ]
        )
        for name in ("customer", "ts_us", "event", "channel", *_ABSENT)
    }


def _messages(
    shop: Portfolio, *, clock: Clock, rng: np.random.Generator
) -> tuple[list[Events], dict[str, float]]:
    """Return all messages with their openings and clicks, and the expected rate of openings."""
    parts: list[Events] = []
    sent, opened = np.zeros(len(STATES)), np.zeros(len(STATES))
    for campaign, day in enumerate(range(EVERY_DAYS // 2, shop.days, EVERY_DAYS)):
        customer = shop.known_on(day)
        state = shop.state_on(customer, day)
        channel = rng.integers(len(MESSAGE_CHANNELS), size=len(customer), dtype=np.int8)
        hour = rng.uniform(7.0, 22.0, len(customer))
        chance = OPEN_PROBABILITY[state] * fit_of_message(
            shop, customer, channel=channel, hour=hour
        )
        sent += np.bincount(state, minlength=len(STATES))
        opened += np.bincount(state, weights=chance, minlength=len(STATES))
        message: Events = {
            "customer": customer,
            "ts_us": clock.at(day + hour / 24.0),
            "event": (len(STEPS) * channel).astype(np.int8),
            "channel": channel,
            "campaign": np.full(len(customer), campaign, dtype=np.int32),
        }
        at_all = rng.random(len(customer))
        parts.append(message)
        parts.append(_reaction(message, at_all < chance, rng=rng))
        # One draw decides both, since a click needs an opening.
        clicked = (at_all < chance * CLICK_PROBABILITY[state])[at_all < chance]
        parts.append(_reaction(parts[-1], clicked, rng=rng))
    rates = {
        f"open_rate_{state}": float(100.0 * expected / total) if total else float("nan")
        for state, expected, total in zip(STATES, opened, sent, strict=True)
    }
    return parts, rates


def fit_of_message(
    shop: Portfolio,
    customer: NDArray[np.integer[Any]],
    *,
    channel: NDArray[np.int8],
    hour: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the chance to be opened as a share of that on the best channel at the best hour."""
    distance = np.abs(hour - 0.5 - shop.best_hour[customer])
    at_hour = WRONG_HOUR + (1.0 - WRONG_HOUR) * np.exp(-((distance / TOLERANCE_HOURS) ** 2))
    return np.asarray(
        at_hour * np.where(channel == shop.best_channel[customer], 1.0, WRONG_CHANNEL)
    )


def eagerness(shop: Portfolio) -> NDArray[np.float64]:
    """Return how much each customer visits beside the mean: those who order more also look more."""
    root = np.sqrt(shop.orders_per_day)
    return np.asarray(root / root.mean())


def _reaction(message: Events, reacted: NDArray[np.bool_], *, rng: np.random.Generator) -> Events:
    """Return the next step of the messages that were reacted to, half an hour later on average."""
    later = {name: column[reacted] for name, column in message.items()}
    seconds = 5 + np.floor(rng.exponential(1_800.0, len(later["ts_us"]))).astype(np.int64)
    return {**later, "ts_us": later["ts_us"] + seconds * 1_000_000, "event": later["event"] + 1}


def _visits(shop: Portfolio, *, clock: Clock, rng: np.random.Generator) -> Events:
    """Return the visits that do not end in an order."""
    lives = shop.lives
    length = np.maximum(lives.last - shop.ordering_from, 0)
    monthly = VISITS_PER_MONTH[shop.chain.state_of[lives.code]] * eagerness(shop)[lives.customer]
    stretch = np.repeat(np.arange(len(length)), rng.poisson(monthly * length / DAYS_PER_MONTH))
    day = shop.ordering_from[stretch] + np.floor(length[stretch] * rng.random(len(stretch)))
    customer = lives.customer[stretch]
    hour = shop.best_hour[customer] + 0.5 + 2.0 * rng.standard_normal(len(stretch))
    return {
        "customer": customer,
        "ts_us": clock.at(day + np.mod(hour, 24.0) / 24.0),
        "event": np.full(len(stretch), VISIT, dtype=np.int8),
        "channel": _device(len(stretch), rng),
        "session": np.arange(len(stretch), dtype=np.int64),
    }


def _browsing(visits: Events, *, products: int, rng: np.random.Generator) -> list[Events]:
    """Return visits and what follows them: views, favourites, carts, started checkouts."""
    viewed = _then(visits, PRODUCT_VIEW, probability=VIEW_PROBABILITY, rng=rng)
    viewed["product"] = draw_products(len(viewed["ts_us"]), products, rng)
    carted = _then(viewed, CART_ADD, probability=CART_PROBABILITY, rng=rng)
    return [
        visits,
        viewed,
        _then(viewed, FAVOURITE, probability=FAVOURITE_PROBABILITY, rng=rng),
        carted,
        _then(carted, CHECKOUT, probability=CHECKOUT_PROBABILITY, rng=rng),
    ]


def _then(events: Events, event: int, *, probability: float, rng: np.random.Generator) -> Events:
    """Return the next step, some minutes later, of a share of the sessions."""
    going_on = rng.random(len(events["ts_us"])) < probability
    later = {name: column[going_on] for name, column in events.items()}
    n = len(later["ts_us"])
    later["ts_us"] = later["ts_us"] + rng.integers(10, 300, n) * 1_000_000
    later["event"] = np.full(n, event, dtype=np.int8)
    return later


def _buying(
    orders: OrderLog, *, first_session: int, products: int, rng: np.random.Generator
) -> list[Events]:
    """Return the sessions that end in an order, each with every step up to the purchase."""
    n = len(orders.ts_us)
    session: Events = {
        "customer": orders.customer,
        "channel": _device(n, rng),
        "session": first_session + np.arange(n, dtype=np.int64),
    }
    product = draw_products(n, products, rng)
    parts: list[Events] = []
    ts_us = orders.ts_us
    for event in (PURCHASE, CHECKOUT, CART_ADD, PRODUCT_VIEW, VISIT):
        step = {**session, "ts_us": ts_us, "event": np.full(n, event, dtype=np.int8)}
        if event != VISIT:
            step["product"] = product
        if event == PURCHASE:
            step["value"] = np.round(orders.value, 2)
        parts.append(step)
        ts_us = ts_us - rng.integers(10, 300, n) * 1_000_000
    return parts


def _device(size: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return positions of web and app in :data:`CHANNELS`."""
    return rng.integers(len(MESSAGE_CHANNELS), len(CHANNELS), size=size, dtype=np.int8)
