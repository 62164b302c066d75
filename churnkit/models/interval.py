"""Intervals for the spend of one customer: the mass at zero, and how far buyers fall from their value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["SpendInterval", "fit_interval"]

POINTS = 201
FEWEST_BUYERS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class SpendInterval:
    """A predictive distribution of spend, cut to an interval.

    Spend is 0 with the churn probability; otherwise it is the customer's expected value times a
    ratio whose distribution is that of buyers of the same tier of value in a later snapshot: split
    conformal prediction [1]_ on the ratio, by tier.

    Attributes
    ----------
    coverage : float
        Nominal coverage.
    edges : tuple of float
        Upper edges of the tiers of value given an order, ascending; the last tier is open.
    ratios : tuple of tuple of float
        By tier: quantiles of actual over expected value, at evenly spaced levels from 0 to 1.
    squares : tuple of float
        By tier: mean square of actual over expected value.

    References
    ----------
    .. [1] J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani, L. Wasserman (2018), "Distribution-Free
       Predictive Inference for Regression", Journal of the American Statistical Association
       113(523), 1094-1111.
    """

    coverage: float
    edges: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]
    squares: tuple[float, ...]

    def stated_coverage(self, order_probability: Floats) -> Floats:
        """Return the probability with which each interval of :meth:`bounds` says to hold the spend.

        The nominal coverage, or the probability of no order where that is higher.

        Examples
        --------
        >>> interval = SpendInterval(coverage=0.8, edges=(), ratios=((0.0, 2.0),), squares=(1.3,))
        >>> interval.stated_coverage(np.array([0.9, 0.05]))
        array([0.8 , 0.95])
        """
        return np.maximum(1.0 - order_probability, self.coverage)

    def variance(self, *, order_probability: Floats, value: Floats) -> Floats:
        """Return the variance of each customer's spend, currency squared."""
        second = order_probability * value**2 * np.asarray(self.squares)[self._tier(value)]
        return np.asarray(np.maximum(second - (order_probability * value) ** 2, 0.0))

    def _tier(self, value: Floats) -> NDArray[np.intp]:
        return np.searchsorted(self.edges, value, side="right")

    def bounds(self, *, order_probability: Floats, value: Floats) -> tuple[Floats, Floats]:
        """Return the ends of the interval, both >= 0, in currency.

        Parameters
        ----------
        order_probability, value : ndarray of float64, shape (n,)
            P(at least one order in the horizon), and the spend expected if there is one.

        Notes
        -----
        Where staying away is likelier than half of what may be missed, the interval begins at 0
        and misses only above. Where it is likelier than the coverage, it is [0, 0] and covers more
        than it says: no interval that holds 0 can cover less than the probability of 0.
        """
        tail = (1.0 - self.coverage) / 2.0
        zero = 1.0 - order_probability
        from_zero = zero >= tail
        low = np.where(from_zero, 0.0, self._quantile(tail, order_probability, value))
        upper = np.where(from_zero, self.coverage, 1.0 - tail)
        return low, self._quantile(upper, order_probability, value)

    def _quantile(self, level: float | Floats, order_probability: Floats, value: Floats) -> Floats:
        """Return the quantile of spend at a level, for each customer."""
        share = np.maximum(order_probability, 1e-12)
        inside = (np.asarray(level) - (1.0 - order_probability)) / share
        tier = self._tier(value)
        levels = np.linspace(0.0, 1.0, POINTS)
        ratio = np.zeros(len(value))
        for k, quantiles in enumerate(self.ratios):
            mine = tier == k
            ratio[mine] = np.interp(inside[mine], levels, quantiles)
        return np.where(inside > 0.0, ratio * value, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "coverage": self.coverage,
            "edges": list(self.edges),
            "ratios": [list(quantiles) for quantiles in self.ratios],
            "squares": list(self.squares),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SpendInterval:
        """Return the interval written by :meth:`to_dict`."""
        return cls(
            coverage=stored["coverage"],
            edges=tuple(stored["edges"]),
            ratios=tuple(tuple(quantiles) for quantiles in stored["ratios"]),
            squares=tuple(stored["squares"]),
        )


def fit_interval(
    *, value: Floats, future_spend: Floats, coverage: float, tiers: int = 5
) -> SpendInterval | None:
    """Learn how far buyers fall from their expected value, on customers not used for fitting.

    Parameters
    ----------
    value : ndarray of float64, shape (n,)
        Spend expected of each customer if there is an order, at the level it is used at.
    future_spend : ndarray of float64, shape (n,)
        What they spent.
    coverage : float
        Nominal coverage, between 0 and 1.
    tiers : int
        Most tiers of value; each has at least a hundred buyers.

    Returns
    -------
    SpendInterval or None
        None if nobody bought.
    """
    bought = (future_spend > 0.0) & (value > 0.0)
    if not bought.any():
        return None
    expected, actual = value[bought], future_spend[bought]
    n_tiers = int(np.clip(bought.sum() // FEWEST_BUYERS, 1, tiers))
    # Equal edges would make empty tiers: keep the distinct ones.
    edges = np.unique(np.quantile(expected, np.linspace(0.0, 1.0, n_tiers + 1)[1:-1]))
    tier = np.searchsorted(edges, expected, side="right")
    ratios, squares = [], []
    for k in range(len(edges) + 1):
        mine = (actual / expected)[tier == k]
        mine = mine if len(mine) else actual / expected
        ratios.append(_quantiles(mine))
        squares.append(float(np.mean(mine**2)))
    return SpendInterval(
        coverage=coverage,
        edges=tuple(float(e) for e in edges),
        ratios=tuple(ratios),
        squares=tuple(squares),
    )


def _quantiles(sample: Floats) -> tuple[float, ...]:
    """Return conformal quantiles: level p is the order statistic of rank p (n + 1)."""
    found = np.quantile(sample, np.linspace(0.0, 1.0, POINTS), method="weibull")
    return tuple(float(q) for q in found)
