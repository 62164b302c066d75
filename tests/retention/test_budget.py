"""The split of a budget: what was spent in the period, by the percentages of practice."""

from __future__ import annotations

import pyarrow as pa
import pytest

from churnkit.retention.budget import budget_split


def test_only_the_period_is_split(engine, load):
    """Costs before the start and at the end are left out; 100 are 40 and 60 for a mature brand."""
    costs = load(
        pa.table({"ts_us": pa.array([9, 10, 15, 20], pa.int64()), "amount": [7.0, 60.0, 40.0, 9.0]})
    )

    split = budget_split(costs, start_us=10, end_us=20, engine=engine)

    table = split.to_pandas().set_index("stage")
    assert split.budget == pytest.approx(100.0)
    assert table.loc["mature", ["acquisition", "retention"]].tolist() == [40.0, 60.0]
    assert table.loc["early", ["acquisition_percent", "retention_percent"]].tolist() == [90.0, 10.0]


def test_without_costs_there_are_percentages_and_no_amounts(engine, load):
    """Nothing spent is nothing to split; the yardstick stays."""
    costs = load(pa.table({"ts_us": pa.array([9], pa.int64()), "amount": [7.0]}))

    table = budget_split(costs, start_us=10, end_us=20, engine=engine).to_pandas()

    assert table["retention"].isna().all()
    assert table["retention_percent"].tolist() == [10.0, 25.0, 35.0, 50.0, 60.0]
