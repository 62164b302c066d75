"""Revenue churn and retention: examples, identities, the closed cohort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.formulas import (
    bootstrap_ratio_interval,
    gross_revenue_retention,
    net_revenue_retention,
    revenue_churn_rate,
)

FIGURES = {"starting_mrr": 50_000.0, "cancelled_mrr": 1_500.0, "downgraded_mrr": 500.0}

share = st.floats(0.0, 1.0)
money = st.floats(0.0, 1e7)


def test_the_three_rates_of_one_period():
    """2,000 of 50,000 lost and 4,500 gained: 4, 96 and 105 %."""
    found = [
        revenue_churn_rate(**FIGURES).value,
        gross_revenue_retention(**FIGURES).value,
        net_revenue_retention(**FIGURES, expanded_mrr=4_500.0).value,
    ]

    assert found == pytest.approx([4.0, 96.0, 105.0])


@given(
    st.lists(st.tuples(money, share, share, money), min_size=1, max_size=30), st.floats(0.01, 100)
)
def test_identities_of_revenue_retention(table, rate):
    """Gross = 100 - churn, within 0-100; net - gross = expansion; all are free of the currency."""
    start, cancelled, downgraded, expanded = np.array(table).T
    cancelled = cancelled * start
    downgraded = downgraded * (start - cancelled)
    assume(start.sum() > 1e-3)

    def values(c):
        losses = {
            "starting_mrr": c * start,
            "cancelled_mrr": c * cancelled,
            "downgraded_mrr": c * downgraded,
        }
        net = net_revenue_retention(**losses, expanded_mrr=c * expanded)
        return [
            revenue_churn_rate(**losses).value,
            gross_revenue_retention(**losses).value,
            net.value,
        ]

    churn, gross, net = values(1.0)

    assert 0.0 <= churn <= 100.0 + 1e-9
    assert gross == pytest.approx(100.0 - churn, abs=1e-7)
    assert net - gross == pytest.approx(100.0 * expanded.sum() / start.sum(), rel=1e-7, abs=1e-6)
    assert values(rate) == pytest.approx([churn, gross, net], rel=1e-7, abs=1e-7)


def test_reactivations_count_only_when_named():
    """1,000 come back: 98 % with them, 96 % without."""
    closed = net_revenue_retention(**FIGURES, reactivated_mrr=1_000.0)
    with_them = net_revenue_retention(
        **FIGURES, reactivated_mrr=1_000.0, variant="with_reactivations"
    )

    assert (closed.value, closed.variant) == (96.0, "closed")
    assert (with_them.value, with_them.variant) == (98.0, "with_reactivations")


def test_customers_give_an_interval_and_n():
    """Columns are resampled by customer; n counts those with a starting MRR."""
    start = np.array([100.0] * 60 + [0.0] * 5)
    cancelled = np.array([100.0] * 6 + [0.0] * 59)

    result = revenue_churn_rate(starting_mrr=start, cancelled_mrr=cancelled, seed=1)

    assert (result.value, result.n, result.status) == (10.0, 60, "ok")
    expected = bootstrap_ratio_interval(cancelled, start, seed=1)
    assert (result.ci_low, result.ci_high) == pytest.approx([100 * bound for bound in expected])


def test_totals_carry_the_number_of_customers_if_told():
    """With totals, n is what the caller says, and small_n can be judged only then."""
    assert revenue_churn_rate(**FIGURES).n is None
    assert revenue_churn_rate(**FIGURES, customers=12).status == "small_n"


def test_credits_at_the_start_are_a_negative_base():
    """No share can be taken of less than nothing."""
    result = gross_revenue_retention(starting_mrr=-10.0, cancelled_mrr=0.0)

    assert (result.value, result.status) == (None, "negative_base")
    assert result.reason == "MRR at period start is negative"


def test_what_cancels_out_but_for_rounding_is_zero():
    """0.1 + 0.2 - 0.3 is not a base to divide by."""
    result = net_revenue_retention(starting_mrr=[0.1, 0.2, -0.3], cancelled_mrr=0.0)

    assert result.status == "zero_denominator"


def test_a_loss_of_everything_may_round_up():
    """Thirds of a price, added up again, are the price: exactly 0 % is kept."""
    third = 9.99 / 3

    result = gross_revenue_retention(starting_mrr=9.99 - 1e-12, cancelled_mrr=third * 3)

    assert result.value == 0.0


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        (
            {"starting_mrr": 10.0, "cancelled_mrr": 8.0, "downgraded_mrr": 3.0},
            r"cancelled_mrr \+ downgraded_mrr must not exceed starting_mrr \(10\); got 11",
        ),
        (
            {"starting_mrr": [10.0, 90.0], "cancelled_mrr": [20.0, 0.0]},
            r"cancelled_mrr \+ downgraded_mrr must not exceed starting_mrr \(10\); got 20",
        ),
        (
            {"starting_mrr": 10.0, "cancelled_mrr": -2.0},
            r"cancelled_mrr must be >= 0, a loss written as a positive number; got -2.0",
        ),
        (
            {"starting_mrr": [10.0, 0.0], "cancelled_mrr": 0.0, "customers": 2},
            r"customers must be those with a starting_mrr \(1\); got 2",
        ),
        (
            {"starting_mrr": [10.0, "x"], "cancelled_mrr": 0.0},
            r"starting_mrr must hold numbers; got \[10.0, 'x'\]",
        ),
    ],
)
@pytest.mark.parametrize(
    "formula", [revenue_churn_rate, gross_revenue_retention, net_revenue_retention]
)
def test_impossible_figures_are_refused(formula, figures, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ParameterError, match=message):
        formula(**figures)


def test_reactivations_must_be_given_where_they_count():
    """The variant does not take nothing for zero."""
    with pytest.raises(ParameterError, match="reactivated_mrr must be given with variant="):
        net_revenue_retention(**FIGURES, variant="with_reactivations")
