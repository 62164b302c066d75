"""What customers do beside ordering: visits and rewards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import count_column, counts, non_negative, part_of
from churnkit.formulas.intervals import wilson_interval
from churnkit.formulas.metric import MetricValue, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "active_users",
    "redemption_rate",
    "stickiness",
]


@FORMULAS.register("active_users")
@described(
    unit="count", formula="unique users with an event in the day, week or month", zero_cases=()
)
def active_users(*, users: float) -> MetricValue:
    """Users with at least one event in a day, week or month.

    Parameters
    ----------
    users : int
        Unique users.

    Returns
    -------
    MetricValue
        A count, 0 included. Neither ``n`` nor interval: it is a census, not a sample.

    Raises
    ------
    ParameterError
        If the users are not a whole number >= 0.

    Notes
    -----
    Daily users do not add up to weekly ones: who comes twice is one user.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> active_users(users=1250).value
    1250.0
    """
    (number,) = counts("active_users", users=users)
    return quotient("active_users", numerator=number, denominator=1.0, unit="count", empty="")


@FORMULAS.register("stickiness")
@described(
    unit="ratio",
    formula="DAU / MAU",
    zero_cases=(
        {"daily_users": 0, "monthly_users": 0},
        {"daily_users": [0, 0], "monthly_users": 0},
    ),
)
def stickiness(*, daily_users: ArrayLike, monthly_users: float, level: float = 0.95) -> MetricValue:
    """Share of a month's users who come on an average day of it.

    Parameters
    ----------
    daily_users : float or array-like of int, shape (n_days,)
        Unique users of a day (or their mean over the days), or of each day.
    monthly_users : int
        Unique users of the month that holds those days.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    MetricValue
        A ratio in [0, 1]; ``n`` is the number of monthly users.

    Raises
    ------
    ParameterError
        If a number is negative, or a day has more users than the month.

    Notes
    -----
    The interval is Wilson's over the month's users. For a mean over days it is on the wide side:
    no share in [0, 1] varies more between users than a yes or no does [1]_.

    References
    ----------
    Practice; definition in docs/metrics.

    .. [1] R. Bhatia, C. Davis (2000), "A Better Bound on the Variance", The American
       Mathematical Monthly 107(4), 353-357.

    Examples
    --------
    >>> stickiness(daily_users=[180, 220, 200], monthly_users=1000).value
    0.2
    """
    where = "stickiness"
    (monthly,) = counts(where, monthly_users=monthly_users)
    if np.ndim(daily_users) == 0:
        (most,) = (daily,) = non_negative(where, daily_users=daily_users)
    else:
        days = count_column(where, "daily_users", daily_users)
        most, daily = (float(days.max()), float(days.mean())) if days.size else (0.0, 0.0)
    part_of(where, "daily_users", most, "monthly_users", monthly)
    return quotient(
        where,
        numerator=daily,
        denominator=monthly,
        unit="ratio",
        n=monthly,
        empty="no users in the month",
        interval=partial(wilson_interval, daily, monthly, level=level),
    )


@FORMULAS.register("redemption_rate")
@described(
    unit="percent",
    formula="rewards redeemed / rewards issued * 100",
    zero_cases=({"redeemed": 0, "issued": 0},),
)
def redemption_rate(*, redeemed: float, issued: float, level: float = 0.95) -> MetricValue:
    """Share of the rewards issued that were redeemed.

    Parameters
    ----------
    redeemed : int
        Those of the issued rewards that were redeemed.
    issued : int
        Rewards issued.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of rewards issued.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or more are redeemed than issued.

    Notes
    -----
    Rewards just issued have had little time. The interval is too narrow where few customers hold
    many rewards.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> redemption_rate(redeemed=120, issued=400).value
    30.0
    """
    where = "redemption_rate"
    part, whole = counts(where, redeemed=redeemed, issued=issued)
    part_of(where, "redeemed", part, "issued", whole)
    return quotient(
        where,
        numerator=part,
        denominator=whole,
        unit="percent",
        n=whole,
        empty="no rewards issued",
        interval=partial(wilson_interval, part, whole, level=level),
    )
