"""How many customers leave, by each of the definitions in use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import choice, count_column, counts, needed, part_of
from churnkit.formulas.intervals import poisson_interval, wilson_interval
from churnkit.formulas.metric import MetricValue, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["CHURN_VARIANTS", "customer_churn_rate"]

CHURN_VARIANTS = {
    "start_of_period": "lost of the customers at the start / customers at the start",
    "including_joiners": "all lost, joiners included / (customers at the start + joiners)",
    "mean_of_daily": "all lost, joiners included / mean over the days of customers on that day",
}
"""Definitions of the churn rate; the first is the default."""


@FORMULAS.register("customer_churn_rate")
@described(
    unit="percent",
    formula="customers active at the start and not at the end / S * 100",
    variants=CHURN_VARIANTS,
    zero_cases=(
        {"customers_at_start": 0, "lost_customers": 0},
        {
            "customers_at_start": 0,
            "lost_customers": 0,
            "joined_customers": 0,
            "lost_joiners": 0,
            "variant": "including_joiners",
        },
        {
            "customers_at_start": 0,
            "lost_customers": 0,
            "lost_joiners": 0,
            "daily_customers": [0, 0],
            "variant": "mean_of_daily",
        },
    ),
)
def customer_churn_rate(
    *,
    customers_at_start: float,
    lost_customers: float,
    joined_customers: float | None = None,
    lost_joiners: float | None = None,
    daily_customers: ArrayLike | None = None,
    variant: Literal["start_of_period", "including_joiners", "mean_of_daily"] = "start_of_period",
    level: float = 0.95,
) -> MetricValue:
    """Share of the customers active at the start who are no longer active at the end.

    Parameters
    ----------
    customers_at_start : int
        S, customers active at the start of the period.
    lost_customers : int
        Those of S who are not active at its end.
    joined_customers : int, optional
        Customers who joined in the period, whether or not they stayed to its end. Needed by
        ``including_joiners``.
    lost_joiners : int, optional
        Those of the joined who are not active at its end. Needed by both other variants.
    daily_customers : array-like of int, shape (n_days,), optional
        Active customers on each day of the period. Needed by ``mean_of_daily``.
    variant : {"start_of_period", "including_joiners", "mean_of_daily"}
        Definition, see :data:`CHURN_VARIANTS`. Arguments that it does not need are not looked at.
    level : float, default 0.95
        Level of the interval: Wilson, or for ``mean_of_daily`` that of a Poisson rate.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the denominator.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, a part exceeds its whole, or the variant is
        unknown or lacks an argument.

    Notes
    -----
    ``mean_of_daily`` is a rate per customer-period and can pass 100 where joiners leave fast.
    The rate belongs to its period: a monthly rate times twelve is not a yearly one.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> customer_churn_rate(customers_at_start=10, lost_customers=2).value
    20.0
    >>> customer_churn_rate(
    ...     customers_at_start=100,
    ...     lost_customers=10,
    ...     joined_customers=100,
    ...     lost_joiners=40,
    ...     variant="including_joiners",
    ... ).value
    25.0
    """
    where = "customer_churn_rate"
    choice(where, variant=variant, known=CHURN_VARIANTS)
    start, lost = counts(
        where, customers_at_start=customers_at_start, lost_customers=lost_customers
    )
    part_of(where, "lost_customers", lost, "customers_at_start", start)
    gone, base, empty = lost, start, "no customers at period start"
    if variant != "start_of_period":
        needed(where, variant=variant, lost_joiners=lost_joiners)
        gone += counts(where, lost_joiners=lost_joiners)[0]
    if variant == "including_joiners":
        needed(where, variant=variant, joined_customers=joined_customers)
        (joined,) = counts(where, joined_customers=joined_customers)
        part_of(where, "lost_joiners", gone - lost, "joined_customers", joined)
        base, empty = start + joined, "no customers at period start, and none joined"
    if variant == "mean_of_daily":
        needed(where, variant=variant, daily_customers=daily_customers)
        days = count_column(where, "daily_customers", daily_customers)
        base, empty = float(days.mean()) if days.size else 0.0, "no customers on any day"
        interval = partial(poisson_interval, gone, exposure=base, level=level)
    else:
        interval = partial(wilson_interval, gone, base, level=level)
    return quotient(
        where,
        numerator=gone,
        denominator=base,
        unit="percent",
        n=round(base),
        empty=empty,
        interval=interval,
        variant=variant,
    )
