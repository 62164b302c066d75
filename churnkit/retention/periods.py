"""The half-open periods of a report, and which of them an instant falls into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import narwhals as nw

from churnkit.data.windows import midnight_us
from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EVERY",
    "Every",
    "Period",
    "Periods",
    "last_boundary",
    "report_periods",
    "steps_reached",
]

Every = Literal["month", "quarter", "year"]

EVERY = {"month": 1, "quarter": 3, "year": 12}
"""Lengths of the periods of a series, in months of the calendar."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """One period ``[start, end)`` of business days.

    Parameters
    ----------
    start, end : date
        First day, and the day after the last.
    start_us, end_us : int
        The first instants of both in the business zone, microseconds since 1970 UTC.
    """

    start: date
    end: date
    start_us: int
    end_us: int

    @property
    def days(self) -> int:
        """Number of business days."""
        return (self.end - self.start).days


@dataclass(frozen=True, kw_only=True)
class Periods:
    """Periods that follow each other without a gap.

    Parameters
    ----------
    each : tuple of Period
        In order of time, at least one.
    time_zone : str
        Business zone, in which days begin.
    """

    each: tuple[Period, ...]
    time_zone: str

    @property
    def boundaries(self) -> tuple[date, ...]:
        """First days of all periods, and the day after the last."""
        return (self.each[0].start, *(period.end for period in self.each))

    @property
    def boundaries_us(self) -> tuple[int, ...]:
        """First instants of :attr:`boundaries`."""
        return (self.each[0].start_us, *(period.end_us for period in self.each))

    def days_before_us(self, days: int) -> tuple[int, ...]:
        """Return the first instants of the days that lie some days before each boundary."""
        return tuple(
            midnight_us(day - timedelta(days=days), time_zone=self.time_zone)
            for day in self.boundaries
        )

    def index(self, ts_us: nw.Expr) -> nw.Expr:
        """Return the position of the period of an instant; -1 before the first, else past the last."""
        return steps_reached(ts_us, self.boundaries_us) - 1


def steps_reached(value: nw.Expr, steps: Sequence[int]) -> nw.Expr:
    """Return how many of some rising numbers are at or below a value; 0 for null."""
    if not steps:
        return nw.lit(0)
    middle = len(steps) // 2
    upper = steps_reached(value, steps[middle + 1 :]) + (middle + 1)
    lower = steps_reached(value, steps[:middle])
    return nw.when(value >= steps[middle]).then(upper).otherwise(lower).cast(nw.Int64)


def report_periods(*, start: date, end: date, every: str | None, time_zone: str) -> Periods:
    """Cut ``[start, end)`` at the beginnings of months, quarters or years.

    Parameters
    ----------
    start, end : date
        First business day, and the day after the last. Where they are no beginnings of a month,
        quarter or year, the first or last period is shorter than the others.
    every : {"month", "quarter", "year"} or None
        Length of the periods; None for one.
    time_zone : str
        Business zone.

    Raises
    ------
    ParameterError
        If ``end`` is not after ``start`` or ``every`` is unknown.

    Examples
    --------
    >>> found = report_periods(
    ...     start=date(2024, 1, 1), end=date(2024, 7, 1), every="quarter", time_zone="UTC"
    ... )
    >>> [str(day) for day in found.boundaries]
    ['2024-01-01', '2024-04-01', '2024-07-01']
    """
    if end <= start:
        msg = f"periods: end must be after start ({start}); got {end}"
        raise ParameterError(msg)
    days = [start]
    if every is not None:
        months = _months(every)
        month = start.year * 12 + (start.month - 1) // months * months + months
        while (day := date(month // 12, month % 12 + 1, 1)) < end:
            days.append(day)
            month += months
    days.append(end)
    each = tuple(
        Period(
            start=first,
            end=after,
            start_us=midnight_us(first, time_zone=time_zone),
            end_us=midnight_us(after, time_zone=time_zone),
        )
        for first, after in pairwise(days)
    )
    return Periods(each=each, time_zone=time_zone)


def last_boundary(day: date, *, every: str) -> date:
    """Return the last beginning of a month, quarter or year at or before a day.

    Examples
    --------
    >>> last_boundary(date(2011, 12, 9), every="quarter")
    datetime.date(2011, 10, 1)
    """
    months = _months(every)
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _months(every: str) -> int:
    """Return the length of a kind of period, or refuse the name."""
    if every not in EVERY:
        guess, known = did_you_mean(str(every), EVERY), ", ".join(EVERY)
        msg = f"periods: every must be a length of period; got {every!r}.{guess} Known: {known}."
        raise ParameterError(msg)
    return EVERY[every]
