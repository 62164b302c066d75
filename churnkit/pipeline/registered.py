"""Where models are kept, and the one that a verb works with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.models.bundle import load_bundle
from churnkit.tracking import Tracker

if TYPE_CHECKING:
    from churnkit.config import Config
    from churnkit.models.bundle import Bundle

__all__ = ["MODELS_FOLDER", "open_bundle"]

MODELS_FOLDER = Path("models")


def open_bundle(config: Config, model: str | Path | None = None) -> Bundle:
    """Return a model by folder or reference; by default the configuration's champion.

    Raises
    ------
    ParameterError
        If the registry has no such model, version or alias.
    ModelGuardError
        If there is no bundle, or one that cannot be read.
    """
    reference = str(model or f"models:/{config.tracking.registered_model}@champion")
    return load_bundle(Tracker(config.tracking.uri, folder=MODELS_FOLDER).download(reference))
