"""The formula metrics of every customer at a date, from the order table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from churnkit.data.orders import known_at
from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.formulas import DAYS_PER_YEAR, LIFESPAN_VARIANTS, customer_lifetime_value_margin
from churnkit.registry import did_you_mean
from churnkit.retention.scores import SCORE_COLUMNS, rfm_scores
from churnkit.retention.segments import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.retention.segments import SegmentRules

__all__ = [
    "BEGINNING_US",
    "CUSTOMER_METRIC_COLUMNS",
    "MetricSection",
    "customer_metric_columns",
    "customer_metrics",
]

CUSTOMER_METRIC_COLUMNS = (
    "customer_id",
    "orders",
    "net_revenue",
    "average_order_value",
    "first_order_us",
    "last_order_us",
    "days_since_last_order",
    "recency_days",
    "tenure_days",
    "purchase_frequency_per_year",
    "mean_days_between_orders",
    "is_repeat_customer",
    "historical_ltv",
    "formula_ltv",
    *SCORE_COLUMNS,
    "rfm_segment",
)
"""Columns of :func:`customer_metrics` that need no table but the orders, in order."""

BEGINNING_US = -(2**62)
"""Before every order, and still far enough from the end of 64 bits to be computed with."""


@dataclass(frozen=True, kw_only=True)
class MetricSection:
    """Metrics that another table adds to each customer: a survey, support, rewards, events.

    Parameters
    ----------
    names : tuple of str
        Columns that the section adds, in order, known before any data is read.
    rows : narwhals.LazyFrame
        ``customer_id``, once each, and columns of the table known before the date; customers
        without a row have nulls.
    derived : mapping of str to narwhals.Expr
        Columns computed after the join, over those of ``rows`` and
        :data:`CUSTOMER_METRIC_COLUMNS`: a count that is 0 where the table has no row of a
        customer, or a number per order. One of the same name takes the place of the column of
        ``rows``.
    """

    names: tuple[str, ...]
    rows: nw.LazyFrame[Any]
    derived: Mapping[str, nw.Expr] = field(default_factory=dict)


def customer_metric_columns(sections: Sequence[MetricSection] = ()) -> tuple[str, ...]:
    """Return the columns of :func:`customer_metrics` in order.

    Raises
    ------
    ParameterError
        If two sections add the same column, or one that the orders give.
    """
    names = (*CUSTOMER_METRIC_COLUMNS, *(name for section in sections for name in section.names))
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        msg = f"customer_metrics: sections must add each column once; got {repeated[0]!r} twice"
        raise ParameterError(msg)
    return names


def customer_metrics(
    orders: nw.LazyFrame[Any],
    *,
    as_of_us: int,
    segments: SegmentRules = DEFAULT_RULES,
    lifespan: Literal["observed", "churn"] = "observed",
    yearly_churn_probability: float | None = None,
    gross_margin: float = 1.0,
    sections: Sequence[MetricSection] = (),
) -> nw.LazyFrame[Any]:
    """Return one row for every customer with any row of orders before a date.

    All history counts, not an observation window. An order counts once its net is positive and
    until it has been refunded in full; what happens at or after the date has not happened.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`.
    as_of_us : int
        First instant that is not known, microseconds since 1970 UTC; the beginning of a business
        day, since the order table's amounts are per day.
    segments : SegmentRules
        What makes ``rfm_segment`` of the scores.
    lifespan : {"observed", "churn"}
        Expected lifespan in ``formula_ltv``, one for all customers: the mean over customers with
        an order of last - first order, or 1 / yearly churn.
    yearly_churn_probability : float, optional
        Share of customers lost in a year, as a fraction. Needed by ``churn``.
    gross_margin : float, default 1
        Share of revenue left after the cost of goods, as a fraction <= 1; both lifetime values
        are multiplied by it.
    sections : sequence of MetricSection
        Metrics of other tables.

    Returns
    -------
    narwhals.LazyFrame
        :data:`CUSTOMER_METRIC_COLUMNS`, then the columns of the sections; in no fixed order,
        nothing computed yet.

        ``orders``
            Count. Customers with returns or free lines only have 0, and null in every column
            below that is not said to be without nulls.
        ``net_revenue``
            Sales less returns, in currency; without nulls.
        ``average_order_value``
            ``net_revenue / orders`` in currency.
        ``first_order_us``, ``last_order_us``
            Microseconds since 1970 UTC.
        ``days_since_last_order``, ``recency_days``, ``tenure_days``
            Date - last order, last - first order, date - first order; days and their fractions.
        ``purchase_frequency_per_year``
            Orders per year since the first order, a year at least being counted; see
            :func:`churnkit.formulas.purchase_frequency_per_year`.
        ``mean_days_between_orders``
            ``recency_days / (orders - 1)``, null with fewer than two orders.
        ``is_repeat_customer``
            More than one order; without nulls.
        ``historical_ltv``
            ``net_revenue * gross_margin`` in currency: earned so far; without nulls.
        ``formula_ltv``
            ``average_order_value * purchase_frequency_per_year * lifespan * gross_margin`` in
            currency; null for all customers where the yearly churn is 0, as it then has no end.
        ``r_score``, ``f_score``, ``m_score``, ``rfm_segment``
            See :func:`churnkit.retention.segments.rfm_scores`; without nulls.

    Raises
    ------
    ParameterError
        If the lifespan is unknown or lacks its churn, a fraction is out of its range, or two
        sections add the same column.

    Notes
    -----
    The frame is a query of one group-by over the orders and windows over customers: memory is the
    engine's to bound.

    References
    ----------
    Practice; definitions in docs/metrics.
    """
    names = customer_metric_columns(sections)
    years = _expected_years(lifespan, yearly_churn_probability, gross_margin)
    has_order = nw.col("orders") > 0
    last, first, count = (nw.col(c) for c in ("last_order_us", "first_order_us", "orders"))
    revenue, recency = nw.col("net_revenue"), nw.col("recency_days")
    # A tenure shorter than a year counts as a year: nobody's first months are extrapolated.
    exposure_days = nw.when(nw.col("tenure_days") > DAYS_PER_YEAR).then(nw.col("tenure_days"))
    frequency = count * DAYS_PER_YEAR / exposure_days.otherwise(nw.lit(DAYS_PER_YEAR))
    frame = (
        _totals(orders, as_of_us=as_of_us)
        .with_columns(
            average_order_value=nw.when(has_order).then(revenue / count),
            days_since_last_order=(nw.lit(as_of_us) - last) / US_PER_DAY,
            recency_days=(last - first) / US_PER_DAY,
            tenure_days=(nw.lit(as_of_us) - first) / US_PER_DAY,
            is_repeat_customer=count > 1,
            historical_ltv=revenue * gross_margin,
        )
        .with_columns(
            purchase_frequency_per_year=nw.when(has_order).then(frequency),
            mean_days_between_orders=nw.when(count > 1).then(recency / (count - 1)),
        )
        .with_columns(
            formula_ltv=nw.col("average_order_value")
            * nw.col("purchase_frequency_per_year")
            * years
        )
    )
    frame = rfm_scores(frame).with_columns(rfm_segment=segments.expression())
    for section in sections:
        frame = frame.join(section.rows, on="customer_id", how="left")
        if section.derived:
            frame = frame.with_columns(**section.derived)
    return frame.select(*names)


def _totals(orders: nw.LazyFrame[Any], *, as_of_us: int) -> nw.LazyFrame[Any]:
    """Return what the order table says of each customer, nothing forgotten and nothing foreseen."""
    known = known_at(orders, start_us=BEGINNING_US, cutoff_us=as_of_us)
    at_order = nw.when(nw.col("is_order") == 1).then(nw.col("ts_us"))
    return known.group_by("customer_id").agg(
        orders=nw.col("is_order").sum().cast(nw.Int64),
        net_revenue=nw.col("amount").sum(),
        first_order_us=at_order.min(),
        last_order_us=at_order.max(),
    )


def _expected_years(lifespan: str, churn: float | None, gross_margin: float) -> nw.Expr:
    """Return the expected lifespan in years times the margin, one number for all customers."""
    if lifespan not in LIFESPAN_VARIANTS:
        msg = (
            f"customer_metrics: lifespan must be a known name; got {lifespan!r}."
            f"{did_you_mean(str(lifespan), LIFESPAN_VARIANTS)} Known: {', '.join(LIFESPAN_VARIANTS)}."
        )
        raise ParameterError(msg)
    # The company's formula of one unit of money a year is the factor, and checks the arguments.
    factor = customer_lifetime_value_margin(
        average_order_value=1.0,
        purchases_per_year=1.0,
        gross_margin=gross_margin,
        lifespan_years=1.0,
        yearly_churn_probability=churn,
        variant="churn" if lifespan == "churn" else "observed",
    ).value
    if lifespan == "observed":
        return nw.col("recency_days").mean() / DAYS_PER_YEAR * factor
    return nw.lit(factor).cast(nw.Float64)
