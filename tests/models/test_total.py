"""The band of a portfolio's total: its two parts, what it learns from, and how often it is right."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest
from scipy.stats import norm

from churnkit.evaluation.backtest import predict_snapshot
from churnkit.models.interval import fit_interval
from churnkit.models.level import LevelCorrection, LevelPoint
from churnkit.models.total import LevelMiss, TotalBand, fit_total_band

NOMINAL = 0.8


def misses(sizes, *, days_apart=100, season_seen=False):
    """Return misses of these sizes, so many days apart."""
    return tuple(
        LevelMiss(
            cutoff=date(2022, 1, 1) + timedelta(days=days_apart * k),
            log_spend=float(size),
            season_seen=season_seen,
        )
        for k, size in enumerate(sizes)
    )


def band(sizes, *, coverage=NOMINAL, **options):
    """Return a band that has seen these misses."""
    return TotalBand(coverage=coverage, misses=misses(sizes, **options), horizon_days=90)


@pytest.mark.parametrize("level_sd", [0.19, 0.3])
def test_the_total_lies_in_the_band_as_often_as_it_says(level_sd):
    """Simulated portfolios whose level is off by a normal error, seen eight times before.

    Nobody's spend is normal: most customers spend nothing, the others a lognormal multiple of what
    was expected of them.
    """
    rng = np.random.default_rng(4)

    def portfolio(customers):
        p, value = rng.beta(1.0, 2.0, customers), rng.lognormal(3.0, 0.8, customers)
        ratio = rng.lognormal(-0.32, 0.8, customers)
        return p, value, np.where(rng.random(customers) < p, value * ratio, 0.0)

    inside = []
    for _ in range(400):
        _, value, spend = portfolio(400)
        interval = fit_interval(value=value, future_spend=spend, coverage=NOMINAL)
        p, value, spend = portfolio(150)
        found = band(rng.normal(0.0, level_sd, 8)).range(
            expected=float(np.sum(p * value)),
            variance=float(interval.variance(order_probability=p, value=value).sum()),
            season_seen=False,
        )
        inside.append(found.low <= spend.sum() * np.exp(rng.normal(0.0, level_sd)) <= found.high)

    assert np.mean(inside) == pytest.approx(NOMINAL, abs=0.06)


def test_the_band_of_a_sure_level_is_the_luck_of_the_draw():
    """Without any miss of the level in many snapshots, the band is that of a sum of customers."""
    found = band(np.zeros(400)).range(expected=1000.0, variance=100.0**2, season_seen=False)

    assert found.chance_sd == pytest.approx(np.sqrt(np.log(1.01)))
    assert np.log(found.high / 1000.0) == pytest.approx(norm.ppf(0.9) * 0.1, rel=0.05)
    assert found.low * found.high == pytest.approx(1000.0**2)


def test_larger_misses_and_higher_coverage_widen_the_band():
    """A level that was off by more before, or a promise to be right more often, costs width."""
    asked = {"expected": 1000.0, "variance": 0.0, "season_seen": False}

    narrow, wide, surer = (
        b.range(**asked).high
        for b in (band([0.05] * 4), band([0.5] * 4), band([0.05] * 4, coverage=0.95))
    )

    assert narrow < min(wide, surer)


def test_overlapping_snapshots_count_once():
    """Twelve misses a week apart say no more than one."""
    asked = {"expected": 1000.0, "variance": 0.0, "season_seen": False}

    often, once = band([0.5] * 12, days_apart=7), band([0.5])

    assert often.range(**asked) == once.range(**asked)


def test_misses_of_a_new_season_count_in_proportion_once_it_is_known():
    """What was missed before a season was ever seen is usually larger than afterwards."""
    asked = {"expected": 1000.0, "variance": 0.0, "season_seen": True}

    new, known = band([0.9] * 6), band([0.9 * 0.12 / 0.19] * 6, season_seen=True)

    assert new.range(**asked).high == pytest.approx(known.range(**asked).high)
    assert new.range(**asked).high < new.range(**{**asked, "season_seen": False}).high


def test_a_snapshot_is_judged_by_what_had_matured_before_it(shop):
    """The miss that is left is the point's own less the correction of the points before it."""
    cutoffs = [date(2023, 1, 1) + timedelta(days=100 * k) for k in range(4)]
    points = tuple(
        LevelPoint(cutoff=cutoff, log_odds=0.0, log_spend=size)
        for cutoff, size in zip(cutoffs, (0.2, 0.3, 0.25, None), strict=True)
    )
    level = LevelCorrection(points=points)

    found = fit_total_band(level, shop.train, coverage=NOMINAL)
    plain = fit_total_band(level, shop.train, coverage=NOMINAL, corrected=False)

    before = LevelCorrection(points=points[:2]).log_spend(cutoffs[2])
    assert [m.cutoff for m in found.misses] == cutoffs[:3]
    assert [m.log_spend for m in found.misses][:1] == [0.2]
    assert found.misses[2].log_spend == pytest.approx(0.25 - before)
    assert [m.log_spend for m in plain.misses] == [0.2, 0.3, 0.25]


def test_the_models_say_where_their_total_lies(shop, fitted):
    """The band surrounds the total that they predict, and holds what was spent in this shop."""
    predicted = predict_snapshot(fitted.models, shop.test)

    total = predicted.total
    assert total.coverage == fitted.models.settings.interval
    assert total.expected == pytest.approx(predicted.expected_spend.sum())
    assert total.low < total.expected < total.high
    assert total.low < shop.test.future_spend.sum() < total.high


def test_without_a_purchase_model_there_is_no_band(shop, fitted):
    """Nothing sets the level, so nothing is known of how far off it is."""
    assert fitted.models.predict(shop.test.features, forecast=None, base={}).total is None


def test_a_band_survives_json():
    """What is stored in a bundle is the same when read back."""
    stored = band([0.1, -0.2], season_seen=True)

    assert TotalBand.from_dict(json.loads(json.dumps(stored.to_dict()))) == stored
