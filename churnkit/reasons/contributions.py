"""Exact contributions of every feature to a model's raw score, checked to add up to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix
    from churnkit.models.learner import FittedLearner

    Floats = NDArray[np.float64]

__all__ = ["Contributions", "contributions"]

TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """Shapley values of a model's raw score.

    Attributes
    ----------
    feature_names : tuple of str
    values : ndarray of float64, shape (n_customers, n_features)
        In log-odds for churn: what each feature adds to, or takes from, the base.
    base : float
        Raw score of the average training row; base + sum of values is the raw prediction. 0 where
        there are no rows.
    method : str
        What explained the rows, and by which rule it was chosen.
    """

    feature_names: tuple[str, ...]
    values: Floats
    base: float
    method: str = ""

    def importance(self) -> dict[str, float]:
        """Return mean |contribution| by feature, the strongest first."""
        mean = (
            np.abs(self.values).mean(axis=0)
            if len(self.values)
            else np.zeros(len(self.feature_names))
        )
        order = np.argsort(-mean, kind="stable")
        return {self.feature_names[i]: float(mean[i]) for i in order}


def contributions(learner: FittedLearner, features: FeatureMatrix) -> Contributions:
    """Return exact contributions, checked to add up to the raw predictions.

    Raises
    ------
    ModelGuardError
        If a row's contributions miss its raw prediction by more than 1e-4.
    """
    if not len(features.values):
        # LightGBM divides by the number of rows.
        nobody = np.zeros((0, len(features.names)))
        return Contributions(feature_names=features.names, values=nobody, base=0.0)
    full = learner.contributions(features)
    raw = learner.predict_raw(features)
    error = float(np.max(np.abs(full.sum(axis=1) - raw)))
    if error > TOLERANCE * max(1.0, float(np.max(np.abs(raw)))):
        msg = f"explain: contributions must add up to the raw prediction; off by {error:.2g}"
        raise ModelGuardError(msg)
    return Contributions(
        feature_names=features.names,
        values=full[:, :-1],
        base=float(full[0, -1]),
        method=learner.contributions_method(len(full)),
    )
