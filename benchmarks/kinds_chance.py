"""Simulated shops whose customers order at random times, each odd in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from kinds_tables import at_random, orders, renewals, value

if TYPE_CHECKING:
    import pandas as pd

    Rng = np.random.Generator

__all__ = [
    "currencies",
    "id_change",
    "marketplace",
    "nine_months",
    "one_giant",
    "returns",
    "start_up",
    "tiny_shop",
    "two_hundred_orders",
]


def currencies(rng: Rng) -> pd.DataFrame:
    """Return amounts in three currencies, written as if they were one."""
    n, days = 1200, 800
    rate, born, life = (
        rng.gamma(1.2, 1 / 50, n),
        rng.uniform(-200, days, n),
        rng.exponential(500, n),
    )
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    unit = rng.choice([1.0, 11.0, 150.0], n, p=[0.7, 0.2, 0.1])
    return orders(
        w, d, unit[w] * value(rng, w, typical=60, between=0.5, within=0.5), days=days, rng=rng
    )


def id_change(rng: Rng) -> pd.DataFrame:
    """Return customers who all got another number in the middle."""
    n, days = 1500, 900
    rate, born, life = (
        rng.gamma(1.0, 1 / 35, n),
        rng.uniform(-300, days, n),
        rng.exponential(450, n),
    )
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    amount = value(rng, w, typical=50, between=0.6, within=0.5)
    w = np.where(d >= 450, w + n, w)
    return orders(w, d, amount, days=days, rng=rng)


def marketplace(rng: Rng) -> pd.DataFrame:
    """Return customers of whom three in a hundred ever come back."""
    n, days = 6000, 730
    born = rng.uniform(0, days, n)
    again = rng.random(n) < 0.03
    rate = rng.gamma(2.0, 1 / 80, n)
    w, d = renewals(
        born=born,
        gap=lambda i: rng.exponential(1 / (rate[i] + 1e-3)) if again[i] else 1e9,
        life=np.where(again, 900.0, 1.0),
        days=days,
    )
    return orders(w, d, value(rng, w, typical=60, between=0.8, within=0.5), days=days, rng=rng)


def nine_months(rng: Rng) -> pd.DataFrame:
    """Return nine months of history."""
    n, days = 1000, 270
    rate, born, life = rng.gamma(0.9, 1 / 20, n), rng.uniform(0, days, n), rng.weibull(0.7, n) * 150
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    return orders(w, d, value(rng, w, typical=40, between=0.5, within=0.5), days=days, rng=rng)


def one_giant(rng: Rng) -> pd.DataFrame:
    """Return customers one of whom makes three tenths of the revenue."""
    n, days = 900, 800
    rate, born, life = (
        rng.gamma(1.2, 1 / 50, n),
        rng.uniform(-200, days, n),
        rng.exponential(500, n),
    )
    born[0], life[0], rate[0] = -10, 5000, 1 / 12
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    amount = value(rng, w, typical=60, between=0.7, within=0.6)
    others = amount[w != 0].sum()
    amount[w == 0] *= 0.43 * others / amount[w == 0].sum()
    return orders(w, d, amount, days=days, rng=rng)


def returns(rng: Rng) -> pd.DataFrame:
    """Return orders of which a third come back, whole or half."""
    n, days = 1500, 800
    rate, born, life = (
        rng.gamma(1.2, 1 / 45, n),
        rng.uniform(-200, days, n),
        rng.exponential(500, n),
    )
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    amount = value(rng, w, typical=70, between=0.5, within=0.5)
    fussy = rng.beta(1.5, 3.5, n)
    back = rng.random(len(d)) < fussy[w]
    part = np.where(rng.random(len(d)) < 0.6, 1.0, 0.5)
    return orders(
        np.r_[w, w[back]],
        np.r_[d, d[back] + rng.uniform(3, 25, back.sum())],
        np.r_[amount, -(amount * part).round(2)[back]],
        days=days,
        rng=rng,
    )


def start_up(rng: Rng) -> pd.DataFrame:
    """Return customers who double every ninety days; later ones leave sooner."""
    n, days = 3000, 720
    born = days + 90 * np.log2(rng.uniform(2 ** (-days / 90), 1, n))
    age = (days - born) / days
    rate, life = rng.gamma(1.2, 1 / 30, n), rng.exponential(1, n) * (20 + 500 * np.maximum(age, 0))
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    return orders(w, d, value(rng, w, typical=35, between=0.5, within=0.4), days=days, rng=rng)


def tiny_shop(rng: Rng) -> pd.DataFrame:
    """Return 250 customers of whom the regular ones are few."""
    n, days = 250, 730
    rate = rng.gamma(1.0, 1 / 45, n)
    born, life = rng.uniform(-100, days, n), 400 * rng.weibull(0.7, n)
    w, d = renewals(
        born=born, gap=lambda i: rng.exponential(1 / max(rate[i], 1e-3)), life=life, days=days
    )
    return orders(w, d, value(rng, w, typical=40, between=0.6, within=0.5), days=days, rng=rng)


def two_hundred_orders(rng: Rng) -> pd.DataFrame:
    """Return some two hundred orders of a year."""
    n, days = 110, 365
    rate, born, life = (
        rng.gamma(1.0, 1 / 120, n),
        rng.uniform(-30, days, n),
        rng.exponential(400, n),
    )
    w, d = at_random(rng, rate=rate, born=born, life=life, days=days)
    return orders(w, d, value(rng, w, typical=40, between=0.5, within=0.5), days=days, rng=rng)
