"""Spend models and intervals: pools by hand, quantiles by simulation, worth at the cutoff."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from churnkit.errors import ModelGuardError
from churnkit.evaluation.predictive import spend_metrics
from churnkit.models.interval import SpendInterval, fit_interval
from churnkit.models.lifetime_value import expected_ltv
from churnkit.models.purchase_forecast import PurchaseForecast
from churnkit.models.spend import SpendModel
from churnkit.models.training import fit_models


def forecast(order_probability, expected_spend):
    """Return a purchase model's view with these two columns."""
    p, spend = np.array(order_probability), np.array(expected_spend)
    unknown = np.full(len(p), np.nan)
    return PurchaseForecast(
        order_probability=p,
        expected_orders=p,
        expected_spend=spend,
        p_alive=p,
        next_order_days=unknown,
        worth=np.ones(len(p)),
        cutoff=date(2024, 1, 1),
    )


def test_value_is_the_geometric_mean_of_both_views():
    """Learners say 40, the purchase model 20 / .5 = 40 and 9 / .9 = 10: weights of one half."""
    model = SpendModel(objective="hurdle_gamma", learners=(), weight=0.5)

    value = model.given_order(
        np.array([[40.0], [40.0]]),
        order_probability=np.array([0.3, 0.3]),
        forecast=forecast([0.5, 0.9], [20.0, 9.0]),
    )

    assert value == pytest.approx([40.0, 20.0])


def test_a_model_of_spend_is_divided_by_the_order_probability():
    """Tweedie predicts spend itself: 12 with P(order) .4 is 30 an order."""
    model = SpendModel(objective="tweedie_1.3", learners=())

    value = model.given_order(np.array([[12.0]]), order_probability=np.array([0.4]), forecast=None)

    assert value == pytest.approx([30.0])


@given(st.floats(0.05, 0.95), st.floats(0.1, 0.9))
def test_the_typical_spend_changes_the_shape_and_not_the_total(share, p):
    """Pooling moves spend between customers; what all are expected to spend stays."""
    model = SpendModel(objective="hurdle", learners=(), typical_share=share)
    chance = np.array([p, 0.5, 0.9])
    own = np.array([10.0, 20.0, 5.0])

    value = model.given_order(
        np.column_stack([own, [0.1, 3.0, 2.0]]), order_probability=chance, forecast=None
    )

    assert np.sum(chance * value) == pytest.approx(np.sum(chance * own))
    assert value[1] / value[0] > own[1] / own[0]


def test_nobody_spending_is_refused(shop, settings):
    """There is no spend model of nothing."""
    from dataclasses import replace

    nothing = [replace(s, future_spend=np.zeros(len(s.churned))) for s in shop.train[-3:]]

    with pytest.raises(ModelGuardError, match="no customer spends anything in any training"):
        fit_models(nothing, settings=settings, judge=spend_metrics)


@pytest.fixture(scope="module")
def buyers():
    """Give 40,000 customers whose spend, given an order, is lognormal around its expectation."""
    rng = np.random.default_rng(8)
    n = 40_000
    p, value = rng.uniform(0.05, 0.99, n), rng.lognormal(3.0, 1.0, n)
    spend = (rng.random(n) < p) * value * rng.lognormal(-0.18, 0.6, n)
    return SimpleNamespace(p=p, value=value, spend=spend)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_the_interval_covers_in_every_group_of_risk(buyers, coverage):
    """Nominal coverage in every band of P(order); more only where 0 alone is likelier than that."""
    half = np.arange(len(buyers.p)) % 2 == 0
    interval = fit_interval(
        value=buyers.value[half], future_spend=buyers.spend[half], coverage=coverage
    )

    low, high = interval.bounds(order_probability=buyers.p[~half], value=buyers.value[~half])

    p, spend = buyers.p[~half], buyers.spend[~half]
    inside = (low <= spend) & (spend <= high)
    for floor in np.arange(0.05, 0.95, 0.15):
        band = (p >= floor) & (p < floor + 0.15)
        inherent = max(coverage, float(np.mean(1.0 - p[band])))
        assert inside[band].mean() > coverage - 0.03
        assert inside[band].mean() < inherent + 0.08
    certain = p > 1.0 - (1.0 - coverage) / 2.0
    assert inside[certain].mean() == pytest.approx(coverage, abs=0.06)


def test_the_interval_is_that_of_the_distribution(buyers):
    """For a customer sure to order, the ends are the lognormal's own quantiles."""
    from scipy.stats import lognorm

    interval = fit_interval(value=buyers.value, future_spend=buyers.spend, coverage=0.8)

    low, high = interval.bounds(order_probability=np.array([1.0]), value=np.array([20.0]))

    truth = lognorm(s=0.6, scale=20.0 * np.exp(-0.18))
    assert low[0] == pytest.approx(truth.ppf(0.1), rel=0.05)
    assert high[0] == pytest.approx(truth.ppf(0.9), rel=0.05)


def test_an_interval_survives_the_way_through_json(buyers):
    """What is written is read back with the same bounds."""
    interval = fit_interval(value=buyers.value, future_spend=buyers.spend, coverage=0.8)

    loaded = SpendInterval.from_dict(interval.to_dict())

    first, second = (
        i.bounds(order_probability=buyers.p, value=buyers.value) for i in (interval, loaded)
    )
    np.testing.assert_array_equal(first, second)


def test_no_interval_without_a_buyer():
    """Nothing can be said of how far buyers fall from their value."""
    assert fit_interval(value=np.ones(3), future_spend=np.zeros(3), coverage=0.8) is None


def test_one_buyer_makes_one_tier():
    """Few buyers share one distribution."""
    interval = fit_interval(
        value=np.full(3, 10.0), future_spend=np.array([0, 0, 5.0]), coverage=0.8
    )

    assert (interval.edges, len(interval.ratios)) == ((), 1)
    assert set(interval.ratios[0]) == {0.5}


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
