"""Histories as they would be with a few more orders, active days, openings or answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.data.windows import US_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Row = dict[str, Any]
    Tables = dict[str, list[Row]]

__all__ = ["MARK", "Step", "steps_of"]

WITHIN_DAYS = 30
ORDER_STEPS = (1, 2, 3)
ACTIVE_STEPS = (2, 4, 8)
OPENED_STEPS = (1, 2, 4)
SENT, OPENED = "_sent", "_opened"
MESSAGES = (SENT, OPENED, "_clicked")
US_PER_HOUR = US_PER_DAY // 24
MARK = "\u241f"  # of copies; no id in a file holds it


@dataclass(frozen=True, kw_only=True)
class Step:
    """A copy of a customer: which lever, how far, and all rows of its tables."""

    customer: str
    lever: str
    number: int
    says: str
    tables: Mapping[str, list[Row]]

    @property
    def name(self) -> str:
        """Id of the copy."""
        return f"{self.customer}{MARK}{self.lever}{MARK}{self.number}"


def steps_of(
    name: str, tables: Tables, *, cutoff_us: int, day_us: Callable[[int], int]
) -> Iterator[Step]:
    """Yield the copy as it is, then one for each step of each lever that the customer has.

    ``orders`` like the last one; ``activity``: more active days, each like the last one, messages
    apart; ``messages``: more of those sent lately opened; ``tickets``: the open ones resolved.

    Parameters
    ----------
    name : str
        Id of the customer.
    tables : dict of str to list of dict
        The customer's rows.
    cutoff_us : int
        Nothing at or after it is known.
    day_us : callable
        Returns the business day of an instant, as a number.
    """
    yield Step(customer=name, lever="as is", number=0, says="", tables=tables)
    for lever, made in (
        ("orders", _orders(tables, cutoff_us=cutoff_us)),
        ("activity", _activity(tables, cutoff_us=cutoff_us, day_us=day_us)),
        ("messages", _messages(tables, cutoff_us=cutoff_us)),
        ("tickets", _tickets(tables, cutoff_us=cutoff_us)),
    ):
        for number, says, changed in made:
            yield Step(
                customer=name, lever=lever, number=number, says=says, tables={**tables, **changed}
            )


def _orders(tables: Tables, *, cutoff_us: int) -> Iterator[tuple[int, str, Tables]]:
    rows = tables.get("orders", ())
    placed = [row for row in rows if row["is_order"] == 1 and row["ts_us"] < cutoff_us]
    if not placed:
        return
    last = max(placed, key=lambda row: row["ts_us"])
    for n in ORDER_STEPS:
        says = f"{n} more order{'s' * (n > 1)} like the last within {WITHIN_DAYS} days"
        yield n, says, _with_orders(tables, last, times=_spread(n, cutoff_us), cutoff_us=cutoff_us)


def _activity(
    tables: Tables, *, cutoff_us: int, day_us: Callable[[int], int]
) -> Iterator[tuple[int, str, Tables]]:
    """Yield copies of the last active day on more days: whatever was done then, messages apart."""
    rows = tables.get("events", ())
    done = [
        row
        for row in rows
        if row["ts_us"] < cutoff_us and not row["event_type"].endswith((*MESSAGES, "purchase"))
    ]
    if not done:
        return
    day = day_us(max(row["ts_us"] for row in done))
    like = [row for row in done if day_us(row["ts_us"]) == day]
    kinds = ", ".join(sorted({row["event_type"].replace("_", " ") for row in like}))
    for n in ACTIVE_STEPS:
        added = [
            {**row, "ts_us": row["ts_us"] + days * US_PER_DAY, **_session(row, days)}
            # Noon, so that an hour of summer time does not lead to another day.
            for days in (day_us(at + US_PER_DAY // 2) - day for at in _spread(n, cutoff_us))
            for row in like
        ]
        says = f"active on {n} more days like the last ({kinds}) within {WITHIN_DAYS} days"
        yield n, says, {"events": [*rows, *added]}


def _session(row: Row, number: int) -> Row:
    """Return another session for a copy of an event, where sessions are known."""
    known = row.get("session_id") is not None
    return {"session_id": f"{row['session_id']}{MARK}{number}"} if known else {}


def _messages(tables: Tables, *, cutoff_us: int) -> Iterator[tuple[int, str, Tables]]:
    """Yield copies in which more of the messages sent lately were opened an hour later."""
    rows = tables.get("events", ())
    since_us = cutoff_us - WITHIN_DAYS * US_PER_DAY
    lately = [row for row in rows if since_us <= row["ts_us"] < cutoff_us - US_PER_HOUR]
    unopened: list[Row] = []
    for channel in sorted(_channels(lately)):
        sent = sorted(
            (row for row in lately if row["event_type"] == channel + SENT),
            key=lambda row: -row["ts_us"],
        )
        opened = sum(row["event_type"] == channel + OPENED for row in lately)
        unopened += [{**row, "event_type": channel + OPENED} for row in sent[: len(sent) - opened]]
    unopened.sort(key=lambda row: -row["ts_us"])
    for n in OPENED_STEPS:
        if n > len(unopened):
            return
        added = [{**row, "ts_us": row["ts_us"] + US_PER_HOUR} for row in unopened[:n]]
        says = f"{n} more of the messages of the last {WITHIN_DAYS} days opened"
        yield n, says, {"events": [*rows, *added]}


def _channels(rows: Sequence[Row]) -> set[str]:
    kinds = {row["event_type"] for row in rows}
    return {kind.removesuffix(SENT) for kind in kinds if kind.endswith(SENT)}


def _tickets(tables: Tables, *, cutoff_us: int) -> Iterator[tuple[int, str, Tables]]:
    rows = tables.get("support_tickets", ())
    waiting = [row for row in rows if _is_open(row, cutoff_us)]
    if waiting:
        resolved = {"resolved_at_us": cutoff_us - US_PER_DAY}
        says = f"{len(waiting)} open ticket{'s' * (len(waiting) > 1)} resolved the day before"
        yield (
            1,
            says,
            {"support_tickets": [{**row, **resolved} if row in waiting else row for row in rows]},
        )


def _is_open(ticket: Row, cutoff_us: int) -> bool:
    if "resolved_at_us" not in ticket or ticket["opened_at_us"] >= cutoff_us - US_PER_DAY:
        return False
    resolved = ticket["resolved_at_us"]
    return resolved is None or resolved >= cutoff_us


def _spread(count: int, cutoff_us: int) -> list[int]:
    """Return instants evenly over the last days, the newest a day before the cutoff."""
    every = WITHIN_DAYS * US_PER_DAY // count
    return [cutoff_us - US_PER_DAY - step * every for step in range(count)]


def _with_orders(tables: Tables, last: Row, *, times: Sequence[int], cutoff_us: int) -> Tables:
    """Return the tables with orders like the last one, on days that have none yet."""
    kept = [dict(row) for row in tables["orders"] if row["ts_us"] < cutoff_us]
    day_of = (last["ts_us"] // US_PER_DAY) - last["day"]
    for at in times:
        day = at // US_PER_DAY - day_of
        kept.append({**last, "ts_us": at, "day": day, "is_order_day": 1, "refunded_at_us": None})
    kept.sort(key=lambda row: row["ts_us"])
    previous: Row | None = None
    for row in kept:
        row["previous_order_us"] = row["next_order_us"] = None
        if row["is_order_day"] != 1:
            continue
        if previous is not None and previous["day"] == row["day"]:
            row["is_order_day"] = 0
            continue
        if previous is not None:
            row["previous_order_us"] = previous["ts_us"]
            previous["next_order_us"] = row["ts_us"]
        previous = row
    changed = {**tables, "orders": kept}
    if "lines" in tables:
        same = [
            row for row in tables["lines"] if row["ts_us"] // US_PER_DAY - day_of == last["day"]
        ]
        new = [
            {**row, "ts_us": at, **({"order_id": f"{MARK}{i}"} if "order_id" in row else {})}
            for i, at in enumerate(times)
            for row in same
        ]
        changed["lines"] = [*tables["lines"], *new]
    return changed
