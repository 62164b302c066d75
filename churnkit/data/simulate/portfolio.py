"""Draws the customers of a simulated shop and the days they spend in each hidden state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from churnkit.data.simulate.chain import ACQUISITION, Chain, season_factors

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from churnkit.data.simulate.scenario import Scenario

__all__ = ["MESSAGE_CHANNELS", "Lives", "Portfolio", "draw_portfolio", "first_codes"]

MESSAGE_CHANNELS = ("email", "sms", "push")


@dataclass(frozen=True, kw_only=True, eq=False)
class Lives:
    """Stretches of days in one code of the chain, sorted by customer, then by day.

    Attributes
    ----------
    customer, code, first, last : ndarray of integers, shape (n_stretches,)
        Position of the customer, code, and the half-open days ``[first, last)`` counted from the
        shop's first day.
    days : int
        Length of the history.
    """

    customer: NDArray[np.int32]
    code: NDArray[np.int8]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    days: int

    @cached_property
    def _keys(self) -> NDArray[np.int64]:
        return self.customer.astype(np.int64) * (self.days + 1) + self.first

    def stretch_at(self, customer: NDArray[np.int32], day: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the position of the stretch each customer is in on a day at or after joining."""
        keys = customer.astype(np.int64) * (self.days + 1) + day
        return np.searchsorted(self._keys, keys, side="right") - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Portfolio:
    """All customers, in arrays of shape (n_customers,) unless said otherwise.

    Attributes
    ----------
    scenario, chain, start, days
        What the customers were drawn from.
    channel : ndarray of int8
        Acquisition channel, a position in :data:`ACQUISITION`.
    join_day : ndarray of int32
        Day of the first order counted from ``start``; -1 for those who were customers before.
    orders_per_day : ndarray of float64
        Own order rate while engaged, before season.
    order_value : ndarray of float64
        Own mean value of an order before refunds.
    best_channel, best_hour : ndarray of int8
        Position in :data:`MESSAGE_CHANNELS`, and hour of the day, at which messages work best.
    lives : Lives
        The hidden states.
    """

    scenario: Scenario
    chain: Chain
    start: date
    days: int
    channel: NDArray[np.int8]
    join_day: NDArray[np.int32]
    orders_per_day: NDArray[np.float64]
    order_value: NDArray[np.float64]
    best_channel: NDArray[np.int8]
    best_hour: NDArray[np.int8]
    lives: Lives

    @property
    def size(self) -> int:
        """Number of customers."""
        return len(self.channel)

    @cached_property
    def season(self) -> NDArray[np.float64]:
        """Factor on all order rates per day of the history, shape (days,)."""
        return season_factors(self.scenario, start=self.start, first=0, last=self.days)

    @cached_property
    def ordering_from(self) -> NDArray[np.int32]:
        """First day of each stretch on which orders are left to chance.

        A joiner's first day holds exactly the order by which they joined.
        """
        return np.maximum(self.lives.first, self.join_day[self.lives.customer] + 1)

    @cached_property
    def expected_orders(self) -> NDArray[np.float64]:
        """Expected orders in each stretch of :attr:`lives`, shape (n_stretches,)."""
        lives = self.lives
        so_far = np.concatenate([[0.0], np.cumsum(self.season)])
        exposure = so_far[lives.last] - so_far[np.minimum(self.ordering_from, lives.last)]
        rate = self.orders_per_day[lives.customer] * self.chain.order_factor[lives.code]
        return np.asarray(rate * exposure)

    def known_on(self, day: int) -> NDArray[np.int32]:
        """Return the positions of the customers who joined before a day."""
        return np.flatnonzero(self.join_day < day).astype(np.int32)

    def state_on(
        self, customer: NDArray[np.int32], day: int | NDArray[np.int32]
    ) -> NDArray[np.int8]:
        """Return the hidden state of customers on a day at or after joining."""
        at = self.lives.stretch_at(customer, np.broadcast_to(np.int32(day), customer.shape))
        return self.chain.state_of[self.lives.code[at]]


