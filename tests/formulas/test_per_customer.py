"""Formulas of one customer as columns: definitions, nulls, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.formulas import (
    DAYS_PER_YEAR,
    customer_lifetime_value,
    formula_ltv,
    mean_days_between_orders,
    purchase_frequency_per_year,
)


def test_lifetime_value_per_customer_is_the_company_formula_row_by_row():
    """50 x 4 x 3 = 600, as for the company."""
    company = customer_lifetime_value(
        average_order_value=50.0, purchases_per_year=4.0, lifespan_years=3.0
    )

    rows = formula_ltv([50.0, -10.0], purchases_per_year=[4.0, 1.0], expected_lifespan_years=3.0)

    assert rows.tolist() == [company.value, -30.0]
    assert rows.dtype == np.float64


def test_nulls_stay_null_and_stay_in_their_row():
    """A customer without orders has no value; the others keep theirs."""
    nan = np.nan

    value = formula_ltv([nan, 5.0], purchases_per_year=[1.0, 2.0], expected_lifespan_years=1.0)
    frequency = purchase_frequency_per_year([0.0, 2.0], tenure_days=[nan, 400.0])
    gap = mean_days_between_orders([nan, 3.0], recency_days=[4.0, 30.0])

    assert np.isnan([value[0], frequency[0], gap[0]]).all()
    assert [value[1], gap[1]] == [10.0, 15.0]
    assert frequency[1] == pytest.approx(2 * 365.25 / 400)


@pytest.mark.parametrize(
    ("orders", "tenure", "expected"),
    [(1, 1.0, 1.0), (1, 0.0, 1.0), (12, 90.0, 12.0), (8, 2 * DAYS_PER_YEAR, 4.0), (0, 0.0, 0.0)],
)
def test_a_young_customer_is_not_extrapolated(orders, tenure, expected):
    """One order yesterday is one a year, not 365; after a year the tenure counts."""
    result = purchase_frequency_per_year([orders], tenure_days=[tenure])

    assert result[0] == pytest.approx(expected)


def test_the_minimum_can_be_lowered():
    """A weekly shop may count from a quarter on: 13 orders in 91 days are 52 a year."""
    result = purchase_frequency_per_year([13], tenure_days=[91.0], minimum_exposure_days=90.0)

    assert result[0] == pytest.approx(52.18, abs=0.01)


@given(st.lists(st.floats(0.1, 100.0), min_size=2, max_size=30))
def test_mean_gap_is_the_mean_of_the_gaps(gaps):
    """(last - first) / (orders - 1) is the mean of the single gaps."""
    times = np.cumsum([0.0, *gaps])

    result = mean_days_between_orders([len(times)], recency_days=[times[-1] - times[0]])

    assert result[0] == pytest.approx(np.mean(np.diff(times)))


@pytest.mark.parametrize("orders", [0, 1])
def test_fewer_than_two_orders_have_no_gap(orders):
    """Null, not zero."""
    assert np.isnan(mean_days_between_orders([orders], recency_days=[0.0])[0])


def test_no_customers_are_no_rows():
    """Empty columns in, empty columns out."""
    assert purchase_frequency_per_year([], tenure_days=[]).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: purchase_frequency_per_year([1, -1], tenure_days=[1, 1]),
            r"orders must be finite and >= 0; got -1.0 at position 1",
        ),
        (
            lambda: purchase_frequency_per_year([1], tenure_days=[-3.0]),
            r"tenure_days must be finite and >= 0; got -3.0 at position 0",
        ),
        (
            lambda: purchase_frequency_per_year([1], tenure_days=[1], minimum_exposure_days=0.0),
            r"minimum_exposure_days must be > 0; got 0.0",
        ),
        (
            lambda: mean_days_between_orders([1, 2, 3], recency_days=[1.0, 2.0]),
            r"all columns must have one shape; got \[\(2,\), \(3,\)\]",
        ),
        (
            lambda: formula_ltv([np.inf], purchases_per_year=1.0, expected_lifespan_years=1.0),
            r"average_order_value must be finite; got inf at position 0",
        ),
        (
            lambda: formula_ltv(["x"], purchases_per_year=1.0, expected_lifespan_years=1.0),
            r"average_order_value must hold numbers; got \['x'\]",
        ),
    ],
)
def test_impossible_columns_are_refused(call, message):
    """The message names the column, the rule, the value and its position."""
    with pytest.raises(ParameterError, match=message):
        call()
