"""What the values of orders show that their columns' names do not: who comes back, and what is no sale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from churnkit.config.yaml_text import dump_flow
from churnkit.engines import literal, quoted
from churnkit.pipeline.recognising import other_customers
from churnkit.pipeline.spellings import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.engines import DuckDBEngine

__all__ = ["orders_as_meant", "several_currencies"]

SOME_ORDERS = 50  # in fewer, nobody may have come back yet
WITH_MONEY = frozenset({"orders", "subscriptions", "marketing_costs"})
CURRENCY = frozenset({"currency", "currencycode", "currencyiso", "ccy"})
STATUS = re.compile(r"status$|^state$")
NO_SALE = re.compile(r"cancel|storn|annul|refund|return|void|fail|declin|reject|unavailable|unpaid")
REFUND = re.compile(r"refund|erstattet|rembours|reembols")
FEW = 50  # kinds; a column with more is no status


def orders_as_meant(
    columns: Mapping[str, str],
    *,
    view: str,
    all_of: Sequence[str],
    engine: DuckDBEngine,
    beside: Mapping[str, Sequence[str]] | None = None,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the mapping of orders as the values show it is meant, and notes for people.

    Parameters
    ----------
    columns : mapping of str to str
        Our column names, each with the file's own that looks like it.
    view : str
        The file, as SQL names it.
    all_of : sequence of str
        All its columns.
    engine : DuckDBEngine
    beside : mapping of str to sequence of str, optional
        The columns of the other files, where who ordered may be.
    """
    meant = dict(columns)
    meant["customer_id"], notes = _coming_back(
        columns, view=view, all_of=all_of, engine=engine, beside=beside or {}
    )
    notes += _spelt_in_several_ways(meant["customer_id"], view=view, engine=engine)
    notes += several_currencies(view, all_of, table="orders", engine=engine)
    notes += _statuses(view, all_of, engine=engine)
    rest = [column for column in all_of if column not in meant.values()]
    notes += _refunds(view, rest, paid=meant.get("amount"), engine=engine)
    if "discount" in meant and _is_share(view, meant["discount"], engine=engine):
        share = meant.pop("discount")
        notes += (f"{share!r} holds shares, not money, and is left out of data.orders",)
    return meant, notes


def _coming_back(
    columns: Mapping[str, str],
    *,
    view: str,
    all_of: Sequence[str],
    engine: DuckDBEngine,
    beside: Mapping[str, Sequence[str]],
) -> tuple[str, tuple[str, ...]]:
    """Return the column that says who ordered, and a note where the first choice never repeats."""
    chosen, order = columns["customer_id"], columns.get("order_id")
    others = [c for c in other_customers(all_of, than=chosen) if c not in columns.values()]
    candidates = [chosen, *others]
    orders = f"count({quoted(chosen)})"
    if order is not None:
        id_ = quoted(order)
        orders = f"count(DISTINCT {id_}) + count(*) FILTER ({id_} IS NULL)"
    counts = ", ".join(f"count(DISTINCT {quoted(c)}) AS d{i}" for i, c in enumerate(candidates))
    sql = f"SELECT {orders} AS orders, {counts} FROM {view}"
    row = engine.collect(engine.select(sql)).to_pylist()[0]
    repeats = {c: row[f"d{i}"] < row["orders"] for i, c in enumerate(candidates)}
    if repeats[chosen] or row["orders"] < SOME_ORDERS:
        return chosen, ()
    alone = f"{chosen!r} has another value in every order, as if nobody ever came back"
    better = next((c for c in others if repeats[c]), None)
    if better is None:
        note = f"{alone}: if it names orders, not customers, map customer_id by hand"
        people = [
            f"{column!r} of {file} may say who ordered: join it with data.orders.joined and query"
            for file, theirs in beside.items()
            if chosen in theirs
            for column in other_customers(theirs, than=chosen)
        ]
        return chosen, ("; ".join([note, *people]),)
    return better, (f"{alone}; {better!r} is taken for customer_id",)


