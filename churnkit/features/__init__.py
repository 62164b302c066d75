"""Feature builders, registered by name: importing this room makes all of them known."""

from __future__ import annotations

from churnkit.features import basket, regularity, rfm

__all__ = ["basket", "regularity", "rfm"]
