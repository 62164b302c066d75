"""The words for contributions that a configuration and a model ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.features.named import make_builders
from churnkit.features.phrases import NumberFormat
from churnkit.reasons import Reasons, phrases_of

if TYPE_CHECKING:
    from churnkit.config import Config
    from churnkit.models.bundle import Bundle

__all__ = ["reasons_of"]


def reasons_of(config: Config, bundle: Bundle) -> Reasons:
    """Return what puts the contributions of a model into words."""
    scoring = config.scoring
    return Reasons(
        phrases=phrases_of(make_builders(bundle.features)),
        typical=bundle.typical,
        count=scoring.reasons,
        groups=bundle.groups,
        numbers=NumberFormat(name=scoring.numbers, currency=scoring.currency),
    )