def draw_portfolio(
    scenario: Scenario, *, customers: int, start: date, days: int, rng: np.random.Generator
) -> Portfolio:
    """Draw customers: when they join, how often and for how much they buy, and how they live."""
    chain = Chain.of(scenario)
    channel, join_day, first_code = _arrivals(
        scenario, chain, customers=customers, start=start, days=days, rng=rng
    )
    rate = np.full(customers, scenario.orders_per_year / 365.25)
    if scenario.rate_cv:
        shape = scenario.rate_cv**-2
        rate *= rng.gamma(shape, 1.0 / shape, customers)
    spread = scenario.value_sd_between
    value = scenario.order_value * np.exp(spread * rng.standard_normal(customers) - spread**2 / 2.0)
    return Portfolio(
        scenario=scenario,
        chain=chain,
        start=start,
        days=days,
        channel=channel,
        join_day=join_day,
        orders_per_day=rate,
        order_value=value,
        best_channel=rng.integers(len(MESSAGE_CHANNELS), size=customers, dtype=np.int8),
        best_hour=rng.integers(8, 22, size=customers, dtype=np.int8),
        lives=_live(chain, channel, join_day=join_day, code=first_code, days=days, rng=rng),
    )


def _arrivals(
    scenario: Scenario,
    chain: Chain,
    *,
    customers: int,
    start: date,
    days: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int8]]:
    """Return acquisition channel, day of joining and first code of every customer."""
    share = np.array([channel.share for channel in ACQUISITION.values()])
    before, joins = _before(scenario, chain) * share[:, None], np.zeros(days)
    if not scenario.nobody_leaves:
        joins = (1.0 + scenario.growth_per_year) ** (np.arange(days) / 365.25)
        joins *= season_factors(scenario, start=start, first=0, last=days)
    # One draw decides between all ways to be a customer: channel x (code on day 0, or day of joining).
    weight = np.concatenate([before, share[:, None] * joins], axis=1)
    drawn = _choose(np.cumsum(weight) / weight.sum(), rng.random(customers))
    channel, way = np.divmod(drawn, weight.shape[1])
    codes = before.shape[1]
    joined = way >= codes
    return (
        channel.astype(np.int8),
        np.where(joined, way - codes, -1).astype(np.int32),
        np.where(joined, 0, way).astype(np.int8),
    )


def _before(scenario: Scenario, chain: Chain) -> NDArray[np.float64]:
    """Return how many are in each living code on day 0, shape (n_channels, n_codes - 1)."""
    return chain.long_run() if scenario.nobody_leaves else chain.alive_per_joiner()


def first_codes(scenario: Scenario, chain: Chain) -> NDArray[np.float64]:
    """Return how likely each living code is on day 0, shape (n_channels, n_codes - 1)."""
    before = _before(scenario, chain)
    return np.asarray(before / before.sum(axis=1, keepdims=True))


def _choose(cumulative: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return positions drawn with the given cumulative probabilities."""
    return np.minimum(np.searchsorted(cumulative, u, side="right"), len(cumulative) - 1)


def _live(
    chain: Chain,
    channel: NDArray[np.int8],
    *,
    join_day: NDArray[np.int32],
    code: NDArray[np.int8],
    days: int,
    rng: np.random.Generator,
) -> Lives:
    """Draw the stretches: each turn of the loop moves every living customer to the next code."""
    n_codes = len(chain.state_of)
    stay = chain.transition[:, np.arange(n_codes), np.arange(n_codes)]
    onward = chain.transition * (1.0 - np.eye(n_codes))
    onward = np.cumsum(onward, axis=2) / np.maximum(onward.sum(axis=2, keepdims=True), 1e-300)
    who = np.arange(len(channel), dtype=np.int32)
    first, state = np.maximum(join_day, 0), code
    turns: list[tuple[NDArray[np.int32], NDArray[np.int8], NDArray[np.int32], NDArray[np.int32]]]
    turns = []
    while who.size:
        leaving = 1.0 - stay[channel[who], state]
        length = rng.geometric(np.where(leaving > 0.0, leaving, 1.0))
        length[leaving <= 0.0] = days
        last = np.minimum(first + np.minimum(length, days), days).astype(np.int32)
        turns.append((who, state, first, last))
        on = last < days
        who, state, first = who[on], state[on], last[on]
        u = rng.random(who.size)
        state = (u[:, None] >= onward[channel[who], state]).sum(axis=1).astype(np.int8)
    customer, codes, firsts, lasts = (np.concatenate(column) for column in zip(*turns, strict=True))
    order = np.argsort(customer.astype(np.int64) * (days + 1) + firsts)
    return Lives(
        customer=customer[order],
        code=codes[order],
        first=firsts[order],
        last=lasts[order],
        days=days,
    )
