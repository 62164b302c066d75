"""Why a customer is at risk: exact contributions of every feature, and the strongest in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from churnkit.features.build import FeatureBuilder, Phrase
    from churnkit.models.base import FeatureMatrix, FittedLearner

    Floats = NDArray[np.float64]

__all__ = ["Contributions", "Reasons", "contributions", "phrases_of"]

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
    """

    feature_names: tuple[str, ...]
    values: Floats
    base: float

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
    return Contributions(feature_names=features.names, values=full[:, :-1], base=float(full[0, -1]))


def phrases_of(builders: Sequence[FeatureBuilder]) -> dict[str, Phrase]:
    """Return the phrase of every feature of the builders."""
    return {name: phrase for builder in builders for name, phrase in builder.phrases.items()}


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """Puts the strongest risk-raising contributions of each customer into words.

    Parameters
    ----------
    phrases : mapping of str to Phrase
        By feature.
    typical : mapping of str to float or None
        Value of each feature typical of customers who stayed.
    count : int
        Reasons per customer; fewer where fewer features raise the risk.
    """

    phrases: Mapping[str, Phrase]
    typical: Mapping[str, float | None]
    count: int

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns of :meth:`columns`: words, then feature and contribution of each."""
        return tuple(
            name
            for i in range(1, self.count + 1)
            for name in (f"reason_{i}", f"reason_{i}_feature", f"reason_{i}_contribution")
        )

    def columns(self, features: FeatureMatrix, explained: Contributions) -> dict[str, list[Any]]:
        """Return the reason columns, None where a customer has fewer reasons.

        Parameters
        ----------
        features : FeatureMatrix, shape (n, n_features)
        explained : Contributions
            Of the same rows, of the churn model: positive values raise the risk.
        """
        made: dict[str, list[Any]] = {name: [] for name in self.column_names}
        if not self.count:
            return made
        # What says nothing of the customer is no reason: the date of the run, or a missing value.
        sayable = np.array(["{value}" in self.phrases[n].text for n in explained.feature_names])
        told = sayable & np.isfinite(features.values)
        values = np.where(told, explained.values, -np.inf)
        top = np.argsort(-values, axis=1, kind="stable")[:, : self.count]
        rows = np.arange(len(values))
        for i in range(self.count):
            if i >= top.shape[1]:
                for suffix in ("", "_feature", "_contribution"):
                    made[f"reason_{i + 1}{suffix}"] = [None] * len(values)
                continue
            chosen = top[:, i]
            weight, value = values[rows, chosen], features.values[rows, chosen]
            raises = weight > 0.0
            names = [explained.feature_names[j] for j in chosen]
            made[f"reason_{i + 1}"] = [
                self._say(name, float(v)) if up else None
                for name, v, up in zip(names, value, raises, strict=True)
            ]
            made[f"reason_{i + 1}_feature"] = [
                n if up else None for n, up in zip(names, raises, strict=True)
            ]
            made[f"reason_{i + 1}_contribution"] = [
                float(w) if up else None for w, up in zip(weight, raises, strict=True)
            ]
        return made

    def _say(self, name: str, value: float) -> str:
        return self.phrases[name].say(value, typical=self.typical.get(name))
