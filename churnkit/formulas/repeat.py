"""Whether customers order again."""

from __future__ import annotations

from functools import partial
from typing import Literal

from churnkit.errors import ParameterError
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import choice, counts, part_of
from churnkit.formulas.intervals import wilson_interval
from churnkit.formulas.metric import MetricValue, quotient

__all__ = ["REPEAT_VARIANTS", "repeat_purchase_rate", "repurchase_probability"]

REPEAT_VARIANTS = {
    "in_period": "customers with more than one order in the period",
    "ever": "customers with an order in the period and more than one order up to its end",
}
"""Who counts as a repeat customer; the first is the default."""


@FORMULAS.register("repeat_purchase_rate")
@described(
    unit="percent",
    formula="customers with more than one order / customers with an order in the period * 100",
    variants=REPEAT_VARIANTS,
    zero_cases=({"customers": 0, "repeat_customers": 0},),
)
def repeat_purchase_rate(
    *,
    customers: float,
    repeat_customers: float,
    variant: Literal["in_period", "ever"] = "in_period",
    level: float = 0.95,
) -> MetricValue:
    """Share of a period's customers who order more than once.

    Parameters
    ----------
    customers : int
        Customers with an order in the period.
    repeat_customers : int
        Those of them with more than one order, counted as the variant says.
    variant : {"in_period", "ever"}
        Which orders ``repeat_customers`` was counted over, see :data:`REPEAT_VARIANTS`. It names
        the definition in the result; the division is the same.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of customers.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, more repeat than there are, or the variant is
        unknown.

    Notes
    -----
    ``in_period`` grows with the length of the period: compare periods of one length only.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> repeat_purchase_rate(customers=400, repeat_customers=100).value
    25.0
    """
    where = "repeat_purchase_rate"
    choice(where, variant=variant, known=REPEAT_VARIANTS)
    whole, part = counts(where, customers=customers, repeat_customers=repeat_customers)
    part_of(where, "repeat_customers", part, "customers", whole)
    return quotient(
        where,
        numerator=part,
        denominator=whole,
        unit="percent",
        n=whole,
        empty="no customers with an order in the period",
        interval=partial(wilson_interval, part, whole, level=level),
        variant=variant,
    )


@FORMULAS.register("repurchase_probability")
@described(
    unit="ratio",
    formula="P(order k + 1 | order k) = customers with order k + 1 / customers with order k",
    zero_cases=({"order_number": 3, "customers_at_risk": 0, "customers_ordering_again": 0},),
)
def repurchase_probability(
    *,
    order_number: int,
    customers_at_risk: float,
    customers_ordering_again: float,
    level: float = 0.95,
) -> MetricValue:
    """Probability that a customer with k orders makes another.

    Parameters
    ----------
    order_number : int
        k, >= 1.
    customers_at_risk : int
        Customers who made order k.
    customers_ordering_again : int
        Those of them who made order k + 1.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        A ratio in [0, 1]; ``n`` is the number at risk, ``variant`` says ``k=1``.

    Raises
    ------
    ParameterError
        If a count is not a whole number >= 0, k is below 1, or more order again than are at risk.

    Notes
    -----
    Customers whose order k is recent have had little time for the next: leave them out of both
    counts, or read the probability as a lower bound.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> repurchase_probability(
    ...     order_number=1, customers_at_risk=1000, customers_ordering_again=270
    ... ).value
    0.27
    """
    where = "repurchase_probability"
    k, risk, again = counts(
        where,
        order_number=order_number,
        customers_at_risk=customers_at_risk,
        customers_ordering_again=customers_ordering_again,
    )
    if k < 1:
        msg = f"{where}: order_number must be >= 1; got {order_number!r}"
        raise ParameterError(msg)
    part_of(where, "customers_ordering_again", again, "customers_at_risk", risk)
    return quotient(
        where,
        numerator=again,
        denominator=risk,
        unit="ratio",
        n=risk,
        empty=f"no customers with order {k:.0f}",
        interval=partial(wilson_interval, again, risk, level=level),
        variant=f"k={k:.0f}",
    )
