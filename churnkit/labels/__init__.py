"""What happened after the cutoff: who ordered or stayed subscribed, how often and for how much."""

from __future__ import annotations

from churnkit.labels.advice import HorizonAdvice, HorizonOutcome, horizon_advice
from churnkit.labels.base import LABEL_COLUMNS, LABELS, Label
from churnkit.labels.named import make_label
from churnkit.labels.orders import NoOrder, OwnGap
from churnkit.labels.subscriptions import SubscriptionEnd

__all__ = [
    "LABELS",
    "LABEL_COLUMNS",
    "HorizonAdvice",
    "HorizonOutcome",
    "Label",
    "NoOrder",
    "OwnGap",
    "SubscriptionEnd",
    "horizon_advice",
    "make_label",
]
