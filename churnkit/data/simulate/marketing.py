"""What a simulated shop spends to win customers, and a randomised campaign to win them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churnkit.data.simulate.chain import ACQUISITION, STATES
from churnkit.data.simulate.columns import ids, mean, names, numbers, times

if TYPE_CHECKING:
    from churnkit.data.simulate.columns import Clock
    from churnkit.data.simulate.portfolio import Portfolio

__all__ = ["campaign_table", "cost_table", "customer_table"]

COUNTRIES = ("GB", "DE", "FR", "NL", "IE")
COUNTRY_SHARES = (0.5, 0.2, 0.15, 0.1, 0.05)

CAMPAIGN_EVERY_DAYS = 60
TARGETED_SHARE = 0.5
# Chance to accept the offer, per hidden state, without and with treatment: the drifting can be won.
UNTREATED = np.array([0.30, 0.08, 0.005])
TREATED = np.array([0.31, 0.20, 0.010])
COST_PER_TREATMENT = 0.5


def customer_table(
    shop: Portfolio, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``customers``: when registered, how acquired (which matters), country, birth year.

    Only the acquisition channel bears on the hidden life; it scales the hazard of drifting.
    """
    before = -rng.exponential(400.0, shop.size)
    day = np.where(shop.join_day < 0, np.floor(before), shop.join_day)
    country = rng.choice(len(COUNTRIES), shop.size, p=COUNTRY_SHARES)
    birth_year = shop.start.year - 18 - np.floor(rng.gamma(4.0, 6.0, shop.size))
    table = pa.table(
        {
            "customer_id": ids(np.arange(shop.size)),
            "registered_at": times(clock.at(day)),
            "acquisition_channel": names(shop.channel, tuple(ACQUISITION)),
            "country": names(country, COUNTRIES),
            "birth_year": numbers(birth_year.astype(np.int64)),
        }
    )
    return table, {}


def cost_table(
    shop: Portfolio, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``marketing_costs``, a row a day and channel, and the ``customer_acquisition_cost``.

    A day's spending follows the customers it wins, with noise; the expectation is total cost over
    customers who joined, NaN if nobody did.
    """
    channels = list(ACQUISITION.values())
    joined = shop.join_day >= 0
    cell = shop.join_day[joined].astype(np.int64) * len(channels) + shop.channel[joined]
    won = np.bincount(cell, minlength=shop.days * len(channels))
    a_head = np.tile([channel.cost for channel in channels], shop.days)
    noise = rng.lognormal(-0.02, 0.2, len(won))
    day, channel = np.divmod(np.arange(len(won)), len(channels))
    table = pa.table(
        {
            "ts": times(clock.at(day)),
            "amount": numbers(np.round(won * a_head * noise, 2)),
            "channel": names(channel, tuple(ACQUISITION)),
        }
    )
    total = float(won.sum())
    cost = float((won * a_head).sum()) / total if total else float("nan")
    return table, {"customer_acquisition_cost": cost}


def campaign_table(
    shop: Portfolio, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``campaigns``, half of each treated by lot, and the true ``campaign_uplift_<state>``.

    Columns: ``customer_id``, ``ts``, ``treatment`` (0 or 1), ``outcome`` (1 if the offer was
    accepted), ``cost``. Uplifts are differences of acceptance in percentage points;
    ``campaign_uplift`` is their mean over everybody in the campaigns. Orders do not depend on them.
    """
    customers, states, days = [], [], []
    for day in range(CAMPAIGN_EVERY_DAYS // 2, shop.days, CAMPAIGN_EVERY_DAYS):
        known = shop.known_on(day)
        chosen = known[rng.random(len(known)) < TARGETED_SHARE]
        customers.append(chosen)
        states.append(shop.state_on(chosen, day))
        days.append(np.full(len(chosen), day))
    nothing = [np.zeros(0, dtype=np.int8)]
    customer = np.concatenate(customers or nothing)
    state, day_of = np.concatenate(states or nothing), np.concatenate(days or nothing)
    treated = rng.random(len(customer)) < 0.5
    accepted = rng.random(len(customer)) < np.where(treated, TREATED[state], UNTREATED[state])
    table = pa.table(
        {
            "customer_id": ids(customer),
            "ts": times(clock.at(day_of + 10.0 / 24.0)),
            "treatment": numbers(treated),
            "outcome": numbers(accepted),
            "cost": numbers(COST_PER_TREATMENT * treated),
        }
    )
    uplift = 100.0 * (TREATED - UNTREATED)
    rates = {f"campaign_uplift_{name}": float(u) for name, u in zip(STATES, uplift, strict=True)}
    return table, {"campaign_uplift": mean(uplift[state]), **rates}
