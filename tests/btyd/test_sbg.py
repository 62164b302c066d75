"""The shifted-beta-geometric against the numbers of the paper that introduced it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from churnkit.btyd.sbg import ShiftedBetaGeometric, fit_sbg
from churnkit.errors import ModelGuardError, ParameterError

# Fader & Hardie (2007), table 1: percent of the customers of two segments who stay so many years.
REGULAR = [100.0, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1]
HIGH_END = [100.0, 86.9, 74.3, 65.3, 59.3, 55.1, 51.7, 49.1]
LATER = ([22.3, 20.7, 19.4, 18.3, 17.3], [46.8, 44.5, 42.7, 40.9, 39.4])
RATES = st.floats(0.2, 20.0)


def fitted(percent):
    """Return the model of a cohort of 1,000 customers followed for seven years."""
    there = 10.0 * np.array(percent)
    lost = -np.diff(there)
    years = np.arange(1, len(there))
    return fit_sbg([*years, years[-1]], ended=[1] * len(years) + [0], count=[*lost, there[-1]])


@pytest.mark.parametrize(
    ("percent", "alpha", "beta", "log_likelihood"),
    [(REGULAR, 0.704, 1.182, -1680.27), (HIGH_END, 0.668, 3.806, -1611.16)],
)
def test_the_published_parameters_are_found(percent, alpha, beta, log_likelihood):
    """Both segments of the paper, to the digits in print."""
    model = fitted(percent)

    assert (round(model.alpha, 3), round(model.beta, 3)) == (alpha, beta)
    assert model.log_likelihood == pytest.approx(log_likelihood, abs=0.005)


@pytest.mark.parametrize(("percent", "later"), [(REGULAR, LATER[0]), (HIGH_END, LATER[1])])
def test_the_projection_meets_what_happened_later(percent, later):
    """Seven years project the next five within two points of the percent that the paper observed."""
    projected = 100.0 * fitted(percent).survival([8, 9, 10, 11, 12])

    np.testing.assert_allclose(projected, later, atol=2.0)


@given(alpha=RATES, beta=RATES, t=st.integers(1, 40))
def test_survival_is_the_chance_of_no_event_in_a_beta_binomial(alpha, beta, t):
    """S(t) is P(0 successes of t) where the chance is drawn from Beta(alpha, beta)."""
    model = ShiftedBetaGeometric(alpha=alpha, beta=beta)

    assert float(model.survival(t)) == pytest.approx(betabinom.pmf(0, t, alpha, beta), rel=1e-9)
    ratio = model.survival(t) / model.survival(t - 1)
    assert float(model.retention_rate(t)) == pytest.approx(float(ratio), rel=1e-9)


@given(alpha=RATES, beta=RATES, tenure=st.floats(0.0, 60.0), horizon=st.floats(0.0, 12.0))
def test_who_stayed_longer_leaves_less(alpha, beta, tenure, horizon):
    """The chance to leave lies in [0, 1] and falls with tenure: the easy ones went first."""
    model = ShiftedBetaGeometric(alpha=alpha, beta=beta)

    sooner, later = model.leaving_probability([tenure, tenure + 6.0], horizon=horizon)

    assert 0.0 <= later <= sooner + 1e-12 <= 1.0 + 1e-12


def test_customers_simulated_from_the_model_give_its_parameters_back():
    """20,000 customers observed for up to 24 months, most of them censored at different ages."""
    rng = np.random.default_rng(11)
    last = rng.geometric(rng.beta(1.5, 9.0, 20_000))
    seen = rng.integers(0, 25, 20_000)

    model = fit_sbg(np.minimum(last, seen), ended=last <= seen)

    assert model.alpha == pytest.approx(1.5, rel=0.1)
    assert model.alpha / (model.alpha + model.beta) == pytest.approx(1.5 / 10.5, rel=0.03)


def test_customers_known_only_since_they_had_stayed_for_a_while_give_them_back_too():
    """Who had left before observation began is missing; taken as fresh, the others look immortal."""
    rng = np.random.default_rng(12)
    n = 40_000
    last, entered = rng.geometric(rng.beta(1.5, 9.0, n)), rng.integers(0, 12, n)
    known = last > entered
    last, entered = last[known], entered[known]
    seen = entered + rng.integers(0, 18, len(last))
    periods, ended = np.minimum(last, seen), last <= seen

    model = fit_sbg(periods, ended=ended, entered=entered)

    assert model.alpha == pytest.approx(1.5, rel=0.1)
    assert model.alpha / (model.alpha + model.beta) == pytest.approx(1.5 / 10.5, rel=0.03)
    naive = fit_sbg(periods, ended=ended)
    assert naive.alpha / (naive.alpha + naive.beta) < 0.8 * 1.5 / 10.5


def test_an_entry_after_the_end_is_refused():
    """Nobody is observed first after leaving."""
    with pytest.raises(ParameterError, match="before the end"):
        fit_sbg([3, 4], ended=[True, False], entered=[3, 4])


@pytest.mark.parametrize(
    ("periods", "ended", "message"),
    [
        ([1, 2], [True], "one length"),
        ([0], [True], ">= 1 for those who left"),
        ([float("nan")], [False], ">= 1 for those who left"),
    ],
)
def test_periods_that_cannot_be_are_refused(periods, ended, message):
    """The message says what a period must be."""
    with pytest.raises(ParameterError, match=message):
        fit_sbg(periods, ended=ended)


@pytest.mark.parametrize(("periods", "ended"), [([3, 4], [False, False]), ([1, 1], [True, True])])
def test_without_leavers_or_stayers_there_is_no_fit(periods, ended):
    """Any chance to leave near 0, or near 1, would do as well."""
    with pytest.raises(ModelGuardError, match="somebody must have left and somebody stayed"):
        fit_sbg(periods, ended=ended)
