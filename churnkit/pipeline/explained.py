"""What ``explain`` returns: drivers of a population, and pages of single customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.errors import ParameterError
from churnkit.reasons import dependence
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from plotly.graph_objects import Figure

    from churnkit.pipeline.customer_page import CustomerPage
    from churnkit.reasons import ExplainedSample

__all__ = ["ExplainResult"]

FRAMES = ("drivers", "groups", "segments", "cohorts", "interactions", "changes")


@dataclass(frozen=True, kw_only=True)
class ExplainResult:
    """What drives churn, or expected spend, over a population and for single customers.

    Contributions are exact Shapley values of the learner, in log-odds of churning or in logs of
    spend. What comes after it, the blend with the purchase model, calibration and the level of the
    portfolio, is in each customer's page and in :meth:`to_shap`.

    Attributes
    ----------
    target : {"churn", "spend"}
    as_of, model_version : str
    population : int
        Customers explained.
    method : str
        What computed the contributions, and by which rule it was chosen.
    drivers : list of dict
        By feature, the strongest first; see :meth:`churnkit.reasons.DriverSums.rows`.
    groups : list of dict
        The same by group of correlated features, which are one reason; see
        :func:`churnkit.reasons.drivers_by_group`.
    by : str
        What the segments are.
    segments : list of dict
        The same for each segment of the sample, the largest first.
    cohorts : list of dict
        Customers by the strongest reason for their risk: ``feature``, ``says``, ``customers``,
        ``share``, ``churn_probability`` (mean), ``expected_spend`` (sum). Empty for spend.
    interactions : list of dict or None
        Strongest pairs, on 1,000 customers of the sample: ``feature``, ``with``, ``says``,
        ``with_says``, ``mean_joint_effect``. None where the model's interactions cannot be computed.
    compared_with : str or None
        The other date.
    changes : list of dict
        See :func:`churnkit.reasons.change_of_drivers`; empty without another date.
    customers : dict of str to CustomerPage
        Customers asked for.
    sample : ExplainedSample
        At most 5,000 customers of the population drawn at random, with features and contributions.
    output : Path or None
        Contributions of everybody, if written.
    """

    target: str
    as_of: str
    model_version: str
    population: int
    method: str
    drivers: list[dict[str, Any]] = field(repr=False)
    groups: list[dict[str, Any]] = field(repr=False)
    by: str
    segments: list[dict[str, Any]] = field(repr=False)
    cohorts: list[dict[str, Any]] = field(repr=False)
    interactions: list[dict[str, Any]] | None = field(repr=False)
    sample: ExplainedSample = field(repr=False)
    compared_with: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list, repr=False)
    customers: dict[str, CustomerPage] = field(default_factory=dict, repr=False)
    output: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the sample stays out."""
        return {
            "target": self.target,
            "as_of": self.as_of,
            "model_version": self.model_version,
            "population": self.population,
            "method": self.method,
            "drivers": self.drivers,
            "groups": self.groups,
            "by": self.by,
            "segments": self.segments,
            "cohorts": self.cohorts,
            "interactions": self.interactions,
            "compared_with": self.compared_with,
            "changes": self.changes,
            "customers": {name: page.to_dict() for name, page in self.customers.items()},
            "output": None if self.output is None else str(self.output),
        }

    def to_pandas(self, what: str = "drivers") -> Any:
        """Return a part as a frame.

        ``drivers``, ``groups``, ``segments``, ``cohorts``, ``interactions`` or ``changes``.

        Raises
        ------
        ParameterError
            If there is no such part.
        """
        import pandas as pd

        if what not in FRAMES:
            guess = did_you_mean(what, FRAMES)
            msg = (
                f"to_pandas: what must be a part; got {what!r}.{guess} Known: {', '.join(FRAMES)}."
            )
            raise ParameterError(msg)
        return pd.DataFrame(getattr(self, what) or [])

    def dependence(self, feature: str) -> Any:
        """Return a frame of what a feature adds over its values, from the sample.

        Columns ``value`` (mean of the bin, null: not known), ``customers``, ``mean``, ``low`` and
        ``high`` (10 % and 90 % quantiles).

        Raises
        ------
        ParameterError
            If the model has no such feature.
        """
        import pandas as pd

        position = self._position(feature)
        values = self.sample.values[:, position]
        return pd.DataFrame(dependence(values, self.sample.contributions[:, position]))

    def to_shap(self, *, scale: Any = "learner", words: bool = False) -> Any:
        """Return the sample as a ``shap.Explanation``; see :meth:`.ExplainedSample.to_shap`."""
        return self.sample.to_shap(scale=scale, words=words)

    def plot(self, kind: str = "drivers", *, feature: str | None = None, most: int = 15) -> Figure:
        """Draw the explanation.

        Parameters
        ----------
        kind : {"drivers", "beeswarm", "dependence", "segments", "changes"}
            Bars with intervals; one dot per customer and feature; contribution over the value of
            ``feature``; drivers by segment; change between the dates.
        feature : str, optional
            Of the dependence; by default the strongest.
        most : int, default 15
            Features shown.

        Raises
        ------
        ParameterError
            If the kind or the feature is not known, or there is no other date to show changes from.
        """
        from churnkit.reporting.driver_plots import plot_explanation

        chosen = feature or self.drivers[0]["feature"]
        self._position(chosen)
        return plot_explanation(self, kind=kind, feature=chosen, most=most)

    def _position(self, feature: str) -> int:
        names = self.sample.feature_names
        if feature not in names:
            guess = did_you_mean(feature, names)
            msg = f"explain: feature must be one of the model's; got {feature!r}.{guess}"
            raise ParameterError(msg)
        return names.index(feature)
