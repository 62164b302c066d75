"""The contract of a learner, and the learners by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from churnkit.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from churnkit.engines import Peers
    from churnkit.models.base import FeatureMatrix

    Floats = NDArray[np.float64]

__all__ = ["MODELS", "FittedLearner", "JoinedLearner", "Learner"]


class FittedLearner(Protocol):
    """A learner that has seen data."""

    feature_names: tuple[str, ...]
    rounds: int

    def predict_raw(self, features: FeatureMatrix) -> Floats:
        """Return the additive score before the link: log-odds, log-currency or currency."""
        ...

    def predict(self, features: FeatureMatrix) -> Floats:
        """Return the prediction on the scale of the target."""
        ...

    def contributions(self, features: FeatureMatrix) -> Floats:
        """Return exact Shapley values, shape (n, n_features + 1); the last column is the base."""
        ...

    def interactions(self, features: FeatureMatrix) -> dict[tuple[int, int], float] | None:
        """Return the mean size of the joint effect of pairs of columns, None if not to be had."""
        ...

    def contributions_method(self, rows: int) -> str:
        """Return how so many rows are explained, for the account of a run."""
        ...

    def to_text(self) -> str:
        """Return the model as text that :meth:`Learner.load` reads."""
        ...


class Learner(Protocol):
    """Fits one target from features."""

    def fit(
        self,
        features: FeatureMatrix,
        target: Floats,
        *,
        objective: str,
        rounds: int,
        rows: NDArray[np.bool_] | None = None,
        validation: tuple[FeatureMatrix, Floats] | None = None,
        alpha: float = 0.5,
    ) -> FittedLearner:
        """Fit ``objective``: ``binary``, ``tweedie:<power>``, ``gamma``, ``l2`` or ``quantile``.

        ``rows`` says which of ``features`` the target is of, in their order; None means all.
        """
        ...

    def load(self, text: str) -> FittedLearner:
        """Return the model written by :meth:`FittedLearner.to_text`."""
        ...


@runtime_checkable
class JoinedLearner(Learner, Protocol):
    """A learner that fits one model on rows of several tasks, of which none has all."""

    def fit_among(
        self, features: FeatureMatrix, target: Floats, *, objective: str, rounds: int, peers: Peers
    ) -> FittedLearner | None:
        """Fit on the rows of all tasks, given one's own, which may be none; all tasks must call it.

        The model is returned in one of the tasks, None in the others.
        """
        ...


MODELS: Registry[Learner] = Registry("model")
