"""Finds what the events of a log are called: looking, filling a cart, buying, messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churnkit.engines import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.engines import DuckDBEngine

__all__ = ["EventNames", "event_names"]

# What a log calls them, in lower case without separators, the surest first.
PARTS: Mapping[str, tuple[str, ...]] = {
    "view": (
        *("productview", "viewproduct", "productviewed", "viewitem", "itemview", "detailview"),
        *("productdetail", "view"),
    ),
    "cart": (
        *("cartadd", "addtocart", "addcart", "addedtocart", "cartadded", "productadded"),
        *("addtobasket", "basketadd", "addtobag"),
    ),
    "purchase": (
        *("purchase", "purchased", "purchasecompleted", "order", "ordered", "orderplaced"),
        *("ordercompleted", "orderpaid", "placeorder", "buy", "bought", "sale", "transaction"),
        "checkoutcompleted",
    ),
    "visit": ("visit", "sessionstart", "appopen", "login", "home", "homepage", "pageview"),
}
MOST = 20  # kinds of events that get features of their own: each adds a handful of columns
MESSAGE = re.compile(r"(\w+)_(sent|opened|clicked)")


@dataclass(frozen=True, kw_only=True)
class EventNames:
    """What the events of a log are called.

    Attributes
    ----------
    counted : tuple of str
        The most frequent kinds that are no messages.
    channels : tuple of str
        Of messages: ``email`` where there are ``email_sent``, ``email_opened`` …
    parts : mapping of str to str
        ``view``, ``cart``, ``purchase`` and ``visit``, those that there are, with the log's names.
    purchases : tuple of str
        All kinds that mean buying.
    others : bool
        Whether anything but buying is in the log.
    """

    counted: tuple[str, ...]
    channels: tuple[str, ...]
    parts: Mapping[str, str]
    purchases: tuple[str, ...]
    others: bool

    @property
    def bought(self) -> tuple[str, ...]:
        """Kinds whose rows are orders: those of buying, beside others; none if all rows are."""
        return self.purchases if self.others else ()


def event_names(view: str, column: str, *, engine: DuckDBEngine) -> EventNames:
    """Look at the kinds of events of a file.

    Parameters
    ----------
    view : str
        The file, as SQL names it.
    column : str
        The file's own column that says what kind of event a row is.
    engine : DuckDBEngine
    """
    name = f"CAST({quoted(column)} AS VARCHAR)"
    found = engine.collect(
        engine.select(
            f"SELECT {name} AS kind, count(*) AS n FROM {view} WHERE trim({name}) <> ''"
            " GROUP BY ALL ORDER BY n DESC, kind"
        )
    )
    kinds: list[str] = found["kind"].to_pylist()
    messages = {kind: match[1] for kind in kinds if (match := MESSAGE.fullmatch(kind))}
    plain: dict[str, str] = {}
    for kind in kinds:
        plain.setdefault(re.sub(r"[^a-z0-9]", "", kind.lower()), kind)
    spelled = {part: [plain[s] for s in known if s in plain] for part, known in PARTS.items()}
    return EventNames(
        counted=tuple(kind for kind in kinds if kind not in messages)[:MOST],
        channels=tuple(sorted(set(messages.values()))),
        parts={part: names[0] for part, names in spelled.items() if names},
        purchases=tuple(spelled["purchase"]),
        others=len(kinds) > len(spelled["purchase"]),
    )
