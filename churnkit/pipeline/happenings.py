"""What single customers did and when: their orders, and kind by kind what else the tables know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import narwhals as nw

from churnkit.data.windows import midnight_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.pipeline.session import Session

__all__ = ["MOST_DAYS", "MOST_KINDS", "happenings_of", "orders_of"]

QUARTER_HOUR_US = 900_000_000
"""Every time zone is a whole number of these from UTC, so that none of them lies in two days."""

MOST_KINDS = 10
"""Kinds that are shown: what other tables tell first, then the most frequent events."""

MOST_DAYS = 60
"""Days that are kept of each kind and customer, the newest."""


class _Moment(NamedTuple):
    """A time in a table, what happens then, and the column that says which kind, if there is one."""

    table: str
    time: str
    words: str
    kind: str | None = None


MOMENTS = (
    _Moment("events", "ts", "", "event_type"),
    _Moment("support_tickets", "opened_at", "ticket"),
    _Moment("surveys", "ts", "answer to", "survey"),
    _Moment("rewards", "issued_at", "reward issued"),
    _Moment("rewards", "redeemed_at", "reward redeemed"),
    _Moment("subscriptions", "started_at", "subscription started"),
    _Moment("subscriptions", "ended_at", "subscription ended"),
)


def orders_of(session: Session, ids: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
    """Return day and amount of the orders of some customers, oldest first; the smaller of one time."""
    if "orders" not in session.read.history.tables:
        return {}
    rows = session.read.history.tables["orders"].filter(
        nw.col("customer_id").is_in(list(ids)), nw.col("is_order") == 1
    )
    table = session.engine.collect(rows.select("customer_id", "ts_us", "amount"))
    zone = ZoneInfo(session.config.data.time_zone)
    found: dict[str, list[tuple[str, float]]] = {}
    for row in table.sort_by([("ts_us", "ascending"), ("amount", "ascending")]).to_pylist():
        found.setdefault(row["customer_id"], []).append(
            (_day(row["ts_us"], zone), float(row["amount"]))
        )
    return found


def happenings_of(
    session: Session, ids: Sequence[str]
) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Return, for some customers, the kinds of things they did and on which days, oldest first.

    Parameters
    ----------
    session : Session
        With the tables beside the orders that are to be looked at.
    ids : sequence of str
        Customers.

    Returns
    -------
    dict of str to list of (str, tuple of str)
        Customer → kind in words and its ISO days; customers without any are absent.
    """
    zone = ZoneInfo(session.config.data.time_zone)
    end_us = midnight_us(session.as_of, time_zone=session.config.data.time_zone)
    days: dict[str, dict[str, set[str]]] = {}
    events: set[str] = set()
    for moment in MOMENTS:
        if moment.table not in session.others:
            continue
        rows = session.others[moment.table].rows
        if f"{moment.time}_us" not in rows.collect_schema().names():
            continue
        at = nw.col(f"{moment.time}_us")
        # An end may be planned; what has not happened is not shown.
        wanted = rows.filter(nw.col("customer_id").is_in(list(ids)), at < end_us)
        kind = nw.lit("") if moment.kind is None else nw.col(moment.kind)
        quarter = at // QUARTER_HOUR_US
        seen = wanted.select("customer_id", kind=kind, quarter=quarter).unique()
        for row in session.engine.collect(seen).to_pylist():
            words = f"{moment.words} {_plain(row['kind'])}".strip()
            theirs = days.setdefault(words, {}).setdefault(row["customer_id"], set())
            theirs.add(_day(row["quarter"] * QUARTER_HOUR_US, zone))
            if moment.table == "events":
                events.add(words)

    def order(words: str) -> tuple[bool, int, str]:
        return words in events, -sum(map(len, days[words].values())), words

    made: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for words in sorted(days, key=order)[:MOST_KINDS]:
        for customer, theirs in days[words].items():
            made.setdefault(customer, []).append((words, tuple(sorted(theirs)[-MOST_DAYS:])))
    return made


def _plain(kind: str) -> str:
    return kind.upper() if kind in {"csat", "nps", "ces"} else kind.replace("_", " ")


def _day(ts_us: int, zone: ZoneInfo) -> str:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(ts_us))
    return str(instant.astimezone(zone).date())
