"""The level of a portfolio: corrections by hand, seasons in simulated shops, exact shifts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.evaluation.backtest import predict_snapshot
from churnkit.evaluation.predictive import log_loss, spend_metrics
from churnkit.models.level import LevelCorrection, LevelPoint, fit_level
from churnkit.models.log_odds import churn_level_shift, moved_mean
from churnkit.models.spend import spend_factor
from churnkit.models.training import fit_models

CUTOFF = date(2024, 6, 1)


def points(*misses, settled=True):
    """Return monthly points before the cutoff, the oldest a year before it."""
    return tuple(
        LevelPoint(
            cutoff=CUTOFF - timedelta(days=365 - 30 * i),
            log_odds=m,
            log_spend=m,
            settled=settled,
        )
        for i, m in enumerate(misses)
    )


def test_the_same_season_a_year_before_is_repeated():
    """With misses .5, −.3, −.2 the correction follows the rule of the docstring by hand."""
    found = LevelCorrection(points=points(0.5, -0.3, -0.2)).log_spend(CUTOFF)

    variance = (0.5**2 + 0.3**2 + 0.2**2) / 3
    assert found == pytest.approx(variance / (variance + 0.06**2) * 0.5, rel=1e-12)


def test_the_season_of_few_customers_counts_less():
    """What chance explains of last year's miss is added to the noise, by hand."""
    oldest, *others = points(0.5, -0.3, -0.2)
    few = replace(oldest, chance_log_spend=0.04)

    found = LevelCorrection(points=(few, *others))

    variance = (0.5**2 + 0.3**2 + 0.2**2) / 3
    assert found.log_spend(CUTOFF) == pytest.approx(
        variance / (variance + 0.06**2 + 0.04) * 0.5, rel=1e-12
    )
    assert found.log_odds(CUTOFF) == pytest.approx(variance / (variance + 0.06**2) * 0.5, rel=1e-12)


def test_a_lasting_miss_is_corrected_and_a_scattering_one_hardly():
    """Without the season: m² / (m² + 3 sd²) · m, by hand."""
    other = CUTOFF + timedelta(days=180)
    lasting = LevelCorrection(points=points(-0.20, -0.22, -0.18)).log_odds(other)
    scattering = LevelCorrection(points=points(-0.8, 0.8, -0.6)).log_odds(other)

    assert lasting == pytest.approx(-0.2 * 0.04 / (0.04 + 3 * (0.02**2 * 2 / 3)), rel=1e-9)
    assert abs(scattering) < 0.01


def test_unsettled_points_teach_no_season():
    """A snapshot in the first months of a history is not taken for last year's season."""
    young = LevelCorrection(points=points(0.5, -0.3, -0.2, settled=False))

    assert not young.sees_season_of(CUTOFF)
    assert abs(young.log_spend(CUTOFF)) < 0.01


@pytest.mark.parametrize("misses", [(), (None,), (0.4,)])
def test_nothing_is_corrected_without_evidence(misses):
    """No point, no known miss, or one point of another season: the purchase model's level stands."""
    other = CUTOFF + timedelta(days=100)

    assert LevelCorrection(points=points(*misses)).log_spend(other) == 0.0


@given(st.lists(st.floats(-5, 5), max_size=14), st.integers(-400, 400))
def test_no_correction_exceeds_a_factor_of_twenty(misses, days):
    """However wild the misses, the level moves by at most ln 20."""
    found = LevelCorrection(points=points(*misses)).log_spend(CUTOFF + timedelta(days=days))

    assert abs(found) <= np.log(20.0) + 1e-12


def test_corrections_survive_the_way_through_json():
    """What is written is read back equal."""
    correction = LevelCorrection(points=points(0.5, None, -0.2, settled=False))

    assert LevelCorrection.from_dict(correction.to_dict()) == correction


