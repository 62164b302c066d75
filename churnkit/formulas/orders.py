"""How often customers order and how much an order brings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.bootstrap import bootstrap_ratio_interval
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import (
    aligned,
    count_column,
    counts,
    needed,
    total,
)
from churnkit.formulas.metric import MetricValue, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["average_order_value", "purchase_frequency"]


@FORMULAS.register("purchase_frequency")
@described(
    unit="ratio",
    formula="orders / unique customers in the period",
    zero_cases=({"orders": 0, "customers": 0}, {"orders": []}),
)
def purchase_frequency(
    *,
    orders: ArrayLike,
    customers: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> MetricValue:
    """Orders per customer in a period.

    Parameters
    ----------
    orders : int or array-like of int, shape (n_customers,)
        Orders in the period: their number, or one number per customer.
    customers : int, optional
        Unique customers with an order in the period. Needed with a single number of orders; the
        length of the column otherwise.
    level : float, default 0.95
        Level of the bootstrap interval, which needs orders per customer.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    MetricValue
        A ratio; ``n`` is the number of customers.

    Raises
    ------
    ParameterError
        If an argument is not made of whole numbers >= 0, there are orders without customers, or
        ``customers`` is missing or differs from the length of ``orders``.

    Notes
    -----
    It grows with the length of the period, and is per that period, not per year.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> purchase_frequency(orders=600, customers=150).value
    4.0
    >>> purchase_frequency(orders=[1, 2, 6]).value
    3.0
    """
    where = "purchase_frequency"
    interval = None
    if np.ndim(orders) == 0:
        needed(where, variant="one number of orders", customers=customers)
        made, buyers = counts(where, orders=orders, customers=customers)
    else:
        each = count_column(where, "orders", orders)
        made, buyers = float(each.sum()), float(each.size)
        if customers is not None and counts(where, customers=customers) != (buyers,):
            msg = (
                f"{where}: customers must be the length of orders ({each.size}); got {customers!r}"
            )
            raise ParameterError(msg)
        ones = np.ones_like(each)
        interval = partial(bootstrap_ratio_interval, each, ones, level=level, seed=seed)
    if made and not buyers:
        msg = f"{where}: customers must be > 0 where there are orders ({made:.0f}); got 0"
        raise ParameterError(msg)
    return quotient(
        where,
        numerator=made,
        denominator=buyers,
        unit="ratio",
        n=buyers,
        empty="no customers with an order in the period",
        interval=interval,
    )


@FORMULAS.register("average_order_value")
@described(
    unit="currency",
    formula="net revenue / orders",
    zero_cases=({"net_revenue": 0.0, "orders": 0}, {"net_revenue": [], "orders": []}),
)
def average_order_value(
    *, net_revenue: ArrayLike, orders: ArrayLike, level: float = 0.95, seed: int = 0
) -> MetricValue:
    """Net revenue per order.

    Parameters
    ----------
    net_revenue : float or array-like of float, shape (n_customers,)
        Revenue less returns, in the currency of the input: the total, or one value per customer.
    orders : int or array-like of int, shape (n_customers,)
        Orders, in the same form.
    level : float, default 0.95
        Level of the bootstrap interval, which needs values per customer.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    MetricValue
        In currency; ``n`` is the number of customers with values per customer, the number of
        orders with totals.

    Raises
    ------
    ParameterError
        If orders are not whole numbers >= 0, an amount is not finite, or the two differ in form.

    Notes
    -----
    Negative where returns outweigh sales. Returns reduce the value on the day that they happen,
    so that returns of a former period weigh on this one. Customers are resampled, not orders,
    because the orders of one customer resemble each other.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> average_order_value(net_revenue=10_000.0, orders=200).value
    50.0
    >>> average_order_value(net_revenue=[30.0, -10.0, 100.0], orders=[1, 1, 2]).value
    30.0
    """
    where = "average_order_value"
    columns, per_customer = aligned(where, net_revenue=net_revenue, orders=orders)
    revenue, made = columns["net_revenue"], count_column(where, "orders", columns["orders"])
    interval = partial(bootstrap_ratio_interval, revenue, made, level=level, seed=seed)
    return quotient(
        where,
        numerator=total(revenue),
        denominator=total(made),
        unit="currency",
        n=float(made.size) if per_customer else total(made),
        empty="no orders in the period",
        interval=interval if per_customer else None,
    )
