"""Customers by the strongest reason of their risk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix
    from churnkit.models.settings import Predictions
    from churnkit.reasons.words import Reasons

    Floats = NDArray[np.float64]

__all__ = ["ReasonCohorts"]


@dataclass(kw_only=True, eq=False)
class ReasonCohorts:
    """Gathers the strongest reason of each customer of a population that comes in batches.

    Parameters
    ----------
    reasons : Reasons
    names : tuple of str
        Of the features.
    """

    reasons: Reasons
    names: tuple[str, ...]
    # By customer: the first member of the strongest group, and the member that is said.
    top: list[NDArray[np.intp]] = field(default_factory=list)

    def see(self, features: FeatureMatrix, weights: Floats) -> None:
        """Add some customers, with the contributions to their risk, shape (n, n_features)."""
        sums, said = self.reasons.sums(features, weights)
        group = np.argmax(sums, axis=1)
        rows = np.arange(len(sums))
        first = np.array([positions[0] for positions in self.reasons.groups_of(self.names)])
        found = np.column_stack([first[group], said[rows, group]])
        # -1: nothing raises it.
        self.top.append(np.where((sums[rows, group] > 0.0)[:, None], found, -1))

    def rows(self, predictions: Predictions) -> list[dict[str, Any]]:
        """Return one row for each strongest reason, the one of most customers first.

        Parameters
        ----------
        predictions : Predictions
            Of all the customers, in their order.

        Returns
        -------
        list of dict
            ``feature`` (of the group the one said most often, None where nothing raises the risk),
            ``says``, ``customers``, ``share`` (per cent), ``churn_probability`` (mean) and
            ``expected_spend`` (sum).
        """
        top = np.concatenate(self.top)
        rows = []
        for group in np.unique(top[:, 0]):
            inside = top[:, 0] == group
            said, times = np.unique(top[inside, 1], return_counts=True)
            name = None if group < 0 else self.names[said[np.argmax(times)]]
            rows.append(
                {
                    "feature": name,
                    "says": "nothing raises the risk above the average"
                    if name is None
                    else self.reasons.phrases[name].label,
                    "customers": int(inside.sum()),
                    "share": 100.0 * float(inside.mean()),
                    "churn_probability": float(predictions.churn_probability[inside].mean()),
                    "expected_spend": float(predictions.expected_spend[inside].sum()),
                }
            )
        return sorted(rows, key=lambda row: -row["customers"])
