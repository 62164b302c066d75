"""Simulated shops whose customers go by a calendar: a cycle, a season, an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from kinds_tables import at_random, orders, renewals, value

if TYPE_CHECKING:
    import pandas as pd

    Rng = np.random.Generator

__all__ = [
    "charity",
    "food_delivery",
    "gift_shop",
    "one_year",
    "pharmacy",
    "promotions",
    "tickets",
    "wholesaler",
]


def charity(rng: Rng) -> pd.DataFrame:
    """Return yearly gifts of round amounts, four in ten at Christmas."""
    n, days = 1500, 5 * 365
    born = rng.uniform(0, days, n)
    christmas = rng.random(n) < 0.4
    who, when = [], []
    for i in range(n):
        t, lapse = born[i], rng.beta(2, 4)
        if christmas[i]:
            t = (t // 365) * 365 + rng.normal(335, 12)
        while t < days:
            who.append(i)
            when.append(t)
            if rng.random() < lapse:
                break
            t += rng.normal(365, 12)
    w = np.array(who)
    amounts = np.array([20, 25, 50, 100, 250, 1000.0])
    usual = rng.choice(6, n, p=[0.25, 0.25, 0.28, 0.15, 0.05, 0.02])
    step = rng.choice([0, 0, 0, 0, 1, -1], len(w))
    return orders(w, when, amounts[np.clip(usual[w] + step, 0, 5)], days=days, rng=rng)


def food_delivery(rng: Rng) -> pd.DataFrame:
    """Return orders of a habit by weekday; students are away in summer."""
    n, days = 1200, 600
    born, life = rng.uniform(-200, days, n), rng.exponential(250, n)
    student = rng.random(n) < 0.4
    habit = rng.integers(0, 7, n)
    p = rng.beta(1.2, 3, n)
    weeks = np.arange(days // 7)
    who, when = [], []
    for i in range(n):
        day = weeks * 7 + habit[i]
        doy = (day + 2) % 365
        away = student[i] & (((doy > 190) & (doy < 255)) | (doy > 350) | (doy < 8))
        hit = (rng.random(len(day)) < p[i]) & ~away & (day >= born[i]) & (day < born[i] + life[i])
        for x in day[hit]:
            who.append(i)
            when.append(x)
            if rng.random() < 0.15:
                who.append(i)
                when.append(x + rng.integers(1, 6))
    w = np.array(who)
    return orders(w, when, value(rng, w, typical=22, between=0.3, within=0.3), days=days, rng=rng)


def gift_shop(rng: Rng) -> pd.DataFrame:
    """Return orders at Christmas and at one birthday a year."""
    n, days = 2500, 1095
    born, life = rng.uniform(-300, days, n), rng.exponential(900, n)
    christmas = rng.random(n) < 0.6
    birthday = rng.integers(0, 365, n)
    who, when = [], []
    for i in range(n):
        for year in range(-1, 3):
            for day, ok, p in (
                (year * 365 + rng.normal(340, 10), christmas[i], 0.55),
                (year * 365 + birthday[i] + rng.normal(-6, 4), True, 0.4),
            ):
                if ok and born[i] <= day < born[i] + life[i] and rng.random() < p:
                    who.append(i)
                    when.append(day)
    w = np.array(who)
    return orders(w, when, value(rng, w, typical=45, between=0.4, within=0.4), days=days, rng=rng)


def one_year(rng: Rng) -> pd.DataFrame:
    """Return one year of history with a summer and a winter."""
    n, days = 1500, 365
    rate, born, life = (
        rng.gamma(1.0, 1 / 30, n),
        rng.uniform(-200, days, n),
        rng.exponential(300, n),
    )
    w, d = at_random(rng, rate=2 * rate, born=born, life=life, days=days)
    kept = rng.random(len(d)) < 0.5 + 0.45 * np.sin(2 * np.pi * d / 365)
    return orders(
        w[kept],
        d[kept],
        value(rng, w, typical=40, between=0.5, within=0.5)[kept],
        days=days,
        rng=rng,
    )


def pharmacy(rng: Rng) -> pd.DataFrame:
    """Return prescriptions every four to twelve weeks; a third of the customers come once."""
    n, days = 1200, 900
    born, life = rng.uniform(-150, days, n), rng.exponential(450, n)
    cycle = rng.choice([28, 28, 56, 84, 30], n)
    once = rng.random(n) < 0.35
    w, d = renewals(
        born=born,
        gap=lambda i: cycle[i] + rng.normal(0, 3) + 20 * (rng.random() < 0.08),
        life=np.where(once, 1, life),
        days=days,
    )
    return orders(w, d, value(rng, w, typical=30, between=0.7, within=0.15), days=days, rng=rng)


def promotions(rng: Rng) -> pd.DataFrame:
    """Return orders of which most fall on irregular sales."""
    n, days = 1500, 900
    promo, t = [], 20.0
    while t < days:
        promo.append(t)
        t += rng.uniform(35, 75)
    born, life = rng.uniform(-200, days, n), rng.exponential(500, n)
    taste = rng.beta(1, 2.5, n)
    who, when, big = [], [], []
    for i in range(n):
        for start in promo:
            if born[i] <= start < born[i] + life[i] and rng.random() < taste[i]:
                for day in start + rng.integers(0, 4, rng.integers(1, 4)):
                    who.append(i)
                    when.append(day)
                    big.append(1.6)
        for day in rng.uniform(0, days, rng.poisson(0.8 * days / 365)):
            if born[i] <= day < born[i] + life[i]:
                who.append(i)
                when.append(day)
                big.append(1.0)
    w = np.array(who)
    return orders(
        w,
        when,
        np.array(big) * value(rng, w, typical=50, between=0.5, within=0.5),
        days=days,
        rng=rng,
    )


def tickets(rng: Rng) -> pd.DataFrame:
    """Return tickets for events of a genre and a fame that nobody foresees."""
    n, days = 2000, 1000
    events = np.sort(rng.uniform(0, days, 70))
    genre, fame = rng.integers(0, 5, 70), rng.gamma(1.0, 1.0, 70)
    born, life = rng.uniform(-200, days, n), rng.exponential(600, n)
    love, keen = rng.integers(0, 5, n), rng.beta(1, 8, n)
    who, when = [], []
    for i in range(n):
        p = np.minimum(keen[i] * fame * np.where(genre == love[i], 2.0, 0.25), 0.95)
        hit = (rng.random(70) < p) & (events >= born[i]) & (events < born[i] + life[i])
        for day in events[hit]:
            who.append(i)
            when.append(day + rng.exponential(3))
    w = np.array(who)
    return orders(
        w,
        when,
        rng.integers(1, 5, len(w)) * value(rng, w, typical=40, between=0.2, within=0.4),
        days=days,
        rng=rng,
    )


def wholesaler(rng: Rng) -> pd.DataFrame:
    """Return traders with a delivery cycle of two weeks to two months, and contracts by the year."""
    n, days = 400, 1095
    born = np.where(rng.random(n) < 0.5, rng.uniform(0, 60, n), rng.uniform(0, days, n))
    life = 365 * rng.geometric(0.22, n) + rng.normal(0, 5, n)
    cycle = rng.choice([14, 30, 30, 30, 60], n)
    w, d = renewals(born=born, gap=lambda i: rng.gamma(60, cycle[i] / 60), life=life, days=days)
    return orders(w, d, value(rng, w, typical=2000, between=1.2, within=0.2), days=days, rng=rng)
