"""Subscriptions of a simulated shop: plans, upgrades and downgrades, cancellations, returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churnkit.data.simulate.chain import DAYS_PER_MONTH, STATES
from churnkit.data.simulate.columns import ids, names, numbers, times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.data.simulate.columns import Clock
    from churnkit.data.simulate.portfolio import Portfolio

__all__ = ["PLANS", "subscription_table"]

PLANS = {"basic": 9.99, "plus": 19.99, "pro": 49.99}
FIRST_PLAN = np.array([0.5, 0.35, 0.15])
SUBSCRIBED_SHARE = 0.4
PLAN_CHANGES_PER_MONTH = 0.02
RETURN_PROBABILITY = 0.2
RETURN_DAYS = (30.0, 120.0)
EXTRA_SEATS = (0.2, 2.0, 8.0)
YEARLY_SHARE = 0.2
FAILED_BEFORE_END, FAILED_BY_CHANCE = 0.25, 0.05
FAILED_DAYS = 14.0


def subscription_table(
    shop: Portfolio, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``subscriptions`` by start, and ``subscription_churn_per_month_<state>``.

    A change of plan ends one subscription and starts the next at the same instant; a cancelled
    customer may come back months later. Those who were customers before the history may have
    subscribed before it. ``ended_at`` is null for subscriptions that outlive the history.

    Larger plans have more seats, a fifth of the subscriptions is billed by the year, and a payment
    fails in the days before one ending in four and, by chance, in one of twenty others.

    The rates are the hazards in each hidden state: endings without a new plan, per month lived in
    the state with a subscription.
    """
    customer = np.flatnonzero(rng.random(shop.size) < SUBSCRIBED_SHARE).astype(np.int32)
    n = len(customer)
    joined = shop.join_day[customer]
    start = np.where(joined < 0, -rng.exponential(300.0, n), joined + 1 + rng.uniform(0.0, 30.0, n))
    plan = rng.choice(len(PLANS), n, p=FIRST_PLAN)
    spells: list[dict[str, NDArray[Any]]] = []
    ending = _Endings(shop)
    while True:
        here = start < shop.days
        customer, start, plan = customer[here], start[here], plan[here]
        if not len(customer):
            break
        cancelled = ending.draw(customer, np.maximum(start, 0.0), rng)
        wait = rng.exponential(DAYS_PER_MONTH / PLAN_CHANGES_PER_MONTH, len(customer))
        changed = np.maximum(start, 0.0) + wait
        end = np.minimum(cancelled, changed)
        spells.append({"customer": customer, "start": start, "end": end, "plan": plan})
        changing = changed < cancelled
        returning = ~changing & (rng.random(len(customer)) < RETURN_PROBABILITY)
        pause = np.where(changing, 0.0, rng.uniform(*RETURN_DAYS, len(customer)))
        # From the middle plan half go up and half go down; from the others there is one way.
        step = np.where(plan == 1, rng.choice([-1, 1], len(customer)), 1 - plan)
        plan = np.where(changing, plan + step, plan)
        on = changing | returning
        customer, start, plan = customer[on], (end + pause)[on], plan[on]
    return _table(spells, clock=clock, rng=rng), {
        f"subscription_churn_per_month_{state}": rate
        for state, rate in zip(STATES, shop.scenario.subscription_churn_per_month, strict=True)
    }


class _Endings:
    """Draws when subscriptions end under a hazard that follows the hidden state.

    The cumulative hazard of all stretches, one customer after the other, is one rising curve; an
    ending is where the curve has risen by a standard exponential draw, if still in the same life.
    """

    def __init__(self, shop: Portfolio) -> None:
        self.lives = shop.lives
        monthly = np.array(shop.scenario.subscription_churn_per_month)
        self.hazard = monthly[shop.chain.state_of[self.lives.code]] / DAYS_PER_MONTH
        risen = np.cumsum(self.hazard * (self.lives.last - self.lives.first))
        self.after, self.before = risen, np.concatenate([[0.0], risen[:-1]])

    def draw(
        self, customer: NDArray[np.int32], day: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return the fractional day of each ending; infinite if after the history."""
        lives = self.lives
        now = lives.stretch_at(customer, np.floor(day).astype(np.int32))
        target = self.before[now] + self.hazard[now] * (day - lives.first[now])
        target = target + rng.standard_exponential(len(customer))
        at = np.searchsorted(self.after, target)
        inside = at < len(self.after)
        at = np.where(inside, at, 0)
        inside &= lives.customer[at] == customer
        slope = np.where(inside, self.hazard[at], 1.0)
        ends = lives.first[at] + (target - self.before[at]) / slope
        return np.where(inside, ends, np.inf)


def _failed_payments(
    start: NDArray[np.float64], end: NDArray[np.float64], days: float, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the fractional day of the last failed payment of each spell; after the history if none."""
    before_the_end = (end < days) & (rng.random(len(start)) < FAILED_BEFORE_END)
    last = np.maximum(end - rng.uniform(0.0, FAILED_DAYS, len(start)), start)
    by_chance = rng.random(len(start)) < FAILED_BY_CHANCE
    some = start + rng.random(len(start)) * (end - start)
    return np.where(before_the_end, last, np.where(by_chance, some, 2.0 * days))


def _table(spells: list[dict[str, NDArray[Any]]], *, clock: Clock, rng: np.random.Generator) -> Any:
    """Return the spells in order of their start."""
    empty = {name: np.zeros(0) for name in ("customer", "start", "end", "plan")}
    all_spells = {
        name: np.concatenate([spell[name] for spell in spells] or [empty[name]]) for name in empty
    }
    rows = np.argsort(all_spells["start"], kind="stable")
    columns = {name: column[rows] for name, column in all_spells.items()}
    plan = columns["plan"].astype(np.int64)
    days = (clock.end_us - clock.first_us) / 86_400e6
    end_us = clock.known(clock.at(np.minimum(columns["end"], days)))
    failed = _failed_payments(columns["start"], np.minimum(columns["end"], days), days, rng=rng)
    return pa.table(
        {
            "subscription_id": ids(np.arange(len(rows))),
            "customer_id": ids(columns["customer"]),
            "started_at": times(clock.at(columns["start"])),
            "ended_at": times(end_us),
            "mrr": numbers(np.array(list(PLANS.values()))[plan]),
            "plan": names(plan, tuple(PLANS)),
            "seats": numbers(1 + rng.poisson(np.array(EXTRA_SEATS)[plan])),
            "billing_months": numbers(np.where(rng.random(len(rows)) < YEARLY_SHARE, 12, 1)),
            "payment_failed_at": times(clock.known(clock.at(failed))),
        }
    )
