"""The time rule: naive times belong to the business zone, days begin at its midnight, arithmetic is on integers.

The offsets of a zone are turned into a tree of comparisons, so that every engine does the same
integer arithmetic and none brings its own calendar. A local time that the clock jumps over is read
with the offset before the jump (02:30 becomes 03:30); one that occurs twice is the first of the two.
Both are what Python's :mod:`zoneinfo` does with ``fold=0``.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import narwhals as nw

from churnkit.data.windows import US_PER_DAY

__all__ = ["business_day", "local_to_utc_us", "transitions"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=32)
def transitions(time_zone: str) -> tuple[tuple[int, int], ...]:
    """Return the offsets of a zone from 1970 to 2100 as ``(from this UTC microsecond, offset in µs)``.

    Examples
    --------
    >>> transitions("UTC")
    ((-9223372036854775808, 0),)
    >>> [offset // 3_600_000_000 for _, offset in transitions("Europe/London")[:3]]
    [1, 0, 1]
    """
    zone = ZoneInfo(time_zone)

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
    start = steps[middle][0]
    if len(steps) == 2:
        return nw.when(value >= start).then(nw.lit(steps[1][1])).otherwise(nw.lit(steps[0][1]))
    return (
        nw.when(value >= start)
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
    if time_zone == "UTC":
        return local_us
    steps = transitions(time_zone)
    # A step is reached on the wall clock when the *old* offset says so: jumped-over times keep the
    # old offset until the new clock has caught up, repeated times keep it to the end of the first run.
    local = [steps[0]]
    for (_, old), (instant, new) in itertools.pairwise(steps):
        local.append((instant + max(old, new), new))
    return local_us - _offset(local_us, tuple(local))


def business_day(ts_us: nw.Expr, *, time_zone: str) -> nw.Expr:
    """Return the business day of an instant, as a count of days since 1970-01-01.

    Parameters
    ----------
    ts_us : narwhals.Expr of int
        Microseconds since 1970 UTC.
    time_zone : str
        IANA name of the business time zone.
    """
    local = ts_us if time_zone == "UTC" else ts_us + _offset(ts_us, transitions(time_zone))
    return (local // US_PER_DAY).cast(nw.Int64)
