"""Whether churn probabilities and spend intervals come true as often as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.evaluation.checks import bin_count, churn_arrays, open_fraction, spend_arrays
from churnkit.evaluation.ranking import rank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["ece", "ece_interval", "interval_coverage"]


def ece(churned: ArrayLike, probability: ArrayLike, *, bins: int = 10) -> float:
    r"""Calibration error expected (ECE), over bins of equally many customers.

    :math:`\frac{1}{B} \sum_b | \bar p_b - \bar y_b |`: how far mean probability and churn rate
    lie apart in a bin, on average [1]_. Bins hold equally many customers, which is less biased
    than bins of equal width [2]_; tied customers share their places, so a constant prediction gives
    the difference of the two means. Never below its own noise: even true probabilities score
    above 0 on few customers, see :func:`ece_interval`.

    Parameters
    ----------
    churned : array-like of bool or of 0 and 1, shape (n_customers,)
        True where the customer churned.
    probability : array-like of float, shape (n_customers,)
        Predicted probability of churning.
    bins : int, default 10
        Number of bins.

    Returns
    -------
    float
        In [0, 1]; less is better.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing value or one outside its range, if the lengths
        differ, or if ``bins`` is below 1.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht (2015), "Obtaining Well Calibrated
       Probabilities Using Bayesian Binning", AAAI 29, 2901-2907, doi:10.1609/aaai.v29i1.9602.
    .. [2] R. Roelofs, N. Cain, J. Shlens, M. C. Mozer (2022), "Mitigating Bias in Calibration
       Error Estimation", AISTATS, PMLR 151, 4036-4054, arXiv:2012.08668.

    Examples
    --------
    >>> round(ece([1, 1, 0, 0], [0.9, 0.7, 0.2, 0.2], bins=2), 4)
    0.2
    """
    y, p = churn_arrays(churned, probability)
    return float(np.abs(rank(p).binned(p - y, bins=bin_count(bins))).sum() / y.size)


def ece_interval(
    churned: ArrayLike,
    probability: ArrayLike,
    *,
    bins: int = 10,
    confidence: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    r"""Confidence interval of the expected calibration error, by bootstrap.

    Customers are drawn anew with replacement while the bins stay where they are. With
    :math:`d` the vector of the bins' true gaps and :math:`\hat d` the observed one, the triangle
    inequality bounds the error of the error, :math:`| \|d\| - \|\hat d\| | \le \|\hat d - d\|`, and
    resamples tell how large the right side gets. So the interval is the observed error plus or
    minus that quantile, cut to [0, 1]: wide, but honest where the usual bootstrap intervals are
    not, near 0, where the observed error is biased upwards [1]_. A lower end of 0 means that no
    miscalibration is proven.

    Parameters
    ----------
    churned, probability, bins
        As in :func:`ece`.
    confidence : float, default 0.95
        Confidence level, in (0, 1).
    resamples : int, default 200
        Number of bootstrap samples.
    seed : int, default 0
        Of the random draws: the same seed gives the same interval.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].

    Raises
    ------
    ParameterError
        As in :func:`ece`, if ``confidence`` is not inside (0, 1), or ``resamples`` is below 1.

    References
    ----------
    .. [1] R. Roelofs, N. Cain, J. Shlens, M. C. Mozer (2022), "Mitigating Bias in Calibration
       Error Estimation", AISTATS, PMLR 151, 4036-4054, arXiv:2012.08668.

    Examples
    --------
    Probabilities that are too high by 0.2:

    >>> rng = np.random.default_rng(1)
    >>> p = rng.random(5000) * 0.8
    >>> low, high = ece_interval(rng.random(5000) < p, p + 0.2)
    >>> 0.17 < low < 0.2 < high < 0.25
    True
    """
    y, p = churn_arrays(churned, probability)
    open_fraction("confidence", confidence)
    if resamples < 1:
        msg = f"resamples must be at least 1; got {resamples!r}"
        raise ParameterError(msg)
    ranking, excess, n = rank(p), p - y, y.size
    gaps = ranking.binned(excess, bins=bin_count(bins)) / n
    rng = np.random.default_rng(seed)
    noise = np.empty(resamples)
    for i in range(resamples):
        times_drawn = np.bincount(rng.integers(0, n, size=n), minlength=n)
        resampled = ranking.binned(times_drawn * excess, bins=bins) / n
        noise[i] = np.abs(resampled - gaps).sum()
    observed, margin = float(np.abs(gaps).sum()), float(np.quantile(noise, confidence))
    return max(0.0, observed - margin), min(1.0, observed + margin)


def interval_coverage(future_spend: ArrayLike, *, low: ArrayLike, high: ArrayLike) -> float:
    """Share of customers whose actual spend lies within their interval, both ends included.

    Parameters
    ----------
    future_spend : array-like of float, shape (n_customers,)
        Net spend in the horizon, in currency.
    low, high : array-like of float, shape (n_customers,)
        Ends of the prediction intervals, in the same currency.

    Returns
    -------
    float
        In [0, 1], to be compared with the level that the intervals promise.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing or infinite value, if the lengths differ, or if a
        ``low`` exceeds its ``high``.

    Examples
    --------
    >>> interval_coverage([0.0, 10.0, 30.0], low=[0.0, 5.0, 20.0], high=[4.0, 9.0, 30.0])
    0.666...
    """
    actual, lower = spend_arrays(future_spend, low, expected_name="low")
    _, upper = spend_arrays(future_spend, high, expected_name="high")
    crossed = lower > upper
    if crossed.any():
        first = int(crossed.argmax())
        msg = (
            f"low must not exceed high; got {float(lower[first])!r} and {float(upper[first])!r} "
            f"at position {first}"
        )
        raise ParameterError(msg)
    return float(((lower <= actual) & (actual <= upper)).mean())
