"""What subscriptions cost a month, where a file has what is paid each interval."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from churnkit.engines import literal, quoted
from churnkit.pipeline.amounts import cast
from churnkit.pipeline.spellings import SPELLINGS, called, forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.engines import DuckDBEngine
    from churnkit.pipeline.converting import ConvertedTable

__all__ = ["billed_monthly", "paid_each_interval", "price_of_one_seat"]

INTERVALS = (
    *("interval", "billinginterval", "planinterval", "priceinterval", "paymentinterval"),
    *("billingperiod", "billingcycle", "billingfrequency", "paymentfrequency"),
    *("subscriptioninterval", "subscriptionperiod", "renewalperiod", "zahlungsintervall"),
)
PAID = (
    *("amount", "planamount", "unitamount", "subscriptionamount", "priceamount", "price"),
    *("planprice", "fee", "planfee", "total", "revenue", "betrag", "preis", "prix", "precio"),
)
# Letters and digits of what an interval is called → its months.
MONTHS: Mapping[str, int] = {
    **dict.fromkeys(("month", "months", "monthly", "1month", "1months", "1"), 1),
    **dict.fromkeys(("monatlich", "mensuel", "mensual"), 1),
    **dict.fromkeys(("quarter", "quarterly", "3month", "3months", "3", "vierteljährlich"), 3),
    **dict.fromkeys(("semiannual", "semiannually", "halfyearly", "6month", "6months", "6"), 6),
    **dict.fromkeys(("year", "years", "yearly", "annual", "annually", "1year", "1years"), 12),
    **dict.fromkeys(("12month", "12months", "12", "jährlich", "annuel", "anual"), 12),
}
FOR_ALL_SEATS = frozenset(
    {"mrr", "mrramount", "monthlyrevenue", "monthlyrecurringrevenue", "revenue", "total"}
)
FEW = 50  # kinds; a column with more is no interval


def paid_each_interval(columns: Sequence[str]) -> str | None:
    """Return the column that says what is paid, None where none says how often it is.

    Examples
    --------
    >>> paid_each_interval(["Customer ID", "Interval", "Amount"]), paid_each_interval(["Amount"])
    ('Amount', None)
    """
    by_name = called(columns)
    if not any(name in by_name for name in INTERVALS):
        return None
    return next((by_name[name] for name in PAID if name in by_name), None)


def billed_monthly(
    converted: ConvertedTable,
    *,
    view: str,
    all_of: Sequence[str],
    paid: str,
    said: bool,
    engine: DuckDBEngine,
) -> ConvertedTable:
    """Return subscriptions with the months between payments, and monthly what is paid for several.

    A column that is called monthly, or of which it was said, stays as it is; the latter with a note.

    Parameters
    ----------
    converted : ConvertedTable
        Of subscriptions.
    view : str
        The file, as SQL names it.
    all_of : sequence of str
        All its columns.
    paid : str
        The file's column that ``mrr`` is made of.
    said : bool
        Whether it was said that this is ``mrr``.
    engine : DuckDBEngine
    """
    by_name = called(all_of)
    interval = next((by_name[name] for name in INTERVALS if name in by_name), None)
    if interval is None or interval in converted.columns.values():
        return converted
    kind = f"lower(trim(CAST({quoted(interval)} AS VARCHAR)))"
    sql = f"SELECT {kind} AS kind, count(*) AS n FROM {view} GROUP BY 1 ORDER BY 1 LIMIT {FEW + 1}"
    found = {row["kind"]: row["n"] for row in engine.collect(engine.select(sql)).to_pylist()}
    months = {k: MONTHS.get(re.sub(r"[\W_]", "", k or "")) for k in found}
    if len(found) > FEW or not any(months.values()):
        return converted
    listed = ", ".join(f"{k or 'nothing'} ({n:,})" for k, n in found.items())
    is_monthly = bool(set(forms(paid)) & set(SPELLINGS["subscriptions"]["mrr"]))
    if None in months.values() or (said and not is_monthly):
        if is_monthly or set(months.values()) == {1}:
            return converted
        note = (
            f"{interval!r} says {listed}: {paid!r} is taken for a month's; if it is paid each interval,"
            " divide it by the months with data.subscriptions.computed"
        )
        return replace(converted, notes=(*converted.notes, note))
    cases = " ".join(f"WHEN {literal(k)} THEN {m}" for k, m in months.items())
    computed, columns = dict(converted.computed), dict(converted.columns)
    made = {"billing_months": f"CASE {kind} {cases} END"}
    notes = converted.notes
    if not is_monthly:
        amount = computed.get(columns["mrr"], cast(paid))
        made["mrr"] = f"({amount}) / {made['billing_months']}"
        notes = (*notes, f"{interval!r} says {listed}: mrr is {paid!r} by the months of each")
    if "billing_months" in columns:
        del made["billing_months"]
    for ours, expression in made.items():
        columns[ours] = f"{ours}_converted"
        computed[columns[ours]] = expression
    return replace(converted, columns=columns, computed=computed, notes=notes)


def price_of_one_seat(
    columns: Mapping[str, str], *, view: str, paid: str, engine: DuckDBEngine
) -> tuple[str, ...]:
    """Return a note where several seats are paid for by what may be the price of one.

    Parameters
    ----------
    columns : mapping of str to str
        Our name to the file's, of subscriptions.
    view : str
        The file, as SQL names it.
    paid : str
        The file's column that ``mrr`` is made of.
    engine : DuckDBEngine
    """
    if "seats" not in columns or set(forms(paid)) & FOR_ALL_SEATS:
        return ()
    seats = columns["seats"]
    sql = f"SELECT max({cast(seats)}) AS most FROM {view}"
    most = engine.collect(engine.select(sql)).column("most")[0].as_py()
    if most is None or most <= 1:
        return ()
    return (
        f"{seats!r} is up to {most:g}: mrr is made of {paid!r} alone; if that is the price of one,"
        f" multiply it by {seats!r} in data.subscriptions.computed",
    )
