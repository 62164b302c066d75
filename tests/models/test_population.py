"""Who is in the population, and base columns as numbers."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from churnkit.data.windows import US_PER_DAY, Snapshot, midnight_us
from churnkit.models.population import (
    BASE_NUMBERS,
    SUBSCRIPTION_NUMBERS,
    base_numbers,
    eligible_customers,
)

SNAPSHOT = Snapshot(cutoff=date(2024, 1, 1), observation_days=730, horizon_days=90)


@pytest.mark.parametrize(("days", "inside"), [(90, True), (89, False)])
def test_the_population_ends_at_its_last_day(days, inside):
    """An order exactly ``active_within_days`` ago counts, one a day older does not."""
    base = {
        "orders": np.array([2.0]),
        "last_order_us": np.array([SNAPSHOT.cutoff_us - 90.0 * US_PER_DAY]),
    }

    found = eligible_customers(base, SNAPSHOT, active_within_days=days, min_orders=2)

    assert found.tolist() == [inside]
    assert not eligible_customers(base, SNAPSHOT, active_within_days=days, min_orders=3).any()


@pytest.mark.parametrize("cutoff", [date(2024, 4, 15), date(2024, 11, 15)])
def test_its_days_are_business_days(cutoff):
    """The first instant of the first day is in, the one before is not, though a clock was changed."""
    zone, days = "Europe/London", 30
    snapshot = Snapshot(cutoff=cutoff, observation_days=730, horizon_days=90, time_zone=zone)
    first_us = midnight_us(cutoff - timedelta(days=days), time_zone=zone)
    base = {"orders": np.ones(3), "last_order_us": np.array([first_us - 1.0, first_us, np.nan])}

    found = eligible_customers(base, snapshot, active_within_days=days, min_orders=1)

    assert snapshot.cutoff_us - first_us != days * US_PER_DAY
    assert found.tolist() == [False, True, False]


def test_subscribers_are_in_it_while_a_subscription_runs():
    """Their orders do not matter, and an unknown number of subscriptions is none."""
    base = {"subscriptions_running": np.array([1.0, 0.0, np.nan])}

    found = eligible_customers(base, SNAPSHOT, active_within_days=1, min_orders=9)

    assert found.tolist() == [True, False, False]


@pytest.mark.parametrize("names", [BASE_NUMBERS, SUBSCRIPTION_NUMBERS])
def test_base_columns_are_doubles_with_nan_for_null(names):
    """Of subscriptions where the table has them, else of orders; other columns are left out."""
    table = pa.table({"f": [1, 2], **{name: pa.array([3, None], pa.int64()) for name in names}})

    found = base_numbers(table)

    assert tuple(found) == names
    for values in found.values():
        np.testing.assert_array_equal(values, [3.0, np.nan])
