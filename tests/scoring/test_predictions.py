"""Ranks, drift and the refusal of predictions that are no numbers."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.data.windows import Snapshot
from churnkit.errors import ModelGuardError
from churnkit.models.base import FeatureMatrix
from churnkit.models.drift import describe
from churnkit.models.lifetime_value import discount_factor
from churnkit.models.purchase import fit_purchases
from churnkit.models.training import Level, Predictions
from churnkit.scoring.predictions import (
    Drift,
    _rank,
    predicted_columns,
    refuse_unknown,
    refuse_without_forecast,
    value_days,
)

SNAPSHOT = Snapshot(cutoff=date(2024, 1, 1), observation_days=730, horizon_days=60, gap_days=7)


@pytest.fixture(scope="module")
def purchases():
    """Give a purchase model of 300 customers, with their base columns."""
    rng = np.random.default_rng(6)
    days = 1.0 + rng.poisson(rng.gamma(1.0, 3.0, 300))
    first = rng.uniform(200.0, 700.0, 300)
    silent = np.where(days > 1.0, rng.uniform(0.0, 1.0, 300), 1.0) * first
    amount = days * rng.lognormal(3.0, 0.5, 300)
    day_us = 86_400_000_000
    base = {
        "order_days": days,
        "first_order_us": SNAPSHOT.cutoff_us - np.floor(first) * day_us,
        "last_order_us": SNAPSHOT.cutoff_us - np.floor(silent) * day_us,
        "order_amount": amount,
        "net_revenue": amount * 0.9,
    }
    return fit_purchases(base, SNAPSHOT), base


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    margin=st.floats(0.01, 2.0),
    rate=st.floats(0.0, 1.0),
    days=st.integers(1, 3_000),
)
def test_predictions_of_a_customer_agree(purchases, seed, margin, rate, days):
    """Whatever the models say, P(order), orders, spend, lifetime value and value at risk are one."""
    fitted, base = purchases
    rng = np.random.default_rng(seed)
    p = rng.random(300)
    value = rng.lognormal(3.0, 1.0, 300)
    bundle = SimpleNamespace(value={"gross_margin": margin, "yearly_discount_rate": rate})
    said = Predictions(
        churn_probability=1.0 - p,
        order_probability=p,
        expected_spend=p * value,
        expected_spend_low=None,
        expected_spend_high=None,
        stated_coverage=None,
        level=Level(),
    )

    trained, other = (
        predicted_columns(
            said,
            bundle,
            forecast=fitted.forecast(base, value_days=d, yearly_discount_rate=rate),
            snapshot=SNAPSHOT,
        )
        for d in (SNAPSHOT.horizon_days, days)
    )

    factor = margin * discount_factor(
        yearly_discount_rate=rate, start_days=7, length_days=SNAPSHOT.horizon_days
    )
    np.testing.assert_allclose(trained["expected_ltv"], p * value * factor, rtol=1e-9)
    np.testing.assert_allclose(trained["value_at_risk"], (1.0 - p) * value * factor, rtol=1e-9)
    assert np.all(trained["expected_orders"] >= p - 1e-12)
    for name in ("expected_spend", "expected_orders", "value_at_risk"):
        np.testing.assert_array_equal(other[name], trained[name])
    longer, shorter = (other, trained) if days >= SNAPSHOT.horizon_days else (trained, other)
    assert np.all(longer["expected_ltv"] >= shorter["expected_ltv"] * (1.0 - 1e-9))


def test_the_length_of_lifetime_value_is_asked_for_or_trained_or_the_horizon():
    """A request comes first, then what the model was trained with, then the labels' horizon."""
    trained, plain = (
        SimpleNamespace(value={"horizon_days": d}, snapshot={"horizon_days": 60})
        for d in (365, None)
    )
    asked, silent = SimpleNamespace(value_days=30), SimpleNamespace(value_days=None)

    found = [value_days(b, request=r) for b, r in ((trained, asked), (trained, silent))]

    assert found == [30, 365]
    assert value_days(plain, request=silent) == 60


def test_a_longer_value_without_a_purchase_model_is_refused():
    """Nothing else says what comes after the labels; over their horizon nothing has to."""
    bundle = SimpleNamespace(value={}, snapshot={"horizon_days": 60})

    refuse_without_forecast(bundle, request=SimpleNamespace(value_days=60), forecast=None)
    with pytest.raises(ModelGuardError, match=r"must be left at the horizon .* got 365"):
        refuse_without_forecast(bundle, request=SimpleNamespace(value_days=365), forecast=None)


@given(st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.9]), min_size=1, max_size=30))
def test_rank_is_that_of_pandas(values):
    """1 for the highest risk; equal risks share the better rank."""
    expected = pd.Series(values).rank(ascending=False, method="min")

    assert list(_rank(np.array(values))) == list(expected.astype(int))


def test_predictions_that_are_no_numbers_are_refused_by_name():
    """A null prediction would read as an inactive customer."""
    values = np.array([0.5, np.nan, np.inf])

    with pytest.raises(
        ModelGuardError, match=r"score: expected_spend must be a number for everybody; 2 of 3"
    ):
        refuse_unknown(churn_probability=np.array([0.1]), expected_spend=values)


def test_drift_of_batches_is_that_of_the_whole():
    """Counting batch by batch gives the index of all rows at once, by feature; training drifts by 0."""
    rng = np.random.default_rng(3)
    trained, moved = rng.normal(size=(500, 2)), rng.normal(loc=0.5, size=(400, 2))
    names = ("a", "b")
    bundle = SimpleNamespace(
        distribution={name: describe(trained[:, i]) for i, name in enumerate(names)}
    )

    def index_of(*batches):
        drift = Drift(bundle=bundle)
        for values in batches:
            drift.see_features(FeatureMatrix(names=names, values=values))
        return drift.result()

    same, whole = index_of(trained), index_of(moved)
    parts = index_of(moved[:150], moved[150:])

    assert same == pytest.approx({"a": 0.0, "b": 0.0}, abs=1e-12)
    assert parts == whole
    assert all(value > 0.1 for value in whole.values())
