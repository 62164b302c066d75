"""Joins the lines of orders, which name no customer, to the file that says who ordered when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from churnkit.data.origins import QuerySource, source_of
from churnkit.engines import quoted
from churnkit.errors import DataError
from churnkit.pipeline.recognising import recognise
from churnkit.pipeline.spellings import SPELLINGS, forms, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LINES", "JoinedLines", "join_lines", "joined_source"]

LINES = "lines"
OF_LINES = ("amount", "product_id", "quantity", "discount")
SUMS = frozenset(s for name in OF_LINES for s in SPELLINGS["orders"][name])


@dataclass(frozen=True, kw_only=True)
class JoinedLines:
    """Two files that together are the orders.

    Attributes
    ----------
    head, lines : str
        The file of orders, and that of their lines.
    query : str
        SELECT on ``source``, the orders, and ``lines``, with the columns of both; those of lines that
        are called as one of orders begin with ``lines_``. What orders sum up of their lines is left
        out: it would count once a line.
    """

    head: str
    lines: str
    query: str


def join_lines(
    files: Mapping[str, Sequence[str]],
    *,
    said: Mapping[str, Sequence[str]],
    named: Sequence[tuple[str, str]] = (),
) -> JoinedLines | None:
    """Return how two files join, None if no file holds lines with amounts and without a customer.

    Parameters
    ----------
    files : mapping of str to sequence of str
        The columns of each file.
    said : mapping of str to sequence of str
        The tables of those files of which it was said; "" stands for what the columns say.
    named : sequence of (str, str)
        Our names of columns, each with a file's own, whatever that is called.

    Raises
    ------
    DataError
        If several files hold lines.
    """
    found = {file: recognise(columns, named=named) for file, columns in files.items()}
    tables = {file: set(said.get(file, ("",))) for file in files}
    lines = [f for f, columns in found.items() if tables[f] == {""} and _is_lines(columns)]
    heads = [
        file
        for file, columns in found.items()
        if {"customer_id", "ts"} <= columns.keys()
        and tables[file] <= {"", "orders"}
        and _key(files[file], columns) is not None
    ]
    if not lines or len(heads) != 1:
        return None
    if len(lines) > 1:
        msg = (
            f"{' and '.join(lines)} both hold lines of the orders in {heads[0]}; leave one out, or"
            " join them by hand with data.orders.query"
        )
        raise DataError(msg)
    head, other = heads[0], lines[0]
    key, key_of_lines = _key(files[head], found[head]), found[other]["order_id"]
    kept = [c for c in files[head] if c != key and not SUMS.intersection(forms(c))]
    taken = {column.lower() for column in kept}
    selected = [f"source.{quoted(column)}" for column in kept]
    for column in files[other]:
        if column != key_of_lines:
            clash = column.lower() in taken
            renamed = f" AS {quoted(f'{LINES}_{column}')}" if clash else ""
            selected.append(f"{LINES}.{quoted(column)}{renamed}")
    ids = f"source.{quoted(str(key))}", f"{LINES}.{quoted(key_of_lines)}"
    query = (
        f"SELECT coalesce({', '.join(ids)}) AS {quoted(key_of_lines)}, {', '.join(selected)}"
        f" FROM source FULL JOIN {LINES} ON {' = '.join(ids)}"
    )
    return JoinedLines(head=head, lines=other, query=query)


def _is_lines(columns: Mapping[str, str]) -> bool:
    return {"order_id", "amount"} <= columns.keys() and "customer_id" not in columns


def _key(columns: Sequence[str], found: Mapping[str, str]) -> str | None:
    """Return the column that says which order a row of the orders is."""
    if "order_id" in found:
        return found["order_id"]
    return next((column for column in columns if plain(column) == "id"), None)


def joined_source(both: JoinedLines, *, encoding: str) -> QuerySource:
    """Return the source that two files are together."""
    head, lines = (source_of(path, encoding=encoding) for path in (both.head, both.lines))
    where = "data.orders.query"
    return QuerySource(source=head, joined={LINES: lines}, query=both.query, where=where)
