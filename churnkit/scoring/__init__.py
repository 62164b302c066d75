"""One row for every customer: predictions, reasons and formula metrics, with counts that reconcile."""

from __future__ import annotations

from churnkit.scoring.cluster import scored_on_cluster
from churnkit.scoring.customers import score_customers
from churnkit.scoring.request import ScoreRequest, ScoreSummary
from churnkit.scoring.table import score_schema

__all__ = ["ScoreRequest", "ScoreSummary", "score_customers", "score_schema", "scored_on_cluster"]
