"""Retention and churn of customers: worked examples, identities, impossible inputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from churnkit.errors import ParameterError
from churnkit.formulas import (
    cohort_retention,
    customer_churn_rate,
    customer_retention_rate,
    customer_retention_rate_strict,
)

small = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("start", "end", "new", "expected"),
    [(102, 115, 20, 93.137254901), (200, 250, 100, 75.0), (10, 8, 0, 80.0)],
)
def test_retention_of_the_worked_examples(start, end, new, expected):
    """The three examples of the metrics page."""
    result = customer_retention_rate(
        customers_at_start=start, customers_at_end=end, new_customers=new
    )

    assert result.value == pytest.approx(expected, abs=1e-8)
    assert (result.numerator, result.denominator, result.n) == (end - new, start, start)


def test_retention_has_the_wilson_interval_of_its_counts():
    """95 kept of 102, in percent."""
    oracle = stats.binomtest(95, 102).proportion_ci(0.9, method="wilson")

    result = customer_retention_rate(
        customers_at_start=102, customers_at_end=115, new_customers=20, level=0.9
    )

    assert (result.ci_low, result.ci_high) == pytest.approx((100 * oracle.low, 100 * oracle.high))


def test_reactivated_customers_can_lift_retention_past_100():
    """100 at start all stay, 10 come back: 110 %, without an interval."""
    result = customer_retention_rate(customers_at_start=100, customers_at_end=110, new_customers=0)

    assert (result.value, result.status) == (pytest.approx(110.0), "ok")
    assert (result.ci_low, result.ci_high) == (None, None)


def test_full_retention_has_an_interval():
    """All 40 stay: 100 %, and at least 91 % are likely to."""
    result = customer_retention_rate(customers_at_start=40, customers_at_end=40, new_customers=0)

    assert result.value == 100.0
    assert (result.ci_low, result.ci_high) == (pytest.approx(91.24, abs=0.01), 100.0)


@given(kept=small, lost=small, new=small, reactivated=small)
def test_the_rates_agree_with_each_other(kept, lost, new, reactivated):
    """With E = S - lost + new + reactivated, churn = 100 - strict = 100 - (retention - reactivated / S)."""
    start = kept + lost
    end = start - lost + new + reactivated

    broad = customer_retention_rate(
        customers_at_start=start, customers_at_end=end, new_customers=new
    )
    strict = customer_retention_rate_strict(customers_at_start=start, retained_customers=kept)
    churn = customer_churn_rate(customers_at_start=start, lost_customers=lost)

    if start == 0:
        assert broad.value is strict.value is churn.value is None
    else:
        assert churn.value == pytest.approx(100.0 - strict.value)
        assert broad.value - strict.value == pytest.approx(100.0 * reactivated / start)
        assert 0.0 <= strict.value <= 100.0
        assert strict.ci_low <= strict.value <= strict.ci_high


def test_churn_of_the_worked_example():
    """10 customers lose 2: 20 %, and ten are few."""
    result = customer_churn_rate(customers_at_start=10, lost_customers=2)

    assert (result.value, result.status, result.variant) == (20.0, "small_n", "start_of_period")


def test_churn_by_each_definition():
    """One period, three denominators: 10 %, 25 % and 50 / mean(100, 150, 200) = 33.3 %."""
    figures = {
        "customers_at_start": 100,
        "lost_customers": 10,
        "joined_customers": 100,
        "lost_joiners": 40,
        "daily_customers": [100, 150, 200],
    }
    variants = ("start_of_period", "including_joiners", "mean_of_daily")

    found = {v: customer_churn_rate(**figures, variant=v) for v in variants}

    assert [found[v].value for v in variants] == pytest.approx([10.0, 25.0, 100 / 3])
    assert [found[v].denominator for v in variants] == [100, 200, 150]
    assert [found[v].variant for v in variants] == list(variants)


def test_mean_of_daily_is_a_rate_with_a_poisson_interval():
    """Fast-leaving joiners push it past 100 %; the interval is that of a Poisson count."""
    result = customer_churn_rate(
        customers_at_start=10,
        lost_customers=0,
        lost_joiners=60,
        daily_customers=[50, 50],
        variant="mean_of_daily",
    )

    assert result.value == pytest.approx(120.0)
    assert result.ci_low == pytest.approx(100 * stats.chi2.ppf(0.025, 120) / 2 / 50)


@pytest.mark.parametrize(
    ("variant", "missing", "given_"),
    [
        ("including_joiners", "lost_joiners", {"joined_customers": 5}),
        ("including_joiners", "joined_customers", {"lost_joiners": 5}),
        ("mean_of_daily", "lost_joiners", {"daily_customers": [5]}),
        ("mean_of_daily", "daily_customers", {"lost_joiners": 5}),
    ],
)
def test_a_variant_asks_for_its_arguments(variant, missing, given_):
    """Nothing is assumed in place of a missing figure."""
    with pytest.raises(ParameterError, match=rf"{missing} must be given with variant='{variant}'"):
        customer_churn_rate(customers_at_start=10, lost_customers=1, variant=variant, **given_)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: customer_retention_rate(
                customers_at_start=10, customers_at_end=115, new_customers=120
            ),
            r"customer_retention_rate: new_customers must not exceed customers_at_end \(115\); got 120",
        ),
        (
            lambda: customer_retention_rate(
                customers_at_start=-1, customers_at_end=5, new_customers=1
            ),
            r"customers_at_start must be a whole number >= 0; got -1",
        ),
        (
            lambda: customer_retention_rate_strict(customers_at_start=10, retained_customers=11),
            r"retained_customers must not exceed customers_at_start \(10\); got 11",
        ),
        (
            lambda: customer_churn_rate(customers_at_start=10, lost_customers=11),
            r"lost_customers must not exceed customers_at_start \(10\); got 11",
        ),
        (
            lambda: customer_churn_rate(customers_at_start=10, lost_customers=1.5),
            r"lost_customers must be a whole number >= 0; got 1.5",
        ),
        (
            lambda: customer_churn_rate(
                customers_at_start=10,
                lost_customers=1,
                joined_customers=3,
                lost_joiners=4,
                variant="including_joiners",
            ),
            r"lost_joiners must not exceed joined_customers \(3\); got 4",
        ),
        (
            lambda: customer_churn_rate(
                customers_at_start=10,
                lost_customers=1,
                lost_joiners=0,
                daily_customers=[10, -9],
                variant="mean_of_daily",
            ),
            r"daily_customers must hold whole numbers >= 0; got -9.0 at position 1",
        ),
        (
            lambda: customer_churn_rate(
                customers_at_start=10, lost_customers=1, variant="start_period"
            ),
            r"variant must be a known name; got 'start_period'. Did you mean 'start_of_period'\?",
        ),
        (
            lambda: cohort_retention(cohort_customers=5, active_customers=6),
            r"active_customers must not exceed cohort_customers \(5\); got 6",
        ),
    ],
)
def test_impossible_figures_are_refused(call, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ParameterError, match=message):
        call()


def test_cohort_retention_is_a_share_of_the_cohort():
    """70 of 200 are active, with Wilson's interval."""
    oracle = stats.binomtest(70, 200).proportion_ci(method="wilson")

    result = cohort_retention(cohort_customers=200, active_customers=70)

    assert result.value == pytest.approx(35.0)
    assert result.ci_low == pytest.approx(100 * oracle.low)
