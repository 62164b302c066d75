"""The strongest contributions of each customer in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.features.build import FeatureBuilder, Phrase
    from churnkit.models.base import FeatureMatrix
    from churnkit.reasons.contributions import Contributions

__all__ = ["Reasons", "phrases_of"]


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
