"""How much of the revenue or the activity comes from few customers."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.bootstrap import bootstrap_ratio_interval
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import amounts, column, count_column, total
from churnkit.formulas.metric import MetricValue, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["pareto_share", "power_user_share", "top_decile_spend_ratio"]


@FORMULAS.register("pareto_share")
@described(
    unit="percent",
    formula="revenue of the top 20 % of customers / revenue * 100",
    zero_cases=({"net_revenue": []}, {"net_revenue": [5.0, -5.0]}),
)
def pareto_share(
    *, net_revenue: ArrayLike, top: float = 0.2, level: float = 0.95, seed: int = 0
) -> MetricValue:
    """Share of the revenue that comes from the customers who spend most: the 80/20 rule.

    Parameters
    ----------
    net_revenue : array-like of float, shape (n_customers,)
        Net revenue of each customer, in the currency of the input; negative where returns
        outweigh sales.
    top : float, default 0.2
        Share of the customers taken as the top, in (0, 1].
    level : float, default 0.95
        Level of the bootstrap interval.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of customers.

    Raises
    ------
    ParameterError
        If an amount is not finite or ``top`` is not in (0, 1].

    Notes
    -----
    The top are ``ceil(top * n)`` customers. Ties at the boundary change nothing: whoever of them
    is taken, the sum is the same. Above 100 if the other customers have returned more than they
    bought; null if the revenue is zero or negative in total. Part of the concentration is luck:
    heavy buyers of one period are on average lighter in the next [2]_.

    The sum of the k largest values is ``k q + sum(max(v - q, 0))`` with q the k-th largest. Since
    it hardly depends on q near there, customers are resampled with q fixed.

    References
    ----------
    .. [1] V. Pareto (1896), Cours d'économie politique, Lausanne.
    .. [2] D. C. Schmittlein, L. G. Cooper, D. G. Morrison (1993), "Truth in Concentration in the
       Land of (80/20) Laws", Marketing Science 12(2), 167-183.

    Examples
    --------
    >>> pareto_share(net_revenue=[800.0, 50.0, 50.0, 50.0, 50.0]).value
    80.0
    """
    where = "pareto_share"
    values = column(where, "net_revenue", net_revenue)
    return _top_share(where, values, top, level, seed, "no revenue", "net revenue is negative")


@FORMULAS.register("power_user_share")
@described(
    unit="percent",
    formula="actions of the 10 % most active users / actions * 100",
    zero_cases=({"actions": []}, {"actions": [0, 0, 0]}),
)
def power_user_share(
    *, actions: ArrayLike, top: float = 0.1, level: float = 0.95, seed: int = 0
) -> MetricValue:
    """Share of all engagement actions that the most active users do.

    Parameters
    ----------
    actions : array-like of int, shape (n_users,)
        Actions of each user.
    top : float, default 0.1
        Share of the users taken as the top, in (0, 1].
    level, seed
        As in :func:`pareto_share`.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of users.

    Raises
    ------
    ParameterError
        If an action count is not a whole number >= 0 or ``top`` is not in (0, 1].

    Notes
    -----
    As for :func:`pareto_share`.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> power_user_share(actions=[55, 5, 5, 5, 5, 5, 5, 5, 5, 5]).value
    55.0
    """
    where = "power_user_share"
    values = count_column(where, "actions", actions)
    return _top_share(where, values, top, level, seed, "no actions", "")


@FORMULAS.register("top_decile_spend_ratio")
@described(
    unit="ratio",
    formula="mean spend of the top 10 % / mean spend of the rest",
    zero_cases=({"net_revenue": []}, {"net_revenue": [7.0]}, {"net_revenue": [9.0, 0.0, 0.0]}),
)
def top_decile_spend_ratio(
    *, net_revenue: ArrayLike, top: float = 0.1, level: float = 0.95, seed: int = 0
) -> MetricValue:
    """Mean spend of the customers who spend most, per unit of the mean spend of the others.

    Parameters
    ----------
    net_revenue, top, level, seed
        As in :func:`pareto_share`.

    Returns
    -------
    MetricValue
        A ratio; ``n`` is the number of customers.

    Raises
    ------
    ParameterError
        As in :func:`pareto_share`.

    Notes
    -----
    The top are ``ceil(top * n)`` customers; ties as in :func:`pareto_share`. Null if there is no
    other customer, or the others' mean is zero or negative.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> top_decile_spend_ratio(net_revenue=[900.0, *[100.0] * 9]).value
    9.0
    """
    where = "top_decile_spend_ratio"
    values = column(where, "net_revenue", net_revenue)
    k, upper = _top_part(where, values, top)
    others = values.size - k
    rest = total(values - upper) / others if others else 0.0
    interval = partial(
        bootstrap_ratio_interval,
        upper / max(k, 1),
        (values - upper) / max(others, 1),
        level=level,
        seed=seed,
    )
    return quotient(
        where,
        numerator=total(upper) / k if k else 0.0,
        denominator=rest,
        unit="ratio",
        n=values.size,
        empty="the other customers spent nothing" if others else "no customers outside the top",
        negative="the other customers returned more than they bought",
        interval=interval,
    )


def _top_share(
    where: str,
    values: NDArray[np.float64],
    top: float,
    level: float,
    seed: int,
    empty: str,
    negative: str,
) -> MetricValue:
    _, upper = _top_part(where, values, top)
    return quotient(
        where,
        numerator=total(upper),
        denominator=total(values),
        unit="percent",
        n=values.size,
        empty=empty,
        negative=negative,
        interval=partial(bootstrap_ratio_interval, upper, values, level=level, seed=seed),
    )


def _top_part(
    where: str, values: NDArray[np.float64], top: float
) -> tuple[int, NDArray[np.float64]]:
    """Return k and what each customer adds to the sum of the k largest values.

    Spreading the k-th largest value q over all customers, ``q * k / n + max(v - q, 0)``, makes
    the sum of order statistics a plain sum, which the bootstrap of sums can resample.
    """
    (share,) = amounts(where, top=top)
    if not 0.0 < share <= 1.0:
        msg = f"{where}: top must be a fraction in (0, 1]; got {top!r}"
        raise ParameterError(msg)
    n = values.size
    if n == 0:
        return 0, values
    k = math.ceil(round(share * n, 9))
    q = np.partition(values, n - k)[n - k]
    return k, q * k / n + np.maximum(values - q, 0.0)
