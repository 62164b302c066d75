"""Why a customer is at risk: exact contributions of every feature, and the strongest in words."""

from __future__ import annotations

from churnkit.reasons.cohorts import ReasonCohorts
from churnkit.reasons.contributions import Contributions, contributions
from churnkit.reasons.drivers import (
    DriverSums,
    change_of_drivers,
    dependence,
    drivers_by_group,
    drivers_by_segment,
)
from churnkit.reasons.groups import correlated_groups, group_sums, leaders, members
from churnkit.reasons.sample import ExplainedSample, Sampler
from churnkit.reasons.scales import STEPS, FinalSteps, final_steps, on_probability
from churnkit.reasons.spend import spend_contributions
from churnkit.reasons.words import Reason, Reasons, phrases_of, typical_values

__all__ = [
    "STEPS",
    "Contributions",
    "DriverSums",
    "ExplainedSample",
    "FinalSteps",
    "Reason",
    "ReasonCohorts",
    "Reasons",
    "Sampler",
    "change_of_drivers",
    "contributions",
    "correlated_groups",
    "dependence",
    "drivers_by_group",
    "drivers_by_segment",
    "final_steps",
    "group_sums",
    "leaders",
    "members",
    "on_probability",
    "phrases_of",
    "spend_contributions",
    "typical_values",
]
