"""Steps from the learner's log-odds to the probability, which add up whatever lies between."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit

from churnkit.models.calibration import BetaCalibrator, NoCalibrator
from churnkit.models.churn import ChurnModel
from churnkit.models.purchase_forecast import PurchaseForecast
from churnkit.reasons import final_steps, on_probability

SIZES = st.floats(-8.0, 8.0)


@given(st.lists(SIZES, min_size=1, max_size=6), SIZES)
def test_shares_of_the_probability_add_up(parts, base):
    """To the probability less that of the base, and each has the sign of its part."""
    shares = on_probability(np.array([parts]), base=base)[0]

    assert shares.sum() == pytest.approx(expit(base + sum(parts)) - expit(base), abs=1e-9)
    assert all(share * part >= 0.0 for share, part in zip(shares, parts, strict=True))


@given(SIZES, SIZES, SIZES)
def test_a_share_is_the_integral_along_the_way(one, other, base):
    """The Aumann-Shapley value by numeric quadrature of its definition."""
    total = one + other

    def slope(t):
        p = expit(base + t * total)
        return one * p * (1 - p)

    expected, _ = quad(slope, 0.0, 1.0, epsabs=1e-11)

    assert on_probability(np.array([[one, other]]), base=base)[0, 0] == pytest.approx(
        expected, abs=1e-7
    )


class Learner:
    """Says nothing; the log-odds are given."""


@pytest.mark.parametrize("calibrator", [NoCalibrator(), BetaCalibrator(a=1.4, b=0.7, c=-0.2)])
@pytest.mark.parametrize("with_forecast", [True, False])
def test_steps_lead_from_contributions_to_the_probability(calibrator, with_forecast):
    """Exactly, for every customer, through blend, calibration and level."""
    rng = np.random.default_rng(5)
    contributions = rng.normal(size=(50, 4))
    log_odds = 0.3 + contributions.sum(axis=1)
    p = rng.uniform(0.05, 0.95, 50)
    forecast = PurchaseForecast(
        order_probability=p,
        expected_orders=p,
        expected_spend=p,
        p_alive=p,
        next_order_days=p,
        worth=p,
        cutoff=dt.date(2024, 1, 1),
    )
    forecast = forecast if with_forecast else None
    model = ChurnModel(learner=Learner(), calibrator=calibrator, weight=0.6)

    steps = final_steps(model, log_odds, learner_base=0.3, forecast=forecast, shift=-0.4)

    expected = expit(model.blend(log_odds, forecast=forecast) - 0.4)
    parts = steps.parts(contributions)
    np.testing.assert_allclose(steps.probability, expected, atol=1e-12)
    np.testing.assert_allclose(expit(steps.base + parts.sum(axis=1)), expected, atol=1e-12)
    shares = on_probability(parts, base=steps.base)
    np.testing.assert_allclose(expit(steps.base) + shares.sum(axis=1), expected, atol=1e-12)
    assert parts[:, -2:].mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-12)
    few = steps[np.array([3])]
    assert few.probability == pytest.approx(expected[[3]])
