"""How many users go on from one step to the next, and how many leave a cart behind."""

from __future__ import annotations

from functools import partial

from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import counts, part_of
from churnkit.formulas.intervals import wilson_interval
from churnkit.formulas.metric import MetricValue, quotient

__all__ = ["cart_abandonment_rate", "funnel_conversion", "funnel_drop_off"]


@FORMULAS.register("funnel_conversion")
@described(
    unit="percent",
    formula="users reaching the step / users reaching the step before * 100",
    zero_cases=({"entered": 0, "converted": 0},),
)
def funnel_conversion(*, entered: float, converted: float, level: float = 0.95) -> MetricValue:
    """Share of the users at one step of a funnel who reach a later one.

    Parameters
    ----------
    entered : int
        Users who reached the earlier step.
    converted : int
        Those of them who reached the later step after it.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of users who entered.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or more convert than enter.

    Notes
    -----
    The conversion of a whole funnel is the product of the conversions of its steps.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> funnel_conversion(entered=800, converted=200).value
    25.0
    """
    where = "funnel_conversion"
    whole, part = counts(where, entered=entered, converted=converted)
    return _share(where, "converted", part, "entered", whole, "no users at the step before", level)


@FORMULAS.register("funnel_drop_off")
@described(
    unit="percent",
    formula="(users reaching the step before - users reaching the step) / the former * 100",
    zero_cases=({"entered": 0, "converted": 0},),
)
def funnel_drop_off(*, entered: float, converted: float, level: float = 0.95) -> MetricValue:
    """Share of the users at one step of a funnel who do not reach a later one.

    Parameters
    ----------
    entered, converted, level
        As in :func:`funnel_conversion`.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of users who entered.

    Raises
    ------
    ParameterError
        As in :func:`funnel_conversion`.

    Notes
    -----
    Equals 100 - conversion. Users still on their way count as dropped.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> funnel_drop_off(entered=800, converted=200).value
    75.0
    """
    where = "funnel_drop_off"
    whole, part = counts(where, entered=entered, converted=converted)
    part_of(where, "converted", part, "entered", whole)
    return _share(
        where, "dropped", whole - part, "entered", whole, "no users at the step before", level
    )


@FORMULAS.register("cart_abandonment_rate")
@described(
    unit="percent",
    formula="carts without a purchase within the window / carts * 100",
    zero_cases=({"carts": 0, "abandoned_carts": 0},),
)
def cart_abandonment_rate(
    *, carts: float, abandoned_carts: float, level: float = 0.95
) -> MetricValue:
    """Share of the carts that no purchase follows within the window.

    Parameters
    ----------
    carts : int
        Carts filled.
    abandoned_carts : int
        Those of them without a purchase within the window.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of carts.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or more are abandoned than were filled.

    Notes
    -----
    Carts whose window reaches past the end of the data are not known yet: leave them out of both.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> cart_abandonment_rate(carts=400, abandoned_carts=280).value
    70.0
    """
    where = "cart_abandonment_rate"
    whole, part = counts(where, carts=carts, abandoned_carts=abandoned_carts)
    return _share(where, "abandoned_carts", part, "carts", whole, "no carts", level)


def _share(
    where: str, part_name: str, part: float, whole_name: str, whole: float, empty: str, level: float
) -> MetricValue:
    part_of(where, part_name, part, whole_name, whole)
    return quotient(
        where,
        numerator=part,
        denominator=whole,
        unit="percent",
        n=whole,
        empty=empty,
        interval=partial(wilson_interval, part, whole, level=level),
    )
