"""Confidence intervals for shares, rates, net scores and medians."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.checks import check_level, counts, non_negative, part_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "Interval",
    "median_interval",
    "net_share_interval",
    "poisson_interval",
    "wilson_interval",
]

Interval = tuple[float, float]


def wilson_interval(successes: float, trials: float, *, level: float = 0.95) -> Interval:
    """Wilson score interval of a proportion.

    Parameters
    ----------
    successes, trials : float
        ``0 <= successes <= trials`` and ``trials > 0``. A mean count over several days need not
        be whole.
    level : float, default 0.95
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound, as fractions in [0, 1].

    Raises
    ------
    ParameterError
        If an argument is out of its range.

    References
    ----------
    E. B. Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 22(158), 209-212.
    L. D. Brown, T. T. Cai, A. DasGupta (2001), "Interval Estimation for a Binomial Proportion",
    Statistical Science 16(2), 101-133.

    Examples
    --------
    >>> low, high = wilson_interval(85, 100)
    >>> round(low, 4), round(high, 4)
    (0.7672, 0.9069)
    """
    where = "wilson_interval"
    z = _z(where, level)
    k, n = non_negative(where, successes=successes, trials=trials)
    part_of(where, "successes", k, "trials", n)
    _positive(where, "trials", n)
    centre = (k + z * z / 2.0) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(max(0.0, k * (n - k) / n) + z * z / 4.0)
    low = 0.0 if k <= 0.0 else max(0.0, centre - half)
    high = 1.0 if k >= n else min(1.0, centre + half)
    return low, high


def poisson_interval(events: float, *, exposure: float, level: float = 0.95) -> Interval:
    """Exact interval of a rate of events per unit of exposure.

    Parameters
    ----------
    events : float
        Whole number of independent events, >= 0.
    exposure : float
        Units over which they were counted, > 0.
    level : float, default 0.95
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound, in events per unit. They are too narrow where events come in
        bursts, as several contacts about one order do.

    Raises
    ------
    ParameterError
        If an argument is out of its range.

    References
    ----------
    F. Garwood (1936), "Fiducial Limits for the Poisson Distribution", Biometrika 28(3/4),
    437-442.

    Examples
    --------
    >>> low, high = poisson_interval(30, exposure=600)
    >>> round(low, 4), round(high, 4)
    (0.0337, 0.0714)
    """
    from scipy.special import gammaincinv

    where = "poisson_interval"
    check_level(where, level)
    (k,) = counts(where, events=events)
    (units,) = non_negative(where, exposure=exposure)
    _positive(where, "exposure", units)
    tail = (1.0 - level) / 2.0
    low = 0.0 if k == 0.0 else float(gammaincinv(k, tail))
    return low / units, float(gammaincinv(k + 1.0, 1.0 - tail)) / units


def net_share_interval(
    positive: float, negative: float, trials: float, *, level: float = 0.95
) -> Interval | None:
    """Interval of the share of positive minus the share of negative answers.

    Parameters
    ----------
    positive, negative, trials : float
        Whole numbers >= 0 with ``positive + negative <= trials`` and ``trials > 0``.
    level : float, default 0.95
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of float or None
        Bounds within [-1, 1]; None if all answers are of one kind, because the variance of the
        sample is then zero and says nothing.

    Raises
    ------
    ParameterError
        If an argument is out of its range.

    Notes
    -----
    With shares p and d of multinomial counts the variance of p - d is
    ``(p + d - (p - d)**2) / n``.

    References
    ----------
    B. Rocks (2016), "Interval Estimation for the 'Net Promoter Score'", The American
    Statistician 70(4), 365-372.

    Examples
    --------
    >>> low, high = net_share_interval(50, 20, 100)
    >>> round(low, 3), round(high, 3)
    (0.147, 0.453)
    """
    where = "net_share_interval"
    z = _z(where, level)
    plus, minus, n = counts(where, positive=positive, negative=negative, trials=trials)
    part_of(where, "positive + negative", plus + minus, "trials", n)
    _positive(where, "trials", n)
    if n in (plus, minus) or plus + minus == 0.0:
        return None
    net = (plus - minus) / n
    half = z * math.sqrt(((plus + minus) / n - net * net) / n)
    return max(-1.0, net - half), min(1.0, net + half)


def median_interval(values: ArrayLike, *, level: float = 0.95) -> Interval | None:
    """Interval of the median of independent values, whatever their distribution.

    Parameters
    ----------
    values : array-like of float, shape (n,)
        Without NaN, in any order.
    level : float, default 0.95
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of float or None
        Two of the values; None where there are too few for the level: fewer than six for 95 %.

    Raises
    ------
    ParameterError
        If the level is out of its range.

    Notes
    -----
    The number of values below the median is binomial with probability one half: the k-th smallest
    and the k-th largest value hold it between them, with the largest k that keeps the level.

    References
    ----------
    W. J. Conover (1999), Practical Nonparametric Statistics, 3rd ed., New York: Wiley, 143-148.

    Examples
    --------
    >>> median_interval([5.0, 1.0, 2.0, 30.0, 4.0, 8.0, 3.0])
    (1.0, 30.0)
    """
    from scipy.stats import binom

    check_level("median_interval", level)
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    # The smallest k with P(fewer than k below) still within the tail is one too far.
    k = int(binom.ppf((1.0 - level) / 2.0, ordered.size, 0.5)) if ordered.size else 0
    return (float(ordered[k - 1]), float(ordered[-k])) if k else None


def _z(where: str, level: float) -> float:
    check_level(where, level)
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def _positive(where: str, name: str, value: float) -> None:
    if value <= 0.0:
        msg = f"{where}: {name} must be > 0; got {value!r}"
        raise ParameterError(msg)
