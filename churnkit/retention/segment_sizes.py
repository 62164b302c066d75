"""How large each RFM segment is, and what its customers have brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.retention.metric_table import arrow_of
from churnkit.retention.segments import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.retention.segments import SegmentRules

__all__ = ["SEGMENT_COLUMNS", "SegmentSizes", "segment_sizes"]

SEGMENT_COLUMNS = {
    "segment": "text",
    "customers": "count",
    "customers_percent": "number",
    "net_revenue": "number",
    "revenue_percent": "number",
    "orders_per_customer": "number",
    "net_revenue_per_customer": "number",
    "days_since_last_order": "number",
}
"""Columns of the table of segments, each with its kind."""


@dataclass(frozen=True, kw_only=True)
class SegmentSizes:
    """The segments at a date.

    Parameters
    ----------
    rows : tuple of mapping
        :data:`SEGMENT_COLUMNS` by segment, in the order of the rules; 0 customers where a segment
        has none, and then null in what is per customer. Percentages are of all customers and of
        all net revenue, null where that is not positive.
    """

    rows: tuple[Mapping[str, Any], ...]

    def to_arrow(self) -> pa.Table:
        """Return a row per segment with :data:`SEGMENT_COLUMNS`."""
        return arrow_of(self.rows, SEGMENT_COLUMNS)

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def segment_sizes(
    customers: nw.LazyFrame[Any], *, engine: Engine, rules: SegmentRules = DEFAULT_RULES
) -> SegmentSizes:
    """Count the customers of each segment and sum what they brought.

    Parameters
    ----------
    customers : narwhals.LazyFrame
        One row per customer: ``rfm_segment``, ``orders``, ``net_revenue`` and
        ``days_since_last_order``, as :func:`churnkit.retention.customer.customer_metrics` returns
        them.
    engine : Engine
        Where the frame is.
    rules : SegmentRules
        The rules that made the segments; they give the order.
    """
    summed = customers.group_by("rfm_segment").agg(
        nw.len().cast(nw.Int64).alias("customers"),
        nw.col("orders").sum().cast(nw.Int64),
        nw.col("net_revenue").sum(),
        nw.col("days_since_last_order").mean(),
    )
    found = {row["rfm_segment"]: row for row in engine.collect(summed).to_pylist()}
    people = sum(row["customers"] for row in found.values())
    money = sum(row["net_revenue"] for row in found.values())
    rows = []
    for segment in rules.segments:
        row = found.get(segment, {"customers": 0, "orders": 0, "net_revenue": 0.0})
        n = row["customers"]
        rows.append(
            {
                "segment": segment,
                "customers": n,
                "customers_percent": 100.0 * n / people if people else None,
                "net_revenue": row["net_revenue"],
                "revenue_percent": 100.0 * row["net_revenue"] / money if money > 0 else None,
                "orders_per_customer": row["orders"] / n if n else None,
                "net_revenue_per_customer": row["net_revenue"] / n if n else None,
                "days_since_last_order": row.get("days_since_last_order"),
            }
        )
    return SegmentSizes(rows=tuple(rows))
