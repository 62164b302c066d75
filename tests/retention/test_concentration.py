"""Revenue and activity of the few, on every engine."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from churnkit.datasets import load_cdnow
from churnkit.errors import ParameterError
from churnkit.retention.concentration import power_users, revenue_concentration

HOUR = 3_600_000_000


def events(load, rows):
    """Return events of ``(customer, hour, how often)``."""
    flat = [(customer, hour * HOUR) for customer, hour, times in rows for _ in range(times)]
    return load(
        pa.table(
            {
                "customer_id": pa.array([c for c, _ in flat], pa.string()),
                "ts_us": pa.array([t for _, t in flat], pa.int64()),
            }
        )
    )


def test_revenue_of_the_few_by_hand(engine, load):
    """One of five customers with 800 of 1,000 has 80 %, and 16 times the mean of the others."""
    frame = load(pa.table({"net_revenue": [50.0, 800.0, 50.0, 50.0, 50.0]}))

    found = revenue_concentration(frame, engine=engine).to_pandas().set_index("metric")

    assert found["value"].to_dict() == {"pareto_share": 80.0, "top_decile_spend_ratio": 16.0}
    assert found["status"].tolist() == ["small_n", "small_n"]


def test_revenue_of_the_few_without_customers(engine, load):
    """Without customers both values are null and say why."""
    frame = load(pa.table({"net_revenue": pa.array([], pa.float64())}))

    found = revenue_concentration(frame, engine=engine)

    assert [(row.value, row.status) for row in found.rows] == [(None, "zero_denominator")] * 2


def test_customers_who_got_all_money_back_spent_nothing(engine, load):
    """The rounding of 0.1 + 0.2 - 0.3 is no spend to which that of the top could be compared."""
    frame = load(pa.table({"net_revenue": [100.0, 0.1 + 0.2 - 0.3, 0.0]}))

    _, ratio = revenue_concentration(frame, engine=engine).rows

    assert (ratio.value, ratio.reason) == (None, "the other customers spent nothing")


def test_revenue_of_the_few_in_the_cdnow_sample(engine, load):
    """On real spend the shares are those that sorting with pandas gives."""
    spend = load_cdnow(sample=True).groupby("customer_id")["amount"].sum()
    frame = load(pa.table({"net_revenue": spend.to_numpy()}))

    pareto, ratio = revenue_concentration(frame, engine=engine).rows

    falling = spend.sort_values(ascending=False)
    assert len(falling) == 2357
    assert pareto.value == pytest.approx(100 * falling.iloc[:472].sum() / falling.sum())
    assert ratio.value == pytest.approx(falling.iloc[:236].mean() / falling.iloc[236:].mean())


def test_power_users_by_hand(engine, load):
    """The most active tenth has its share, and only events of the half-open period count."""
    rows = [("a", 10, 55), *((f"u{i}", 11, 5) for i in range(9)), ("b", 9, 900), ("c", 20, 900)]

    found = power_users(events(load, rows), start_us=10 * HOUR, end_us=20 * HOUR, engine=engine)

    assert found.share.value == pytest.approx(55.0)
    assert found.share.n == 10
    pd.testing.assert_frame_equal(
        found.to_pandas(), pd.DataFrame({"customer_id": ["a"], "actions": [55]}), check_dtype=False
    )


def test_power_users_are_most_active_first_and_ties_go_by_name(engine, load):
    """The listed users are exactly those whose actions the share counts."""
    rows = [("d", 1, 3), ("c", 1, 3), ("b", 1, 7), ("a", 1, 1), ("e", 1, 3)]

    found = power_users(events(load, rows), start_us=0, end_us=2 * HOUR, engine=engine, top=0.5)

    assert found.users.to_pylist() == [
        {"customer_id": "b", "actions": 7},
        {"customer_id": "c", "actions": 3},
        {"customer_id": "d", "actions": 3},
    ]
    assert found.share.numerator == pytest.approx(13.0)


def test_power_users_of_nobody(engine, load):
    """A period without events has no users and a null share."""
    found = power_users(events(load, [("a", 1, 1)]), start_us=0, end_us=HOUR, engine=engine)

    assert (found.share.value, found.share.status) == (None, "zero_denominator")
    assert found.users.num_rows == 0


def test_the_top_must_be_a_fraction(engine, load):
    """A percentage in place of a fraction is refused."""
    with pytest.raises(ParameterError, match=r"top must be a fraction in \(0, 1\]; got 10"):
        power_users(events(load, []), start_us=0, end_us=1, engine=engine, top=10)
