"""Baselines against their definitions worked out by hand on four customers."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from churnkit.data.windows import US_PER_DAY, Snapshot
from churnkit.models.base import FeatureMatrix, LabelledSnapshot
from churnkit.models.baselines import BASELINES
from churnkit.models.purchase import forecast_purchases

SNAPSHOT = Snapshot(cutoff=date(2024, 1, 1), observation_days=730, horizon_days=73)


def snapshot(*, silent, orders, spend, recent, future):
    """Return a snapshot of customers who joined 365.25 days ago."""
    n = len(silent)
    cutoff = SNAPSHOT.cutoff_us
    return LabelledSnapshot(
        snapshot=SNAPSHOT,
        customer_ids=np.array([f"c{i}" for i in range(n)], dtype=object),
        base={
            "orders": np.array(orders, float),
            "order_days": np.array(orders, float),
            "first_order_us": np.full(n, cutoff - 365.25 * US_PER_DAY),
            "last_order_us": cutoff - np.array(silent, float) * US_PER_DAY,
            "net_revenue": np.array(spend, float),
            "order_amount": np.array(spend, float),
            "horizon_orders": (np.array(recent, float) != 0).astype(float),
            "horizon_amount": np.array(recent, float),
        },
        eligible=np.ones(n, dtype=bool),
        features=FeatureMatrix(names=("f",), values=np.zeros((n, 1), np.float32)),
        churned=np.array(future, float) <= 0,
        future_spend=np.array(future, float),
        future_orders=(np.array(future, float) > 0).astype(float),
    )


@pytest.fixture
def train():
    """Give four customers, of whom the two silent ones stay away."""
    return [
        snapshot(
            silent=[5, 10, 300, 320],
            orders=[4, 2, 2, 1],
            spend=[80.0, 20.0, 50.0, 30.0],
            recent=[20.0, 10.0, 0.0, 0.0],
            future=[40.0, 20.0, 0.0, 0.0],
        )
    ]


@pytest.fixture
def test():
    """Give two customers to predict: one active, one silent."""
    return snapshot(
        silent=[7, 310], orders=[5, 2], spend=[100.0, 40.0], recent=[25.0, -8.0], future=[10.0, 0.0]
    )


def predict(name, train, test):
    """Return both predictions of a baseline as lists."""
    found = BASELINES[name]().predict(train, test)
    return found.churn_probability.tolist(), found.expected_spend.tolist()


def test_base_rate_is_the_training_rate_and_mean(train, test):
    """Two of four churned, 60 was spent by four."""
    assert predict("base_rate", train, test) == ([0.5, 0.5], [15.0, 15.0])


def test_recency_is_the_rate_of_those_equally_silent(test):
    """A hundred active customers stayed, a hundred silent ones left; one average customer smooths."""
    n = 100
    train = snapshot(
        silent=[5] * n + [300] * n,
        orders=[2] * 2 * n,
        spend=[20.0] * 2 * n,
        recent=[0.0] * 2 * n,
        future=[40.0] * n + [0.0] * n,
    )

    churn, spend = predict("recency", [train], test)

    assert churn == pytest.approx([0.5 / 101, 100.5 / 101])
    assert spend == pytest.approx([4020.0 / 101, 20.0 / 101])


def test_persistence_repeats_the_last_horizon(train, test):
    """Spend is what it was, never negative; the risk is that of those who did alike."""
    test.base["horizon_orders"][1] = 0.0

    churn, spend = predict("persistence", train, test)

    assert churn == pytest.approx([0.5 / 3, 2.5 / 3])
    assert spend == [25.0, 0.0]


def test_formula_is_value_times_frequency_times_horizon(train, test):
    """Five orders in a year of 365.25 days and 73 days ahead are 5 · 73 / 365.25 orders of 20."""
    churn, spend = predict("formula", train, test)

    expected = np.array([5.0, 2.0]) * 73 / 365.25
    assert churn == pytest.approx(np.exp(-expected).tolist())
    assert spend == pytest.approx((expected * 20.0).tolist())


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
def test_purchase_models_answer_for_the_horizon(shop, kind):
    """The baseline is 1 minus the purchase model's P(order), and its expected spend."""
    found = BASELINES[kind]().predict(shop.train, shop.test)

    forecast = forecast_purchases(shop.test.base, shop.test.snapshot, kind=kind)
    np.testing.assert_array_equal(found.churn_probability, 1.0 - forecast.order_probability)
    np.testing.assert_array_equal(found.expected_spend, forecast.expected_spend)
    assert found.expected_spend.min() > 0.0


def test_a_purchase_model_without_repeat_orders_is_absent(train, test):
    """Nobody ordered twice: no purchase model, and no baseline in its name."""
    test.base["order_days"][:] = 1.0
    test.base["last_order_us"][:] = test.base["first_order_us"]

    assert BASELINES["bg_nbd"]().predict(train, test) is None
