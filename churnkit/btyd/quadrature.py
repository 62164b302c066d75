"""The two integrals behind the purchase models, by quadrature that no argument can overflow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaincinv, betaln

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ROWS_AT_ONCE", "DecayNodes", "beta_mean", "decay_integral", "decay_nodes"]

# Blocks of rows whose node tables stay in the processor's cache.
ROWS_AT_ONCE = 2048

_BETA_NODES = 96
_DECAY_NODES = 20
# Decay integrands are followed until they have lost this many powers of e: 1e-13 of the integral.
_DECAY_DEPTH = 30.0
_LARGEST_EXPONENT = 600.0


def beta_mean(
    function: Callable[[Floats, slice], Floats],
    *,
    a: float,
    b: Floats,
    at_zero: Floats,
    at_one: Floats,
) -> Floats:
    r"""Mean of a function of p for p ~ Beta(a, b), one function and one b per row.

    The trapezoidal rule on the log-odds of p, which converges exponentially for every integrand
    without singularities near the real line [1]_. The straight line between the ends of the
    function is integrated exactly and only the rest numerically: the rest vanishes at both ends,
    so that a and b near zero, where the density piles up there, do no harm.

    Parameters
    ----------
    function : callable
        ``function(p, rows)`` gives values of shape (len(rows), 96) for p of that shape and the
        slice of rows they belong to.
    a : float
        First parameter of the Beta distribution.
    b : ndarray, shape (n,)
        Second parameter; few distinct values make it fast.
    at_zero, at_one : ndarray, shape (n,)
        Limits of the function at p = 0 and p = 1.

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    .. [1] L. N. Trefethen, J. A. C. Weideman (2014), "The Exponentially Convergent Trapezoidal
       Rule", SIAM Review 56(3), 385-458, doi:10.1137/130932132.

    Examples
    --------
    >>> beta_mean(lambda p, rows: p**2, a=2.0, b=np.array([3.0]), at_zero=np.zeros(1),
    ...           at_one=np.ones(1)).round(12)
    array([0.2])
    """
    distinct, place = np.unique(b, return_inverse=True)
    # The rest behaves like p(1-p) times the density, which is the density of Beta(a+1, b+1).
    low, high = (
        betaincinv(a + 1.0, distinct + 1.0, 1e-17),
        betaincinv(distinct + 1.0, a + 1.0, 1e-17),
    )
    left, right = np.log(low) - np.log1p(-low), np.log1p(-high) - np.log(high)
    odds = left[:, None] + (right - left)[:, None] * np.linspace(0.0, 1.0, _BETA_NODES)
    log_p, log_rest = -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)
    log_density = a * log_p + distinct[:, None] * log_rest - betaln(a, distinct)[:, None]
    weight = np.exp(log_density) * ((right - left) / (_BETA_NODES - 1))[:, None]
    p, rest = np.exp(log_p), np.exp(log_rest)

    mean = (b * at_zero + a * at_one) / (a + b)
    for start in range(0, b.size, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        at, zero, one = place[rows], at_zero[rows, None], at_one[rows, None]
        curved = function(p[at], rows) - (rest[at] * zero + p[at] * one)
        mean[rows] += np.einsum("ij,ij->i", weight[at], curved)
    return mean


class DecayNodes(NamedTuple):
    r"""Nodes of :math:`\int_0^h (1+\tau/m)^{-p} (1+\tau/M)^{-q} d\tau`, each of shape (n, 20)."""

    weighted: Floats
    """Quadrature weight times integrand; the sum over nodes is the integral."""

    low: Floats
    """m + tau."""

    high: Floats
    """M + tau."""

    log_low: Floats
    """log((m + tau) / m)."""

    log_high: Floats
    """log((M + tau) / M)."""


def decay_nodes(low: Floats, p: Floats, high: Floats, q: Floats, length: Floats) -> DecayNodes:
    r"""Place nodes for a product of two power decays over ``[0, length]``; needs ``low <= high``.

    Gauss-Legendre in :math:`v = \log(1+\tau/m)`. In that variable the integrand has no
    singularity within :math:`\pi` of the real line, whatever the ratio of the two scales, and the
    interval is cut where nothing is left to integrate, so that large exponents keep their nodes.
    """
    points, weights = _gauss_legendre()
    ends = [
        scale * np.expm1(_DECAY_DEPTH / np.maximum(power - 1.0, _DECAY_DEPTH / _LARGEST_EXPONENT))
        for scale, power in ((low, p), (high, q))
    ]
    span = np.log1p(np.minimum(np.minimum(*ends), length) / low)
    # In place, because fresh memory costs more here than the arithmetic.
    log_low = span[:, None] * points
    at_low = np.exp(log_low)
    at_low *= low[:, None]
    at_high = at_low + (high - low)[:, None]
    log_high = at_high / high[:, None]
    np.log(log_high, out=log_high)
    weighted = log_low * (1.0 - p)[:, None]
    weighted -= log_high * q[:, None]
    np.exp(weighted, out=weighted)
    weighted *= (low * span)[:, None]
    weighted *= weights
    return DecayNodes(weighted, at_low, at_high, log_low, log_high)


def decay_integral(a: Floats, p: Floats, b: Floats, q: Floats, length: Floats) -> Floats:
    r"""Return :math:`\int_0^h (1+\tau/a)^{-p} (1+\tau/b)^{-q} d\tau` for each row.

    Examples
    --------
    >>> one = np.ones(1)
    >>> decay_integral(one, 2 * one, one, 0 * one, 3 * one)  # 1 - 1/(1 + 3)
    array([0.75])
    """
    swap = a > b
    low, high = np.minimum(a, b), np.maximum(a, b)
    p, q = np.where(swap, q, p), np.where(swap, p, q)
    total = np.empty_like(length)
    for start in range(0, length.size, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        nodes = decay_nodes(low[rows], p[rows], high[rows], q[rows], length[rows])
        total[rows] = nodes.weighted.sum(axis=1)
    return total


@cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    """Return points and weights on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(_DECAY_NODES)
    return (points + 1.0) / 2.0, weights / 2.0
