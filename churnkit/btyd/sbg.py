r"""The shifted-beta-geometric: how long contracts last when every customer renews with an own chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.btyd.fitting import maximise
from churnkit.errors import ModelGuardError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["ShiftedBetaGeometric", "fit_sbg"]

# Log-odds of the mean chance to leave in a period, and log of alpha + beta.
BOX = {"mean": (-14.0, 14.0), "precision": (float(np.log(1e-3)), float(np.log(1e5)))}


@dataclass(frozen=True, kw_only=True)
class ShiftedBetaGeometric:
    r"""A fitted model: chances to leave at the end of a period follow Beta(alpha, beta).

    Attributes
    ----------
    alpha, beta : float
        Above 0.
    log_likelihood : float
        Of the data it was fitted to.

    Notes
    -----
    Survival past :math:`t` periods is :math:`S(t) = B(\alpha, \beta + t) / B(\alpha, \beta)` [1]_.
    Between whole periods the same function interpolates.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie (2007), "How to Project Customer Retention", Journal of
       Interactive Marketing 21(1), 76-90, doi:10.1002/dir.20074.
    """

    alpha: float
    beta: float
    log_likelihood: float = float("nan")

    def survival(self, periods: ArrayLike) -> Floats:
        """Return the probability of staying longer than some periods, an array of their shape.

        Examples
        --------
        >>> ShiftedBetaGeometric(alpha=0.668, beta=3.806).survival([0, 1, 7]).round(3)
        array([1.   , 0.851, 0.489])
        """
        from scipy.special import betaln

        t = np.asarray(periods, dtype=np.float64)
        return np.asarray(np.exp(betaln(self.alpha, self.beta + t) - betaln(self.alpha, self.beta)))

    def retention_rate(self, periods: ArrayLike) -> Floats:
        r"""Return the share of those left after ``t - 1`` periods who stay for period ``t``.

        :math:`(\beta + t - 1) / (\alpha + \beta + t - 1)`: it rises, as those who leave easily go
        first.
        """
        t = np.asarray(periods, dtype=np.float64)
        return np.asarray((self.beta + t - 1.0) / (self.alpha + self.beta + t - 1.0))

    def leaving_probability(self, tenure: ArrayLike, *, horizon: float) -> Floats:
        """Return P(leaves within ``horizon`` more periods | has stayed ``tenure`` periods)."""
        stayed = np.asarray(tenure, dtype=np.float64)
        return np.clip(1.0 - self.survival(stayed + horizon) / self.survival(stayed), 0.0, 1.0)


def fit_sbg(
    periods: ArrayLike,
    *,
    ended: ArrayLike,
    count: ArrayLike | None = None,
    entered: ArrayLike | None = None,
) -> ShiftedBetaGeometric:
    """Fit the shifted-beta-geometric by maximum likelihood.

    Parameters
    ----------
    periods : array-like of float, shape (n,)
        For those who left, the period at whose end they did, from 1; for those still there, the
        periods survived, from 0.
    ended : array-like of bool, shape (n,)
        Whether they left.
    count : array-like of float, shape (n,), optional
        How many customers each entry stands for; 1 by default.
    entered : array-like of float, shape (n,), optional
        Periods already survived when the customer came under observation, 0 by default. Whoever had
        left before is not in the data, so that each probability is taken given this survival.

    Raises
    ------
    ParameterError
        If the arrays differ in length, or a value is out of its range.
    ModelGuardError
        If nobody left or nobody stayed for a period: then nothing bounds the parameters.

    Examples
    --------
    >>> lost = [369, 163, 86, 56, 37, 27, 21]  # of 1,000 "Regular" customers, and 241 left
    >>> model = fit_sbg([1, 2, 3, 4, 5, 6, 7, 7], ended=[1] * 7 + [0], count=[*lost, 241])
    >>> round(model.alpha, 2), round(model.beta, 2)
    (0.7, 1.18)
    """
    t, gone, n, entry = _checked(periods, ended, count, entered)
    if not (n[gone].sum() > 0.0 and (n[~gone & (t > 0)].sum() + n[gone & (t > 1)].sum()) > 0.0):
        msg = (
            "shifted-beta-geometric: somebody must have left and somebody stayed for a period; got"
            f" {n[gone].sum():g} who left of {n.sum():g}"
        )
        raise ModelGuardError(msg)
    found = maximise(
        _objective,
        [t, gone.astype(np.float64), entry],
        n,
        starts=[(-2.0, 0.5), (-1.0, 3.0), (-3.0, 3.0)],
        box=BOX,
        where="shifted-beta-geometric",
    )
    alpha, beta = _parameters(found.point)
    return ShiftedBetaGeometric(
        alpha=float(alpha), beta=float(beta), log_likelihood=found.log_likelihood
    )


def _checked(
    periods: ArrayLike, ended: ArrayLike, count: ArrayLike | None, entered: ArrayLike | None
) -> tuple[Floats, NDArray[np.bool_], Floats, Floats]:
    t, gone = np.asarray(periods, dtype=np.float64), np.asarray(ended, dtype=bool)
    n = np.ones(t.shape) if count is None else np.asarray(count, dtype=np.float64)
    entry = np.zeros(t.shape) if entered is None else np.asarray(entered, dtype=np.float64)
    if not t.shape == gone.shape == n.shape == entry.shape or t.ndim != 1:
        shapes = ", ".join(str(v.shape) for v in (t, gone, n, entry))
        msg = f"fit_sbg: periods, ended, count and entered must be of one length; got {shapes}"
        raise ParameterError(msg)
    if (t < gone).any() or not np.isfinite(t).all() or (n < 0.0).any():
        msg = "fit_sbg: periods must be >= 1 for those who left and >= 0 for others, counts >= 0"
        raise ParameterError(msg)
    if not ((entry >= 0.0) & (entry <= t - gone)).all():
        msg = (
            "fit_sbg: entered must be >= 0 and before the end: at most periods, less 1 for who left"
        )
        raise ParameterError(msg)
    kept = n > 0.0
    return t[kept], gone[kept], n[kept], entry[kept]


def _parameters(point: Floats) -> tuple[Floats, Floats]:
    share = 1.0 / (1.0 + np.exp(-point[0]))
    total = np.exp(point[1])
    return total * share, total * (1.0 - share)


def _objective(
    columns: Sequence[Floats], count: Floats
) -> Callable[[Floats], tuple[float, Floats]]:
    """Return log-likelihood and gradient in log-odds of the mean and log of the precision."""
    from scipy.special import betaln, digamma

    t, gone, entry = columns

    def value(point: Floats) -> tuple[float, Floats]:
        a, b = _parameters(point)
        # P(leaves at t) = B(a + 1, b + t - 1) / B(a, b), S(t) = B(a, b + t) / B(a, b), both over
        # S(entry).
        first, second, there = a + gone, b + t - gone, b + entry
        both, before = digamma(a + b + t), digamma(a + there)
        log_p = betaln(first, second) - betaln(a, there)
        by_a = digamma(first) - both - digamma(a) + before
        by_b = digamma(second) - both - digamma(there) + before
        da, db = float(count @ by_a), float(count @ by_b)
        share = float(a * b / (a + b))
        gradient = np.array([share * (da - db), float(a) * da + float(b) * db])
        return float(count @ log_p), gradient

    return value
