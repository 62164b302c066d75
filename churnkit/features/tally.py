"""Counts of marked rows, several in one sum: a sum costs an engine more than what it adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Count", "tallied"]

# Whole numbers up to 2**53 are exact as doubles.
BITS = 53


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many of a customer's rows are marked, of those where a condition holds.

    Parameters
    ----------
    mark : str
        Column that is 1 or 0, never null.
    where : narwhals.Expr
        True or false for every row, never null.
    """

    mark: str
    where: nw.Expr


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
        digits = [counts[name].where.cast(nw.Float64) * base**k for k, name in enumerate(names)]
        mark = nw.col(counts[names[0]].mark).cast(nw.Float64)
        sums[total] = (mark * sum(digits[1:], digits[0])).sum()
        for k, name in enumerate(names):
            shifted = (nw.col(total) / base**k).floor() if k else nw.col(total)
            above = (nw.col(total) / base ** (k + 1)).floor() * base
            found[name] = shifted - above if k + 1 < len(names) else shifted
    return sums, found


def _shared(counts: Mapping[str, Count], *, size: int) -> Iterator[Sequence[str]]:
    """Give the names of counts of one mark that share a sum, at most ``size`` of them."""
    for mark in sorted({count.mark for count in counts.values()}):
        names = [name for name, count in counts.items() if count.mark == mark]
        for first in range(0, len(names), size):
            yield names[first : first + size]
