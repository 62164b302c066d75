"""Maps of log-odds that make probabilities mean what they say, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from churnkit.models.log_odds import logit, losses_of, sigmoid
from churnkit.models.venn_abers import venn_abers_points
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "CALIBRATORS",
    "BetaCalibrator",
    "Calibrator",
    "IsotonicCalibrator",
    "NoCalibrator",
    "VennAbersCalibrator",
    "choose_calibrator",
    "load_calibrator",
]

RISE_OF_STEPS = 1e-6  # far below any calibration error, and enough to keep a ranking


class Calibrator(Protocol):
    """A monotone map of log-odds."""

    @property
    def kind(self) -> str:
        """Name under which it is registered."""
        ...

    def log_odds(self, log_odds: Floats) -> Floats:
        """Return calibrated log-odds."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        ...


CALIBRATORS: Registry[Any] = Registry("calibration")


@CALIBRATORS.register("none")
@dataclass(frozen=True, kw_only=True)
class NoCalibrator:
    """Leaves the log-odds as they are."""

    kind: str = "none"

    @classmethod
    def fit(cls, log_odds: Floats, churned: NDArray[np.bool_]) -> NoCalibrator:  # noqa: ARG003
        """Return the identity."""
        return cls()

    def log_odds(self, log_odds: Floats) -> Floats:
        """Return the log-odds unchanged."""
        return log_odds

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"kind": self.kind}


@CALIBRATORS.register("beta")
@dataclass(frozen=True, kw_only=True)
class BetaCalibrator:
    """Beta calibration: log-odds = a·ln p − b·ln(1 − p) + c with a, b >= 0 [1]_.

    References
    ----------
    .. [1] M. Kull, T. M. Silva Filho, P. Flach (2017), "Beta calibration: a well-founded and easily
       implemented improvement on logistic calibration for binary classifiers", AISTATS, PMLR 54.
    """

    a: float
    b: float
    c: float
    kind: str = "beta"

    @classmethod
    def fit(cls, log_odds: Floats, churned: NDArray[np.bool_]) -> BetaCalibrator:
        """Fit the three parameters by maximum likelihood, a and b not negative."""
        from scipy.optimize import minimize
        from scipy.special import log_expit
        from threadpoolctl import threadpool_limits

        log_p, log_q = np.asarray(log_expit(log_odds)), np.asarray(log_expit(-log_odds))
        design = np.column_stack([log_p, -log_q, np.ones_like(log_p)])

        def loss(theta: Floats) -> tuple[float, Floats]:
            z = design @ theta
            value = -np.mean(np.where(churned, log_expit(z), log_expit(-z)))
            return float(value), np.asarray(design.T @ (sigmoid(z) - churned) / len(z))

        bounds = [(0.0, None), (0.0, None), (None, None)]
        start = np.array([1.0, 1.0, 0.0])
        # Three parameters are no work to share: threads of BLAS would only wait for one another.
        with threadpool_limits(1, user_api="blas"):
            found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
        a, b, c = (float(v) for v in found.x)
        return cls(a=a, b=b, c=c)

    def log_odds(self, log_odds: Floats) -> Floats:
        """Return calibrated log-odds."""
        from scipy.special import log_expit

        return np.asarray(self.a * log_expit(log_odds) - self.b * log_expit(-log_odds) + self.c)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"kind": self.kind, "a": self.a, "b": self.b, "c": self.c}


