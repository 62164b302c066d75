"""The label of contracts, on every engine, by worked examples."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest

from churnkit.data.windows import US_PER_DAY, Snapshot, midnight_us
from churnkit.errors import ParameterError
from churnkit.labels import make_label

START = date(2023, 1, 1)
SNAPSHOT = Snapshot(
    cutoff=START + timedelta(days=200), observation_days=365, horizon_days=60, gap_days=10
)
MONTH = 365.25 / 12
TYPES = {
    "customer_id": pa.string(),
    "started_at_us": pa.int64(),
    "ended_at_us": pa.int64(),
    "mrr": pa.float64(),
    "subscription_id": pa.string(),
}


def period(customer, start, end=None, *, mrr=MONTH, contract=None):
    """Return a period by days of the history; its revenue is 1 a day."""
    zero = midnight_us(START, time_zone="UTC")
    ended = None if end is None else zero + end * US_PER_DAY
    values = (customer, zero + start * US_PER_DAY, ended, mrr, contract)
    return dict(zip(TYPES, values, strict=True))


@pytest.fixture
def label_of(engine, load):
    """Give a function that returns churned, MRR at the end, and revenue by customer."""

    def make(periods, **options):
        table = {n: pa.array([p[n] for p in periods], t) for n, t in TYPES.items()}
        label = make_label({"kind": "subscription_end", **options})
        rows = engine.collect(label.build(load(pa.table(table)), SNAPSHOT)).to_pylist()
        return {
            row["customer_id"]: (
                row["churned"],
                pytest.approx(row["future_mrr"]),
                pytest.approx(row["future_spend"]),
            )
            for row in rows
        }

    return make


def test_the_last_paid_subscription_must_end_before_the_horizon_does(label_of):
    """Cutoff is day 200, the horizon [210, 270): an end in the gap counts, one on day 270 does not."""
    found = label_of(
        [
            period("stays", 0),
            period("leaves", 0, 240),
            period("leaves in the gap", 0, 205),
            period("leaves on the last instant", 0, 269),
            period("leaves after", 0, 270),
            period("one of two ends", 0, 240),
            period("one of two ends", 50, mrr=2 * MONTH),
        ]
    )

    assert found == {
        "stays": (0.0, MONTH, 60.0),
        "leaves": (1.0, 0.0, 30.0),
        "leaves in the gap": (1.0, 0.0, 0.0),
        "leaves on the last instant": (1.0, 0.0, 59.0),
        "leaves after": (0.0, MONTH, 60.0),
        "one of two ends": (0.0, 2 * MONTH, 30.0 + 120.0),
    }


def test_a_renewal_is_no_churn_and_a_late_return_is(label_of):
    """A start within thirty days of the end, and before the end of the horizon, continues."""
    found = label_of(
        [
            period("renews", 0, 220),
            period("renews", 240, mrr=MONTH / 2),
            period("returns late", 0, 220),
            period("returns late", 255),
            period("returns after the horizon", 0, 260),
            period("returns after the horizon", 271),
        ]
    )

    assert found["renews"] == (0.0, MONTH / 2, 10.0 + 15.0)
    assert found["returns late"] == (1.0, MONTH, 10.0 + 15.0)
    assert found["returns after the horizon"] == (1.0, 0.0, 50.0)


def test_any_end_counts_where_customers_hold_many(label_of):
    """One contract of two that ends is churn; the revenue of the other is kept."""
    periods = [
        period("a", 0, 240, contract="x"),
        period("a", 0, contract="y"),
        period("b", 0, 240, contract="x"),
        period("b", 241, contract="x"),
        period("c", 0, 240, contract="x"),
        period("c", 241, contract="new"),
        period("d", 0, 190, contract="gone before"),
        period("d", 0, contract="z"),
    ]

    any_end, last_end = label_of(periods, ends="any"), label_of(periods)

    assert {c: row[0] for c, row in any_end.items()} == {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0}
    assert {row[0] for row in last_end.values()} == {0.0}
    assert any_end["a"][1] == MONTH


def test_trials_do_not_churn(label_of):
    """The end of a period without revenue says nothing, and moving to one is leaving."""
    found = label_of(
        [
            period("only tried", 190, 220, mrr=0.0),
            period("goes free", 0, 220),
            period("goes free", 220, mrr=0.0),
        ]
    )

    assert found == {"goes free": (1.0, 0.0, 10.0)}


def test_options_of_the_rule_are_checked_when_the_label_is_made():
    """No data are needed to refuse them."""
    with pytest.raises(ParameterError, match="resubscribe_days must be"):
        make_label({"kind": "subscription_end", "resubscribe_days": -3})
