"""Pareto/NBD: orders come at a steady personal rate until the customer leaves, unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import exprel, gammaln, psi

from churnkit.btyd.fitting import LOG_MEAN, LOG_SHAPE, maximise, mean_tenure, weighted_sum
from churnkit.btyd.predictions import PurchaseModel
from churnkit.btyd.quadrature import ROWS_AT_ONCE, decay_integral, decay_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.btyd.fitting import Objective
    from churnkit.btyd.history import PurchaseHistory

    Floats = NDArray[np.float64]

__all__ = ["ParetoNbd", "fit_pareto_nbd"]


@dataclass(frozen=True, kw_only=True)
class ParetoNbd(PurchaseModel):
    r"""A fitted Pareto/NBD model [1]_ [2]_.

    While a customer stays, repeat orders come as a Poisson process with rate
    :math:`\lambda \sim \mathrm{Gamma}(r, \alpha)`; the customer leaves at rate
    :math:`\mu \sim \mathrm{Gamma}(s, \beta)`, at any time, whether or not they order.

    All durations are in the unit of the history that was fitted. Customers are given as in
    :class:`churnkit.btyd.PurchaseHistory`; all arguments of a method broadcast, and results have
    the common shape.

    Parameters
    ----------
    r, alpha : float
        Shape, and scale in units of time, of the order rates. Mean rate: ``r / alpha``.
    s, beta : float
        Shape, and scale in units of time, of the rates of leaving. Mean rate: ``s / beta``.
    kind : {"pareto_nbd"}
        Name of the model.
    log_likelihood, n_customers, n_iterations, at_bounds
        What the fit left behind, see :class:`churnkit.btyd.predictions.Fitted`.

    Notes
    -----
    The likelihood of a customer, without factors free of the parameters of leaving, is

    .. math:: (\alpha+T)^{-(r+x)} (\beta+T)^{-s}
              + s \int_{t_x}^{T} (\alpha+\tau)^{-(r+x)} (\beta+\tau)^{-(s+1)} d\tau,

    the first term for customers still there. The integral is computed as it stands
    (:func:`churnkit.btyd.quadrature.decay_nodes`) instead of as the difference of two
    hypergeometric functions: every term is positive, so nothing cancels or overflows, and one
    form serves alpha above and below beta. Given that the customer is there,
    :math:`\lambda \sim \mathrm{Gamma}(r+x, \alpha+T)` and
    :math:`\mu \sim \mathrm{Gamma}(s, \beta+T)` independently. With gap g and horizon h,

    .. math:: E[\text{orders}] = \int_g^{g+h} E[\lambda] E[e^{-\mu\tau}] d\tau, \qquad
              P(\text{order}) = \int_0^h E[\lambda e^{-\lambda\tau}] E[e^{-\mu(g+\tau)}] d\tau,

    the second being the time of the first order after the gap, had before leaving.

    References
    ----------
    .. [1] D. C. Schmittlein, D. G. Morrison, R. Colombo (1987), "Counting Your Customers: Who Are
       They and What Will They Do Next?", Management Science 33(1), 1-24, doi:10.1287/mnsc.33.1.1.
    .. [2] P. S. Fader, B. G. S. Hardie (2005), "A Note on Deriving the Pareto/NBD Model and
       Related Expressions", http://brucehardie.com/notes/009/.

    Examples
    --------
    >>> model = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)  # CDNOW, weeks
    >>> print(model.expected_repeat_orders(52).round(2))
    1.47
    """

    r: float
    alpha: float
    s: float
    beta: float
    kind: Literal["pareto_nbd"] = "pareto_nbd"

    def __post_init__(self) -> None:
        self._require_positive("r", "alpha", "s", "beta")

    def _p_alive(self, x: Floats, t_x: Floats, total: Floats) -> Floats:
        rate, leaving = self.alpha + t_x, self.beta + t_x
        power, silence = self.r + x, total - t_x
        here = np.exp(-power * np.log1p(silence / rate) - self.s * np.log1p(silence / leaving))
        exponent = np.full_like(x, self.s + 1.0)
        gone = self.s / leaving * decay_integral(rate, power, leaving, exponent, silence)
        return np.asarray(here / (here + gone))

    def _orders_if_alive(self, x: Floats, total: Floats, horizon: Floats, gap: Floats) -> Floats:
        # beta^s / ((1-s) (beta+g)^(s-1)) ((1 + h/(beta+g))^(1-s) - 1), written so that s = 1 is
        # a value like any other.
        leaving = self.beta + total
        log_wait, log_ahead = np.log1p(gap / leaving), np.log1p(horizon / (leaving + gap))
        length = (leaving + gap) * log_ahead * exprel((1.0 - self.s) * log_ahead)
        return np.asarray((self.r + x) / (self.alpha + total) * np.exp(-self.s * log_wait) * length)

    def _any_order_if_alive(self, x: Floats, total: Floats, horizon: Floats, gap: Floats) -> Floats:
        rate, leaving, power = self.alpha + total, self.beta + total, self.r + x
        exponent = np.full_like(x, self.s)
        time = decay_integral(rate, power + 1.0, leaving + gap, exponent, horizon)
        stayed = np.exp(-self.s * np.log1p(gap / leaving))
        return np.minimum(power / rate * time * stayed, 1.0)


def fit_pareto_nbd(history: PurchaseHistory) -> ParetoNbd:
    """Fit Pareto/NBD by maximum likelihood.

    Parameters
    ----------
    history : PurchaseHistory
        Customers, best grouped by :func:`churnkit.btyd.group_customers`.

    Returns
    -------
    ParetoNbd

    Raises
    ------
    ModelGuardError
        If nobody has any tenure, or if the search does not end at a maximum.

    Notes
    -----
    ``r`` and ``s`` stay within [0.002, 10 000], the mean rates ``r / alpha`` and ``s / beta`` within
    1e-6 to 1e6 per mean tenure. Data without a maximum inside end at a bound, and ``at_bounds``
    says at which: without a repeat order the rate of orders goes to 0; if nobody leaves, the rate
    of leaving goes to 0; if all customers are alike, shapes grow. Predictions are finite in every
    case.

    Examples
    --------
    >>> from churnkit.btyd import group_customers
    >>> history = group_customers(
    ...     repeat_orders=[0, 0, 1, 3, 0, 8], recency=[0, 0, 12, 30, 0, 14], tenure=[39] * 6
    ... )
    >>> round(fit_pareto_nbd(history).log_likelihood, 2)
    -38.42
    """
    unit = mean_tenure(history, where="fit_pareto_nbd")
    orders = weighted_sum(history.count, history.repeat_orders)
    rate = np.log(2.0 * orders / history.n_customers + 1e-3)
    best = maximise(
        _objective,
        (history.repeat_orders, history.recency / unit, history.tenure / unit),
        history.count,
        starts=[(0.0, rate, 0.0, 0.0), (-1.2, rate + 1.0, -0.7, 1.0)],
        box={"r": LOG_SHAPE, "r / alpha": LOG_MEAN, "s": LOG_SHAPE, "s / beta": LOG_MEAN},
        where="fit_pareto_nbd",
    )
    r, rate, s, leaving = (float(value) for value in np.exp(best.point))
    return ParetoNbd(
        r=r,
        alpha=r / rate * unit,
        s=s,
        beta=s / leaving * unit,
        log_likelihood=best.log_likelihood - orders * float(np.log(unit)),
        n_customers=history.n_customers,
        n_iterations=best.n_iterations,
        at_bounds=best.at_bounds,
    )


def _objective(columns: Sequence[Floats], count: Floats) -> Objective:
    """Log-likelihood and gradient in (log r, log r/alpha, log s, log s/beta)."""
    distinct, place = np.unique(columns[0], return_inverse=True)
    customers = np.bincount(place, weights=count)

    def objective(point: Floats) -> tuple[float, Floats]:
        r, rate, s, leaving = (float(value) for value in np.exp(point))
        alpha, beta = r / rate, s / leaving
        value = float(customers @ (gammaln(r + distinct) - gammaln(r)))
        slopes = np.array([customers @ (psi(r + distinct) - psi(r)), 0.0, 0.0, 0.0])
        for start in range(0, count.size, ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            block = [column[rows] for column in columns]
            by_row, slopes_by_row = _block(*block, r=r, alpha=alpha, s=s, beta=beta)
            value += float(count[rows] @ by_row)
            slopes += slopes_by_row @ count[rows]
        by_r, by_alpha, by_s, by_beta = slopes * np.array([r, alpha, s, beta])
        return value, np.array([by_r + by_alpha, -by_alpha, by_s + by_beta, -by_beta])

    return objective


def _block(
    x: Floats, t_x: Floats, total: Floats, *, r: float, alpha: float, s: float, beta: float
) -> tuple[Floats, Floats]:
    """Log-likelihood of customers, shape (n,), and derivatives, shape (4, n); no gamma functions.

    The derivatives are means over the time at which the customer was last there: the end of
    observation, or any instant of the silence before it, each with its posterior weight.
    """
    rate, leaving, silence = alpha + t_x, beta + t_x, total - t_x
    power, exponent = r + x, np.full_like(x, s + 1.0)
    if alpha <= beta:
        nodes = decay_nodes(rate, power, leaving, exponent, silence)
        at_rate, at_leaving, log_rate, log_leaving = nodes[1:]
    else:
        nodes = decay_nodes(leaving, exponent, rate, power, silence)
        at_leaving, at_rate, log_leaving, log_rate = nodes[1:]
    to_end, to_end_leaving = np.log1p(silence / rate), np.log1p(silence / leaving)
    here = np.exp(-power * to_end - s * to_end_leaving)
    gone = nodes.weighted * (s / leaving)[:, None]
    both = here + gone.sum(axis=1)
    here /= both
    gone /= both[:, None]

    before, before_leaving = np.log1p(t_x / alpha), np.log1p(t_x / beta)
    by_row = np.log(both) - r * before - x * np.log(rate) - s * before_leaving
    mean_log = before + here * to_end + np.einsum("ij,ij->i", gone, log_rate)
    mean_log_leaving = (
        before_leaving + here * to_end_leaving + np.einsum("ij,ij->i", gone, log_leaving)
    )
    inverse = here / (alpha + total) + (gone / at_rate).sum(axis=1)
    inverse_leaving = s * here / (beta + total) + (s + 1.0) * (gone / at_leaving).sum(axis=1)
    slopes = [
        -mean_log,
        r / alpha - power * inverse,
        (1.0 - here) / s - mean_log_leaving,
        s / beta - inverse_leaving,
    ]
    return by_row, np.array(slopes)
