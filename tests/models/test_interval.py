"""The interval of spend: coverage by simulation, quantiles of the distribution."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from churnkit.models.interval import SpendInterval, fit_interval


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
