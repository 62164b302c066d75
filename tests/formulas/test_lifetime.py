"""Lifetime values, discounted ones, and the lift of retention: examples and series."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.formulas import (
    customer_lifetime_value,
    customer_lifetime_value_margin,
    discounted_lifetime_value,
    retention_lift,
)

ORDERS = {"average_order_value": 50.0, "purchases_per_year": 4.0}


def test_lifetime_value_of_the_worked_example():
    """50 an order, 4 orders a year, 3 years: 600."""
    result = customer_lifetime_value(**ORDERS, lifespan_years=3.0, customers=500)

    assert (result.value, result.unit, result.n, result.status) == (600.0, "currency", 500, "ok")


@given(st.floats(0.01, 1.0))
def test_churn_stands_for_a_lifespan_of_its_inverse(churn):
    """A yearly churn of a quarter is four years."""
    by_churn = customer_lifetime_value(**ORDERS, yearly_churn_probability=churn, variant="churn")
    by_years = customer_lifetime_value(**ORDERS, lifespan_years=1.0 / churn)

    assert by_churn.value == pytest.approx(by_years.value)
    assert by_churn.variant == "churn"


@given(st.floats(-1.0, 1.0))
def test_margin_multiplies(margin):
    """The margin version is the revenue version times the margin."""
    result = customer_lifetime_value_margin(**ORDERS, lifespan_years=3.0, gross_margin=margin)

    assert result.value == pytest.approx(600.0 * margin)


@given(
    st.floats(-1e4, 1e4), st.floats(0.0, 0.95), st.floats(0.0, 1.0),
    st.sampled_from([("first_margin_counted", 0), ("first_margin_excluded", 1)]),
)  # fmt: skip
def test_discounted_value_is_the_sum_of_its_series(margin, retention, rate, variant):
    """Added up period by period until nothing is left, from period 0 or from period 1."""
    name, first = variant
    series = sum(margin * (retention / (1.0 + rate)) ** t for t in range(first, 1500))

    result = discounted_lifetime_value(
        margin_per_period=margin,
        retention_probability=retention,
        discount_rate=rate,
        variant=name,
    )

    assert result.value == pytest.approx(series, rel=1e-9, abs=1e-9)


def test_lift_is_the_change_between_two_lifetime_values():
    """From 80 to 85 %, discounted by 10 %: 366.67 becomes 440, +20 %."""
    figures = {
        "margin_per_period": 100.0,
        "discount_rate": 0.1,
        "variant": "first_margin_counted",
    }
    before = discounted_lifetime_value(retention_probability=0.80, **figures)
    after = discounted_lifetime_value(retention_probability=0.85, **figures)

    lift = retention_lift(
        points=5.0, margin_per_period=100.0, retention_probability=0.8, discount_rate=0.1
    )

    assert lift.value == pytest.approx(20.0)
    assert lift.numerator == pytest.approx(after.value - before.value)
    assert lift.denominator == pytest.approx(before.value)


def test_lift_of_profit_counts_the_customers_kept():
    """5 % of 10,000 customers at 100 less a cost of 10,000 is 40,000, a fifth of 200,000."""
    lift = retention_lift(
        points=5.0,
        margin_per_period=100.0,
        retention_probability=0.8,
        customers=10_000,
        profit=200_000.0,
        programme_cost=10_000.0,
        variant="profit",
    )

    assert (lift.value, lift.numerator, lift.denominator) == (20.0, 40_000.0, 200_000.0)
    assert (lift.n, lift.variant) == (10_000, "profit")


@given(st.floats(0.0, 0.9), st.floats(0.01, 0.5), st.floats(0.0, 9.0))
def test_lift_grows_with_the_points_and_never_falls_below_zero(retention, rate, points):
    """More retention is worth more, and none is worth nothing."""

    def lift(x):
        return retention_lift(
            points=x, margin_per_period=10.0, retention_probability=retention, discount_rate=rate
        ).value

    assert lift(0.0) == pytest.approx(0.0, abs=1e-9)
    assert -1e-9 <= lift(points) < lift(points + 1.0)


@pytest.mark.parametrize(
    ("figures", "status"),
    [
        ({"margin_per_period": -5.0}, "negative_base"),
        ({"margin_per_period": 5.0, "customers": 9, "profit": -1.0, "variant": "profit"}, "negative_base"),
        ({"margin_per_period": 5.0, "points": 20.0}, "zero_denominator"),
        ({"margin_per_period": 5.0, "points": 20.0, "discount_rate": 0.1}, "ok"),
    ],
)  # fmt: skip
def test_lift_of_what_is_not_positive_has_no_percentage(figures, status):
    """A loss cannot rise by percents, nor a value without end."""
    result = retention_lift(**{"points": 5.0, "retention_probability": 0.8, **figures})

    assert result.status == status
    assert (result.value is None) == (status != "ok")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: customer_lifetime_value(
                **ORDERS, yearly_churn_probability=20.0, variant="churn"
            ),
            r"yearly_churn_probability must be a fraction in \[0, 1\]; got 20.0",
        ),
        (
            lambda: customer_lifetime_value(**ORDERS),
            r"lifespan_years must be given with variant='observed'; got None",
        ),
        (
            lambda: customer_lifetime_value(**ORDERS, lifespan_years=-1.0),
            r"lifespan_years must be >= 0; got -1.0",
        ),
        (
            lambda: customer_lifetime_value(
                average_order_value=5.0, purchases_per_year=-1.0, lifespan_years=1.0
            ),
            r"purchases_per_year must be >= 0; got -1.0",
        ),
        (
            lambda: customer_lifetime_value_margin(**ORDERS, lifespan_years=1.0, gross_margin=40.0),
            r"gross_margin must be a fraction <= 1; got 40.0",
        ),
        (
            lambda: discounted_lifetime_value(
                margin_per_period=1.0, retention_probability=80.0, discount_rate=0.1
            ),
            r"retention_probability must be a fraction in \[0, 1\]; got 80.0",
        ),
        (
            lambda: discounted_lifetime_value(
                margin_per_period=1.0, retention_probability=0.8, discount_rate=-0.1
            ),
            r"discount_rate must be >= 0; got -0.1",
        ),
        (
            lambda: retention_lift(points=21.0, margin_per_period=1.0, retention_probability=0.8),
            r"points must leave retention_probability within \[0, 1\]; got 0.8 \+21 points",
        ),
        (
            lambda: retention_lift(
                points=1.0,
                margin_per_period=1.0,
                retention_probability=0.8,
                customers=5,
                variant="profit",
            ),
            r"profit must be given with variant='profit'; got None",
        ),
    ],
)
def test_impossible_figures_are_refused(call, message):
    """A percentage given for a fraction is the usual slip: it is named, not computed with."""
    with pytest.raises(ParameterError, match=message):
        call()
