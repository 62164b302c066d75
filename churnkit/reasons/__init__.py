"""Why a customer is at risk: exact contributions of every feature, and the strongest in words."""

from __future__ import annotations

from churnkit.reasons.contributions import Contributions, contributions
from churnkit.reasons.groups import correlated_groups
from churnkit.reasons.sample import ExplainedSample, Sampler
from churnkit.reasons.words import Reason, Reasons, phrases_of

__all__ = [
    "Contributions",
    "ExplainedSample",
    "Reason",
    "Reasons",
    "Sampler",
    "contributions",
    "correlated_groups",
    "phrases_of",
]
