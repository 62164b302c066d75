"""What customers ask of support, and how soon they are helped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import choice, column, counts, needed, part_of
from churnkit.formulas.intervals import median_interval, poisson_interval, wilson_interval
from churnkit.formulas.metric import MetricValue, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "CONTACT_VARIANTS",
    "contact_rate",
    "first_response_hours",
    "resolution_hours",
    "resolution_rate",
    "support_contacts",
]

CONTACT_VARIANTS = {
    "per_order": "contacts / orders",
    "per_customer": "contacts / customers with a subscription in the period",
}
"""What contacts are counted against; the first is the default."""

NO_TICKETS = "no tickets opened in the period"


@FORMULAS.register("support_contacts")
@described(unit="count", formula="tickets opened in the period", zero_cases=())
def support_contacts(*, contacts: float) -> MetricValue:
    """Contacts to support.

    Parameters
    ----------
    contacts : int
        Tickets opened in the period.

    Returns
    -------
    MetricValue
        A count, 0 included. Neither ``n`` nor interval: it is a census, not a sample.

    Raises
    ------
    ParameterError
        If the contacts are not a whole number >= 0.

    Notes
    -----
    It grows with the number of customers: compare ``contact_rate``.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> support_contacts(contacts=30).value
    30.0
    """
    (number,) = counts("support_contacts", contacts=contacts)
    return quotient("support_contacts", numerator=number, denominator=1.0, unit="count", empty="")


@FORMULAS.register("contact_rate")
@described(
    unit="ratio",
    formula="contacts to support / orders",
    variants=CONTACT_VARIANTS,
    zero_cases=(
        {"contacts": 3, "orders": 0},
        {"contacts": 3, "customers": 0, "variant": "per_customer"},
    ),
)
def contact_rate(
    *,
    contacts: float,
    orders: float | None = None,
    customers: float | None = None,
    variant: Literal["per_order", "per_customer"] = "per_order",
    level: float = 0.95,
) -> MetricValue:
    """Contacts to support per order, or per customer where nothing is ordered.

    Parameters
    ----------
    contacts : int
        Contacts in the period.
    orders : int, optional
        Orders in the period. Needed by ``per_order``.
    customers : int, optional
        Customers with a subscription in the period. Needed by ``per_customer``.
    variant : {"per_order", "per_customer"}
        Definition, see :data:`CONTACT_VARIANTS`.
    level : float, default 0.95
        Level of the exact Poisson interval, the denominator being the exposure.

    Returns
    -------
    MetricValue
        A ratio, above 1 if contacts outnumber orders; ``n`` is the denominator.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or the variant is unknown or lacks an argument.

    Notes
    -----
    The interval takes contacts as independent: with several about one order it is too narrow. A
    report counts per order where there are orders, else per customer.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> contact_rate(contacts=30, orders=600).value
    0.05
    >>> contact_rate(contacts=90, customers=300, variant="per_customer").value
    0.3
    """
    where = "contact_rate"
    choice(where, variant=variant, known=CONTACT_VARIANTS)
    per_order = variant == "per_order"
    given = {"orders": orders} if per_order else {"customers": customers}
    needed(where, variant=variant, **given)
    events, base = counts(where, contacts=contacts, **given)
    return quotient(
        where,
        numerator=events,
        denominator=base,
        unit="ratio",
        n=base,
        empty="no orders in the period" if per_order else "no customers in the period",
        interval=partial(poisson_interval, events, exposure=base, level=level),
        variant=variant,
    )


@FORMULAS.register("resolution_rate")
@described(
    unit="percent",
    formula="tickets resolved / tickets opened * 100",
    zero_cases=({"resolved": 0, "opened": 0},),
)
def resolution_rate(*, resolved: float, opened: float, level: float = 0.95) -> MetricValue:
    """Share of the tickets opened in the period that were resolved by the end of the report.

    Parameters
    ----------
    resolved : int
        Those of the opened tickets that were resolved.
    opened : int
        Tickets opened.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of tickets opened.

    Raises
    ------
    ParameterError
        If an argument is not a whole number >= 0, or more are resolved than opened.

    Notes
    -----
    Tickets just opened have had little time: the newest period is too low.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> resolution_rate(resolved=45, opened=50).value
    90.0
    """
    where = "resolution_rate"
    part, whole = counts(where, resolved=resolved, opened=opened)
    part_of(where, "resolved", part, "opened", whole)
    return quotient(
        where,
        numerator=part,
        denominator=whole,
        unit="percent",
        n=whole,
        empty=NO_TICKETS,
        interval=partial(wilson_interval, part, whole, level=level),
    )


@FORMULAS.register("first_response_hours")
@described(unit="hours", formula="median of first response - opening", zero_cases=({"hours": []},))
def first_response_hours(*, hours: ArrayLike, level: float = 0.95) -> MetricValue:
    """Median time from the opening of a ticket to its first response.

    Parameters
    ----------
    hours : array-like of float, shape (n_tickets,)
        Hours of each ticket opened in the period and answered by the end of the report.
    level : float, default 0.95
        Level of the interval of the median.

    Returns
    -------
    MetricValue
        In hours; ``n`` is the number of tickets answered.

    Raises
    ------
    ParameterError
        If an entry is not a finite number >= 0.

    Notes
    -----
    A median, since few tickets that wait for weeks would own a mean. Tickets without an answer
    are not in it: where many are still open, the true median is longer.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> first_response_hours(hours=[0.5, 1.0, 30.0]).value
    1.0
    """
    return _median("first_response_hours", hours, level=level, empty="no tickets answered")


@FORMULAS.register("resolution_hours")
@described(unit="hours", formula="median of resolution - opening", zero_cases=({"hours": []},))
def resolution_hours(*, hours: ArrayLike, level: float = 0.95) -> MetricValue:
    """Median time from the opening of a ticket to its resolution.

    Parameters
    ----------
    hours : array-like of float, shape (n_tickets,)
        Hours of each ticket opened in the period and resolved by the end of the report.
    level : float, default 0.95
        Level of the interval of the median.

    Returns
    -------
    MetricValue
        In hours; ``n`` is the number of tickets resolved.

    Raises
    ------
    ParameterError
        If an entry is not a finite number >= 0.

    Notes
    -----
    See :func:`first_response_hours`: open tickets are not in it, and ``resolution_rate`` says how
    many there are.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> resolution_hours(hours=[10.0, 20.0, 60.0, 20.0]).value
    20.0
    """
    return _median("resolution_hours", hours, level=level, empty="no tickets resolved")


def _median(where: str, hours: ArrayLike, *, level: float, empty: str) -> MetricValue:
    values = column(where, "hours", hours)
    if (values < 0.0).any():
        msg = f"{where}: hours must hold numbers >= 0; got {float(values.min())!r}"
        raise ParameterError(msg)
    return quotient(
        where,
        numerator=float(np.median(values)) if values.size else 0.0,
        denominator=1.0 if values.size else 0.0,
        unit="hours",
        n=values.size,
        empty=empty,
        interval=partial(median_interval, values, level=level),
    )
