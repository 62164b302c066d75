"""Feature builders, registered by name: importing this room makes all of them known."""

from __future__ import annotations

from churnkit.features import basket, engagement, purchase_model, regularity, rfm

__all__ = ["basket", "engagement", "purchase_model", "regularity", "rfm"]
