"""Visits, rewards, contacts and funnels: worked examples and identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.formulas import (
    active_users,
    bootstrap_ratio_interval,
    cart_abandonment_rate,
    contact_rate,
    first_response_hours,
    funnel_conversion,
    funnel_drop_off,
    poisson_interval,
    redemption_rate,
    resolution_hours,
    stickiness,
    wilson_interval,
)


def test_contact_rate_of_the_worked_example():
    """30 contacts on 600 orders: 0.05 an order, with a Poisson interval."""
    result = contact_rate(contacts=30, orders=600)

    assert (result.value, result.unit) == (0.05, "ratio")
    assert (result.ci_low, result.ci_high) == poisson_interval(30, exposure=600)


def test_contacts_may_outnumber_orders():
    """Three contacts an order is bad service, not a mistake."""
    assert contact_rate(contacts=300, orders=100).value == 3.0


def test_contacts_per_customer_are_a_variant_of_their_own():
    """90 contacts of 300 subscribers; without the subscribers the variant is refused."""
    result = contact_rate(contacts=90, customers=300, variant="per_customer")

    assert (result.value, result.n, result.variant) == (0.3, 300, "per_customer")
    with pytest.raises(ParameterError, match=r"^contact_rate: customers must be given with"):
        contact_rate(contacts=90, orders=300, variant="per_customer")


def test_times_of_support_are_medians_that_one_long_wait_does_not_move():
    """Of waits of 1 to 9 hours and one of a year the median is 5.5."""
    hours = [*range(1, 10), 8760.0]

    assert first_response_hours(hours=hours).value == resolution_hours(hours=hours).value == 5.5
    with pytest.raises(ParameterError, match=r"^resolution_hours: hours must hold numbers >= 0"):
        resolution_hours(hours=[1.0, -2.0])


def test_redemption_rate_is_a_share_of_the_issued():
    """120 of 400 rewards: 30 %."""
    result = redemption_rate(redeemed=120, issued=400)

    assert (result.value, result.unit, result.n) == (30.0, "percent", 400)


def test_stickiness_takes_the_mean_of_the_days():
    """180, 220 and 200 of 1,000 monthly users: 0.2, however given."""
    by_day = stickiness(daily_users=[180, 220, 200], monthly_users=1000)
    by_mean = stickiness(daily_users=200.0, monthly_users=1000)

    assert by_day == by_mean
    assert (by_day.value, by_day.unit) == (0.2, "ratio")
    assert (by_day.ci_low, by_day.ci_high) == wilson_interval(200, 1000)


def test_interval_of_stickiness_is_on_the_wide_side():
    """It covers at least what resampling the users' own shares of active days gives."""
    days = np.random.default_rng(2).binomial(30, 0.2, 1000)

    by_user = bootstrap_ratio_interval(days / 30, np.ones(1000))
    result = stickiness(daily_users=days.sum() / 30, monthly_users=1000)

    assert result.ci_low < by_user[0] < by_user[1] < result.ci_high


def test_a_count_is_neither_a_sample_nor_small():
    """Three users are three users."""
    result = active_users(users=3)

    assert (result.value, result.unit, result.n, result.status) == (3.0, "count", None, "ok")


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_conversion_and_drop_off_add_up(figures):
    """Who enters either goes on or drops off: 100 %, and the intervals mirror each other."""
    entered, converted = figures

    on = funnel_conversion(entered=entered, converted=converted)
    off = funnel_drop_off(entered=entered, converted=converted)

    assert on.value + off.value == pytest.approx(100.0)
    assert on.ci_low + off.ci_high == pytest.approx(100.0)
    assert 0.0 <= on.value <= 100.0


def test_cart_abandonment_is_a_share_of_the_carts():
    """280 of 400 carts without purchase: 70 %."""
    assert cart_abandonment_rate(carts=400, abandoned_carts=280).value == 70.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: redemption_rate(redeemed=5, issued=4),
            r"redeemed must not exceed issued \(4\); got 5",
        ),
        (
            lambda: contact_rate(contacts=-1, orders=4),
            r"contacts must be a whole number >= 0; got -1",
        ),
        (lambda: active_users(users=1.5), r"users must be a whole number >= 0; got 1.5"),
        (
            lambda: stickiness(daily_users=[5, 9], monthly_users=8),
            r"daily_users must not exceed monthly_users \(8\); got 9",
        ),
        (lambda: stickiness(daily_users=-1, monthly_users=8), r"daily_users must be >= 0; got -1"),
        (
            lambda: funnel_conversion(entered=1, converted=2),
            r"converted must not exceed entered \(1\); got 2",
        ),
        (
            lambda: funnel_drop_off(entered=1, converted=2),
            r"converted must not exceed entered \(1\); got 2",
        ),
        (
            lambda: cart_abandonment_rate(carts=1, abandoned_carts=2),
            r"abandoned_carts must not exceed carts \(1\); got 2",
        ),
    ],
)
def test_impossible_figures_are_refused(call, message):
    """The message names the argument, the rule and the value."""
    with pytest.raises(ParameterError, match=message):
        call()
