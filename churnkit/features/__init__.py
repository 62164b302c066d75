"""Feature builders, registered by name: importing this room makes all of them known."""

from __future__ import annotations

from churnkit.features import (
    attributes,
    basket,
    engagement,
    loyalty,
    purchase_model,
    regularity,
    rfm,
    subscription,
    support,
    survey,
)

__all__ = [
    "attributes",
    "basket",
    "engagement",
    "loyalty",
    "purchase_model",
    "regularity",
    "rfm",
    "subscription",
    "support",
    "survey",
]
