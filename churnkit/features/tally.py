"""Counts of marked rows, several in one sum, and values at order days.

A sum costs an engine more than what it adds up, so there should be few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["AtOrderDay", "Count", "tallied"]

# Whole numbers up to 2**53 are exact as doubles.
BITS = 53


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many of a customer's rows are marked, of those where a condition holds.

    Parameters
    ----------
    mark : str
        Column that is 1 or 0, never null.
    where : narwhals.Expr, optional
        True or false for every row, never null; all rows by default.
    """

    mark: str
    where: nw.Expr | None = None


@dataclass(frozen=True, kw_only=True)
class AtOrderDay:
    """A value at the one row of a customer that is marked with 1, the others being marked with 0.

    Null for customers with fewer order days than ``at_least``.

    Parameters
    ----------
    mark : str
        Column that is 1 or 0, never null: one of the marked order days that ``orders`` has.
    value : narwhals.Expr
        A number; null counts as 0.
    at_least : int
        Order days.
    whole : bool
        Whether the result is Int64 instead of Float64.
    """

    mark: str
    value: nw.Expr
    at_least: int = 1
    whole: bool = False

    @property
    def total(self) -> nw.Expr:
        """Sum over the rows of a customer: with one term that is not 0 it is the value itself."""
        return (nw.col(self.mark).cast(nw.Float64) * self.value).sum()

    def of(self, name: str, *, order_days: nw.Expr) -> nw.Expr:
        """Return the value from the column of :attr:`total` and the count of order days."""
        value = nw.when(order_days >= self.at_least).then(nw.col(name))
        return value.cast(nw.Int64) if self.whole else value


def tallied(
    counts: Mapping[str, Count], *, most_rows: int
) -> tuple[dict[str, nw.Expr], dict[str, nw.Expr]]:
    """Return aggregates that hold all the counts, and the counts as expressions over these.

    Every count is a digit of a number in a base beyond ``most_rows``, so that one sum counts as many
    conditions as a double has digits of that base. All is exact.

    Parameters
    ----------
    counts : mapping of str to Count
        By the name of the column.
    most_rows : int
        No customer has more rows than this.

    Examples
    --------
    >>> import polars as pl
    >>> rows = nw.from_native(pl.DataFrame({"k": [1, 1, 2], "day": [3, 9, 9], "m": [1, 1, 0]}))
    >>> counts = {f"since_{d}": Count(mark="m", where=nw.col("day") >= d) for d in (1, 5)}
    >>> sums, found = tallied(counts, most_rows=2)
    >>> grouped = rows.group_by("k").agg(**sums).sort("k")
    >>> len(sums), grouped.select(**found).rows()
    (1, [(2.0, 1.0), (0.0, 0.0)])
    """
    bits = max(most_rows, 1).bit_length()
    base, size = float(2**bits), max(BITS // bits, 1)
    sums: dict[str, nw.Expr] = {}
    found: dict[str, nw.Expr] = {}
    for names in _shared(counts, size=size):
        total = f"_tally_{len(sums)}"
        digits = [_held(counts[name].where) * base**k for k, name in enumerate(names)]
        mark = nw.col(counts[names[0]].mark).cast(nw.Float64)
        sums[total] = (mark * sum(digits[1:], digits[0])).sum()
        for k, name in enumerate(names):
            shifted = _floor(nw.col(total) / base**k) if k else nw.col(total)
            above = _floor(nw.col(total) / base ** (k + 1)) * base
            found[name] = shifted - above if k + 1 < len(names) else shifted
    return sums, found


def _floor(number: nw.Expr) -> nw.Expr:
    # Spark's is an integer.
    return number.floor().cast(nw.Float64)


def _held(where: nw.Expr | None) -> nw.Expr:
    """Return 1 where a condition holds, else 0."""
    return nw.lit(1.0) if where is None else where.cast(nw.Float64)


def _shared(counts: Mapping[str, Count], *, size: int) -> Iterator[Sequence[str]]:
    """Give the names of counts of one mark that share a sum, at most ``size`` of them."""
    for mark in sorted({count.mark for count in counts.values()}):
        names = [name for name, count in counts.items() if count.mark == mark]
        for first in range(0, len(names), size):
            yield names[first : first + size]
