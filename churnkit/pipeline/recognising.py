"""Recognises what a data file holds, orders, events, subscriptions and more, by its columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churnkit.config import TABLE_COLUMNS
from churnkit.errors import DataError, ParameterError
from churnkit.pipeline.billing import paid_each_interval
from churnkit.pipeline.spellings import SPELLINGS, called, plain
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Named = Sequence[tuple[str, str]]

__all__ = [
    "RecognisedFile",
    "other_customers",
    "recognise",
    "recognise_files",
    "refuse_nothing_to_learn",
]


# What no other table has: a file with all of these is of that table.
SIGNS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "events": (("event_type",),),
    "subscriptions": (("started_at", "ended_at", "mrr"),),
    "support_tickets": (
        ("opened_at", "resolved_at"),
        ("opened_at", "first_response_at"),
        ("opened_at", "priority"),
    ),
    "surveys": (("score",),),
    "rewards": (("issued_at",),),
    "campaigns": (("treatment", "outcome"),),
}
ORDERED = ("amount", "order_id", "product_id", "quantity")
SURVEYS = ("csat", "nps", "ces")
# A survey tool exports the question itself as the name of the column.
QUESTIONS = {
    "nps": re.compile(r"likel(y|ihood).*recommend"),
    "csat": re.compile(r"how(dis)?satisfied"),
    "ces": re.compile(r"how(easy|difficult)|howmucheffort"),
}


@dataclass(frozen=True, kw_only=True)
class RecognisedFile:
    """A data file, the table that it is, and its columns.

    Attributes
    ----------
    table : str
        Name under ``data``.
    source : str
        The file.
    columns : mapping of str to str
        Our column names, each with the file's own.
    survey : str or None
        Of surveys without a column that says it: the kind of all rows.
    """

    table: str
    source: str
    columns: Mapping[str, str]
    survey: str | None = None


def recognise(
    columns: Sequence[str], *, table: str = "orders", named: Named = ()
) -> dict[str, str]:
    """Return our column names of a table with those of a file that look like them.

    Those that were ``named``, as pairs of our name and the file's, need not look like anything.

    Examples
    --------
    >>> recognise(["Invoice", "StockCode", "Quantity", "InvoiceDate", "Customer ID"])
    {'customer_id': 'Customer ID', 'ts': 'InvoiceDate', 'order_id': 'Invoice',
     'product_id': 'StockCode', 'quantity': 'Quantity'}
    """
    by_name = called(columns)
    said = {
        ours: theirs for ours, theirs in named if ours in SPELLINGS[table] and theirs in columns
    }
    found: dict[str, str] = {}
    for ours, spellings in SPELLINGS[table].items():
        match = said.get(ours) or next((by_name[s] for s in spellings if s in by_name), None)
        if match in said.values() and ours not in said:
            continue
        if match is not None and match not in found.values():
            found[ours] = match
    if table == "surveys" and "score" not in found:
        asked = [c for c in columns if any(q.search(plain(c)) for q in QUESTIONS.values())]
        if asked:
            found["score"] = asked[0]
    return found


def other_customers(columns: Sequence[str], *, than: str) -> list[str]:
    """Return further columns of a file that are called as ids of customers are, the surest first.

    Examples
    --------
    >>> other_customers(["order_id", "customer_id", "customer_unique_id"], than="customer_id")
    ['customer_unique_id']
    """
    by_name = called(columns)
    ids = (by_name[s] for s in SPELLINGS["orders"]["customer_id"] if s in by_name)
    return [column for column in dict.fromkeys(ids) if column != than]


def recognise_files(
    files: Mapping[str, Sequence[str]],
    *,
    said: Mapping[str, Sequence[str]],
    times: Callable[[str], Sequence[str]] = lambda _: (),
    named: Named = (),
) -> list[RecognisedFile]:
    """Return what each file is, in the order of the tables.

    A log of events can be given as ``orders`` as well: its purchases, or its visits.

    Parameters
    ----------
    files : mapping of str to sequence of str
        The columns of each file.
    said : mapping of str to sequence of str
        The tables of those files of which it was said; "" stands for what the columns say.
    times : callable
        Returns the columns of a file whose values are times. Where no column is called like the
        ``ts`` of a table, the only one of these is taken.
    named : sequence of (str, str)
        Our names of columns, each with a file's own, whatever that is called.

    Raises
    ------
    ParameterError
        If a table that was said does not exist.
    DataError
        If a file is of no table or could be of several, two are of one, or a needed column is not
        there.
    """
    _refuse_unknown(named, files)
    by_table: dict[str, RecognisedFile] = {}
    given = [(file, table) for file in files for table in said.get(file, ("",))]
    for file, wanted in given:
        columns = files[file]
        table = wanted or _table_of(file, columns, times=times, named=named)
        if table not in SPELLINGS:
            guess = did_you_mean(table, SPELLINGS)
            msg = f"init: unknown table {table!r}.{guess} Known: {', '.join(SPELLINGS)}."
            raise ParameterError(msg)
        if table == "campaigns":
            msg = f"{file}: looks like campaigns, a table that is not built yet; leave it out"
            raise DataError(msg)
        if (other := by_table.get(table)) is not None:
            msg = (
                f"{other.source} and {file} both look like {table}; leave one out, give both as one"
                f" glob, or say what one of them is: churnkit init TABLE={file}"
            )
            raise DataError(msg)
        by_table[table] = _recognised(table, file, columns, times=times, named=named)
    return [by_table[table] for table in SPELLINGS if table in by_table]


def refuse_nothing_to_learn(found: Sequence[RecognisedFile]) -> None:
    """Refuse files without orders or subscriptions."""
    if {one.table for one in found} & {"orders", "subscriptions"}:
        return
    known = ", ".join(f"{one.source} is {one.table}" for one in found)
    msg = f"init: no file has orders or subscriptions to learn from; {known}"
    log = next((one.source for one in found if one.table == "events"), None)
    if log is not None:
        msg += (
            ". To learn from the purchases or visits in a log of events, give it as both: churnkit"
            f" init orders={log} events={log}"
        )
    raise DataError(msg)


def _refuse_unknown(named: Named, files: Mapping[str, Sequence[str]]) -> None:
    """Refuse a name that no table has, or a column that no file has."""
    ours = dict.fromkeys(name for spellings in SPELLINGS.values() for name in spellings)
    theirs = dict.fromkeys(column for columns in files.values() for column in columns)
    for name, column in named:
        if name not in ours:
            guess = did_you_mean(name, ours)
            msg = f"init: column: no table has a column {name!r}.{guess} Known: {', '.join(ours)}."
            raise ParameterError(msg)
        if column not in theirs:
            guess = did_you_mean(column, theirs)
            msg = f"init: column: no file has a column {column!r} for {name}.{guess}"
            raise ParameterError(msg)


def _table_of(
    file: str,
    columns: Sequence[str],
    *,
    times: Callable[[str], Sequence[str]],
    named: Named = (),
) -> str:
    """Return the one table that a file can be."""
    fits = [
        table
        for table, signs in SIGNS.items()
        for found in [recognise(columns, table=table, named=named)]
        if any({*sign, *_needed(table)} <= found.keys() for sign in signs)
    ]
    contracts = recognise(columns, table="subscriptions", named=named)
    orders = recognise(columns, named=named)
    costs = recognise(columns, table="marketing_costs", named=named)
    bought = any(name in orders for name in ORDERED)
    if bought and "ts" not in orders and len(found := times(file)) == 1:
        orders["ts"] = found[0]
    if not fits and {"customer_id", "started_at", "ended_at"} <= contracts.keys():
        fits = ["subscriptions"]  # whose price is then asked for
    elif not fits and {"customer_id", "ts"} <= orders.keys():
        # With nothing that is bought and something else, the time may be that of joining.
        fits = ["orders"] if bought or len(columns) == len(orders) else ["orders", "customers"]
    elif not fits and "customer_id" in orders:
        fits = ["customers"]
    elif not fits and {"ts", "amount"} <= costs.keys():
        fits = ["marketing_costs"]
    if not fits:
        missing = [name for name in ("customer_id", "ts") if name not in orders]
        msg = (
            f"{file}: no column looks like {' or '.join(missing)}; columns: {', '.join(columns)}."
            f" Say which, churnkit init --column {missing[0]}=NAME, or what the file is, TABLE={file}"
        )
        raise DataError(msg)
    if len(fits) > 1:
        ways = " or ".join(f"{table}={file}" for table in fits)
        msg = f"{file}: its columns fit {' and '.join(fits)}; say which: churnkit init {ways}"
        raise DataError(msg)
    return fits[0]


def _needed(table: str) -> list[str]:
    """Return the columns that a table cannot do without."""
    return [
        name for name, field in TABLE_COLUMNS[table].model_fields.items() if field.is_required()
    ]


def _recognised(
    table: str,
    file: str,
    columns: Sequence[str],
    *,
    times: Callable[[str], Sequence[str]],
    named: Named = (),
) -> RecognisedFile:
    found = recognise(columns, table=table, named=named)
    missing = [name for name in _needed(table) if name not in found]
    seen: Sequence[str] = ()
    if "ts" in missing:
        seen = [column for column in times(file) if column not in found.values()]
        if len(seen) == 1:
            found["ts"] = seen[0]
            missing.remove("ts")
    if "mrr" in missing and (paid := paid_each_interval(columns)) is not None:
        found["mrr"] = paid
        missing.remove("mrr")
    if missing:
        several = f" (times are in {', '.join(seen)})" if len(seen) > 1 else ""
        msg = (
            f"{file}: as {table}, no column looks like {' or '.join(missing)}{several}; columns:"
            f" {', '.join(columns)}. Say which: churnkit init --column {missing[0]}=NAME"
        )
        raise DataError(msg)
    survey = None
    if table == "surveys" and "survey" not in found:
        words, question = plain(found["score"]) + plain(file), plain(found["score"])
        survey = next((kind for kind in SURVEYS if kind in words), None) or next(
            (kind for kind, asked in QUESTIONS.items() if asked.search(question)), None
        )
        if survey is None:
            msg = (
                f"{file}: surveys without a column survey must be of one kind, and neither the column"
                f" {found['score']!r} nor the name of the file says whether csat, nps or ces"
            )
            raise DataError(msg)
    if table == "customers":
        rest = {
            re.sub(r"\W+", "_", c.strip().lower()): c for c in columns if c not in found.values()
        }
        found |= rest
    return RecognisedFile(table=table, source=file, columns=found, survey=survey)
