"""What follows an order in a simulated shop: support tickets, survey answers, rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churnkit.data.simulate.columns import US_PER_DAY, ids, mean, names, numbers, times

if TYPE_CHECKING:
    from churnkit.data.simulate.columns import Clock
    from churnkit.data.simulate.orders import OrderLog

__all__ = ["reward_table", "survey_table", "ticket_table"]

# Rows below are for the hidden states engaged and drifting; the gone order nothing.
CONTACT_PROBABILITY = np.array([0.04, 0.12])
CONTACT_DELAY_DAYS = 2.0
TICKET_CHANNELS = ("email", "chat", "phone")
PRIORITIES = ("low", "normal", "high")

SURVEYED_SHARE = 0.2
SURVEY_DELAY_DAYS = (5.0, 15.0)
SURVEYS = ("csat", "nps", "ces")
LOWEST_SCORE = np.array([1, 0, 1])
# Answers in a hundred, per survey and state, from the lowest score to the highest.
CSAT_ANSWERS = np.array([[3, 4, 10, 38, 45], [15, 20, 25, 25, 15]])
NPS_ANSWERS = np.array(
    [[1, 1, 1, 1, 2, 4, 5, 12, 18, 25, 30], [8, 5, 6, 7, 8, 12, 12, 14, 12, 9, 7]]
)
CES_ANSWERS = np.array([[1, 2, 4, 8, 20, 30, 35], [8, 12, 15, 20, 20, 15, 10]])

REWARDED_SHARE = 0.3
REDEMPTION_PROBABILITY = np.array([0.6, 0.25])
REDEMPTION_DELAY_DAYS = (1.0, 45.0)
REWARD_SHARE_OF_VALUE = 0.05


def ticket_table(
    orders: OrderLog, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``support_tickets`` and the expected ``contact_rate`` (tickets per order).

    An order leads to a ticket more often while its customer drifts, and some days later. What has
    not been answered or solved at the end of the history is null.
    """
    probability = CONTACT_PROBABILITY[orders.state]
    known = -np.expm1(-clock.days_left(orders.ts_us) / CONTACT_DELAY_DAYS)
    asked = orders.take(rng.random(len(probability)) < probability)
    n = len(asked.ts_us)
    opened = asked.ts_us + _us(rng.exponential(CONTACT_DELAY_DAYS, n))
    priority = rng.choice(3, n, p=[0.3, 0.5, 0.2])
    answered = opened + _us(rng.lognormal(np.log(4.0 - priority), 0.8, n) / 24.0)
    solved = answered + _us(rng.lognormal(np.log(20.0 - 5.0 * priority), 1.0, n) / 24.0)
    channel = rng.integers(len(TICKET_CHANNELS), size=n)
    rows = np.argsort(opened, kind="stable")
    rows = rows[opened[rows] < clock.end_us]
    table = pa.table(
        {
            "customer_id": ids(asked.customer[rows]),
            "opened_at": times(opened[rows]),
            "first_response_at": times(clock.known(answered[rows])),
            "resolved_at": times(clock.known(solved[rows])),
            "channel": names(channel[rows], TICKET_CHANNELS),
            "priority": names(priority[rows], PRIORITIES),
        }
    )
    return table, {"contact_rate": mean(probability * known)}


def survey_table(
    orders: OrderLog, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``surveys`` and the expected ``csat``, ``nps``, ``ces`` and ``ces_mean``.

    One of the three is asked after some orders. ``csat`` counts 4 and 5 of 5 (percent), ``nps`` is
    9-10 less 0-6 (percentage points), ``ces_mean`` is the mean of 1-7 and ``ces`` its percentage
    of 7. Expectations are given the hidden states of those asked.
    """
    chosen = orders.take(rng.random(len(orders.ts_us)) < SURVEYED_SHARE)
    ts_us = chosen.ts_us + _us(rng.uniform(*SURVEY_DELAY_DAYS, len(chosen.ts_us)))
    rows = np.argsort(ts_us, kind="stable")
    rows = rows[ts_us[rows] < clock.end_us]
    chosen, ts_us = chosen.take(rows), ts_us[rows]
    survey = rng.integers(len(SURVEYS), size=len(ts_us))
    score, u = np.zeros(len(ts_us), dtype=np.int64), 100.0 * rng.random(len(ts_us))
    expected: list[Any] = []
    for kind, answers in enumerate((CSAT_ANSWERS, NPS_ANSWERS, CES_ANSWERS)):
        asked = survey == kind
        below = np.cumsum(answers, axis=1)[chosen.state[asked]]
        score[asked] = LOWEST_SCORE[kind] + (u[asked, None] >= below).sum(axis=1)
        nobody = np.full(answers.shape[1], np.nan)
        expected.append(answers[chosen.state[asked]].mean(axis=0) if asked.any() else nobody)
    csat, nps, ces = expected
    ces_mean = float(ces @ np.arange(1, 8) / 100.0)
    table = pa.table(
        {
            "customer_id": ids(chosen.customer),
            "ts": times(ts_us),
            "survey": names(survey, SURVEYS),
            "score": numbers(score),
        }
    )
    return table, {
        "csat": float(csat[3:].sum()),
        "nps": float(nps[9:].sum() - nps[:7].sum()),
        "ces": 100.0 * ces_mean / 7.0,
        "ces_mean": ces_mean,
    }


def reward_table(
    orders: OrderLog, *, clock: Clock, rng: np.random.Generator
) -> tuple[Any, dict[str, float]]:
    """Return ``rewards`` and the expected ``redemption_rate`` (percent of those issued).

    Rewards come with some orders and are worth a twentieth of them. The expectation takes into
    account that what was issued late may be redeemed after the end of the history.
    """
    given = orders.take(rng.random(len(orders.ts_us)) < REWARDED_SHARE)
    n = len(given.ts_us)
    shortest, longest = REDEMPTION_DELAY_DAYS
    probability = REDEMPTION_PROBABILITY[given.state]
    known = np.clip((clock.days_left(given.ts_us) - shortest) / (longest - shortest), 0.0, 1.0)
    redeemed = given.ts_us + _us(rng.uniform(shortest, longest, n))
    redeemed[rng.random(n) >= probability] = clock.end_us
    table = pa.table(
        {
            "customer_id": ids(given.customer),
            "issued_at": times(given.ts_us),
            "redeemed_at": times(clock.known(redeemed)),
            "value": numbers(np.round(REWARD_SHARE_OF_VALUE * given.value, 2)),
        }
    )
    return table, {"redemption_rate": 100.0 * mean(probability * known)}


def _us(days: Any) -> Any:
    """Return whole microseconds, to the second, of fractional days."""
    return np.floor(days * (US_PER_DAY / 1_000_000)).astype(np.int64) * 1_000_000
