"""Log-odds: to probabilities and back, their log loss, and the shift that sets their level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "churn_level_shift",
    "level_shift",
    "log_loss_of",
    "logit",
    "losses_of",
    "moved_mean",
    "sigmoid",
]

EDGE = 1e-9


def sigmoid(log_odds: Floats) -> Floats:
    """Return the probability of log-odds, without overflow."""
    from scipy.special import expit

    return np.asarray(expit(log_odds), dtype=np.float64)


def logit(probability: Floats) -> Floats:
    """Return the log-odds of a probability, kept off 0 and 1 by 1e-9."""
    clipped = np.clip(probability, EDGE, 1.0 - EDGE)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def log_loss_of(log_odds: Floats, churned: NDArray[np.bool_]) -> float:
    """Return the mean negative log-likelihood of log-odds."""
    return float(np.mean(losses_of(log_odds, churned)))


def losses_of(log_odds: Floats, churned: NDArray[np.bool_]) -> Floats:
    """Return the negative log-likelihood of each customer's log-odds, shape (n,)."""
    from scipy.special import log_expit

    return -np.asarray(np.where(churned, log_expit(log_odds), log_expit(-log_odds)))


def level_shift(log_odds: Floats, *, target_mean: float, weights: Floats | None = None) -> float:
    """Return the constant that makes the mean probability of ``log_odds + constant`` the target.

    Parameters
    ----------
    log_odds : ndarray of float64, shape (n,)
        Predictions.
    target_mean : float
        Between 0 and 1, both excluded.
    weights : ndarray of float64, shape (n,), optional
        How often each prediction counts in the mean; by default all the same.

    Examples
    --------
    >>> shift = level_shift(np.zeros(4), target_mean=0.75)
    >>> bool(np.isclose(sigmoid(np.zeros(4) + shift).mean(), 0.75))
    True
    """
    if not 0.0 < target_mean < 1.0:
        msg = f"level: target_mean must lie strictly between 0 and 1; got {target_mean!r}"
        raise ParameterError(msg)
    from scipy.optimize import brentq

    def missed(shift: float) -> float:
        return float(np.average(sigmoid(log_odds + shift), weights=weights)) - target_mean

    reach = float(np.max(np.abs(log_odds))) + 40.0
    return float(brentq(missed, -reach, reach))


def churn_level_shift(
    log_odds: Floats,
    *,
    target_mean: float | None,
    customers: Floats | None = None,
    times: float | None = None,
) -> float:
    """Return the constant added to all log-odds so that their mean probability is the target's.

    ``customers`` says how many have each of the log-odds; by default one. With ``times``, the
    constant is at most so many times what the log-odds of the mean have to move by.

    None, or a target of exactly 0 or 1, sets no level.
    """
    if target_mean is None or not 0.0 < target_mean < 1.0 or not len(log_odds):
        return 0.0
    shift = level_shift(log_odds, target_mean=target_mean, weights=customers)
    if times is None:
        return shift
    own = np.average(sigmoid(log_odds), weights=customers)
    needed, had = logit(np.array([target_mean, own]))
    farthest = times * abs(float(needed - had))
    return float(np.clip(shift, -farthest, farthest))


def moved_mean(mean: float, *, log_odds: float) -> float:
    """Return a mean probability with its log-odds moved by a constant."""
    return float(sigmoid(logit(np.array([mean])) + log_odds)[0])
