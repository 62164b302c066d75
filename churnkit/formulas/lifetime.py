"""What a customer is worth over the time they stay."""

from __future__ import annotations

from typing import Literal

from churnkit.errors import ParameterError
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import amounts, choice, counts, fractions, needed, non_negative
from churnkit.formulas.metric import MetricValue, quotient

__all__ = ["LIFESPAN_VARIANTS", "customer_lifetime_value", "customer_lifetime_value_margin"]

LIFESPAN_VARIANTS = {
    "observed": "lifespan = mean of last order - first order, in years",
    "churn": "lifespan = 1 / yearly churn",
}
"""Where the lifespan comes from; the first is the default."""


@FORMULAS.register("customer_lifetime_value")
@described(
    unit="currency",
    formula="average order value * purchases per customer and year * lifespan in years",
    variants=LIFESPAN_VARIANTS,
    zero_cases=(
        {
            "average_order_value": 50.0,
            "purchases_per_year": 4.0,
            "yearly_churn_probability": 0.0,
            "variant": "churn",
        },
    ),
)
def customer_lifetime_value(
    *,
    average_order_value: float,
    purchases_per_year: float,
    lifespan_years: float | None = None,
    yearly_churn_probability: float | None = None,
    variant: Literal["observed", "churn"] = "observed",
    customers: float | None = None,
) -> MetricValue:
    """Revenue expected from an average customer over their lifespan.

    Parameters
    ----------
    average_order_value : float
        Net revenue per order, in the currency of the input.
    purchases_per_year : float
        Average number of orders per customer and year, >= 0.
    lifespan_years : float, optional
        Average time that a customer stays, >= 0. Needed by ``observed``. Any other unit of time
        does, if ``purchases_per_year`` is per that unit too.
    yearly_churn_probability : float, optional
        Share of customers lost in a year as a fraction in [0, 1]; the lifespan is its inverse.
        Needed by ``churn``.
    variant : {"observed", "churn"}
        Source of the lifespan, see :data:`LIFESPAN_VARIANTS`. The other one's argument is not
        looked at.
    customers : int, optional
        Number of customers that the averages rest on, for ``n``.

    Returns
    -------
    MetricValue
        In currency, per customer.

    Raises
    ------
    ParameterError
        If an argument is negative where it cannot be, a churn is not a fraction, or the variant
        is unknown or lacks its argument.

    Notes
    -----
    Without churn the lifespan has no end and the value is null. The observed lifespan ends with
    the data: among young customers it is too short. A value of the average is not the average of
    the values where big spenders stay longer.

    References
    ----------
    Practice; definition in docs/metrics. For models in its place: P. D. Berger, N. I. Nasr
    (1998), "Customer Lifetime Value: Marketing Models and Applications", Journal of Interactive
    Marketing 12(1), 17-30.

    Examples
    --------
    >>> customer_lifetime_value(
    ...     average_order_value=50.0, purchases_per_year=4.0, lifespan_years=3.0
    ... ).value
    600.0
    >>> customer_lifetime_value(
    ...     average_order_value=50.0,
    ...     purchases_per_year=4.0,
    ...     yearly_churn_probability=0.25,
    ...     variant="churn",
    ... ).value
    800.0
    """
    return _lifetime_value(
        "customer_lifetime_value",
        1.0,
        average_order_value=average_order_value,
        purchases_per_year=purchases_per_year,
        lifespan_years=lifespan_years,
        yearly_churn_probability=yearly_churn_probability,
        variant=variant,
        customers=customers,
    )


@FORMULAS.register("customer_lifetime_value_margin")
@described(
    unit="currency",
    formula="customer lifetime value * gross margin",
    variants=LIFESPAN_VARIANTS,
    zero_cases=(
        {
            "average_order_value": 50.0,
            "purchases_per_year": 4.0,
            "gross_margin": 0.4,
            "yearly_churn_probability": 0.0,
            "variant": "churn",
        },
    ),
)
def customer_lifetime_value_margin(
    *,
    average_order_value: float,
    purchases_per_year: float,
    gross_margin: float,
    lifespan_years: float | None = None,
    yearly_churn_probability: float | None = None,
    variant: Literal["observed", "churn"] = "observed",
    customers: float | None = None,
) -> MetricValue:
    """Gross profit expected from an average customer over their lifespan.

    Parameters
    ----------
    gross_margin : float
        Share of revenue left after the cost of goods, as a fraction <= 1; negative for goods
        sold below cost.
    average_order_value, purchases_per_year, lifespan_years, yearly_churn_probability
        As in :func:`customer_lifetime_value`.
    variant, customers
        As in :func:`customer_lifetime_value`.

    Returns
    -------
    MetricValue
        In currency, per customer.

    Raises
    ------
    ParameterError
        As in :func:`customer_lifetime_value`, or if the margin is above 1.

    Notes
    -----
    As for :func:`customer_lifetime_value`. Use this one against the acquisition cost.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> customer_lifetime_value_margin(
    ...     average_order_value=50.0, purchases_per_year=4.0, lifespan_years=3.0, gross_margin=0.4
    ... ).value
    240.0
    """
    where = "customer_lifetime_value_margin"
    (margin,) = amounts(where, gross_margin=gross_margin)
    if margin > 1.0:
        msg = f"{where}: gross_margin must be a fraction <= 1; got {gross_margin!r}"
        raise ParameterError(msg)
    return _lifetime_value(
        where,
        margin,
        average_order_value=average_order_value,
        purchases_per_year=purchases_per_year,
        lifespan_years=lifespan_years,
        yearly_churn_probability=yearly_churn_probability,
        variant=variant,
        customers=customers,
    )


def _lifetime_value(
    where: str,
    margin: float,
    *,
    average_order_value: float,
    purchases_per_year: float,
    lifespan_years: float | None,
    yearly_churn_probability: float | None,
    variant: str,
    customers: float | None,
) -> MetricValue:
    """Return order value x frequency x lifespan x margin, the lifespan from either source."""
    choice(where, variant=variant, known=LIFESPAN_VARIANTS)
    (order_value,) = amounts(where, average_order_value=average_order_value)
    (frequency,) = non_negative(where, purchases_per_year=purchases_per_year)
    yearly = order_value * frequency * margin
    if variant == "observed":
        needed(where, variant=variant, lifespan_years=lifespan_years)
        (lifespan,) = non_negative(where, lifespan_years=lifespan_years)
        above, below = yearly * lifespan, 1.0
    else:
        needed(where, variant=variant, yearly_churn_probability=yearly_churn_probability)
        (churn,) = fractions(where, yearly_churn_probability=yearly_churn_probability)
        above, below = yearly, churn
    return quotient(
        where,
        numerator=above,
        denominator=below,
        unit="currency",
        n=None if customers is None else counts(where, customers=customers)[0],
        empty="no customer leaves, so the lifespan has no end",
        variant=variant,
    )
