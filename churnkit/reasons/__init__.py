"""Why a customer is at risk: exact contributions of every feature, and the strongest in words."""

from __future__ import annotations

from churnkit.reasons.contributions import Contributions, contributions
from churnkit.reasons.sample import ExplainedSample, Sampler
from churnkit.reasons.words import Reasons, phrases_of

__all__ = [
    "Contributions",
    "ExplainedSample",
    "Reasons",
    "Sampler",
    "contributions",
    "phrases_of",
]
