"""Orders per customer, value per order and the chance of another: examples and properties."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.formulas import (
    average_order_value,
    bootstrap_ratio_interval,
    purchase_frequency,
    repeat_purchase_rate,
    repurchase_probability,
)

rows = st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 50)), min_size=1, max_size=40)


def test_order_value_is_revenue_per_order():
    """10,000 from 200 orders: 50, without interval because only totals are known."""
    result = average_order_value(net_revenue=10_000.0, orders=200)

    assert (result.value, result.unit, result.n) == (50.0, "currency", 200)
    assert result.ci_low is None


def test_order_value_of_customers_resamples_customers():
    """Values per customer give the same value, an interval, and n in customers."""
    rng = np.random.default_rng(5)
    orders = rng.integers(1, 9, 80)
    revenue = orders * rng.lognormal(3, 1, 80)

    result = average_order_value(net_revenue=revenue, orders=orders, seed=2)

    assert result.value == pytest.approx(revenue.sum() / orders.sum())
    assert result.n == 80
    assert (result.ci_low, result.ci_high) == bootstrap_ratio_interval(revenue, orders, seed=2)


@given(rows)
def test_totals_and_columns_give_one_value(table):
    """Sums of the columns as totals are the same metric."""
    revenue, orders = (list(column) for column in zip(*table, strict=True))

    per_customer = average_order_value(net_revenue=revenue, orders=orders)
    totals = average_order_value(net_revenue=sum(revenue), orders=sum(orders))

    assert per_customer.denominator == totals.denominator
    if totals.value is None:
        assert per_customer.value is None
    else:
        assert per_customer.value == pytest.approx(totals.value, rel=1e-9, abs=1e-6)


@given(rows, st.floats(1e-3, 1e3))
def test_order_value_follows_the_currency(table, rate):
    """Another currency multiplies value and interval by its rate, and changes nothing else."""
    revenue, orders = (np.array(column, dtype=float) for column in zip(*table, strict=True))

    plain = average_order_value(net_revenue=revenue, orders=orders)
    other = average_order_value(net_revenue=revenue * rate, orders=orders)

    assert (other.status, other.n) == (plain.status, plain.n)
    if plain.value is not None:
        assert other.value == pytest.approx(plain.value * rate, rel=1e-9, abs=1e-6)


def test_returns_can_make_the_order_value_negative():
    """A period of returns has a negative value: it is not hidden."""
    result = average_order_value(net_revenue=-300.0, orders=100)

    assert (result.value, result.status) == (-3.0, "ok")


def test_frequency_is_orders_per_customer():
    """Totals and one number per customer agree."""
    totals = purchase_frequency(orders=9, customers=3)
    columns = purchase_frequency(orders=[1, 2, 6])

    assert totals.value == columns.value == 3.0
    assert totals.n == columns.n == 3
    assert columns.ci_low < 3.0 < columns.ci_high


@pytest.mark.parametrize("variant", ["in_period", "ever"])
def test_repeat_rate_names_its_definition(variant):
    """100 of 400 customers: 25 %, and the result says which orders were counted."""
    result = repeat_purchase_rate(customers=400, repeat_customers=100, variant=variant)

    assert (result.value, result.variant) == (25.0, variant)


def test_repurchase_probabilities_multiply_to_the_share_that_gets_there():
    """P(2|1) P(3|2) P(4|3) is the share of all customers with a fourth order."""
    reached = [1000, 270, 120, 66]

    steps = [
        repurchase_probability(order_number=k, customers_at_risk=a, customers_ordering_again=b)
        for k, (a, b) in enumerate(pairwise(reached), start=1)
    ]

    assert np.prod([step.value for step in steps]) == pytest.approx(0.066)
    assert [(step.variant, step.n) for step in steps] == [("k=1", 1000), ("k=2", 270), ("k=3", 120)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: purchase_frequency(orders=5, customers=0),
            r"customers must be > 0 where there are orders \(5\); got 0",
        ),
        (
            lambda: purchase_frequency(orders=5),
            r"customers must be given with variant='one number of orders'; got None",
        ),
        (
            lambda: purchase_frequency(orders=[1, 2], customers=3),
            r"customers must be the length of orders \(2\); got 3",
        ),
        (
            lambda: purchase_frequency(orders=[1, 2.5]),
            r"orders must hold whole numbers >= 0; got 2.5 at position 1",
        ),
        (
            lambda: average_order_value(net_revenue=[1.0, 2.0], orders=3),
            r"orders must be one value per customer, as net_revenue is; got 3",
        ),
        (
            lambda: average_order_value(net_revenue=[1.0, 2.0], orders=[1, 2, 3]),
            r"orders must be as long as net_revenue \(2\); got length 3",
        ),
        (
            lambda: average_order_value(net_revenue=[[1.0]], orders=[1]),
            r"net_revenue must have one dimension; got shape \(1, 1\)",
        ),
        (
            lambda: average_order_value(net_revenue=1.0, orders=-2),
            r"orders must .*>= 0; got -2",
        ),
        (
            lambda: repeat_purchase_rate(customers=1, repeat_customers=2),
            r"repeat_customers must not exceed customers \(1\); got 2",
        ),
        (
            lambda: repurchase_probability(
                order_number=0, customers_at_risk=5, customers_ordering_again=2
            ),
            r"order_number must be >= 1; got 0",
        ),
        (
            lambda: repurchase_probability(
                order_number=1, customers_at_risk=5, customers_ordering_again=6
            ),
            r"customers_ordering_again must not exceed customers_at_risk \(5\); got 6",
        ),
    ],
)
def test_impossible_figures_are_refused(call, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ParameterError, match=message):
        call()
