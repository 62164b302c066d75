"""Models of churn risk and lifetime value; importing this room registers every learner."""

from __future__ import annotations

from churnkit.models import boosting

__all__ = ["boosting"]
