"""Simulated histories that a configuration names like bundled data: ``source: dataset:simulated_shop``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from churnkit.data.simulate.shop import TABLES, ShopHistory, simulate_shop
from churnkit.errors import UnknownNameError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIMULATED", "simulated", "simulated_table"]

SIMULATED: Mapping[str, str] = {
    "simulated_shop": "A shop of 2,000 customers over two years: every table, and known truth.",
    "simulated_saas": "A subscription business of 2,500 accounts over two years, and known truth.",
}
"""Names with what they are; the tables of each are those of :data:`~.shop.TABLES`."""

_SHAPES: Mapping[str, Mapping[str, Any]] = {
    "simulated_shop": {"customers": 2_000, "days": 730, "seed": 7},
    "simulated_saas": {"customers": 2_500, "days": 730, "seed": 11},
}


def simulated(name: str) -> ShopHistory:
    """Return a simulated history with its truth; the same at every call.

    Raises
    ------
    UnknownNameError
        If there is none of this name.

    Examples
    --------
    >>> simulated("simulated_shop").tables["subscriptions"].column_names[:3]
    ['subscription_id', 'customer_id', 'started_at']
    """
    if name not in SIMULATED:
        known = ", ".join(SIMULATED)
        msg = f"unknown simulated dataset {name!r}.{did_you_mean(name, SIMULATED)} Known: {known}."
        raise UnknownNameError(msg)
    return _made(name)


def simulated_table(name: str, table: str) -> Any:
    """Return one table of a simulated history as Arrow.

    Raises
    ------
    UnknownNameError
        If there is no history, or no table, of this name.
    """
    history = simulated(name)
    if table not in history.tables:
        guess = did_you_mean(table, TABLES)
        msg = f"{name}: unknown table {table!r}.{guess} Known: {', '.join(TABLES)}."
        raise UnknownNameError(msg)
    return history.tables[table]


@lru_cache(maxsize=2)
def _made(name: str) -> ShopHistory:
    return simulate_shop(**_SHAPES[name])
