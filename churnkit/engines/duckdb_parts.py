"""Finds where a sorted table of DuckDB can be cut into parts that are worked on one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.engines.engine import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["block_ends", "part_conditions"]

BLOCKS = 8

Block = tuple[int, str, str]


def block_ends(table: str, *, by: str, part_rows: int) -> str:
    """Return SQL for the first and last value of a text column in each block of stored rows."""
    value = f"coalesce({quoted(by)}, '')"
    return (
        f"SELECT rowid // {_block_rows(part_rows)} AS block, min({value}), max({value})"
        f" FROM {table} GROUP BY block ORDER BY block"
    )


def part_conditions(blocks: Sequence[Block], *, by: str, part_rows: int) -> list[str]:
    """Return the SQL conditions of parts that are together the table, in the order of the column.

    Values decide; the places of rows only spare the engine what lies elsewhere. Parts are as large as
    wanted where the table lies sorted, and right wherever rows lie.

    Parameters
    ----------
    blocks : sequence of tuple
        From :func:`block_ends`.
    by : str
        The text column; rows without a value come to the first part.
    part_rows : int
        Wanted rows of a part; a value with more of them is one part.

    Examples
    --------
    >>> blocks = [(n, f"c{n:02d}", f"c{n + 1:02d}") for n in range(16)]
    >>> for condition in part_conditions(blocks, by="id", part_rows=800):
    ...     print(condition)
    rowid BETWEEN 0 AND 799 AND ("id" < 'c08' OR "id" IS NULL)
    rowid BETWEEN 700 AND 1599 AND "id" >= 'c08'
    """
    rows, column = _block_rows(part_rows), quoted(by)
    firsts = sorted(low for _, low, _ in blocks)
    if not firsts:
        return ["true"]
    cuts = sorted({first for first in firsts[BLOCKS::BLOCKS] if first > firsts[0]})
    conditions = []
    for low, high in zip([None, *cuts], [*cuts, None], strict=True):
        held = [
            block
            for block, first, last in blocks
            if (low is None or last >= low) and (high is None or first < high)
        ]
        within = [f"rowid BETWEEN {min(held) * rows} AND {(max(held) + 1) * rows - 1}"]
        if low is not None:
            within.append(f"{column} >= {literal(low)}")
        if high is not None:
            below = f"{column} < {literal(high)}"
            within.append(below if low is not None else f"({below} OR {column} IS NULL)")
        conditions.append(" AND ".join(within))
    return conditions


def _block_rows(part_rows: int) -> int:
    return max(part_rows // BLOCKS, 1)
