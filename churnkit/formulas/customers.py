"""How many customers stay."""

from __future__ import annotations

from functools import partial

from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import counts, part_of
from churnkit.formulas.intervals import wilson_interval
from churnkit.formulas.metric import MetricValue, quotient

__all__ = [
    "cohort_retention",
    "customer_retention_rate",
    "customer_retention_rate_strict",
]

NOBODY_AT_START = "no customers at period start"


@FORMULAS.register("customer_retention_rate")
@described(
    unit="percent",
    formula="(E - N) / S * 100",
    zero_cases=({"customers_at_start": 0, "customers_at_end": 5, "new_customers": 5},),
)
def customer_retention_rate(
    *,
    customers_at_start: float,
    customers_at_end: float,
    new_customers: float,
    level: float = 0.95,
) -> MetricValue:
    """Retained customers, as those at the end who are not new, per customer at the start.

    Parameters
    ----------
    customers_at_start : int
        S, customers active at the start of the period.
    customers_at_end : int
        E, customers active at its end.
    new_customers : int
        N, those of E whose first order or subscription ever falls in the period.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is S.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or N exceeds E.

    See Also
    --------
    customer_retention_rate_strict : Leaves the reactivated customers out.

    Notes
    -----
    Reactivated customers (active at the end, not at the start, not new) are in E and in neither
    S nor N, so that the rate can pass 100. There is no interval then, since E - N is not a part
    of S; below 100 it is exact only without reactivated customers. In March 1998 the bundled
    CDNOW has 5,937 customers active at the start (an order in 180 days), nobody new, 5,448 who
    stay and 607 who come back: 6,055 / 5,937, a rate of 102.0 beside a strict one of 91.8.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> customer_retention_rate(
    ...     customers_at_start=102, customers_at_end=115, new_customers=20
    ... ).value
    93.137...
    >>> customer_retention_rate(
    ...     customers_at_start=200, customers_at_end=250, new_customers=100
    ... ).value
    75.0
    >>> came_back = customer_retention_rate(
    ...     customers_at_start=5937, customers_at_end=6055, new_customers=0
    ... )
    >>> round(came_back.value, 1), came_back.ci_high
    (102.0, None)
    """
    where = "customer_retention_rate"
    start, end, new = counts(
        where,
        customers_at_start=customers_at_start,
        customers_at_end=customers_at_end,
        new_customers=new_customers,
    )
    part_of(where, "new_customers", new, "customers_at_end", end)
    kept = end - new
    return quotient(
        where,
        numerator=kept,
        denominator=start,
        unit="percent",
        n=start,
        empty=NOBODY_AT_START,
        interval=partial(wilson_interval, kept, start, level=level) if kept <= start else None,
    )


@FORMULAS.register("customer_retention_rate_strict")
@described(
    unit="percent",
    formula="customers active at both start and end / S * 100",
    zero_cases=({"customers_at_start": 0, "retained_customers": 0},),
)
def customer_retention_rate_strict(
    *, customers_at_start: float, retained_customers: float, level: float = 0.95
) -> MetricValue:
    """Share of the customers active at the start who are still active at the end.

    Parameters
    ----------
    customers_at_start : int
        S, customers active at the start of the period.
    retained_customers : int
        Those of S who are active at its end too.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent, never above 100; ``n`` is S.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or more are retained than there were.

    Notes
    -----
    Equals 100 - :func:`customer_churn_rate`, and :func:`customer_retention_rate` where nobody
    was reactivated.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> customer_retention_rate_strict(customers_at_start=10, retained_customers=8).value
    80.0
    """
    where = "customer_retention_rate_strict"
    start, kept = counts(
        where, customers_at_start=customers_at_start, retained_customers=retained_customers
    )
    part_of(where, "retained_customers", kept, "customers_at_start", start)
    return quotient(
        where,
        numerator=kept,
        denominator=start,
        unit="percent",
        n=start,
        empty=NOBODY_AT_START,
        interval=partial(wilson_interval, kept, start, level=level),
    )


@FORMULAS.register("cohort_retention")
@described(
    unit="percent",
    formula="active in the period / customers acquired together * 100",
    zero_cases=({"cohort_customers": 0, "active_customers": 0},),
)
def cohort_retention(
    *, cohort_customers: float, active_customers: float, level: float = 0.95
) -> MetricValue:
    """Share of the customers acquired in one period who are active a given number of periods later.

    Parameters
    ----------
    cohort_customers : int
        Customers whose first order falls in the period of acquisition.
    active_customers : int
        Those of them who are active in the later period.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the size of the cohort.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or more are active than were acquired.

    Notes
    -----
    It may rise from one period to the next: who skips a period can come back.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> cohort_retention(cohort_customers=200, active_customers=70).value
    35.0
    """
    where = "cohort_retention"
    cohort, active = counts(
        where, cohort_customers=cohort_customers, active_customers=active_customers
    )
    part_of(where, "active_customers", active, "cohort_customers", cohort)
    return quotient(
        where,
        numerator=active,
        denominator=cohort,
        unit="percent",
        n=cohort,
        empty="no customers in the cohort",
        interval=partial(wilson_interval, active, cohort, level=level),
    )
