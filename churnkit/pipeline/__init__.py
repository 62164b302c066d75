"""The verbs of churnkit: the only place where a configuration meets the rooms."""

from __future__ import annotations

from churnkit.config import load_config
from churnkit.features.build import FeatureTable
from churnkit.pipeline.scoring import explain, run, score
from churnkit.pipeline.session import as_config
from churnkit.pipeline.training import backtest, train, validate

__all__ = [
    "FeatureTable",
    "as_config",
    "backtest",
    "explain",
    "load_config",
    "run",
    "score",
    "train",
    "validate",
]
