"""How likely an order is after the first, the second, the third and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.orders import known_at
from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.formulas import repurchase_probability
from churnkit.retention.customer import BEGINNING_US
from churnkit.retention.metric_table import MetricTable

if TYPE_CHECKING:
    from churnkit.engines import Engine

__all__ = ["repurchase_ladder"]


def repurchase_ladder(
    orders: nw.LazyFrame[Any],
    *,
    as_of_us: int,
    engine: Engine,
    steps: int = 10,
    within_days: int | None = None,
    level: float = 0.95,
) -> MetricTable:
    """Return P(order k + 1 | order k) for k = 1, 2, 3 … with the number at risk.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        See :func:`churnkit.data.orders.order_table`.
    as_of_us : int
        First instant that is not known, microseconds since 1970 UTC.
    engine : Engine
        Where the orders are.
    steps : int, default 10
        Highest k, >= 1.
    within_days : int, optional
        Count the next order only in the days after order k, and at risk only those whose days are
        over: customers whose order k is recent have had no fair chance. By default the next
        order counts whenever it was, and everybody with order k is at risk: a lower bound.
    level : float, default 0.95
        Level of the Wilson intervals.

    Returns
    -------
    MetricTable
        One ``repurchase_probability`` per k, ``n`` being the number at risk; up to the last k at
        which somebody is, and always the first.

    Raises
    ------
    ParameterError
        If ``steps`` or ``within_days`` is below 1.

    References
    ----------
    Practice; definition in docs/metrics.
    """
    for name, value in (("steps", steps), ("within_days", within_days)):
        if value is not None and value < 1:
            msg = f"repurchase_ladder: {name} must be >= 1; got {value!r}"
            raise ParameterError(msg)
    found = {
        row["order_number"]: (row["at_risk"], row["again"])
        for row in engine.collect(_rungs(orders, as_of_us, steps, within_days)).to_pylist()
    }
    last = max((k for k, (at_risk, _) in found.items() if at_risk), default=1)
    return MetricTable(
        rows=tuple(
            repurchase_probability(
                order_number=k,
                customers_at_risk=at_risk,
                customers_ordering_again=again,
                level=level,
            )
            for k in range(1, last + 1)
            for at_risk, again in (found.get(k, (0, 0)),)
        )
    )


def _rungs(
    orders: nw.LazyFrame[Any], as_of_us: int, steps: int, within_days: int | None
) -> nw.LazyFrame[Any]:
    """Return ``order_number``, the customers at risk and those of them who ordered again."""
    known = known_at(orders, start_us=BEGINNING_US, cutoff_us=as_of_us)
    number = nw.col("ts_us").rank("ordinal").over("customer_id").cast(nw.Int64)
    # The next order is found by number, not by time: orders of one instant keep one order of theirs.
    numbered = (
        known.filter(nw.col("is_order") == 1)
        .select("customer_id", "ts_us", order_number=number)
        .with_columns(
            next_us=nw.col("ts_us").shift(-1).over("customer_id", order_by="order_number")
        )
        .filter(nw.col("order_number") <= steps)
    )
    at_risk, again = nw.lit(1), ~nw.col("next_us").is_null()
    if within_days is not None:
        end_us = nw.col("ts_us") + within_days * US_PER_DAY
        at_risk = nw.when(end_us <= as_of_us).then(nw.lit(1)).otherwise(nw.lit(0))
        again = nw.col("next_us") < end_us
    return (
        numbered.with_columns(at_risk=at_risk)
        .with_columns(again=nw.when(again).then(nw.col("at_risk")).otherwise(nw.lit(0)))
        .group_by("order_number")
        .agg(nw.col("at_risk").sum().cast(nw.Int64), nw.col("again").sum().cast(nw.Int64))
    )
