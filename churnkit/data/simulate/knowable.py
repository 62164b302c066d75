"""The best that anybody could know of a simulated customer from the tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.simulate.chain import DAYS_PER_MONTH
from churnkit.data.simulate.engagement import (
    OPEN_PROBABILITY,
    VISITS_PER_MONTH,
    eagerness,
    fit_of_message,
)
from churnkit.data.simulate.portfolio import MESSAGE_CHANNELS, first_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from churnkit.data.simulate.portfolio import Portfolio

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]
    # Of a day: positions of customers, and how likely each code makes what was seen of them.
    Likelihood = Callable[[int], tuple[Rows, Floats]]

__all__ = ["code_probabilities"]


def code_probabilities(
    shop: Portfolio, tables: Mapping[str, Any], *, day: int
) -> NDArray[np.float64]:
    r"""Return how likely each customer is in each code on the last day before ``day``.

    The forward algorithm of a hidden Markov model: from day to day the probabilities move by the
    chain's transitions and are weighed by how likely each code makes what the tables ``orders`` and
    ``events`` (if made) show of that day: Poisson numbers of orders and of visits, and messages
    opened or not. Rates, best hour and best channel of the customer are taken as known.

    Returns
    -------
    ndarray of float64, shape (n_customers, n_codes)
        Rows of those who have not joined by then are 0.
    """
    chain, zero = shop.chain, np.int64(np.datetime64(shop.start, "us").astype(np.int64))
    seen = [_orders(shop, tables["orders"], zero=zero)]
    if "events" in tables:
        events = _events(tables["events"], zero=zero)
        seen += [_visits(shop, events), _messages(shop, events)]
    transition = chain.transition[shop.channel]
    found = np.zeros((shop.size, len(chain.state_of)))
    before = shop.join_day < 0
    found[before, :-1] = first_codes(shop.scenario, chain)[shop.channel[before]]
    for today in range(day):
        if today:
            found = np.einsum("ni,nij->nj", found, transition)
        for likelihood in seen:
            rows, likely = likelihood(today)
            found[rows] *= likely
        total = found.sum(axis=1, keepdims=True)
        found = np.divide(found, total, out=found, where=total > 0.0)
        # The day of joining is an order by definition, and tells nothing else.
        found[shop.join_day == today] = np.eye(1, found.shape[1])
    return found


class _Daily:
    """Positions of customers by day."""

    def __init__(self, day: Rows, customer: Rows) -> None:
        order = np.argsort(day, kind="stable")
        self.day, self.rows, self.customer = day[order], order, customer[order]

    def on(self, today: int) -> slice:
        first, last = np.searchsorted(self.day, [today, today + 1])
        return slice(int(first), int(last))


def _poisson(
    shop: Portfolio, happened: _Daily, rate_on: Callable[[Rows, int], Floats]
) -> Likelihood:
    """Return the likelihood of how often something happened on a day, by code."""

    def likelihood(today: int) -> tuple[Rows, Floats]:
        rows = np.flatnonzero(shop.join_day < today)
        times = np.bincount(happened.customer[happened.on(today)], minlength=shop.size)[rows]
        rate = rate_on(rows, today)
        # The factorial is the same in every code.
        return rows, np.exp(-rate) * rate ** times[:, None]

    return likelihood


def _orders(shop: Portfolio, table: Any, *, zero: np.int64) -> Likelihood:
    lines = table.select(["customer_id", "ts", "amount", "order_id"]).to_pandas()
    paid = lines[lines["amount"] > 0].drop_duplicates("order_id")
    factor = shop.chain.order_factor

    def rate(rows: Rows, today: int) -> Floats:
        own = shop.orders_per_day[rows] * shop.season[today]
        return np.asarray(own[:, None] * factor)

    return _poisson(shop, _Daily(_days(paid, zero), _positions(paid)), rate)


def _events(table: Any, *, zero: np.int64) -> pd.DataFrame:
    columns = ["customer_id", "ts", "event_type", "channel", "campaign_id", "session_id"]
    events: pd.DataFrame = table.select(columns).to_pandas()
    hour = (events["ts"].to_numpy().astype("datetime64[us]").astype(np.int64) - zero) / 3.6e9
    return events.assign(position=_positions(events), day=_days(events, zero), hour=hour % 24.0)


def _visits(shop: Portfolio, events: pd.DataFrame) -> Likelihood:
    """Return the likelihood of visits other than those that end in an order."""
    bought = events.loc[events["event_type"] == "purchase", "session_id"]
    visits = events[(events["event_type"] == "visit") & ~events["session_id"].isin(bought)]
    daily = VISITS_PER_MONTH[shop.chain.state_of] / DAYS_PER_MONTH
    eager = eagerness(shop)
    happened = _Daily(visits["day"].to_numpy(), visits["position"].to_numpy())

    def rate(rows: Rows, _: int) -> Floats:
        return np.asarray(eager[rows, None] * daily)

    return _poisson(shop, happened, rate)


def _messages(shop: Portfolio, events: pd.DataFrame) -> Likelihood:
    """Return the likelihood of messages opened and left unopened."""
    names = list(MESSAGE_CHANNELS)
    kind = events["event_type"]
    sent, opened = (
        events[kind.isin([f"{c}_{step}" for c in names])] for step in ("sent", "opened")
    )
    keys = ["position", "campaign_id"]
    answered = sent[keys].merge(opened[keys].drop_duplicates(), on=keys, how="left", indicator=True)
    is_open = (answered["_merge"] == "both").to_numpy()
    channel = np.array([names.index(name) for name in sent["channel"]], dtype=np.int8)
    who, hour = sent["position"].to_numpy(), sent["hour"].to_numpy()
    fits = fit_of_message(shop, who, channel=channel, hour=hour)
    by_code = OPEN_PROBABILITY[shop.chain.state_of]
    messages = _Daily(sent["day"].to_numpy(), who)

    def likelihood(today: int) -> tuple[Rows, Floats]:
        rows = messages.rows[messages.on(today)]
        chance = fits[rows, None] * by_code
        return who[rows], np.where(is_open[rows, None], chance, 1.0 - chance)

    return likelihood


def _positions(frame: pd.DataFrame) -> Rows:
    return frame["customer_id"].to_numpy().astype(np.int64) - 1


def _days(frame: pd.DataFrame, zero: np.int64) -> Rows:
    us = frame["ts"].to_numpy().astype("datetime64[us]").astype(np.int64)
    return np.asarray((us - zero) // 86_400_000_000)
