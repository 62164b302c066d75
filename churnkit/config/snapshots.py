"""Who is looked at when, and what counts as churned: snapshots, population and label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from churnkit.config.faults import Fault, FaultsError, shown
from churnkit.config.frozen import Section, thaw
from churnkit.config.values import Day, Days, DaysOrNone, Fraction, Names, Positive, Share, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPTIONS_OF", "Label", "Population", "Snapshots"]

OPTIONS_OF: Mapping[str, tuple[str, ...]] = {
    "no_order": (),
    "own_gap": ("quantile", "prior_gaps"),
    "subscription_end": ("ends", "resubscribe_days", "trial_plans"),
}
"""Options of a label by its kind."""


class Snapshots(Section):
    """The cutoffs to learn from and to test on."""

    horizon_days: Days = Field(
        default=90, description="length of the future to predict; churned is what label says"
    )
    gap_days: DaysOrNone = Field(
        default=0,
        description="days between the cutoff and the horizon, time for a campaign to start",
    )
    observation_days: Days = Field(
        default=730, description="length of the history before a cutoff that features may see"
    )
    every_days: Days = Field(default=30, description="days from one cutoff to the next")
    count: Whole = Field(
        default=12, description="training snapshots wanted; fewer if history is short"
    )
    test: Whole = Field(default=1, description="newest snapshots, kept out of training to test on")
    last: Day = Field(default=None, description="newest cutoff; null: the last mature one")
    customers_share: Share = Field(
        default=1.0,
        description="share of the customers to learn from and test on; all are scored",
    )


class Population(Section):
    """The customers who are scored."""

    active_within_days: Days = Field(
        default=365,
        description="last order in this many business days before the cutoff; subscribers are all who pay",
    )
    min_orders: Whole = Field(default=1, description="orders needed before the cutoff")


class Label(Section):
    """What counts as churned."""

    kind: Literal["no_order", "own_gap", "subscription_end"] = Field(
        default="no_order",
        description="no_order: no order in the horizon; own_gap: and silent for longer than the"
        " customer's own rhythm; subscription_end: the paid subscription ends, with"
        " data.subscriptions and with or without orders",
    )
    quantile: Fraction | None = Field(
        default=None,
        description="own_gap: share of a customer's gaps that are shorter than what counts as gone;"
        " null: 0.9",
    )
    prior_gaps: Positive | None = Field(
        default=None,
        description="own_gap: how many gaps of everybody's mean length each customer is given;"
        " null: 2",
    )
    ends: Literal["last", "any"] | None = Field(
        default=None,
        description="subscription_end: last: a customer left when no paid subscription runs any"
        " more; any: when any one of those that ran has ended; null: last",
    )
    resubscribe_days: DaysOrNone | None = Field(
        default=None,
        description="subscription_end: a start so many days after an end, or sooner, continues the"
        " subscription; null: 30",
    )
    trial_plans: Names = Field(
        default=None,
        description="subscription_end: plans that are trials, which count as no subscription, like"
        " periods without revenue",
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options that are given, as plain values."""
        given = {name: getattr(self, name) for name in OPTIONS_OF[self.kind]}
        return {name: thaw(value) for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _options_of_the_kind(self) -> Self:
        faults = [
            Fault((name,), f"is only for label.kind {kind!r}; got {shown(thaw(value))}")
            for kind, names in OPTIONS_OF.items()
            for name in names
            if kind != self.kind and (value := getattr(self, name)) is not None
        ]
        if faults:
            raise FaultsError(*faults)
        return self
