"""Cuts a table at a cutoff: rows that were not known yet, and fields that rows got later."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data import tables as _tables  # noqa: F401  its contracts say which times a table has
from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import known_at
from churnkit.data.windows import US_PER_DAY

if TYPE_CHECKING:
    from churnkit.data.windows import Snapshot

__all__ = ["first_time", "known_rows"]

SAME_CONTRACT = {"lines": "orders"}
LASTS_UNTIL = "ended_at_us"
AGELESS = "customers"


@lru_cache(maxsize=64)
def _times(name: str) -> tuple[str, ...]:
    """Return the time columns of a table, the one at which a row becomes known first."""
    contract = SAME_CONTRACT.get(name, name)
    if contract not in CONTRACTS:
        return ("ts_us",)
    columns = CONTRACTS[contract]().columns
    return tuple(column.field_name for column in columns if column.kind == "time")


def first_time(name: str) -> str | None:
    """Return the column at which a row of a table becomes known, None for a table without time.

    A table may lack the column where its contract does not require it.

    Examples
    --------
    >>> first_time("support_tickets"), first_time("customers")
    ('opened_at_us', 'since_us')
    """
    return next(iter(_times(name)), None)


def known_rows(table: nw.LazyFrame[Any], *, name: str, snapshot: Snapshot) -> nw.LazyFrame[Any]:
    """Return the rows of a table as they were known at the cutoff, with ``age_days`` before it (> 0).

    A row is known from its first time column on; its later times (a ticket's resolution, a reward's
    redemption, a subscription's end) are null where they lie at or after the cutoff. Rows from
    before the observation interval are left out; a subscription that reaches into it is kept whole.
    A table without time is returned as it is: what it says is taken to have been known always. What
    is known of a customer does not age: it is kept from before the interval.

    Parameters
    ----------
    table : narwhals.LazyFrame
        Future rows included.
    name : str
        By the contract of this name; a table without a contract has ``ts_us``.
    snapshot : Snapshot
        The cutoff and the observation interval.
    """
    first, *later = _times(name) or (None,)
    names = table.collect_schema().names()
    if first is None or first not in names:
        return table
    start, end = snapshot.observation_start_us, snapshot.cutoff_us
    age_days = (nw.lit(end) - nw.col(first)) / US_PER_DAY
    if name == "orders":
        return known_at(table, start_us=start, cutoff_us=end).with_columns(age_days=age_days)
    if name == AGELESS:
        return table.filter(nw.col(first) < end)
    given = [column for column in later if column in names]
    in_reach = nw.col(first) >= start
    if LASTS_UNTIL in given:
        in_reach = nw.col(LASTS_UNTIL).is_null() | (nw.col(LASTS_UNTIL) >= start)
    hidden = {c: nw.when(nw.col(c) < end).then(nw.col(c)) for c in given}
    return table.filter(in_reach, nw.col(first) < end).with_columns(age_days=age_days, **hidden)
