"""Gamma-Gamma: what a customer's orders are worth on average, shrunk towards everybody's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import gammaincinv, gammaln, psi

from churnkit.btyd.fitting import LOG_MEAN, LOG_SHAPE, Maximum, maximise, weighted_sum
from churnkit.btyd.history import distinct_rows, refuse, refuse_where
from churnkit.btyd.predictions import Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from churnkit.btyd.fitting import Objective

    Floats = NDArray[np.float64]

__all__ = ["GammaGamma", "fit_gamma_gamma"]

SAME = 1e-9  # means that differ by less, relative to their mean, are one value


@dataclass(frozen=True, kw_only=True)
class GammaGamma(Fitted):
    r"""A fitted Gamma-Gamma model of order values [1]_ [2]_.

    Orders of one customer are worth :math:`z \sim \mathrm{Gamma}(p, \nu)`, and customers differ
    by :math:`\nu \sim \mathrm{Gamma}(q, v)`. How often somebody orders tells nothing about how
    much: check that the two are nearly uncorrelated before relying on it.

    Parameters
    ----------
    p : float
        Shape of a customer's order values: their coefficient of variation is ``p ** -0.5``.
    q, v : float
        Shape, and scale in currency, of the differences between customers.
    kind : {"gamma_gamma"}
        Name of the model.
    log_likelihood, n_customers, n_iterations, at_bounds
        What the fit left behind, see :class:`churnkit.btyd.predictions.Fitted`.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie (2013), "The Gamma-Gamma Model of Monetary Value",
       http://brucehardie.com/notes/025/.
    .. [2] P. S. Fader, B. G. S. Hardie, K. L. Lee (2005), "RFM and CLV: Using Iso-Value Curves
       for Customer Base Analysis", Journal of Marketing Research 42(4), 415-430,
       doi:10.1509/jmkr.2005.42.4.415.

    Examples
    --------
    Customers 1 and 2 of [1]_, and one without a repeat order.

    >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> model.expected_order_value([22.35, 11.77, 0.0], n_orders=[2, 1, 0]).round(1)
    array([24.7, 18.9, 35.2])
    """

    p: float
    q: float
    v: float
    kind: Literal["gamma_gamma"] = "gamma_gamma"

    def __post_init__(self) -> None:
        self._require_positive("p", "q", "v")

    def expected_order_value(self, mean_order_value: ArrayLike, *, n_orders: ArrayLike) -> Floats:
        """Value that a customer's next orders are expected to have, each.

        Parameters
        ----------
        mean_order_value : array-like of float
            Mean value of the orders counted by ``n_orders``, which must be the orders that were
            counted for the fit: repeat orders or all. Positive; without orders it is not read and
            may be anything, null included.
        n_orders : array-like of float
            Orders behind the mean: whole numbers, 0 or more. Broadcasts with the values.

        Returns
        -------
        ndarray of float64
            Mean of the customer's own mean value, given what they spent, in the currency of the
            fit; without orders the mean of all customers, ``p * v / (q - 1)``. Where
            ``p * n_orders + q <= 1`` that mean is infinite, and the median is returned instead:
            only possible for customers without orders, or with few of extremely uneven value.

        Raises
        ------
        ParameterError
            If a value or a count breaks its rule, naming the first position.
        """
        where = "GammaGamma.expected_order_value"
        values, orders = _value_columns(where, mean_order_value, n_orders, at_least=0)
        shape = np.asarray(self.p * orders + self.q)
        scale = self.v + orders * np.where(orders > 0, values, 0.0)
        no_mean = ~(shape > 1.0)
        rest = np.where(no_mean, 1.0, shape - 1.0)
        # The inverse takes a hundred times what all else does, and hardly anybody needs it.
        rest[no_mean] = gammaincinv(shape[no_mean], 0.5)
        return np.asarray(self.p * scale * (1.0 / rest))


def fit_gamma_gamma(
    mean_order_value: ArrayLike, *, n_orders: ArrayLike, count: ArrayLike = 1.0
) -> GammaGamma:
    """Fit Gamma-Gamma by maximum likelihood.

    Parameters
    ----------
    mean_order_value : array-like of float, shape (n,)
        Mean value of each customer's orders; positive. The published model takes repeat orders
        of customers who have some; taking all orders works too and uses more data. Whichever you
        take, use it in :meth:`GammaGamma.expected_order_value` as well.
    n_orders : array-like of float, shape (n,)
        Orders behind each mean: whole numbers, 1 or more.
    count : array-like of float, shape (n,) or scalar, default 1
        Customers each position stands for; positive, fractions act as weights.

    Returns
    -------
    GammaGamma

    Raises
    ------
    ParameterError
        If a value, e.g. a net amount that is not positive, breaks its rule, naming its position.
    ModelGuardError
        If the search does not end at a maximum.

    Notes
    -----
    ``p`` and ``q`` stay within [0.002, 10 000], the typical value ``p * v / q`` within 1e-6 to 1e6
    times the mean. Data without a maximum inside end at a bound, and ``at_bounds`` says at which:
    if all orders of a customer have one value, ``p`` grows; if all customers are alike, ``q`` does.
    If all means are equal, both are put at their bounds and the mean is that value.

    Examples
    --------
    >>> means = [20.0, 35.5, 11.0, 28.0, 60.0, 5.5, 49.0, 14.0]
    >>> model = fit_gamma_gamma(means, n_orders=[1, 4, 2, 1, 3, 2, 5, 9])
    >>> model.expected_order_value([60.0, 60.0], n_orders=[1, 5]).round(1)
    array([42.4, 53.3])
    """
    where = "fit_gamma_gamma"
    values, orders = _value_columns(where, mean_order_value, n_orders, at_least=1)
    weight = np.broadcast_to(np.asarray(count, dtype=np.float64), values.shape)
    refuse_where(
        where, "count must be positive and finite", weight, ~((weight > 0) & (weight < np.inf))
    )
    first, group = distinct_rows(orders.ravel(), values.ravel())
    if not first.size:
        refuse(where, "mean_order_value must hold at least one customer", "none")
    customers = np.bincount(group, weights=weight.ravel()).astype(np.float64)
    unit = weighted_sum(customers, values.ravel()[first]) / float(customers.sum())
    columns = (orders.ravel()[first], values.ravel()[first] / unit)
    if np.ptp(columns[1]) <= SAME:
        best = _all_alike(columns, customers)
    else:
        best = maximise(
            _objective,
            columns,
            customers,
            starts=[(1.5, 1.2, 0.0), (0.0, 0.7, 0.0)],
            box={"p": LOG_SHAPE, "q": LOG_SHAPE, "p * v / q": LOG_MEAN},
            where=where,
        )
    p, q, scale = (float(value) for value in np.exp(best.point))
    return GammaGamma(
        p=p,
        q=q,
        v=q * scale / p * unit,
        log_likelihood=best.log_likelihood - float(customers.sum() * np.log(unit)),
        n_customers=float(customers.sum()),
        n_iterations=best.n_iterations,
        at_bounds=best.at_bounds,
    )


def _all_alike(columns: Sequence[Floats], count: Floats) -> Maximum:
    """Return where p and q end, at a mean of 1, if every order has the same value."""
    largest = LOG_SHAPE[1]
    point = np.array([largest, largest, np.log1p(-np.exp(-largest))])
    value, _ = _objective(columns, count)(point)
    return Maximum(point=point, log_likelihood=value, n_iterations=0, at_bounds=("p", "q"))


def _objective(columns: Sequence[Floats], count: Floats) -> Objective:
    """Log-likelihood and gradient in (log p, log q, log p v/q)."""
    n, mean = columns
    total, log_total = n * mean, np.log(n * mean)
    distinct, place = np.unique(n, return_inverse=True)
    customers = np.bincount(place, weights=count)
    constant = weighted_sum(count, np.log(mean))

    def objective(point: Floats) -> tuple[float, Floats]:
        p, q, scale = (float(value) for value in np.exp(point))
        v = q * scale / p
        pn = p * distinct
        log_share = log_total - np.log(v + total)
        log_rest = -np.log1p(total / v)
        value = customers @ (gammaln(pn + q) - gammaln(pn) - gammaln(q))
        value += weighted_sum(count, p * n * log_share + q * log_rest) - constant
        slope = psi(pn + q)
        by_p = customers @ (distinct * (slope - psi(pn))) + weighted_sum(count, n * log_share)
        by_q = customers @ (slope - psi(q)) + weighted_sum(count, log_rest)
        by_log_v = weighted_sum(count, (q * total - p * n * v) / (v + total))
        gradient = np.array([p * by_p - by_log_v, q * by_q + by_log_v, by_log_v])
        return float(value), gradient

    return objective


def _value_columns(
    where: str, mean_order_value: ArrayLike, n_orders: ArrayLike, *, at_least: int
) -> tuple[Floats, Floats]:
    """Return values and counts of one shape, checked."""
    given = [np.asarray(each, dtype=np.float64) for each in (mean_order_value, n_orders)]
    try:
        values, orders = np.broadcast_arrays(*given)
    except ValueError:
        shapes = " and ".join(str(array.shape) for array in given)
        refuse(where, "mean_order_value and n_orders must have one length", f"shapes {shapes}")
    whole = np.isfinite(orders) & (orders == np.rint(orders)) & (orders >= at_least)
    refuse_where(where, f"n_orders must be whole numbers >= {at_least}", orders, ~whole)
    bad = (orders > 0) & ~((values > 0.0) & np.isfinite(values))
    refuse_where(where, "mean_order_value must be positive and finite", values, bad)
    return values, orders
