"""BG/NBD and MBG/NBD: orders come at a steady personal rate until one of them is the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit, gammaln, logit, psi

from churnkit.btyd.fitting import LOG_MEAN, LOG_SHAPE, maximise, mean_tenure, weighted_sum
from churnkit.btyd.history import refuse
from churnkit.btyd.predictions import PurchaseModel
from churnkit.btyd.quadrature import beta_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.btyd.fitting import Objective
    from churnkit.btyd.history import PurchaseHistory

    Floats = NDArray[np.float64]

__all__ = ["BgNbd", "fit_bg_nbd", "fit_mbg_nbd"]


@dataclass(frozen=True, kw_only=True)
class BgNbd(PurchaseModel):
    r"""A fitted BG/NBD model [1]_, or its modification MBG/NBD [2]_ [3]_.

    While a customer stays, repeat orders come as a Poisson process with rate
    :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)`; after each of them the customer leaves for good
    with probability :math:`p \sim \mathrm{Beta}(a, b)`. In BG/NBD a customer cannot leave after the
    first order, so that a one-time buyer counts as alive for ever; in MBG/NBD they can.

    All durations are in the unit of the history that was fitted. Customers are given as in
    :class:`churnkit.btyd.PurchaseHistory`; all arguments of a method broadcast, and results have
    the common shape.

    Parameters
    ----------
    kind : {"bg_nbd", "mbg_nbd"}
        Which of the two.
    r, alpha : float
        Shape, and scale in units of time, of the order rates. Mean rate: ``r / alpha``.
    a, b : float
        Shapes of the dropout probabilities. Mean probability: ``a / (a + b)``.
    log_likelihood, n_customers, n_iterations, at_bounds
        What the fit left behind, see :class:`churnkit.btyd.predictions.Fitted`.

    Notes
    -----
    Given the history, the customer is gone with odds
    :math:`\frac{a}{b+k-1}\left(\frac{\alpha+T}{\alpha+t_x}\right)^{r+x}`, where :math:`k` counts the
    chances to leave, x for BG/NBD (no chance: odds 0) and x + 1 for MBG/NBD. Given that they are
    not, :math:`\lambda \sim \mathrm{Gamma}(r+x, \alpha+T)` and
    :math:`p \sim \mathrm{Beta}(a, b+k)` independently, and they are still there a time g later with
    probability :math:`e^{-\lambda p g}`. Then, with horizon h,

    .. math:: P(\text{order}) = E[e^{-\lambda p g} (1 - e^{-\lambda h})], \qquad
              E[\text{orders}] = E[(e^{-\lambda p g} - e^{-\lambda p (g+h)}) / p].

    The mean over the rate has closed form, the one over p is computed by
    :func:`churnkit.btyd.quadrature.beta_mean`: the published form with a hypergeometric function
    equals it, but fails at a = 1 and overflows for frequent buyers.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie, K. L. Lee (2005), "Counting Your Customers the Easy Way:
       An Alternative to the Pareto/NBD Model", Marketing Science 24(2), 275-284,
       doi:10.1287/mksc.1040.0098.
    .. [2] E. P. Batislam, M. Denizel, A. Filiztekin (2007), "Empirical validation and comparison
       of models for customer base analysis", International Journal of Research in Marketing
       24(3), 201-209, doi:10.1016/j.ijresmar.2006.12.005.
    .. [3] D. Hoppe, U. Wagner (2007), "Customer Base Analysis: The Case for a Central Variant of
       the Betageometric/NBD Model", Marketing ZFP - Journal of Research and Management 3(2), 75-90.

    Examples
    --------
    >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)  # CDNOW, weeks
    >>> customer = {"repeat_orders": 2, "recency": 30.43, "tenure": 38.86}
    >>> print(model.expected_orders(**customer, horizon=39).round(3))
    1.226
    >>> print(model.probability_of_order(**customer, horizon=39).round(3))
    0.555
    """

    r: float
    alpha: float
    a: float
    b: float
    kind: Literal["bg_nbd", "mbg_nbd"] = "bg_nbd"

    def __post_init__(self) -> None:
        self._require_positive("r", "alpha", "a", "b")
        if self.kind not in ("bg_nbd", "mbg_nbd"):
            refuse("BgNbd", "kind must be 'bg_nbd' or 'mbg_nbd'", repr(self.kind))

    def _chances(self, x: Floats) -> Floats:
        """Orders so far after which the customer could have left."""
        return x + (self.kind == "mbg_nbd")

    def _p_alive(self, x: Floats, t_x: Floats, total: Floats) -> Floats:
        chances = self._chances(x)
        log_odds = np.log(self.a) - np.log(np.where(chances > 0, self.b + chances - 1.0, 1.0))
        log_odds = log_odds + (self.r + x) * np.log1p((total - t_x) / (self.alpha + t_x))
        return np.where(chances > 0, expit(-log_odds), 1.0)

    def _orders_if_alive(self, x: Floats, total: Floats, horizon: Floats, gap: Floats) -> Floats:
        shape, scale, has_gap = self.r + x, self.alpha + total, gap.any()

        def still_ordering(p: Floats, rows: slice) -> Floats:
            power, time, wait, ahead = _columns(rows, shape, scale, gap, horizon)
            arrived = -np.expm1(-power * np.log1p(p * ahead / (time + p * wait))) / p
            # Nobody leaves in no time: half of the work, where there is no gap.
            if not has_gap:
                return np.asarray(arrived)
            return np.asarray(np.exp(-power * np.log1p(p * wait / time)) * arrived)

        mean = beta_mean(
            still_ordering,
            a=self.a,
            b=self.b + self._chances(x),
            at_zero=shape * horizon / scale,
            at_one=still_ordering(np.ones(1), slice(None))[:, 0],
        )
        # Of somebody surely gone after the gap the quadrature may leave -1e-12 orders.
        return np.maximum(mean, 0.0)

    def _any_order_if_alive(self, x: Floats, total: Floats, horizon: Floats, gap: Floats) -> Floats:
        shape, scale = self.r + x, self.alpha + total

        def stayed_and_ordered(p: Floats, rows: slice) -> Floats:
            power, time, wait, ahead = _columns(rows, shape, scale, gap, horizon)
            ordered = -np.expm1(-power * np.log1p(ahead / (time + p * wait)))
            return np.asarray(np.exp(-power * np.log1p(p * wait / time)) * ordered)

        at_zero = stayed_and_ordered(np.zeros(1), slice(None))[:, 0]
        if not gap.any():
            return at_zero
        mean = beta_mean(
            stayed_and_ordered,
            a=self.a,
            b=self.b + self._chances(x),
            at_zero=at_zero,
            at_one=stayed_and_ordered(np.ones(1), slice(None))[:, 0],
        )
        return np.clip(mean, 0.0, 1.0)


def fit_bg_nbd(history: PurchaseHistory) -> BgNbd:
    """Fit BG/NBD by maximum likelihood.

    Parameters
    ----------
    history : PurchaseHistory
        Customers, best grouped by :func:`churnkit.btyd.group_customers`.

    Returns
    -------
    BgNbd

    Raises
    ------
    ModelGuardError
        If nobody has any tenure, or if the search does not end at a maximum.

    Notes
    -----
    ``r`` and ``a + b`` stay within [0.002, 10 000], the mean rate ``r / alpha`` within 1e-6 to 1e6
    orders per mean tenure, the mean dropout probability ``a / (a + b)`` within [1e-6, 1 - 1e-6].
    Data without a maximum inside end at a bound, and ``at_bounds`` says at which: without a repeat
    order the rate goes to 0, and BG/NBD learns nothing about ``a`` and ``b``; if nobody leaves, the
    probability of leaving goes to 0; if all customers are alike, ``r`` or ``a + b`` grows.
    Predictions are finite in every case.

    Examples
    --------
    >>> from churnkit.btyd import group_customers
    >>> history = group_customers(
    ...     repeat_orders=[0, 0, 1, 3, 0, 8], recency=[0, 0, 12, 30, 0, 14], tenure=[39] * 6
    ... )
    >>> model = fit_bg_nbd(history)
    >>> round(model.log_likelihood, 2), model.n_customers
    (-38.14, 6.0)
    """
    return _fit(history, kind="bg_nbd")


def fit_mbg_nbd(history: PurchaseHistory) -> BgNbd:
    """Fit MBG/NBD, in which the first order can be the last; see :func:`fit_bg_nbd`.

    Examples
    --------
    >>> from churnkit.btyd import group_customers
    >>> history = group_customers(
    ...     repeat_orders=[0, 0, 1, 3, 0, 8], recency=[0, 0, 12, 30, 0, 14], tenure=[39] * 6
    ... )
    >>> print(fit_mbg_nbd(history).p_alive(repeat_orders=0, recency=0, tenure=39).round(2))
    0.73
    """
    return _fit(history, kind="mbg_nbd")


def _fit(history: PurchaseHistory, *, kind: Literal["bg_nbd", "mbg_nbd"]) -> BgNbd:
    unit = mean_tenure(history, where=f"fit_{kind}")
    x = history.repeat_orders
    repeats = weighted_sum(history.count, x)
    rate = np.log(2.0 * repeats / history.n_customers + 1e-3)
    best = maximise(
        lambda columns, count: _objective(columns, count, first_chance=kind == "mbg_nbd"),
        (x, history.recency / unit, history.tenure / unit),
        history.count,
        starts=[(0.0, rate, -1.0, 1.0), (-1.2, rate + 1.0, 0.0, 0.0)],
        box={
            "r": LOG_SHAPE,
            "r / alpha": LOG_MEAN,
            "a / (a + b)": (float(logit(1e-6)), float(logit(1.0 - 1e-6))),
            "a + b": LOG_SHAPE,
        },
        where=f"fit_{kind}",
    )
    r, alpha, a, b = _parameters(best.point)
    return BgNbd(
        kind=kind,
        r=r,
        alpha=alpha * unit,
        a=a,
        b=b,
        log_likelihood=best.log_likelihood - repeats * float(np.log(unit)),
        n_customers=history.n_customers,
        n_iterations=best.n_iterations,
        at_bounds=best.at_bounds,
    )


def _parameters(point: Floats) -> tuple[float, float, float, float]:
    """Return r, alpha, a and b at (log r, log r/alpha, logit a/(a+b), log(a+b))."""
    r, rate, concentration = (float(value) for value in np.exp(point[[0, 1, 3]]))
    leaves = float(point[2])
    return r, r / rate, concentration * float(expit(leaves)), concentration * float(expit(-leaves))


def _objective(columns: Sequence[Floats], count: Floats, *, first_chance: bool) -> Objective:
    """Log-likelihood (equation 6 of Fader, Hardie and Lee 2005) and gradient at a point."""
    x, t_x, total = columns
    distinct, place = np.unique(x, return_inverse=True)
    customers = np.bincount(place, weights=count)
    chances = distinct + first_chance
    could_leave = chances > 0

    def objective(point: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = _parameters(point)
        before_last = np.where(could_leave, b + chances - 1.0, 1.0)
        log_odds_now = np.where(could_leave, np.log(a / before_last), -np.inf)
        log_silence = np.log1p((total - t_x) / (alpha + t_x))
        log_exposure = np.log1p(total / alpha)
        log_odds = log_odds_now[place] + (r + x) * log_silence
        smaller = np.exp(-np.abs(log_odds))
        gone = count * np.where(log_odds > 0.0, 1.0, smaller) / (1.0 + smaller)

        by_x = gammaln(r + distinct) - gammaln(r) - distinct * np.log(alpha)
        by_x += gammaln(b + chances) - gammaln(b) + gammaln(a + b) - gammaln(a + b + chances)
        by_row = np.maximum(log_odds, 0.0) + np.log1p(smaller) - (r + x) * log_exposure
        both = psi(a + b) - psi(a + b + chances)
        pull = r * total / alpha - x - gone / count * (r + x) * (total - t_x) / (alpha + t_x)
        gone_by_x = np.bincount(place, weights=gone, minlength=distinct.size)
        by_r = customers @ (psi(r + distinct) - psi(r))
        by_r += weighted_sum(gone, log_silence) - weighted_sum(count, log_exposure)
        by_alpha = weighted_sum(count, pull / (alpha + total))
        by_a = customers @ both + gone.sum() / a
        by_b = customers @ (both + psi(b + chances) - psi(b)) - (gone_by_x / before_last).sum()
        gradient = np.array(
            [
                r * by_r + alpha * by_alpha,
                -alpha * by_alpha,
                a * b / (a + b) * (by_a - by_b),
                a * by_a + b * by_b,
            ]
        )
        return float(customers @ by_x + weighted_sum(count, by_row)), gradient

    return objective


def _columns(rows: slice, *vectors: Floats) -> tuple[Floats, ...]:
    """Return a block of rows of each vector, as columns that broadcast against nodes."""
    return tuple(vector[rows, None] for vector in vectors)