def test_misses_are_actual_over_expected(shop):
    """Each point compares the snapshot's own total and rate with the purchase model's."""
    from churnkit.models.purchase import forecast_purchases

    found = fit_level(shop.train, kind="bg_nbd")

    s = shop.train[-1]
    forecast = forecast_purchases(s.base, s.snapshot)
    rate, expected = s.churned.mean(), 1.0 - forecast.order_probability.mean()
    assert [p.cutoff for p in found.points] == [t.snapshot.cutoff for t in shop.train]
    assert found.points[-1].log_spend == pytest.approx(
        np.log(s.future_spend.sum() / forecast.expected_spend.sum())
    )
    assert found.points[-1].log_odds == pytest.approx(
        np.log(rate / (1 - rate)) - np.log(expected / (1 - expected))
    )


def test_chance_is_what_the_draw_of_customers_changes(shop):
    """Of rates, customers who leave independently; of totals, customers drawn with replacement."""
    s, rng = shop.train[-1], np.random.default_rng(5)
    theirs, n = s.forecast("bg_nbd"), len(s.churned)

    found = fit_level([s], kind="bg_nbd").points[0]

    rate = s.churned.mean()
    rates = (rng.random((3000, n)) < theirs.churn_probability).mean(axis=1)
    drawn = rng.integers(0, n, (3000, n))
    total = s.future_spend[drawn].sum(axis=1) / theirs.expected_spend[drawn].sum(axis=1)
    assert found.chance_log_odds == pytest.approx(rates.var() / (rate * (1 - rate)) ** 2, rel=0.1)
    assert found.chance_log_spend == pytest.approx(np.log(total).var(), rel=0.1)


@pytest.mark.parametrize("mean", [None, 0.0, 1.0])
def test_an_impossible_mean_sets_no_level(mean):
    """Nobody can be moved to a certainty."""
    assert churn_level_shift(np.array([0.3, -1.0]), target_mean=mean) == 0.0


def test_customers_who_are_sure_are_not_moved_to_certainty():
    """Where hardly anybody is in doubt, the constant goes three times as far as the mean's odds."""
    sure = np.array([-6.0, 6.0] * 50)
    spread = np.random.default_rng(1).normal(0.0, 4.0, 5_000)

    found = churn_level_shift(sure, target_mean=0.45, times=3.0)

    assert found == pytest.approx(3.0 * np.log(0.45 / 0.55))
    assert churn_level_shift(sure, target_mean=0.45) < 2.0 * found
    assert churn_level_shift(spread, target_mean=0.6, times=3.0) == churn_level_shift(
        spread, target_mean=0.6
    )


@pytest.mark.parametrize("times", [None, 3.0])
def test_a_level_that_is_met_is_left(times):
    """Log-odds of zero have the mean of a half to the last bit."""
    assert churn_level_shift(np.zeros(4), target_mean=0.5, times=times) == pytest.approx(0.0)


def test_a_level_that_is_off_does_little_harm_to_the_sure(make_traders, settings, monkeypatch):
    """Of customers with a rhythm, who are hardly in doubt, a wrong level costs less by a tenth or more."""
    histories = [make_traders(seed=seed, horizon_days=90) for seed in (1, 2, 3)]
    models = [fit_models(h.train, settings=settings, judge=spend_metrics)[0] for h in histories]

    def lost():
        return sum(
            log_loss(h.test.churned, predict_snapshot(m, h.test).churn_probability)
            for h, m in zip(histories, models, strict=True)
        )

    held = lost()
    monkeypatch.setattr("churnkit.models.fitted.FARTHEST_TIMES", None)

    assert held < 0.9 * lost()


def test_a_mean_moves_by_its_odds():
    """Odds of 1 times e^ln3 are odds of 3."""
    assert moved_mean(0.5, log_odds=float(np.log(3.0))) == pytest.approx(0.75)


@pytest.mark.parametrize(("total", "factor"), [(80.0, 2.0), (None, 1.0), (0.0, 1.0), (-5.0, 1.0)])
def test_spend_is_scaled_to_a_positive_total_only(total, factor):
    """A total that is missing or not positive changes nothing."""
    assert spend_factor(np.array([10.0, 30.0]), total=total) == factor
