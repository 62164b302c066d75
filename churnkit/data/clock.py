"""The time rule: naive times belong to the business zone, days begin at its midnight, all on integers.

The offsets of a zone are turned into a tree of comparisons, so that every engine does the same
integer arithmetic and none brings its own calendar. A local time that the clock jumps over is read
with the offset before the jump (02:30 becomes 03:30); one that occurs twice is the first of the two.
Both are what Python's :mod:`zoneinfo` does with ``fold=0``.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import narwhals as nw

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "business_day",
    "business_days",
    "business_hour",
    "iso_local",
    "local_to_utc_us",
    "transitions",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
US_PER_MINUTE = 60_000_000
US_PER_HOUR = 3_600_000_000


@lru_cache(maxsize=32)
def transitions(time_zone: str) -> tuple[tuple[int, int], ...]:
    """Return the offsets of a zone from 1970 to 2100 as ``(from this UTC microsecond, offset in µs)``.

    Instants before 1970 have the offset of 1970, instants after 2100 that of 2100.

    Raises
    ------
    ParameterError
        If there is no such zone.

    Examples
    --------
    >>> transitions("UTC")
    ((-9223372036854775808, 0),)
    >>> [offset // 3_600_000_000 for _, offset in transitions("Europe/London")[:3]]
    [1, 0, 1]
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        guess = did_you_mean(time_zone, sorted(available_timezones()))
        msg = f"data.time_zone must be an IANA name such as 'Europe/London'; got {time_zone!r}.{guess}"
        raise ParameterError(msg) from error

    def offset_us(instant: datetime) -> int:
        offset = instant.astimezone(zone).utcoffset() or timedelta(0)
        return offset // MICROSECOND

    found = [(-(2**63), offset_us(EPOCH))]
    before, step = EPOCH, timedelta(days=7)
    while before.year < 2100:
        after = before + step
        if offset_us(after) != offset_us(before):
            low, high = before, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                low, high = (
                    (middle, high) if offset_us(middle) == offset_us(before) else (low, middle)
                )
            instant = high.replace(microsecond=0)
            found.append(((instant - EPOCH) // MICROSECOND, offset_us(after)))
        before = after
    return tuple(found)


def _offset(value: nw.Expr, steps: tuple[tuple[int, int], ...]) -> nw.Expr:
    """Return the offset of the last step that begins at or before ``value``, by halving."""
    if len(steps) == 1:
        return nw.lit(steps[0][1])
    middle = len(steps) // 2
    return (
        nw.when(value >= steps[middle][0])
        .then(_offset(value, steps[middle:]))
        .otherwise(_offset(value, steps[:middle]))
    )


def local_to_utc_us(local_us: nw.Expr, *, time_zone: str) -> nw.Expr:
    """Return the UTC instant of a naive local time; both in microseconds since 1970.

    Parameters
    ----------
    local_us : narwhals.Expr of int
        The wall-clock time, written as if it were UTC.
    time_zone : str
        IANA name of the business time zone.
    """
    steps = transitions(time_zone)
    # A step is reached on the wall clock when the *old* offset says so: jumped-over times keep the
    # old offset until the new clock has caught up, repeated times keep it to the end of the first run.
    local = [steps[0]]
    for (_, old), (instant, new) in itertools.pairwise(steps):
        local.append((instant + max(old, new), new))
    return local_us - _offset(local_us, tuple(local))


Span = tuple[int, int]


def _during(steps: tuple[tuple[int, int], ...], span: Span | None) -> tuple[tuple[int, int], ...]:
    """Return the steps that instants of a span can meet: few, where all of 130 years are many."""
    if span is None:
        return steps
    first, last = span[0] - 2 * US_PER_DAY, span[1] + 2 * US_PER_DAY
    begun = max(bisect_right(steps, first, key=lambda step: step[0]) - 1, 0)
    return steps[begun : max(bisect_right(steps, last, key=lambda step: step[0]), begun + 1)]


def business_day(ts_us: nw.Expr, *, time_zone: str, span: Span | None = None) -> nw.Expr:
    """Return the business day of an instant, as a count of days since 1970-01-01.

    A day lasts from its first midnight to the next day's: where the clock is put back over midnight,
    the hour that repeats the evening before belongs to the day that has begun.

    Parameters
    ----------
    ts_us : narwhals.Expr of int
        Microseconds since 1970 UTC.
    time_zone : str
        IANA name of the business time zone.
    span : tuple of int, optional
        First and last instant that there are, where that is known: most of the work is saved.
    """
    begun = _days_begin(_during(transitions(time_zone), span))
    utc_day = ts_us // US_PER_DAY
    local = ts_us - utc_day * US_PER_DAY + _offset(ts_us, begun)
    # From one day before to two after: a double holds the quotient exactly enough, and the tree of
    # offsets is written once, where an integer division repeats its operand.
    return utc_day + (local / US_PER_DAY).floor().cast(nw.Int64)


def _days_begin(steps: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return the offsets that give the day: an hour repeated over midnight is of the day begun."""
    begun = [steps[0]]
    for (_, old), (instant, new) in itertools.pairwise(steps):
        day = (instant + old - 1) // US_PER_DAY
        fell_back = (instant + new) // US_PER_DAY < day
        begun.append((day * US_PER_DAY - new if fell_back else instant, new))
    return tuple(begun)


def business_days(ts_us: ArrayLike, *, time_zone: str) -> NDArray[np.int64]:
    """Return the business day of each instant in an array; see :func:`business_day`.

    Examples
    --------
    >>> business_days([0, 11 * US_PER_HOUR, 12 * US_PER_HOUR], time_zone="Pacific/Auckland")
    array([0, 0, 1])
    """
    import numpy as np

    instants = np.asarray(ts_us).astype(np.int64)
    begun = np.array(_days_begin(transitions(time_zone)), dtype=np.int64)
    at = np.searchsorted(begun[:, 0], instants, side="right") - 1
    return np.asarray((instants + begun[at, 1]) // US_PER_DAY)


def business_hour(ts_us: nw.Expr, *, time_zone: str, span: Span | None = None) -> nw.Expr:
    """Return the hour that the clock of the business zone shows at an instant, 0 to 23.

    Parameters
    ----------
    ts_us : narwhals.Expr of int
        Microseconds since 1970 UTC.
    time_zone : str
        IANA name of the business time zone.
    span : tuple of int, optional
        As for :func:`business_day`.
    """
    steps = _during(transitions(time_zone), span)
    local = ts_us - ts_us // US_PER_DAY * US_PER_DAY + _offset(ts_us, steps)
    return ((local / US_PER_HOUR).floor().cast(nw.Int64) + 24) % 24


def iso_local(ts_us: int, *, time_zone: str) -> str:
    """Return an instant as ISO 8601 text in the business zone, to the second.

    Examples
    --------
    >>> iso_local(1_309_500_000_000_000, time_zone="Europe/London")
    '2011-07-01T07:00:00+01:00'
    """
    import numpy as np

    steps = transitions(time_zone)
    offset = steps[bisect_right(steps, ts_us, key=lambda step: step[0]) - 1][1]
    # numpy knows every year that fits 64 bits; datetime stops at 1 and 9999.
    local = np.datetime64(ts_us + offset, "us").astype("datetime64[s]")
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // US_PER_MINUTE
    return f"{local}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
