"""The retention curve against a count of every subscriber's every day."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from churnkit.btyd import fit_retention_curve
from churnkit.btyd.life_table import PRIOR_ENDINGS, RetentionCurve
from churnkit.errors import ModelGuardError, ParameterError


def stays(n, *, seed, monthly=0.0, daily=0.004, since=900):
    """Return age, length and end of stays begun in the last ``since`` days, with renewal days."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, since, n)
    day = np.arange(since + 1)
    hazard = daily + monthly * (day % 30 == 29)
    lasts = np.searchsorted(np.cumsum(-np.log1p(-hazard)), rng.exponential(size=n))
    ended = lasts < age
    return age, np.where(ended, lasts, age), ended


def days_at_risk(age, left, ended, *, window):
    """Return endings and subscribers at risk by age, one subscriber and one day at a time."""
    endings, at_risk = np.zeros(2000), np.zeros(2000)
    for a, days, gone in zip(age, left, ended, strict=True):
        for day in range(days + (1 if gone else 0)):
            if a - day <= window:
                at_risk[day] += 1
                endings[day] += gone and day == days
    return endings, at_risk


def test_each_days_hazard_is_the_count_drawn_towards_the_likeliest_falling_hazard():
    """Endings over those at risk in the window, with three endings' worth of rate / (scale + age)."""
    groups = stays(200, seed=1, daily=0.02), stays(200, seed=2, daily=0.001)
    age, left, ended = (np.concatenate(columns) for columns in zip(*groups, strict=True))

    curve = fit_retention_curve(age, left_days=left, ended=ended, window_days=200)

    endings, at_risk = days_at_risk(age, left, ended, window=200)
    ages = np.arange(2000)

    def loss(theta):
        smooth = np.exp(theta[0]) / (np.exp(theta[1]) + ages)
        return at_risk @ smooth - endings @ np.log(smooth)

    best = minimize(loss, [0.0, 5.0], method="Nelder-Mead", options={"maxiter": 4000})
    assert loss([np.log(curve.rate), np.log(curve.scale_days)]) <= best.fun + 1e-3
    prior = PRIOR_ENDINGS * at_risk.sum() / endings.sum()
    smooth = curve.rate / (curve.scale_days + ages)
    expected = (endings + prior * smooth) / (at_risk + prior)
    assert curve.hazard == pytest.approx(expected[: len(curve.hazard)])


def test_many_subscribers_show_the_days_on_which_they_renew():
    """The chance to leave is that of the days ahead: high only where a renewal lies among them."""
    age, left, ended = stays(60_000, seed=2, monthly=0.1, daily=0.001)
    curve = fit_retention_curve(age, left_days=left, ended=ended)

    found = curve.leaving_probability([0, 30, 90, 20.9], within_days=10)

    truth = 1.0 - 0.999**10
    renewal = 1.0 - 0.999**9 * (1.0 - 0.101)
    assert found == pytest.approx([truth, truth, truth, renewal], abs=0.004)


def test_a_table_that_was_begun_late_makes_nobody_immortal():
    """Of old subscribers only those who stayed are known: days before the first end do not count."""
    age, left, ended = stays(20_000, seed=3, since=2000)
    known = ~ended | (age - left < 120)

    curve = fit_retention_curve(age[known], left_days=left[known], ended=ended[known])

    found = curve.leaving_probability([0, 200, 800], within_days=60)
    assert found == pytest.approx(np.full(3, 1.0 - 0.996**60), rel=0.08)


def test_only_the_last_days_count():
    """When customs have changed, the curve follows; if nobody left lately, all days are looked at."""
    age = np.repeat([400, 100], 1000)
    left = np.where(np.arange(2000) % 2, age, np.repeat([50, 70], 1000))

    def chance(*, window_days, first=0, last=2000):
        mine = slice(first, last)
        curve = fit_retention_curve(
            age[mine], left_days=left[mine], ended=(left < age)[mine], window_days=window_days
        )
        return float(curve.leaving_probability(45, within_days=10))

    assert chance(window_days=90) < 0.05
    assert chance(window_days=400) > 0.15
    assert chance(window_days=90, last=1000) > 0.2


def test_counts_stand_for_as_many_stays():
    """A cell of three stays is three stays; beyond the oldest age the smooth hazard goes on."""
    age, left, ended = np.array([90, 90, 200]), np.array([40, 90, 200]), [True, False, False]

    cells = fit_retention_curve(age, left_days=left, ended=ended, count=[3, 2, 1])
    rows = fit_retention_curve(
        np.repeat(age, [3, 2, 1]),
        left_days=np.repeat(left, [3, 2, 1]),
        ended=np.repeat(ended, [3, 2, 1]),
    )

    assert cells.hazard == pytest.approx(rows.hazard)
    beyond = cells.leaving_probability([5000], within_days=1)
    assert beyond == pytest.approx(cells.rate / (cells.scale_days + 5000.0))


def test_the_log_of_staying_is_finite_where_leaving_is_all_but_sure():
    """A hundred days on which half leave: 1 less the chance to stay is 1, the log is exact."""
    curve = RetentionCurve(hazard=np.full(100, 0.5), rate=1.0, scale_days=30.0)

    assert curve.leaving_probability(0, within_days=100) == 1.0
    assert curve.log_staying([0, 90], within_days=10) == pytest.approx(
        [10 * np.log(0.5), 10 * np.log(0.5)]
    )
    assert curve.log_staying(0, within_days=100) == pytest.approx(100 * np.log(0.5))


def test_what_cannot_be_fitted_is_refused_in_a_sentence():
    """Nobody left; arrays that differ in length; a stay longer than its age."""
    with pytest.raises(ModelGuardError, match="somebody must have left; got 0 of 2"):
        fit_retention_curve([5, 6], left_days=[5, 6], ended=[False, False])
    with pytest.raises(ParameterError, match=r"one length; got \(2,\), \(1,\)"):
        fit_retention_curve([5, 6], left_days=[5], ended=[False, False])
    with pytest.raises(ParameterError, match="at most age_days"):
        fit_retention_curve([5], left_days=[6], ended=[True])
