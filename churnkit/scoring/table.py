"""The score table: its columns and types, its rows, and the count of what was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.retention.customer import CUSTOMER_METRIC_COLUMNS
from churnkit.retention.sections import SECTION_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from churnkit.models.bundle import Bundle
    from churnkit.scoring.request import ScoreRequest

__all__ = ["OF_SUBSCRIBERS", "SUBSCRIBED", "TOTALLED", "Tally", "score_rows", "score_schema"]

PREDICTED = (
    "expected_orders",
    "expected_spend",
    "expected_spend_low",
    "expected_spend_high",
    "expected_ltv",
    "value_at_risk",
)
OF_SUBSCRIBERS = ("expected_mrr_retained", "mrr_at_risk")
TOTALLED = ("expected_orders", "expected_spend", "expected_ltv", "value_at_risk")
SUBSCRIBED = "has_subscription"
"""Column of joined rows that is 1 for customers with a valid row of subscriptions."""

TIMES = {"first_order_us": "first_order_at", "last_order_us": "last_order_at"}
KINDS = {
    **SECTION_COLUMNS,
    **dict.fromkeys(("orders", "r_score", "f_score", "m_score"), "count"),
    "rfm_segment": "text",
}


def score_schema(
    *,
    reason_columns: Sequence[str],
    time_zone: str,
    section_names: Sequence[str] = (),
    subscribers: bool = False,
) -> pa.Schema:
    """Return the columns and types of the score table, in order.

    Parameters
    ----------
    reason_columns : sequence of str
        See :class:`churnkit.scoring.ScoreRequest`.
    time_zone : str
        Business zone, of times.
    section_names : sequence of str
        Of :data:`churnkit.retention.sections.SECTION_COLUMNS`, those whose tables there are.
    subscribers : bool
        Whether the customers are subscribers, whose monthly revenue is predicted.
    """
    import pyarrow as pa

    moment = pa.timestamp("us", tz=time_zone)
    fields = [
        ("customer_id", pa.string()),
        ("as_of", pa.date32()),
        ("status", pa.string()),
        ("churn_probability", pa.float64()),
        ("risk_band", pa.string()),
        ("risk_rank", pa.int64()),
        *((name, pa.float64()) for name in (*PREDICTED, *(OF_SUBSCRIBERS if subscribers else ()))),
        ("expected_next_order_at", moment),
        ("p_alive", pa.float64()),
    ]
    fields += [
        (name, pa.float64() if name.endswith("_contribution") else pa.string())
        for name in reason_columns
    ]
    fields += [
        (TIMES.get(name, name), _metric_type(name, moment))
        for name in (*CUSTOMER_METRIC_COLUMNS[1:], *section_names)
    ]
    fields += [
        ("model_name", pa.string()),
        ("model_version", pa.string()),
        ("scored_at", pa.timestamp("us", tz="UTC")),
    ]
    return pa.schema(fields)


def _metric_type(name: str, moment: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if name in TIMES:
        return moment
    if name == "is_repeat_customer":
        return pa.bool_()
    kinds = {"text": pa.string(), "count": pa.int64()}
    return kinds.get(KINDS.get(name, "number"), pa.float64())


@dataclass(kw_only=True, eq=False)
class Tally:
    """Finishes rows, writes them, and counts what was written."""

    schema: pa.Schema
    bundle: Bundle
    request: ScoreRequest
    write: Callable[[pa.Table], None]
    rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    risk_bands: dict[str, int] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = (*TOTALLED, *OF_SUBSCRIBERS)
        self.totals |= {name: 0.0 for name in names if name in self.schema.names}

    def __call__(self, table: pa.Table) -> None:
        """Finish joined rows, write them and count them."""
        import pyarrow.compute as pc

        ready = score_rows(table, schema=self.schema, bundle=self.bundle, request=self.request)
        self.write(ready)
        self.rows += ready.num_rows
        for column, seen in (("status", self.statuses), ("risk_band", self.risk_bands)):
            for entry in ready.column(column).value_counts().to_pylist():
                if entry["values"] is not None:
                    seen[entry["values"]] = seen.get(entry["values"], 0) + entry["counts"]
        for name in self.totals:
            self.totals[name] += pc.sum(ready.column(name)).as_py() or 0.0


def score_rows(
    table: pa.Table, *, schema: pa.Schema, bundle: Bundle, request: ScoreRequest
) -> pa.Table:
    """Return rows of the score table's columns from joined metrics and predictions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n = table.num_rows
    have = set(table.column_names)

    def column(name: str) -> Any:
        return table.column(name) if name in have else pa.nulls(n, schema.field(name).type)

    probability = column("churn_probability")
    scored = pc.is_valid(probability)
    subscribers = OF_SUBSCRIBERS[0] in schema.names
    there = SUBSCRIBED if subscribers else "orders"
    known = (
        pc.fill_null(pc.greater(table.column(there), 0), False)
        if there in have
        else pa.array([False] * n)
    )
    bands = request.risk_bands
    fixed = {
        "as_of": request.as_of,
        "model_name": bundle.name,
        "model_version": bundle.version,
        "scored_at": request.scored_at,
    }
    made = {name: pa.array([value] * n, schema.field(name).type) for name, value in fixed.items()}
    made["status"] = pc.case_when(
        pc.make_struct(scored, known),
        "scored",
        "inactive",
        "no_valid_subscriptions" if subscribers else "no_valid_orders",
    )
    made["risk_band"] = pc.case_when(
        pc.make_struct(
            pc.invert(scored),
            pc.fill_null(pc.greater_equal(probability, bands["high"]), False),
            pc.fill_null(pc.greater_equal(probability, bands["medium"]), False),
        ),
        pa.scalar(None, pa.string()),
        "high",
        "medium",
        "low",
    )
    for inside, outside in {**TIMES, "next_order_us": "expected_next_order_at"}.items():
        micros = table.column(inside) if inside in have else pa.nulls(n, pa.int64())
        whole = pc.floor(micros) if pa.types.is_floating(micros.type) else micros
        made[outside] = whole.cast(pa.int64()).cast(schema.field(outside).type)
    arrays = [(made[f.name] if f.name in made else column(f.name)).cast(f.type) for f in schema]
    return pa.table(arrays, schema=schema)
