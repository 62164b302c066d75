"""The value of one metric with everything a reader needs to recompute it, and how it is put together."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnkit.formulas.intervals import Interval

__all__ = ["SMALL_N", "MetricValue", "Status", "Unit", "quotient"]

Status = Literal["ok", "zero_denominator", "negative_base", "small_n"]
Unit = Literal["percent", "points", "ratio", "currency", "hours", "months", "count", "score"]

SMALL_N = 30
"""Below this many customers, answers or orders a value is given but marked ``small_n``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricValue:
    """One metric: ``value`` is always ``numerator / denominator``, times 100 for percentages.

    The first nine fields are the row of a metrics table; the last two explain it.

    Parameters
    ----------
    metric : str
        Name of the formula.
    value : float or None
        The metric in ``unit``; null if ``status`` is ``zero_denominator`` or ``negative_base``.
    unit : str
        ``percent`` (0-100), ``points`` (a difference of two percentages), ``ratio`` (plain
        number), ``currency`` (that of the input), ``hours``, ``months``, ``count`` or ``score``
        (points of a survey's scale).
    numerator, denominator : float
        What was divided by what. A metric that is a product has the denominator 1.
    n : int or None
        Customers, answers, orders or other units that the value rests on; null if the formula
        was given totals only.
    ci_low, ci_high : float or None
        Confidence interval in ``unit``; null where the formula has none, and where the data
        show no spread to take one from.
    status : str
        The first that holds of ``zero_denominator``, ``negative_base`` (a denominator below
        zero, of which no share can be taken), ``small_n`` (``n`` below :data:`SMALL_N`; the
        value is given) and ``ok``. With ``n`` null, ``small_n`` cannot be judged.
    reason : str
        Why the status is not ``ok``, in words; empty if it is.
    variant : str
        Which of the field's definitions was used; empty where there is one only.

    Examples
    --------
    >>> from churnkit.formulas import customer_churn_rate
    >>> customer_churn_rate(customers_at_start=10, lost_customers=2)
    MetricValue(metric='customer_churn_rate', value=20.0, unit='percent', numerator=2.0,
    denominator=10.0, n=10, ci_low=5.66..., ci_high=50.98..., status='small_n',
    reason='n = 10 is below 30', variant='start_of_period')
    """

    metric: str
    value: float | None
    unit: Unit
    numerator: float
    denominator: float
    n: int | None
    ci_low: float | None
    ci_high: float | None
    status: Status
    reason: str = ""
    variant: str = ""

    def as_row(self) -> dict[str, Any]:
        """Return the fields as a dict, in their order."""
        return asdict(self)


def quotient(
    metric: str,
    *,
    numerator: float,
    denominator: float,
    unit: Unit,
    empty: str,
    n: float | None = None,
    interval: Callable[[], Interval | None] | None = None,
    negative: str = "",
    variant: str = "",
) -> MetricValue:
    """Return ``numerator / denominator`` in ``unit`` with its status.

    Parameters
    ----------
    metric : str
        Name of the formula.
    numerator, denominator : float
        Finite numbers.
    unit : str
        ``percent`` and ``points`` multiply by 100.
    empty, negative : str
        Reason given when the denominator is zero, and when it is below zero.
    n : float or None
        Units behind the value.
    interval : callable or None
        Returns the interval of the quotient before the multiplication, or None. Called only if
        the denominator is positive.
    variant : str
        Definition used.

    Raises
    ------
    ParameterError
        If the quotient is too large for a float.
    """
    scale = 100.0 if unit in ("percent", "points") else 1.0
    value: float | None = None
    bounds: Interval | None = None
    status: Status
    if denominator == 0.0:
        status, reason = "zero_denominator", empty
    elif denominator < 0.0:
        status, reason = "negative_base", negative
    else:
        value = scale * numerator / denominator
        if not math.isfinite(value):
            got = f"{numerator!r} / {denominator!r}"
            msg = f"{metric}: the arguments must give a finite value; got {got}"
            raise ParameterError(msg)
        bounds = interval() if interval else None
        small = n is not None and n < SMALL_N
        status = "small_n" if small else "ok"
        reason = f"n = {n:.0f} is below {SMALL_N}" if small else ""
    return MetricValue(
        metric=metric,
        value=value,
        unit=unit,
        numerator=numerator,
        denominator=denominator,
        n=None if n is None else int(n),
        ci_low=None if bounds is None else scale * bounds[0],
        ci_high=None if bounds is None else scale * bounds[1],
        status=status,
        reason=reason,
        variant=variant,
    )
