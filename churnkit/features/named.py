"""Makes feature builders of the names and options that a configuration or a bundle holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.features.build import FEATURE_BUILDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.features.build import FeatureBuilder

__all__ = ["make_builders"]


def make_builders(features: Mapping[str, Mapping[str, Any]]) -> list[FeatureBuilder]:
    """Return the builders that a configuration or a bundle names, in its order."""
    return [
        FEATURE_BUILDERS[name](
            **{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        )
        for name, options in features.items()
    ]
