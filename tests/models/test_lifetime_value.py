"""Lifetime value over any length of time, against the integral and against itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from churnkit.btyd.bg_nbd import BgNbd
from churnkit.errors import ParameterError
from churnkit.models.lifetime_value import (
    discount_factor,
    expected_ltv,
    value_ends,
    worth_of_spend,
)
from churnkit.models.purchase import fit_purchases, forecast_purchases
from churnkit.models.purchase_forecast import FittedPurchases

RATES = st.floats(0.0, 3.0)
WORTH = {"gross_margin": 0.4, "yearly_discount_rate": 0.1, "gap_days": 0}


@given(rate=RATES, start=st.integers(0, 2_000), length=st.integers(1, 2_000))
def test_the_discount_factor_is_the_integral(rate, start, length):
    """Money that arrives evenly is worth the mean of (1 + r)^(-t) over the interval."""
    found = discount_factor(yearly_discount_rate=rate, start_days=start, length_days=length)

    area, _ = quad(lambda t: (1.0 + rate) ** (-t / 365.25), start, start + length)
    assert found == pytest.approx(area / length, rel=1e-6)


@given(horizon=st.integers(1, 400), value=st.integers(1, 36_500))
def test_pieces_cover_the_length_and_begin_with_the_horizon(horizon, value):
    """They ascend, end at the length, are 24 at most, and the first is the horizon if that fits."""
    ends = value_ends(horizon_days=horizon, value_days=value)

    assert ends[-1] == value
    assert ends[0] == min(horizon, value)
    assert len(ends) <= 24
    assert all(a < b for a, b in pairwise(ends))


def test_no_length_is_refused():
    """Value over no time is not defined."""
    with pytest.raises(ParameterError, match="value_days must be at least 1; got 0"):
        value_ends(horizon_days=90, value_days=0)


@pytest.fixture(scope="module")
def ahead(shop):
    """Give a function that values the test customers over a length of time, 50 expected of each."""

    def value(days, *, rate=0.1):
        forecast = forecast_purchases(
            shop.test.base, shop.test.snapshot, value_days=days, yearly_discount_rate=rate
        )
        return 50.0 * 0.4 * forecast.worth

    return value


def test_at_the_trained_horizon_nothing_is_extrapolated(shop, ahead):
    """Over the horizon of the models both ways to value are the same to rounding."""
    horizon = shop.test.snapshot.horizon_days

    plain = expected_ltv(np.full(len(shop.test.churned), 50.0), horizon_days=horizon, **WORTH)

    np.testing.assert_allclose(ahead(horizon), plain, rtol=1e-12)


def test_value_grows_with_time_and_ever_more_slowly(ahead):
    """Customers stop buying: every further half year adds less than the one before."""
    totals = [ahead(days, rate=0.0).sum() for days in (60, 240, 420, 600)]

    gains = np.diff(totals)
    assert np.all(gains > 0.0)
    assert np.all(np.diff(gains) < 0.0)


def test_ten_years_of_a_horizon_of_a_week_are_the_integral_and_no_less_than_eight():
    """Most of a customer who soon leaves comes early: there the pieces must be short."""
    model = BgNbd(r=1.0, alpha=8.0, a=1.0, b=1.5)

    def orders(days):
        whole = model.expected_orders(
            repeat_orders=5, recency=18.0, tenure=20.0, horizon=np.asarray(days) / 7.0
        )
        return np.asarray(whole)

    def worth(days):
        ends = value_ends(horizon_days=7, value_days=days)
        return worth_of_spend(
            orders(ends)[None, :], expected_orders=orders([7]), ends_days=ends, horizon_days=7,
            gap_days=0, yearly_discount_rate=0.25,
        )[0]  # fmt: skip

    eight, ten = worth(2920), worth(3650)

    days = np.arange(3651.0)
    discount = 1.25 ** (-(days[:-1] + 0.5) / 365.25)
    assert ten == pytest.approx(np.diff(orders(days)) @ discount / orders(7), rel=2e-3)
    assert eight < ten


def test_without_discount_the_pieces_do_not_matter(shop, ahead):
    """A year is worth what the purchase model's orders of a year say, however it is cut."""
    snapshot = shop.test.snapshot
    year = replace(snapshot, horizon_days=365)

    found = ahead(365, rate=0.0)

    model = fit_purchases(shop.test.base, snapshot).model
    longer = FittedPurchases(model=model, gamma=None, overall=1.0, kept=1.0, snapshot=year)
    orders = [
        f.expected_orders
        for f in (longer.forecast(shop.test.base), forecast_purchases(shop.test.base, snapshot))
    ]
    np.testing.assert_allclose(found, 50.0 * 0.4 * orders[0] / orders[1], rtol=1e-9)


def test_shorter_than_the_horizon_is_worth_less(shop, ahead):
    """Half the horizon brings more than nothing and less than all of it."""
    horizon = shop.test.snapshot.horizon_days

    half, whole = ahead(horizon // 2), ahead(horizon)

    assert np.all((half > 0.0) & (half < whole))


def test_discounting_lowers_value_and_more_so_later(ahead):
    """At 10 % a year the share that is lost grows with the length."""
    lost = [1.0 - ahead(days).sum() / ahead(days, rate=0.0).sum() for days in (60, 720)]

    assert 0.0 < lost[0] < lost[1] < 0.2


def test_nothing_expected_is_worth_nothing_beyond_the_horizon():
    """A customer of whom the purchase model expects no order keeps the horizon's value only."""
    found = [
        worth_of_spend(
            np.zeros((1, len(ends))),
            expected_orders=np.zeros(1),
            ends_days=ends,
            horizon_days=90,
            gap_days=0,
            yearly_discount_rate=0.0,
        )[0]
        for ends in ((45,), (90,), (90, 365))
    ]

    assert found == [0.5, 1.0, 1.0]


@given(st.floats(0.001, 1.0), st.integers(0, 90), st.integers(1, 365))
def test_worth_is_the_integral_of_discounted_money(rate, gap, horizon):
    """Money arriving evenly over the horizon, discounted day by day."""
    worth = expected_ltv(
        100.0, gross_margin=0.4, yearly_discount_rate=rate, gap_days=gap, horizon_days=horizon
    )

    integral, _ = quad(lambda t: (1.0 + rate) ** (-t / 365.25), gap, gap + horizon)
    assert float(worth) == pytest.approx(40.0 * integral / horizon, rel=1e-6)


def test_without_a_rate_worth_is_margin():
    """No discount: four tenths of a hundred."""
    worth = expected_ltv(
        np.array([100.0]), gross_margin=0.4, yearly_discount_rate=0.0, gap_days=5, horizon_days=90
    )

    assert worth.tolist() == [40.0]
