"""Skill of subscribers' models: against chance, against those subscribed equally long, over cutoffs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from churnkit.evaluation.skill import (
    EQUALS,
    ContractSkill,
    SnapshotGains,
    contract_skill,
    gain_over,
    pooled_skill,
)


def names(n):
    """Return customer ids."""
    return np.array([f"c{i:04d}" for i in range(n)], dtype=object)


def business(seed, *, n=400, effect=0.0):
    """Return tenure, who leaves (sooner when young, and by what a feature says) and a ranking."""
    rng = np.random.default_rng(seed)
    tenure, known = rng.exponential(300.0, n), rng.standard_normal(n)
    odds = np.exp(1.0 - np.log1p(tenure / 20.0) + effect * known)
    churned = rng.random(n) < odds / (1.0 + odds)
    # What a model makes of it: tenure, a feature and its own noise.
    score = -0.7 * np.log1p(tenure / 30.0) + effect * known + 0.3 * rng.standard_normal(n)
    return tenure, churned, 1.0 / (1.0 + np.exp(-score))


def beyond(seed, **options):
    """Return the skill among those subscribed equally long, and that over chance."""
    tenure, churned, p = business(seed, **options)
    ids = names(len(p))
    alike = gain_over(churned, p, customer_ids=ids, alike=[tenure])
    return pooled_skill([alike]), pooled_skill([gain_over(churned, p, customer_ids=ids)])


def test_over_chance_it_is_the_area_under_the_curve():
    """With ties, the gain of all customers is sklearn's AUC less one half."""
    rng = np.random.default_rng(0)
    churned, p = rng.random(200) < 0.3, rng.integers(0, 8, 200) / 8

    found = pooled_skill([gain_over(churned, p, customer_ids=names(200))])

    assert found.auc == pytest.approx(roc_auc_score(churned, p), abs=1e-12)


def test_among_equals_only_pairs_of_a_group_count():
    """Groups of ten by tenure; each pair of one who left and one who stayed counts 1 / 11."""
    tenure, churned, p = business(1, n=5 * EQUALS)

    found = pooled_skill([gain_over(churned, p, customer_ids=names(len(p)), alike=[tenure])])

    right = pairs = 0.0
    for group in np.argsort(tenure).reshape(5, EQUALS):
        for gone in group[churned[group]]:
            for here in group[~churned[group]]:
                pairs += 1.0
                right += (p[gone] > p[here]) + 0.5 * (p[gone] == p[here])
    assert found.auc == pytest.approx(right / pairs, abs=1e-12)


def test_time_subscribed_alone_is_beyond_chance_but_seldom_beyond_the_curve():
    """Endings that depend on tenure only pass against equals about as often as the interval says."""
    judged = [beyond(seed) for seed in range(400)]

    assert np.mean([flat.has_skill for _, flat in judged]) > 0.99
    assert np.mean([curve.has_skill for curve, _ in judged]) < 0.05


def test_a_feature_that_tells_is_beyond_the_curve():
    """With as much news as tenure brings, nearly every test shows it."""
    assert np.mean([beyond(seed, effect=1.0)[0].has_skill for seed in range(100)]) > 0.95


def test_the_same_customers_seen_again_prove_nothing_new():
    """Three cutoffs with the same endings are as wide as one; three businesses are narrower."""
    parts = []
    for seed in range(3):
        tenure, churned, p = business(seed)
        ids = names(len(p)) + f"-{seed}"
        parts.append(gain_over(churned, p, customer_ids=ids, alike=[tenure]))

    once, thrice = pooled_skill(parts[:1]), pooled_skill(parts[:1] * 3)

    assert thrice.auc_low == pytest.approx(once.auc_low)
    width = pooled_skill(parts).auc_high - pooled_skill(parts).auc_low
    assert width == pytest.approx((once.auc_high - once.auc_low) / np.sqrt(3.0), rel=0.1)


def test_one_lucky_cutoff_does_not_decide():
    """A cutoff at which chance looks like skill is outweighed by the others."""
    seeds = sorted(range(200), key=lambda seed: -beyond(seed)[0].auc_low)
    gains = {}
    for cutoff, seed in enumerate((seeds[0], *seeds[100:104])):
        tenure, churned, p = business(seed)
        ids = names(len(p)) + f"-{seed}"
        flat = gain_over(churned, p, customer_ids=ids)
        curve = gain_over(churned, p, customer_ids=ids, alike=[tenure])
        gains[f"2024-0{cutoff + 1}-01"] = SnapshotGains(over_base_rate=flat, over_curve=curve)

    lucky = contract_skill({"2024-01-01": gains["2024-01-01"]})
    together = contract_skill(gains)

    assert lucky.statement is None
    assert together.statement.startswith(
        "tests at 5 cutoffs from 2024-01-01 to 2024-05-01: the model is no better than the base rate"
        " by time subscribed (retention curve): the features add nothing (among customers subscribed"
        " equally long, AUC 0.5"
    )


def test_chance_is_called_the_base_rate():
    """A ranking that knows nothing is not said to be as good as the curve."""
    rng = np.random.default_rng(5)
    churned, p, tenure = rng.random(300) < 0.3, rng.random(300), rng.random(300)
    flat, curve = (
        gain_over(churned, p, customer_ids=names(300), alike=alike) for alike in ((), [tenure])
    )

    found = contract_skill({"2024-01-01": SnapshotGains(over_base_rate=flat, over_curve=curve)})

    assert found.statement.startswith(
        "test at 2024-01-01: the model is no better than the base rate (AUC 0."
    )
    assert found.to_dict()["statement"] == found.statement


def test_several_ways_of_being_alike_count_the_same():
    """Points and pairs are the means of those by each value."""
    tenure, churned, p = business(3)
    other = np.random.default_rng(3).random(len(p))

    def gain(*alike):
        return gain_over(churned, p, customer_ids=names(len(p)), alike=alike)

    both = gain(tenure, other)

    assert both.pairs == pytest.approx((gain(tenure).pairs + gain(other).pairs) / 2)
    np.testing.assert_allclose(both.points, (gain(tenure).points + gain(other).points) / 2)


@pytest.mark.parametrize("churned", [[True] * 20, [False] * 20])
def test_one_outcome_shows_nothing(churned):
    """Where all left or none did there is no pair, and no sentence about skill."""
    gain = gain_over(churned, np.linspace(0.1, 0.9, 20), customer_ids=names(20))

    found = contract_skill({"2024-01-01": SnapshotGains(over_base_rate=gain, over_curve=None)})

    assert (found.base_rate.auc, found.base_rate.has_skill) == (None, False)
    assert found == ContractSkill(
        cutoffs=("2024-01-01",), base_rate=found.base_rate, retention_curve=None
    )
    assert found.statement is None
