"""MLflow: runs, registered models and the alias that says which of them scores."""

from __future__ import annotations

from churnkit.tracking.champion import decide_champion
from churnkit.tracking.runs import Run
from churnkit.tracking.tracker import CHAMPION, ModelVersion, Tracker

__all__ = ["CHAMPION", "ModelVersion", "Run", "Tracker", "decide_champion"]
