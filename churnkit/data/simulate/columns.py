"""Turns NumPy codes, times and money into the Arrow columns of the simulated tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

__all__ = [
    "US_PER_DAY",
    "Clock",
    "cents",
    "hours_of_the_day",
    "ids",
    "mean",
    "names",
    "numbers",
    "times",
]

US_PER_DAY = 86_400_000_000
NO_TIME = np.iinfo(np.int64).min

# Orders per hour of the day: nobody at night, a little peak at noon, a larger one after supper.
HOUR_WEIGHTS = np.array(
    [0, 0, 0, 0, 0, 0, 0, 2, 4, 5, 6, 6, 7, 6, 5, 5, 5, 6, 7, 8, 9, 8, 5, 2], dtype=np.float64
)


class Clock:
    """Naive microseconds of the business zone from days counted from the shop's first day.

    Parameters
    ----------
    start : date
        The first day.
    days : int
        Length of the history; later times are unknown to the shop.
    """

    def __init__(self, start: date, days: int) -> None:
        self.first_us = (start.toordinal() - 719_163) * US_PER_DAY  # 1970-01-01 is day 719163
        self.end_us = self.first_us + days * US_PER_DAY

    def at(self, day: NDArray[Any]) -> NDArray[np.int64]:
        """Return the time of a fractional day, to the second."""
        seconds = np.floor(np.asarray(day, dtype=np.float64) * 86_400.0).astype(np.int64)
        return self.first_us + seconds * 1_000_000

    def day_of(self, ts_us: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the day of a time."""
        return ((ts_us - self.first_us) // US_PER_DAY).astype(np.int32)

    def days_left(self, ts_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the fractional days from a time to the end of the history."""
        return np.asarray((self.end_us - ts_us) / US_PER_DAY)

    def known(self, ts_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the times with those after the end of the history set to null."""
        return np.where(ts_us < self.end_us, ts_us, NO_TIME)


def hours_of_the_day(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return times of day at which people shop, as fractions of a day."""
    edges = np.concatenate([[0.0], np.cumsum(HOUR_WEIGHTS) / HOUR_WEIGHTS.sum()])
    # Flat stretches of the curve are the hours without orders; interpolation never lands there.
    first, last = np.flatnonzero(HOUR_WEIGHTS)[[0, -1]]
    inner = slice(first, last + 2)
    return np.asarray(np.interp(rng.random(size), edges[inner], np.arange(25)[inner] / 24.0))


def cents(amount: NDArray[Any]) -> NDArray[np.float64]:
    """Return money rounded to cents, a cent at least."""
    return np.maximum(np.round(amount.astype(np.float64), 2), 0.01)


def mean(values: NDArray[Any]) -> float:
    """Return the mean, NaN of no values."""
    return float(values.mean()) if values.size else float("nan")


def ids(values: NDArray[Any]) -> Any:
    """Return an int64 column of identifiers counted from 1; negative positions are null."""
    values = values.astype(np.int64) + 1
    return pa.array(values, mask=values <= 0)


def names(codes: NDArray[Any], known: Sequence[str]) -> Any:
    """Return a string column from positions in a list of names; negative positions are null."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(known, pa.string())).cast(pa.string())


def numbers(values: NDArray[Any]) -> Any:
    """Return a numeric column; NaN is null."""
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values))
    return pa.array(values.astype(np.int64))


def times(ts_us: NDArray[np.int64]) -> Any:
    """Return a naive ``timestamp[us]`` column; :data:`NO_TIME` is null."""
    return pa.array(ts_us.view("datetime64[us]"))
