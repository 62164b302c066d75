"""The verbs of churnkit: the only place where a configuration meets the rooms."""

from __future__ import annotations

from churnkit.config import load_config
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.explaining import explain
from churnkit.pipeline.features import build_features
from churnkit.pipeline.listing import list_names, promote
from churnkit.pipeline.metrics import retention_metrics
from churnkit.pipeline.reporting import report
from churnkit.pipeline.running import run
from churnkit.pipeline.scoring import score
from churnkit.pipeline.starter import init
from churnkit.pipeline.training import backtest, train
from churnkit.pipeline.validating import validate

__all__ = [
    "as_config",
    "backtest",
    "build_features",
    "explain",
    "init",
    "list_names",
    "load_config",
    "promote",
    "report",
    "retention_metrics",
    "run",
    "score",
    "train",
    "validate",
]