@CALIBRATORS.register("isotonic")
@dataclass(frozen=True, kw_only=True)
class IsotonicCalibrator:
    """A rising step curve through the observed rates, linear between its points."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: str = "isotonic"

    @classmethod
    def fit(cls, log_odds: Floats, churned: NDArray[np.bool_]) -> IsotonicCalibrator:
        """Fit the curve; rates are kept off 0 and 1 by half a customer of the whole sample."""
        from sklearn.isotonic import IsotonicRegression

        half = 0.5 / len(log_odds)
        curve = IsotonicRegression(y_min=half, y_max=1.0 - half, out_of_bounds="clip")
        curve.fit(log_odds, churned.astype(np.float64))
        return cls(
            x=tuple(float(v) for v in curve.X_thresholds_),
            y=tuple(float(v) for v in curve.y_thresholds_),
        )

    def log_odds(self, log_odds: Floats) -> Floats:
        """Return calibrated log-odds."""
        return _through_points(log_odds, x=self.x, y=self.y)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}


@CALIBRATORS.register("venn_abers")
@dataclass(frozen=True, kw_only=True)
class VennAbersCalibrator:
    """The merge of two isotonic fits, see :func:`venn_abers_points`; linear between its points."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: str = "venn_abers"

    @classmethod
    def fit(cls, log_odds: Floats, churned: NDArray[np.bool_]) -> VennAbersCalibrator:
        """Compute the merge at the observed scores."""
        x, y = venn_abers_points(log_odds, churned)
        return cls(x=tuple(x.tolist()), y=tuple(y.tolist()))

    def log_odds(self, log_odds: Floats) -> Floats:
        """Return calibrated log-odds."""
        return _through_points(log_odds, x=self.x, y=self.y)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}


def _through_points(log_odds: Floats, *, x: Sequence[float], y: Sequence[float]) -> Floats:
    """Return log-odds of a step curve; where it is flat, customers keep their order."""
    return logit(np.interp(log_odds, x, y)) + RISE_OF_STEPS * log_odds


def load_calibrator(stored: Mapping[str, Any]) -> Calibrator:
    """Return the calibrator written by ``to_dict``."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items() if k != "kind"}
    loaded: Calibrator = CALIBRATORS[stored["kind"]](**values)
    return loaded


def choose_calibrator(
    wanted: str,
    *,
    log_odds: Floats,
    churned: NDArray[np.bool_],
    seed: int,
    standard_errors: float = 0.0,
) -> tuple[Calibrator, dict[str, float]]:
    """Fit a calibrator on a later snapshot, and keep it only where it lowers log loss there.

    Parameters
    ----------
    wanted : str
        A registered name, or ``"auto"`` to compare all of them.
    log_odds : ndarray of float64, shape (n,)
        Of customers that were not used for fitting.
    churned : ndarray of bool, shape (n,)
        What they did.
    seed : int
        Of the split into five folds, on which each calibrator is judged out of sample.
    standard_errors : float, default 0
        A gain smaller than so many of its own standard errors is none: few customers show gains that
        are luck.

    Returns
    -------
    calibrator : Calibrator
        Fitted on all n customers.
    losses : dict of str to float
        Log loss of each candidate out of fold.
    """
    if wanted != "auto":
        return CALIBRATORS[wanted].fit(log_odds, churned), {}  # type: ignore[attr-defined]
    if churned.all() or not churned.any():
        return NoCalibrator(), {}
    fold = np.random.default_rng(seed).integers(0, 5, len(log_odds))
    each = {}
    for name in CALIBRATORS.names():
        out_of_fold = np.empty_like(log_odds)
        for k in range(5):
            inside, outside = fold != k, fold == k
            fitted = CALIBRATORS[name].fit(log_odds[inside], churned[inside])  # type: ignore[attr-defined]
            out_of_fold[outside] = fitted.log_odds(log_odds[outside])
        each[name] = losses_of(out_of_fold, churned)
    losses = {name: float(np.mean(loss)) for name, loss in each.items()}
    best = min(losses, key=lambda name: (losses[name], name != "none"))
    # A gain smaller than a thousandth does not survive the months between the snapshots.
    error = float(np.std(each["none"] - each[best])) / len(log_odds) ** 0.5
    least = max(1e-3 * losses["none"], standard_errors * error)
    if losses["none"] - losses[best] < least:
        best = "none"
    return CALIBRATORS[best].fit(log_odds, churned), losses  # type: ignore[attr-defined]
