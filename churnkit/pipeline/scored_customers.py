"""Reads of a written score table what the page shows, and picks the customers it shows one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.reporting import MOST_CUSTOMERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from churnkit.pipeline.results import ScoreResult

__all__ = ["most_at_risk", "scored_customers"]

NEXT_ORDER = "expected_next_order_at"
COLUMNS = (
    "customer_id",
    "status",
    "risk_band",
    "risk_rank",
    "churn_probability",
    "expected_spend",
    "expected_spend_low",
    "expected_spend_high",
    "value_at_risk",
    NEXT_ORDER,
    "p_alive",
    "orders",
    "average_order_value",
    "purchase_frequency_per_year",
    "mean_days_between_orders",
    "days_since_last_order",
    "tenure_days",
    "historical_ltv",
    "formula_ltv",
    "r_score",
    "f_score",
    "m_score",
    "rfm_segment",
)


def scored_customers(scored: ScoreResult, *, time_zone: str, also: Sequence[str] = ()) -> pa.Table:
    """Return the scored customers of a score table, with the columns that the page needs.

    Parameters
    ----------
    scored : ScoreResult
    time_zone : str
        In which the next expected order has its day.
    also : sequence of str
        Columns beside those that every page needs.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    path, columns = scored.output, [*COLUMNS, *also]
    if path.suffix.lower() == ".csv":
        from pyarrow import csv

        # Only an empty cell is a null, and an id stays text.
        options = csv.ConvertOptions(
            include_columns=columns,
            column_types={"customer_id": pa.string(), NEXT_ORDER: pa.string()},
            null_values=[""],
            strings_can_be_null=True,
        )
        table = csv.read_csv(path, convert_options=options)
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=columns, filters=scored.part)
        # A cluster writes times in UTC; the page has business days.
        place = table.schema.get_field_index(NEXT_ORDER)
        local = table.column(place).cast(pa.timestamp("us", tz=time_zone))
        table = table.set_column(place, NEXT_ORDER, local)
    return table.filter(pc.equal(table.column("status"), "scored"))


def most_at_risk(scores: pa.Table) -> pa.Table:
    """Return the scored customers that have a view of their own, the most value at risk first."""
    order = [("value_at_risk", "descending"), ("customer_id", "ascending")]
    return scores.sort_by(order).slice(0, MOST_CUSTOMERS)
