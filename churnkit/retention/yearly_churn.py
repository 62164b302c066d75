"""The share of customers who were lost in the year before a date, for lifespans of 1 / churn."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from churnkit.retention.lifetime import yearly_probability
from churnkit.retention.order_counts import YEAR_DAYS, count_orders, order_buckets
from churnkit.retention.periods import report_periods
from churnkit.retention.report import ALL

if TYPE_CHECKING:
    from datetime import date

    import narwhals as nw

    from churnkit.engines import Engine

__all__ = ["yearly_churn_probability"]


def yearly_churn_probability(
    orders: nw.LazyFrame[Any],
    *,
    as_of: date,
    time_zone: str,
    activity_window_days: int,
    engine: Engine,
) -> float | None:
    """Return which share of the customers active a year before a date was no longer at the date.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`.
    as_of : date
        First business day that is not known.
    time_zone : str
        Business zone.
    activity_window_days : int
        Business days for which an order keeps its customer active.
    engine : Engine
        Where the orders are.

    Returns
    -------
    float or None
        A fraction; null where nobody was active a year before.
    """
    year = report_periods(
        start=as_of - timedelta(days=YEAR_DAYS), end=as_of, every=None, time_zone=time_zone
    )
    found = count_orders(
        order_buckets(orders, periods=year, window_days=activity_window_days),
        positions=(0,),
        segments=None,
        engine=engine,
    )
    counts = found.get((0, ALL))
    if counts is None or not counts.start:
        return None
    return yearly_probability(counts.lost / counts.start, days=YEAR_DAYS)
