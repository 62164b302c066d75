"""Order tables made of customers, days and amounts, for simulated shops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Rng = np.random.Generator

__all__ = ["at_random", "orders", "renewals", "value"]

START = pd.Timestamp("2022-01-03")


def orders(
    customer: ArrayLike, day: ArrayLike, amount: ArrayLike, *, days: int, rng: Rng
) -> pd.DataFrame:
    """Return an order table of those days that lie in the history, at random times of the day."""
    when = np.asarray(day, float)
    seconds = rng.integers(8 * 3600, 22 * 3600, len(when))
    ts = START + pd.to_timedelta(np.floor(when) * 86400 + seconds, unit="s")
    made = {"customer_id": customer, "ts": ts, "amount": np.asarray(amount, float).round(2)}
    frame = pd.DataFrame(made)[(when >= 0) & (when < days)]
    frame = frame.sort_values(["ts", "customer_id"], kind="stable").reset_index(drop=True)
    frame["customer_id"] = "c" + frame["customer_id"].astype(str).str.zfill(5)
    frame.insert(1, "order_id", "o" + frame.index.astype(str).str.zfill(6))
    return frame


def renewals(
    *, born: Floats, gap: Callable[[int], float], life: Floats, days: int
) -> tuple[Ints, Floats]:
    """Return customers and days of orders, ``gap(i)`` days apart from birth to the lifetime's end."""
    who, when = [], []
    for i, (b, lived) in enumerate(zip(born, life, strict=True)):
        t, end = b, min(b + lived, days)
        while t < end:
            who.append(i)
            when.append(t)
            t += max(gap(i), 0.5)
        if b >= end:
            who.append(i)
            when.append(b)
    return np.array(who), np.array(when)


def at_random(
    rng: Rng, *, rate: Floats, born: Floats, life: Floats, days: int
) -> tuple[Ints, Floats]:
    """Return customers and days of orders that come at each customer's rate a day, without memory."""
    return renewals(
        born=born, gap=lambda i: rng.exponential(1 / (rate[i] + 1e-3)), life=life, days=days
    )


def value(rng: Rng, who: Ints, *, typical: float, between: float, within: float) -> Floats:
    """Return log-normal amounts around each customer's own level."""
    n = who.max() + 1
    level = typical * np.exp(rng.normal(0, between, n))
    return level[who] * np.exp(rng.normal(0, within, len(who)))
