"""Cohort triangles: against brute force, with unobserved cells null."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from churnkit.data.simulate import simulate_shop
from churnkit.errors import ParameterError
from churnkit.retention.cohorts import cohort_triangle


@pytest.fixture(scope="module")
def shop():
    """Give a shop that grows from nothing."""
    return simulate_shop(customers=600, days=400, seed=9, tables=["orders"])


@pytest.fixture
def triangle(shop, in_engine, engine):
    """Give a function that makes the triangle of the shop."""

    def make(**options):
        given = {"start": date(2023, 4, 1), "end": date(2024, 1, 20), "time_zone": "UTC"} | options
        return cohort_triangle(in_engine(shop.tables)["orders"], engine=engine, **given)

    return make


def months_of(orders, *, every):
    """Return customer, period of the first order and period of each row, and its amount."""
    heads = (
        orders[orders["amount"] > 0]
        .groupby("order_id")
        .agg(customer_id=("customer_id", "first"), ts=("ts", "min"))
    )
    heads["period"] = heads["ts"].dt.to_period(every)
    heads["cohort"] = heads.groupby("customer_id")["period"].transform("min")
    return heads


@pytest.mark.parametrize(("every", "code", "count"), [("month", "M", 9), ("quarter", "Q", 3)])
def test_cells_are_those_of_brute_force(shop, triangle, every, code, count):
    """Each observed cell counts the customers that pandas counts; later cells are null."""
    heads = months_of(shop.to_pandas()["orders"], every=code)
    orders = shop.to_pandas()["orders"].assign(period=lambda t: t["ts"].dt.to_period(code))
    names = pd.period_range("2023-04", periods=count, freq=code)

    found = triangle(every=every)

    bounded, unbounded = found.to_pandas("customers"), found.to_pandas("unbounded_customers")
    revenue = found.to_pandas("revenue")
    assert bounded.shape == (count, count)
    for i, cohort in enumerate(names):
        members = heads[heads["cohort"] == cohort]
        ids = set(members["customer_id"])
        assert found.size[i] == len(ids)
        for age in range(count):
            if i + age >= count:
                assert np.isnan(bounded.iloc[i, age])
                assert np.isnan(revenue.iloc[i, age])
                continue
            now = members[members["period"] == names[i + age]]
            later = members[
                (members["period"] >= names[i + age]) & (members["period"] <= names[-1])
            ]
            paid = orders[orders["customer_id"].isin(ids) & (orders["period"] == names[i + age])]
            assert bounded.iloc[i, age] == now["customer_id"].nunique()
            assert unbounded.iloc[i, age] == later["customer_id"].nunique()
            assert revenue.iloc[i, age] == pytest.approx(paid["amount"].sum(), abs=1e-6)


def test_unbounded_retention_never_rises(triangle):
    """Who is there in month k or later was there in month k - 1 or later."""
    found = triangle()

    rates = found.to_pandas("unbounded_rate").to_numpy()

    assert (rates[:, 0] == 100.0).all()
    assert not (np.diff(rates, axis=1) > 0).any()
    assert (found.to_pandas().to_numpy() <= rates + 1e-9)[~np.isnan(rates)].all()


def test_a_cell_has_an_interval_and_an_unobserved_one_is_null(triangle):
    """A cell is the formula of cohort retention."""
    found = triangle()

    cell = found.rate(0, 1)

    assert cell.metric == "cohort_retention"
    assert cell.ci_low < cell.value < cell.ci_high
    assert cell.value == found.to_pandas().iloc[0, 1]
    assert found.rate(0, 1, unbounded=True).value >= cell.value
    assert found.rate(8, 1) is None


def test_a_part_of_a_period_is_left_out(triangle):
    """Data to the 20th of January make cohorts to December."""
    assert [str(c.start) for c in triangle().cohorts][-1] == "2023-12-01"
    with pytest.raises(ParameterError, match="must hold a whole month; got none"):
        triangle(start=date(2024, 1, 1))


def test_an_unknown_measure_is_refused(triangle):
    """The message offers the nearest one."""
    with pytest.raises(ParameterError, match=r"got 'rates'. Did you mean 'rate'"):
        triangle().to_pandas("rates")
