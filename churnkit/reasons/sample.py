"""Customers drawn from a population with their features and contributions, for plots and intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from churnkit.errors import ParameterError
from churnkit.models.base import FeatureMatrix
from churnkit.models.log_odds import sigmoid
from churnkit.reasons.scales import STEPS, on_probability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from churnkit.reasons.scales import FinalSteps

    Scale = Literal["learner", "log_odds", "probability"]
    Floats = NDArray[np.float64]

__all__ = ["ExplainedSample", "Sampler"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedSample:
    """Features of some customers and what each adds to the model's raw score.

    Attributes
    ----------
    customer_ids : tuple of str
        Sorted.
    feature_names : tuple of str
    says : mapping of str to str
        What each feature is, in words.
    values : ndarray, shape (n, n_features)
        NaN where a feature is not known.
    contributions : ndarray of float64, shape (n, n_features)
        In log-odds for churn, in log-currency for spend.
    base : float
        Raw score of the average training row; base + sum of contributions is a row's raw score.
    steps : FinalSteps or None
        From the learner's log-odds to the churn probability; None for spend.
    """

    customer_ids: tuple[str, ...]
    feature_names: tuple[str, ...]
    says: Mapping[str, str]
    values: NDArray[Any]
    contributions: Floats
    base: float
    steps: FinalSteps | None = None

    @property
    def matrix(self) -> FeatureMatrix:
        """The features, as a learner takes them."""
        return FeatureMatrix(names=self.feature_names, values=self.values)

    def to_shap(self, *, scale: Scale = "learner", words: bool = False) -> Any:
        """Return a ``shap.Explanation`` for shap's own plots (``pip install 'churnkit-ml[notebooks]'``).

        Parameters
        ----------
        scale : {"learner", "log_odds", "probability"}
            Of the learner's raw score; of the final log-odds, after blend, calibration and level,
            whose two columns more say what the purchase model and calibration add; or of the churn
            probability (see :func:`.scales.on_probability`). Each adds up exactly.
        words : bool, default False
            Name features in words instead of by column.

        Raises
        ------
        ImportError
            If shap is not installed.
        ParameterError
            If the scale is not known, or not one of spend.
        """
        import shap

        weights, base, steps = self._on_scale(scale)
        data = np.asarray(self.values, dtype=np.float64)
        names = [self.says[name] if words else name for name in self.feature_names]
        return shap.Explanation(
            values=weights,
            base_values=np.full(len(weights), base),
            data=np.column_stack([data, np.full((len(data), len(steps)), np.nan)]),
            feature_names=[*names, *(STEPS[step] if words else step for step in steps)],
        )

    def _on_scale(self, scale: str) -> tuple[Floats, float, tuple[str, ...]]:
        """Return contributions, base and the steps that are columns too."""
        if scale == "learner":
            return self.contributions, self.base, ()
        if scale not in {"log_odds", "probability"} or self.steps is None:
            known = "learner, log_odds, probability" if self.steps is not None else "learner"
            msg = f"to_shap: scale must be a known name; got {scale!r}. Known: {known}."
            raise ParameterError(msg)
        parts = self.steps.parts(self.contributions)
        if scale == "log_odds":
            return parts, self.steps.base, self.steps.names
        base = float(sigmoid(np.array(self.steps.base)))
        return on_probability(parts, base=self.steps.base), base, self.steps.names


@dataclass(kw_only=True, eq=False)
class Sampler:
    """Keeps a uniform sample of the rows that pass by, whatever their order or batches.

    Rows are drawn by a hash of the customer's id: the same customers are drawn at another date and
    on another engine, and memory holds at most ``size`` rows and one batch.

    Parameters
    ----------
    size : int
        Most rows kept.
    seed : int, default 7
        Another seed draws other customers.
    """

    size: int
    seed: int = 7
    _keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    _ids: NDArray[Any] = field(default_factory=lambda: np.zeros(0, object))
    _parts: list[NDArray[Any]] = field(default_factory=list)

    def see(self, ids: Sequence[str], *parts: NDArray[Any]) -> None:
        """Look at a batch: ids, and arrays with one row for each of them."""
        if not len(ids):
            return
        keys = np.array([self._key(name) for name in ids], dtype=np.uint64)
        if not self._parts:
            self._parts = [part[:0] for part in parts]
        names = np.concatenate([self._ids, np.asarray(ids, dtype=object)])
        both = np.concatenate([self._keys, keys])
        kept = np.sort(np.argsort(both, kind="stable")[: self.size])
        self._keys, self._ids = both[kept], names[kept]
        self._parts = [
            np.concatenate([old, new])[kept] for old, new in zip(self._parts, parts, strict=True)
        ]

    def drawn(self) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
        """Return the ids drawn, sorted, and the arrays in their order."""
        order = np.argsort(self._ids.astype(str), kind="stable")
        return tuple(self._ids[order]), [part[order] for part in self._parts]

    def _key(self, name: str) -> int:
        digest = blake2b(name.encode(), digest_size=8, salt=self.seed.to_bytes(8, "little"))
        return int.from_bytes(digest.digest(), "little")
