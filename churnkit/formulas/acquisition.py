"""What a new customer costs, whether that pays, and how brands split their budget by stage."""

from __future__ import annotations

from typing import Literal

from churnkit.errors import ParameterError
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import amounts, choice, counts
from churnkit.formulas.metric import MetricValue, quotient
from churnkit.registry import did_you_mean

__all__ = [
    "BUDGET_MIX",
    "BUDGET_VARIANTS",
    "LTV_TO_CAC_YARDSTICK",
    "budget_mix",
    "cac_payback_months",
    "customer_acquisition_cost",
    "ltv_to_cac",
]

LTV_TO_CAC_YARDSTICK = 3.0
"""Lifetime value should be about three times the acquisition cost: practice's rule of thumb."""

BUDGET_MIX = {
    "early": (90.0, 10.0),
    "growth": (75.0, 25.0),
    "brand_value": (65.0, 35.0),
    "expansion": (50.0, 50.0),
    "mature": (40.0, 60.0),
}
"""Percent of the budget for acquisition and for retention, by stage of the brand."""

BUDGET_VARIANTS = {
    "retention": "share of the budget for keeping customers",
    "acquisition": "share of the budget for winning customers",
}
"""Which of the two shares; the first is the default."""


@FORMULAS.register("customer_acquisition_cost")
@described(
    unit="currency",
    formula="sales and marketing cost of the period / new customers of the period",
    zero_cases=({"marketing_cost": 10_000.0, "new_customers": 0},),
)
def customer_acquisition_cost(*, marketing_cost: float, new_customers: float) -> MetricValue:
    """Sales and marketing cost per customer won.

    Parameters
    ----------
    marketing_cost : float
        Sales and marketing cost of the period, in the currency of the input.
    new_customers : int
        Customers whose first order or subscription ever falls in the same period.

    Returns
    -------
    MetricValue
        In currency; ``n`` is the number of new customers. Without interval: a cost is not a
        sample.

    Raises
    ------
    ParameterError
        If the customers are not a whole number >= 0 or the cost is not finite.

    Notes
    -----
    Use a month, a quarter or a year: the shorter the period, the more of its new customers were
    won by costs of the one before. Credits can make the cost of a period negative.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> customer_acquisition_cost(marketing_cost=10_000.0, new_customers=200).value
    50.0
    """
    where = "customer_acquisition_cost"
    (cost,) = amounts(where, marketing_cost=marketing_cost)
    (new,) = counts(where, new_customers=new_customers)
    return quotient(
        where,
        numerator=cost,
        denominator=new,
        unit="currency",
        n=new,
        empty="no new customers in the period",
    )


@FORMULAS.register("ltv_to_cac")
@described(
    unit="ratio",
    formula="customer lifetime value / customer acquisition cost",
    zero_cases=({"lifetime_value": 600.0, "acquisition_cost": 0.0},),
)
def ltv_to_cac(*, lifetime_value: float, acquisition_cost: float) -> MetricValue:
    """Lifetime value of a customer per unit of money spent on winning them.

    Parameters
    ----------
    lifetime_value : float
        Best the margin one, in the currency of the input.
    acquisition_cost : float
        Cost per new customer, in the same currency.

    Returns
    -------
    MetricValue
        A ratio, to be shown against :data:`LTV_TO_CAC_YARDSTICK`.

    Raises
    ------
    ParameterError
        If an argument is not a finite number.

    Notes
    -----
    An acquisition cost below zero (credits) has the status ``negative_base``.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> ltv_to_cac(lifetime_value=600.0, acquisition_cost=50.0).value
    12.0
    """
    where = "ltv_to_cac"
    value, cost = amounts(where, lifetime_value=lifetime_value, acquisition_cost=acquisition_cost)
    return quotient(
        where,
        numerator=value,
        denominator=cost,
        unit="ratio",
        empty="the acquisition cost is zero",
        negative="the acquisition cost is negative",
    )


@FORMULAS.register("cac_payback_months")
@described(
    unit="months",
    formula="customer acquisition cost / monthly margin per customer",
    zero_cases=({"acquisition_cost": 50.0, "monthly_margin_per_customer": 0.0},),
)
def cac_payback_months(
    *, acquisition_cost: float, monthly_margin_per_customer: float
) -> MetricValue:
    """Months until a customer's margin has paid for winning them.

    Parameters
    ----------
    acquisition_cost : float
        Cost per new customer, in the currency of the input.
    monthly_margin_per_customer : float
        Margin per customer and month, in the same currency.

    Returns
    -------
    MetricValue
        In months.

    Raises
    ------
    ParameterError
        If an argument is not a finite number.

    Notes
    -----
    A margin of zero or below never pays back and gives a null value. Customers who leave before
    are not taken into account.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> cac_payback_months(acquisition_cost=50.0, monthly_margin_per_customer=20.0).value
    2.5
    """
    where = "cac_payback_months"
    cost, margin = amounts(
        where,
        acquisition_cost=acquisition_cost,
        monthly_margin_per_customer=monthly_margin_per_customer,
    )
    return quotient(
        where,
        numerator=cost,
        denominator=margin,
        unit="months",
        empty="the monthly margin is zero, so the cost is never paid back",
        negative="the monthly margin is negative, so the cost is never paid back",
    )


@FORMULAS.register("budget_mix")
@described(
    unit="percent",
    formula="acquisition/retention: early 90/10, growth 75/25, brand value 65/35, "
    "expansion 50/50, mature 40/60",
    variants=BUDGET_VARIANTS,
    zero_cases=({"stage": "growth", "budget": 0.0},),
)
def budget_mix(
    *,
    stage: str,
    budget: float = 100.0,
    variant: Literal["retention", "acquisition"] = "retention",
) -> MetricValue:
    """Share of the marketing budget that practice gives to retention at a stage of the brand.

    Parameters
    ----------
    stage : str
        A key of :data:`BUDGET_MIX`.
    budget : float, default 100
        Budget to be split, in any currency; the numerator is the part of it.
    variant : {"retention", "acquisition"}
        Which share.

    Returns
    -------
    MetricValue
        In percent.

    Raises
    ------
    ParameterError
        If the stage or the variant is unknown, or the budget not finite.

    Notes
    -----
    A rule of thumb to compare one's own split with, not an optimum.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> mix = budget_mix(stage="growth", budget=200_000.0)
    >>> mix.value, mix.numerator
    (25.0, 50000.0)
    """
    where = "budget_mix"
    choice(where, variant=variant, known=BUDGET_VARIANTS)
    if stage not in BUDGET_MIX:
        guess, names = did_you_mean(str(stage), BUDGET_MIX), ", ".join(BUDGET_MIX)
        msg = f"{where}: stage must be a known name; got {stage!r}.{guess} Known: {names}."
        raise ParameterError(msg)
    (whole,) = amounts(where, budget=budget)
    percent = BUDGET_MIX[stage][variant == "retention"]
    return quotient(
        where,
        numerator=percent * whole / 100.0,
        denominator=whole,
        unit="percent",
        empty="the budget is zero",
        negative="the budget is negative",
        variant=variant,
    )
