"""The formula against what then happened: by hand, and beside the truth of a simulated shop."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnkit.data.orders import order_table
from churnkit.data.simulate import simulate_shop
from churnkit.errors import DataError, ParameterError
from churnkit.retention.hindsight import formula_hindsight


def test_the_overshoot_by_hand(make_orders, load, engine):
    """Two customers: the formula says 30 a year each for half a year, they spend 20 together."""
    lines = [
        ("a", "1", "2022-01-01", 10.0), ("a", "2", "2023-01-01", 20.0),
        ("b", "3", "2022-01-01", 10.0), ("b", "4", "2023-01-01", 20.0),
        ("a", "5", "2023-02-01", 20.0), ("c", "6", "2023-02-01", 500.0),
        ("a", "7", "2024-01-01", 1.0),
    ]  # fmt: skip
    said = load(pa.table({"customer_id": ["a", "c"], "expected_spend": [15.0, 999.0]}))

    found = formula_hindsight(
        make_orders(lines),
        as_of=date(2023, 1, 2),
        horizon_days=183,
        time_zone="UTC",
        engine=engine,
        predictions=said,
    )

    formula, model = found.errors
    # 2 orders in 366 days; each lived 365 days, longer than the horizon.
    yearly = 15.0 * 2 * 365.25 / 366
    expected = 2 * yearly * 183 / 365.25
    assert (found.customers, found.actual) == (2, 20.0)
    assert formula.overshoot.value == pytest.approx(100 * (expected - 20) / 20)
    assert formula.sentence == "your formula overshoots by 50.0 %"
    assert model.overshoot.value == -25.0
    assert model.sentence == "your model undershoots by 25.0 %"
    assert model.mean_absolute_error == 2.5
    assert found.to_pandas()["predicted"].tolist() == pytest.approx([expected, 15.0])


def test_the_truth_is_nearer_than_the_formula(in_engine, load, engine):
    """Knowing hidden states and rates, one is off by less than the formula that knows averages."""
    shop = simulate_shop(customers=3000, days=700, seed=8, tables=["orders"])
    truth = shop.truth.true_expected_orders("2024-06-01", 180)
    value = shop.truth.customers()["mean_order_value"].reindex(truth.index)
    said = load(
        pa.table(
            {
                "customer_id": pa.array(truth.index.astype(str).tolist(), pa.string()),
                "expected_spend": (truth * value).to_numpy(),
            }
        )
    )

    found = formula_hindsight(
        in_engine(shop.tables)["orders"],
        as_of=date(2024, 6, 1),
        horizon_days=180,
        time_zone="UTC",
        engine=engine,
        predictions=said,
    )

    formula, model = found.errors
    lines = shop.to_pandas()["orders"]
    known = set(lines.loc[lines["ts"] < "2024-06-01", "customer_id"])
    after = lines[(lines["ts"] >= "2024-06-01") & (lines["ts"] < "2024-11-28")]
    spent = after.loc[after["customer_id"].isin(known), "amount"].sum()
    assert found.actual == pytest.approx(spent)
    assert model.overshoot.ci_low < 0 < model.overshoot.ci_high
    assert formula.overshoot.ci_low > 0
    assert model.mean_absolute_error < formula.mean_absolute_error
    assert isinstance(found.to_pandas(), pd.DataFrame)
    assert np.isfinite(formula.overshoot.value)


def test_a_horizon_that_is_not_over_is_refused(make_orders, engine):
    """What has not happened yet cannot be compared."""
    orders = make_orders([("a", "1", "2023-01-01", 10.0), ("a", "2", "2023-02-01", 10.0)])

    with pytest.raises(DataError, match=r"orders must reach to the end of the horizon \(90 days"):
        formula_hindsight(
            orders, as_of=date(2023, 1, 15), horizon_days=90, time_zone="UTC", engine=engine
        )
    with pytest.raises(ParameterError, match=r"horizon_days must be >= 1; got 0"):
        formula_hindsight(
            orders, as_of=date(2023, 1, 15), horizon_days=0, time_zone="UTC", engine=engine
        )


def test_without_spend_there_is_no_percentage(make_orders, engine):
    """Nobody who was known came back: the sentence says why there is no number."""
    orders = make_orders([("a", "1", "2023-01-01", 10.0), ("b", "2", "2023-02-10", 10.0)])

    found = formula_hindsight(
        orders, as_of=date(2023, 1, 15), horizon_days=20, time_zone="UTC", engine=engine
    )

    assert found.errors[0].overshoot.status == "zero_denominator"
    assert found.errors[0].sentence == (
        "your formula cannot be judged: nothing was spent in the horizon"
    )


def test_the_horizon_ends_with_a_business_day_though_the_clocks_change(engine, load):
    """Ten days with a day of 25 hours in them end at the tenth midnight, not an hour before it."""
    ends = pd.Timestamp("2023-11-02", tz="Europe/London")
    times = [ends - pd.Timedelta(days=30), ends - pd.Timedelta(minutes=30), ends]
    lines = pa.table(
        {
            "customer_id": ["a"] * 3,
            "ts_us": pa.array([t.value // 1000 for t in times], pa.int64()),
            "amount": [5.0, 10.0, 100.0],
        }
    )
    zone = "Europe/London"
    columns = frozenset({"customer_id", "ts_us", "amount"})
    orders = order_table(load(lines), columns=columns, engine=engine, time_zone=zone)

    found = formula_hindsight(
        orders, as_of=date(2023, 10, 23), horizon_days=10, time_zone=zone, engine=engine
    )

    assert found.actual == 10.0
