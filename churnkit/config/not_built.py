"""What a configuration may name one day and is refused today; building a thing deletes its entry."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

__all__ = ["NOT_BUILT_YET", "asks_for_not_built"]

NOT_BUILT_YET: dict[str, str] = {
    "engine.kind=spark": "'spark' is not built yet; use 'duckdb'",
    "data.orders.source=postgresql://*": (
        "postgresql:// sources are not built yet; export the table to Parquet or CSV"
    ),
    "data.events": "this table is not built yet; leave it out",
    "data.subscriptions": "this table is not built yet; leave it out",
    "data.support_tickets": "this table is not built yet; leave it out",
    "data.surveys": "this table is not built yet; leave it out",
    "data.rewards": "this table is not built yet; leave it out",
    "data.customers": "this table is not built yet; leave it out",
    "data.marketing_costs": "this table is not built yet; leave it out",
    "data.campaigns": "this table is not built yet; leave it out",
    "label.kind=own_gap": "'own_gap' is not built yet; use 'no_order'",
    "label.kind=subscription_end": "'subscription_end' is not built yet; use 'no_order'",
}
"""``path`` (refused unless null) or ``path=pattern`` (refused where the text matches): the sentence."""


def asks_for_not_built(raw: Mapping[str, object]) -> dict[tuple[str, ...], str]:
    """Return the paths in a raw configuration that ask for what is not built, with the sentence.

    Examples
    --------
    >>> asks_for_not_built({"engine": {"kind": "spark"}})
    {('engine', 'kind'): "'spark' is not built yet; use 'duckdb'"}
    """
    found = {}
    for entry, sentence in NOT_BUILT_YET.items():
        key, _, pattern = entry.partition("=")
        path = tuple(key.split("."))
        value: object = raw
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is not None and (not pattern or fnmatchcase(str(value), pattern)):
            found[path] = sentence
    return found