def _spelt_in_several_ways(column: str, *, view: str, engine: DuckDBEngine) -> tuple[str, ...]:
    """Return a note where e-mail addresses differ only by upper and lower case or blanks."""
    text = f"CAST({quoted(column)} AS VARCHAR)"
    one = f"lower(trim({text}))"
    sql = f"SELECT count(DISTINCT {text}) AS spelt, count(DISTINCT {one}) AS people FROM {view}"
    row = engine.collect(engine.select(f"{sql} WHERE contains({text}, '@')")).to_pylist()[0]
    if row["spelt"] == row["people"]:
        return ()
    note = (
        f"{column!r} spells {row['people']:,} addresses in {row['spelt']:,} ways, by upper and lower"
        " case, and each would be a customer: to make them one, map customer_id to a column of"
        f" data.orders.computed, such as {dump_flow({'email': f'lower(trim({quoted(column)}))'})}"
    )
    return (note,)


def several_currencies(
    view: str, columns: Sequence[str], *, table: str, engine: DuckDBEngine
) -> tuple[str, ...]:
    """Return a note where amounts that a table would add up are in several currencies."""
    named = [c for c in columns if plain(c) in CURRENCY]
    if not named or table not in WITH_MONEY:
        return ()
    name = quoted(named[0])
    sql = f"SELECT CAST({name} AS VARCHAR) AS c FROM {view} WHERE {name} IS NOT NULL GROUP BY 1"
    found = sorted(engine.collect(engine.select(sql))["c"].to_pylist())
    if len(found) < 2:
        return ()
    some = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
    note = (
        f"amounts are in {len(found)} currencies ({some}, column {named[0]!r}) and would be added as"
        f" they are: keep one with data.{table}.filter, or convert with data.{table}.computed"
    )
    return (note,)


def _statuses(view: str, columns: Sequence[str], *, engine: DuckDBEngine) -> tuple[str, ...]:
    """Return a note on each column that says which orders came to nothing."""
    notes = []
    for column in columns:
        if not STATUS.search(plain(column)):
            continue
        name = f"CAST({quoted(column)} AS VARCHAR)"
        sql = f"SELECT {name} AS kind, count(*) AS n FROM {view} GROUP BY 1 LIMIT {FEW + 1}"
        found = engine.collect(engine.select(sql)).to_pylist()
        if len(found) > FEW:
            continue
        none = {
            row["kind"]: row["n"] for row in found if NO_SALE.search((row["kind"] or "").lower())
        }
        if none:
            kinds = ", ".join(f"{kind} ({none[kind]:,})" for kind in sorted(none))
            listed = ", ".join(map(literal, sorted(none)))
            notes.append(
                f"{column!r} says {kinds}: if these rows are no sales, leave them out with"
                f" data.orders.filter: {dump_flow(f'{_word(column)} NOT IN ({listed})')}"
            )
    return tuple(notes)


def _refunds(
    view: str, columns: Sequence[str], *, paid: str | None, engine: DuckDBEngine
) -> tuple[str, ...]:
    """Return a note on each column that says how much of an order was paid back."""
    notes = []
    for column in columns if paid is not None else ():
        if not REFUND.search(plain(column)):
            continue
        number = f"TRY_CAST({quoted(column)} AS DOUBLE)"
        sql = f"SELECT count(*) AS n FROM {view} WHERE {number} <> 0"
        if n := engine.collect(engine.select(sql)).to_pylist()[0]["n"]:
            net = {"net": f"{_word(str(paid))} - coalesce({_word(column)}, 0)"}
            notes.append(
                f"{column!r} is not 0 in {n:,} rows and is not taken off: if it was paid back, map"
                f" amount to a column of data.orders.computed, such as {dump_flow(net)}"
            )
    return tuple(notes)


def _word(column: str) -> str:
    """Return the name of a column as SQL takes it, in quotes only where it must be."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column) else quoted(column)


def _is_share(view: str, column: str, *, engine: DuckDBEngine) -> bool:
    """Return whether the values of a column lie between 0 and 1, and not only at its ends."""
    number = f"TRY_CAST({quoted(column)} AS DOUBLE)"
    inside = f"count(*) FILTER ({number} > 0 AND {number} < 1)"
    sql = f"SELECT min({number}) AS low, max({number}) AS high, {inside} AS inside FROM {view}"
    row = engine.collect(engine.select(sql)).to_pylist()[0]
    return bool(row["inside"]) and row["low"] >= 0.0 and row["high"] <= 1.0
