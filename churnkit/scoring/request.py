"""What to score, and what is said about a scored table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from churnkit.retention.segments import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from churnkit.models.base import FeatureMatrix
    from churnkit.models.total import TotalRange
    from churnkit.retention.customer import MetricSection
    from churnkit.retention.segments import SegmentRules

__all__ = ["ScoreRequest", "ScoreSummary"]


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What to score and how to write it.

    Attributes
    ----------
    as_of : date
        First business day that is not known.
    risk_bands : mapping
        ``medium`` and ``high``: probabilities at which the bands begin.
    reason_columns : tuple of str
        Columns that ``explain`` returns, in order.
    explain : callable
        Features of customers → reason columns (see :class:`churnkit.reasons.Reasons`).
    scored_at : datetime
        When the run began, UTC.
    sections : tuple of MetricSection
        Formula metrics that other tables add to the customers.
    segments : SegmentRules
        What makes ``rfm_segment`` of the scores.
    lifespan, yearly_churn_probability
        Of ``formula_ltv``, see :func:`churnkit.retention.customer.customer_metrics`.
    value_days : int or None
        Length of time over which ``expected_ltv`` counts; None means that of the bundle.
    """

    as_of: date
    risk_bands: Mapping[str, float]
    reason_columns: tuple[str, ...]
    explain: Callable[[FeatureMatrix], Mapping[str, list[Any]]]
    scored_at: datetime
    sections: tuple[MetricSection, ...] = ()
    segments: SegmentRules = DEFAULT_RULES
    lifespan: Literal["observed", "churn"] = "observed"
    yearly_churn_probability: float | None = None
    value_days: int | None = None

    @property
    def section_names(self) -> tuple[str, ...]:
        """Columns of the sections, in order."""
        return tuple(name for section in self.sections for name in section.names)


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """What the manifest says about a scored table.

    Attributes
    ----------
    rows : int
        Rows written.
    statuses, risk_bands : dict of str to int
        Rows by ``status``, and scored rows by band.
    totals : dict of str to float
        Sums over the scored customers.
    level : dict of str to float
        What set the level of the predictions.
    drift : dict of str to float or None
        Population stability index against training by feature, and of ``churn_probability``.
    total : TotalRange or None
        Where the total spend should lie.
    value_days : int
        Length of time over which ``expected_ltv`` counts.
    """

    rows: int
    statuses: dict[str, int]
    risk_bands: dict[str, int]
    totals: dict[str, float]
    level: dict[str, float]
    drift: dict[str, float | None]
    total: TotalRange | None
    value_days: int
