"""Counts of rows: 0 for customers without any, in trailing windows, against the window before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.features.build import unknown

if TYPE_CHECKING:
    from churnkit.features.build import Known

__all__ = ["compared", "counted", "recent"]


def counted(name: str) -> nw.Expr:
    """Return an aggregate that is 0 for customers without a row in its table."""
    return nw.col(name).fill_null(0.0)


def recent(known: Known, days: int) -> nw.Expr:
    """Return whether a row lies in the last ``days`` business days."""
    return nw.col("ts_us") >= known.days_ago_us(days)


def compared(name: str, days: int, *, known: Known) -> dict[str, nw.Expr]:
    """Return the count of a window and its change against the window before it, null if not seen."""
    window, change = f"{name}_{days}d", f"{name}_change_{days}d"
    if not known.reaches_back(days, table="events"):
        return unknown(window, change)
    now = counted(f"_{window}")
    if not known.reaches_back(2 * days, table="events"):
        return {window: now, **unknown(change)}
    return {window: now, change: 2.0 * now - counted(f"_{name}_{2 * days}d")}
