"""The columns of the score table and the rows made of joined metrics and predictions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest

from churnkit.retention.customer import CUSTOMER_METRIC_COLUMNS
from churnkit.scoring import ScoreRequest, score_schema
from churnkit.scoring.table import Tally

BUNDLE = SimpleNamespace(name="shop", version="3")
REASONS = ("reason_1", "reason_1_feature", "reason_1_contribution")


@pytest.fixture
def tally():
    """Give a tally that keeps what it writes in ``tally.written``."""
    written = []
    made = Tally(
        schema=score_schema(reason_columns=REASONS, time_zone="Europe/London"),
        bundle=BUNDLE,
        request=ScoreRequest(
            as_of=date(2024, 7, 1),
            risk_bands={"medium": 0.33, "high": 0.66},
            reason_columns=REASONS,
            explain=lambda _: {},
            scored_at=datetime(2024, 7, 2, tzinfo=UTC),
        ),
        write=written.append,
    )
    made.written = written
    return made


def joined(**columns):
    """Return joined rows with an order each unless said otherwise."""
    rows = len(columns["customer_id"])
    return pa.table({"orders": pa.array([1] * rows, pa.int64()), **columns})


def test_columns_in_the_order_of_the_contract():
    """Identity, predictions, reasons, metrics, provenance; times in the business zone."""
    schema = score_schema(reason_columns=REASONS, time_zone="Europe/London")

    metrics = [
        {"first_order_us": "first_order_at", "last_order_us": "last_order_at"}.get(c, c)
        for c in CUSTOMER_METRIC_COLUMNS[1:]
    ]
    assert schema.names == [
        "customer_id",
        "as_of",
        "status",
        "churn_probability",
        "risk_band",
        "risk_rank",
        "expected_orders",
        "expected_spend",
        "expected_spend_low",
        "expected_spend_high",
        "expected_ltv",
        "value_at_risk",
        "expected_next_order_at",
        "p_alive",
        *REASONS,
        *metrics,
        "model_name",
        "model_version",
        "scored_at",
    ]
    assert schema.field("expected_next_order_at").type == pa.timestamp("us", "Europe/London")
    assert schema.field("reason_1_contribution").type == pa.float64()


@pytest.mark.parametrize(
    ("probability", "band"),
    [(0.0, "low"), (0.3299, "low"), (0.33, "medium"), (0.66, "high"), (1.0, "high"), (None, None)],
)
def test_bands_begin_at_their_threshold(tally, probability, band):
    """A probability equal to a threshold is in the band that it begins."""
    tally(joined(customer_id=["a"], churn_probability=pa.array([probability], pa.float64())))

    assert tally.written[0]["risk_band"].to_pylist() == [band]


def test_status_says_why_there_is_no_prediction(tally):
    """Scored, with orders but outside the population, and without a valid order."""
    probability = pa.array([0.4, None, None], pa.float64())

    tally(
        pa.table(
            {
                "customer_id": ["a", "b", "c"],
                "orders": pa.array([2, 1, 0], pa.int64()),
                "churn_probability": probability,
            }
        )
    )

    assert tally.written[0]["status"].to_pylist() == ["scored", "inactive", "no_valid_orders"]


def test_counts_and_totals_add_up_over_batches(tally):
    """What the manifest says is what was written, whatever the batches."""
    tally(joined(customer_id=["a"], churn_probability=[0.9], expected_spend=[10.0]))
    tally(joined(customer_id=["b", "c"], churn_probability=[0.8, 0.1], expected_spend=[1.0, 2.5]))
    tally(pa.table({"customer_id": ["d"]}))

    assert tally.rows == sum(t.num_rows for t in tally.written) == 4
    assert tally.statuses == {"scored": 3, "no_valid_orders": 1}
    assert tally.risk_bands == {"high": 2, "low": 1}
    assert tally.totals["expected_spend"] == 13.5
    assert tally.totals["value_at_risk"] == 0.0


def test_times_keep_their_instant(tally):
    """Microseconds become instants in the business zone; half a microsecond is cut off."""
    at = datetime(2024, 7, 1, 11, 30, tzinfo=UTC)
    us = int(at.timestamp()) * 1_000_000

    tally(joined(customer_id=["a"], last_order_us=[us], next_order_us=[us + 0.5]))

    row = tally.written[0].to_pylist()[0]
    assert row["last_order_at"] == row["expected_next_order_at"] == at
    assert str(row["last_order_at"].tzinfo) == "Europe/London"
    assert row["first_order_at"] is None
