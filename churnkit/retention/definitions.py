"""Which of the field's definitions a report uses: never silent, each named in its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from churnkit.errors import ParameterError
from churnkit.formulas import (
    CES_VARIANTS,
    CHURN_VARIANTS,
    LIFESPAN_VARIANTS,
    LIFETIME_VARIANTS,
    NET_VARIANTS,
    REPEAT_VARIANTS,
)
from churnkit.registry import did_you_mean
from churnkit.retention.segments import DEFAULT_RULES, SegmentRules

__all__ = ["DEFAULT_DEFINITIONS", "Definitions"]


@dataclass(frozen=True, kw_only=True)
class Definitions:
    """Everything that practice defines in several ways.

    Parameters
    ----------
    churn, repeat, net_revenue, ces, lifespan : str
        Variants, see :data:`~churnkit.formulas.CHURN_VARIANTS`,
        :data:`~churnkit.formulas.REPEAT_VARIANTS`, :data:`~churnkit.formulas.NET_VARIANTS`,
        :data:`~churnkit.formulas.CES_VARIANTS` and :data:`~churnkit.formulas.LIFESPAN_VARIANTS`.
    csat_options, ces_options : int
        Options of the scales; NPS has always 0 to 10.
    csat_positive_from : int, optional
        Lowest positive score; the top two options if not given.
    user_events : tuple of str, optional
        Values of ``event_type`` that make a user active: what was sent to somebody is no action of
        theirs. By default every event does.
    cart_event, purchase_event : str
        ``event_type`` of a filled cart and of a purchase.
    cart_window_hours : float, default 24
        A cart without a purchase of the customer in so many hours is abandoned. It is what is
        filled in one session, or without one until a purchase or a pause of so many hours.
    discounted : str
        Variant of the discounted lifetime value, see
        :data:`~churnkit.formulas.LIFETIME_VARIANTS`.
    yearly_discount_rate : float, default 0
        As a fraction, >= 0: 0.10 is ten percent.
    lift_points : float, default 5
        Percentage points of retention whose effect ``retention_lift`` shows.
    segments : SegmentRules
        What makes ``rfm_segment`` of the scores.
    level : float, default 0.95
        Level of all intervals.
    seed : int, default 0
        Seed of all resampling.

    Raises
    ------
    ParameterError
        If a variant is unknown.
    """

    churn: Literal["start_of_period", "including_joiners", "mean_of_daily"] = "start_of_period"
    repeat: Literal["in_period", "ever"] = "in_period"
    net_revenue: Literal["closed", "with_reactivations"] = "closed"
    ces: Literal["share_of_scale", "mean", "top_two_box"] = "share_of_scale"
    lifespan: Literal["observed", "churn"] = "observed"
    csat_options: int = 5
    csat_positive_from: int | None = None
    ces_options: int = 7
    user_events: tuple[str, ...] | None = None
    cart_event: str = "cart_add"
    purchase_event: str = "purchase"
    cart_window_hours: float = 24.0
    discounted: Literal["first_margin_excluded", "first_margin_counted"] = "first_margin_excluded"
    yearly_discount_rate: float = 0.0
    lift_points: float = 5.0
    segments: SegmentRules = DEFAULT_RULES
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        known = {
            "churn": CHURN_VARIANTS,
            "repeat": REPEAT_VARIANTS,
            "net_revenue": NET_VARIANTS,
            "ces": CES_VARIANTS,
            "lifespan": LIFESPAN_VARIANTS,
            "discounted": LIFETIME_VARIANTS,
        }
        for name, variants in known.items():
            if (given := getattr(self, name)) not in variants:
                guess, names = did_you_mean(str(given), variants), ", ".join(variants)
                msg = (
                    f"definitions: {name} must be a variant; got {given!r}.{guess} Known: {names}."
                )
                raise ParameterError(msg)


DEFAULT_DEFINITIONS = Definitions()
"""The default variant of every formula."""
