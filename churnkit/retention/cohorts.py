"""What becomes of the customers acquired together: how many order, and for how much, at each age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from churnkit.errors import ParameterError
from churnkit.formulas import cohort_retention
from churnkit.registry import did_you_mean
from churnkit.retention.metric_table import arrow_of
from churnkit.retention.order_counts import order_buckets
from churnkit.retention.periods import last_boundary, report_periods

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.formulas import MetricValue
    from churnkit.retention.periods import Every, Period

__all__ = ["COHORT_COLUMNS", "MEASURES", "CohortTriangle", "Measure", "cohort_triangle"]

MEASURES = ("rate", "customers", "revenue", "unbounded_rate", "unbounded_customers")
"""What a triangle can be asked for."""

COHORT_COLUMNS = {
    "cohort_start": "day",
    "cohort_end": "day",
    "cohort_customers": "count",
    "age": "count",
    "customers": "count",
    "rate": "number",
    "rate_ci_low": "number",
    "rate_ci_high": "number",
    "unbounded_customers": "count",
    "unbounded_rate": "number",
    "revenue": "number",
}
"""Columns of a triangle as a table, each with its kind."""

Measure = Literal["rate", "customers", "revenue", "unbounded_rate", "unbounded_customers"]


@dataclass(frozen=True, kw_only=True)
class CohortTriangle:
    """Cohorts by age; a cell that has not been observed is null, and one without customers is 0.

    Parameters
    ----------
    cohorts : tuple of Period
        Periods of acquisition, in order of time.
    size : tuple of int
        Customers of each cohort: those whose first order ever falls in its period.
    customers : tuple of tuple of (int or None)
        By cohort and age in periods: customers with an order in that period (bounded).
    unbounded_customers : tuple of tuple of (int or None)
        The same with an order in that period or a later one.
    revenue : tuple of tuple of (float or None)
        Net revenue of the cohort's customers in that period, in currency.
    level : float, default 0.95
        Level of the Wilson intervals of the rates.
    """

    cohorts: tuple[Period, ...]
    size: tuple[int, ...]
    customers: tuple[tuple[int | None, ...], ...]
    unbounded_customers: tuple[tuple[int | None, ...], ...]
    revenue: tuple[tuple[float | None, ...], ...]
    level: float = 0.95

    def rate(self, cohort: int, age: int, *, unbounded: bool = False) -> MetricValue | None:
        """Return ``cohort_retention`` of one cell with its interval; null if not observed.

        Parameters
        ----------
        cohort, age : int
            Positions, from 0.
        unbounded : bool, default False
            Count orders in the period or later.
        """
        active = (self.unbounded_customers if unbounded else self.customers)[cohort][age]
        if active is None:
            return None
        return cohort_retention(
            cohort_customers=self.size[cohort], active_customers=active, level=self.level
        )

    def to_arrow(self) -> pa.Table:
        """Return a row per observed cell with :data:`COHORT_COLUMNS`; rates are 0-100."""
        rows = []
        for cohort, period in enumerate(self.cohorts):
            for age, active in enumerate(self.customers[cohort]):
                rate, later = (self.rate(cohort, age, unbounded=u) for u in (False, True))
                if rate is None or later is None:
                    continue
                rows.append(
                    {
                        "cohort_start": period.start,
                        "cohort_end": period.end,
                        "cohort_customers": self.size[cohort],
                        "age": age,
                        "customers": active,
                        "rate": rate.value,
                        "rate_ci_low": rate.ci_low,
                        "rate_ci_high": rate.ci_high,
                        "unbounded_customers": self.unbounded_customers[cohort][age],
                        "unbounded_rate": later.value,
                        "revenue": self.revenue[cohort][age],
                    }
                )
        return arrow_of(rows, COHORT_COLUMNS)

    def to_pandas(self, measure: Measure = "rate") -> pd.DataFrame:
        """Return a frame with a row per cohort (its first day) and a column per age.

        Parameters
        ----------
        measure : str
            One of :data:`MEASURES`; rates are percent of the cohort.

        Raises
        ------
        ParameterError
            If the measure is unknown.
        """
        import pandas as pd

        if measure not in MEASURES:
            guess, known = did_you_mean(str(measure), MEASURES), ", ".join(MEASURES)
            msg = f"cohort_triangle: measure must be known; got {measure!r}.{guess} Known: {known}."
            raise ParameterError(msg)
        cells = getattr(self, measure.replace("rate", "customers"))
        frame = pd.DataFrame(
            [list(row) for row in cells],
            index=pd.Index([cohort.start for cohort in self.cohorts], name="cohort"),
            columns=pd.RangeIndex(len(self.cohorts), name="age"),
            dtype="float64",
        )
        if measure.endswith("rate"):
            size = pd.Series(self.size, index=frame.index, dtype="float64")
            return frame.div(size.where(size > 0), axis=0) * 100.0
        return frame


def cohort_triangle(
    orders: nw.LazyFrame[Any],
    *,
    engine: Engine,
    time_zone: str,
    start: date,
    end: date,
    every: Every = "month",
    level: float = 0.95,
) -> CohortTriangle:
    """Count the customers of each acquisition cohort who order at each age.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`.
    engine : Engine
        Where the orders are.
    time_zone : str
        Business zone.
    start, end : date
        First business day, and the day after the last. Only whole periods count: where ``end``
        is not the beginning of one, the rest is left out, because a part of a month is no month.
    every : {"month", "quarter", "year"}
        Length of the periods, of cohorts and of ages.
    level : float, default 0.95
        Level of the Wilson intervals of the rates.

    Returns
    -------
    CohortTriangle
        Age 0 is the period of acquisition itself, so that its rate is 100.

    Raises
    ------
    ParameterError
        If ``every`` is unknown or no whole period lies in the time.

    Notes
    -----
    Bounded retention may rise with age, unbounded cannot. Unbounded retention of the newest ages
    is too low: who has not come back yet may still do so.

    References
    ----------
    Practice; definition in docs/metrics.
    """
    whole = last_boundary(end, every=every)
    if whole <= start:
        msg = f"cohort_triangle: {start} to {end} must hold a whole {every}; got none"
        raise ParameterError(msg)
    periods = report_periods(start=start, end=whole, every=every, time_zone=time_zone)
    count = len(periods.each)
    has_order = ~nw.col("first_us").is_null()
    buckets = engine.materialize(
        order_buckets(orders, periods=periods, window_days=1).filter(nw.col("period") >= 0)
    )
    acquired = buckets.filter(has_order & nw.col("prior_us").is_null()).select(
        "customer_id", cohort=nw.col("period")
    )
    placed = buckets.join(acquired, on="customer_id", how="inner").with_columns(
        active=nw.when(has_order).then(nw.lit(1)).otherwise(nw.lit(0)),
        is_last=nw.when(has_order & (nw.col("follow") >= count))
        .then(nw.lit(1))
        .otherwise(nw.lit(0)),
    )
    cells = placed.group_by("cohort", "period").agg(
        nw.col("active", "is_last").sum().cast(nw.Int64), nw.col("revenue").sum()
    )
    found = {(r["cohort"], r["period"]): r for r in engine.collect(cells).to_pylist()}
    nothing = {"active": 0, "is_last": 0, "revenue": 0.0}
    customers: list[tuple[int | None, ...]] = []
    later: list[tuple[int | None, ...]] = []
    revenue: list[tuple[float | None, ...]] = []
    for cohort in range(count):
        seen = [found.get((cohort, period), nothing) for period in range(cohort, count)]
        unseen = (None,) * cohort
        customers.append((*(row["active"] for row in seen), *unseen))
        left = [sum(row["is_last"] for row in seen[age:]) for age in range(len(seen))]
        later.append((*left, *unseen))
        revenue.append((*(row["revenue"] for row in seen), *unseen))
    return CohortTriangle(
        cohorts=periods.each,
        size=tuple(int(row[0] or 0) for row in customers),
        customers=tuple(customers),
        unbounded_customers=tuple(later),
        revenue=tuple(revenue),
        level=level,
    )
