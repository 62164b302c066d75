"""Lets the configured features learn what they keep from training, such as levels of categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.features.learned import fit_builder
from churnkit.features.named import make_builders

if TYPE_CHECKING:
    from churnkit.data.windows import Snapshot
    from churnkit.pipeline.session import Session

__all__ = ["learned_features"]


def learned_features(session: Session, snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Return the configured features with their options and what they learn at a cutoff.

    Parameters
    ----------
    session : Session
    snapshot : Snapshot
        The newest that is trained on: nothing after its cutoff is looked at.
    """
    features = {name: dict(options) for name, options in session.config.features.items()}
    known = session.read.history.known(snapshot)
    for (name, options), builder in zip(features.items(), make_builders(features), strict=True):
        features[name] = options | fit_builder(builder, known)[1]
    return features
