"""Guards: no skill is said, impossible features are named, the level is judged at ten percent."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import mannwhitneyu

from churnkit.evaluation import guards
from churnkit.evaluation.guards import (
    churn_skill,
    features_that_see_the_future,
    implausible_features,
    level_is_off,
)
from churnkit.models.base import FeatureMatrix


def test_noise_has_no_skill_in_about_ninety_five_of_a_hundred_cases():
    """Predictions that know nothing seldom pass: at most one side of a 95 % interval."""
    rng = np.random.default_rng(0)
    passed = [churn_skill(rng.random(300) < 0.3, rng.random(300)).has_skill for _ in range(400)]

    assert np.mean(passed) < 0.05


def test_the_interval_is_that_of_mann_and_whitney():
    """Skill beyond noise agrees with scipy's one-sided test without ties."""
    rng = np.random.default_rng(1)
    for effect in (0.0, 0.1, 0.2, 0.3, 0.5):
        churned = rng.random(200) < 0.4
        score = rng.normal(size=200) + effect * churned
        probability = 1.0 / (1.0 + np.exp(-score))

        found = churn_skill(churned, probability)

        oracle = mannwhitneyu(
            score[churned],
            score[~churned],
            alternative="greater",
            method="asymptotic",
            use_continuity=False,
        )
        assert found.has_skill == (oracle.pvalue < 0.025)


def test_a_level_that_is_wrong_takes_no_skill_away():
    """Halved probabilities rank as before."""
    rng = np.random.default_rng(2)
    p = rng.random(500)
    churned = rng.random(500) < p

    assert churn_skill(churned, p / 2) == churn_skill(churned, p)
    assert churn_skill(churned, p).has_skill


@pytest.mark.parametrize("churned", [[True] * 5, [False] * 5])
def test_one_outcome_shows_no_skill(churned):
    """Where all churned or none did, nothing can be shown."""
    found = churn_skill(churned, [0.1, 0.2, 0.3, 0.4, 0.5])

    assert (found.auc, found.has_skill) == (None, False)


def test_a_feature_that_knows_the_outcome_is_named():
    """The label in disguise, either way up and with gaps, is found; an honest feature is not."""
    rng = np.random.default_rng(3)
    churned = rng.random(400) < 0.5
    leak = np.where(churned, 5.0, -2.0) + rng.normal(size=400)
    gaps = np.where(churned, np.nan, 1.0)
    honest = churned + rng.normal(size=400)
    values = np.column_stack([honest, -leak, gaps, np.full(400, np.nan), np.ones(400)])
    features = FeatureMatrix(
        names=("honest", "leak", "gaps", "empty", "constant"), values=values.astype(np.float32)
    )

    found = implausible_features(features, churned)

    assert list(found) == ["leak", "gaps"]
    assert found["gaps"] == 1.0


@pytest.mark.parametrize(
    ("bias", "off"), [(0.1001, True), (-0.11, True), (0.0999, False), (0.0, False), (None, False)]
)
def test_the_level_is_off_past_ten_percent(bias, off):
    """Either way, and not where it is unknown."""
    assert level_is_off(bias) is off


@pytest.mark.parametrize(("change", "named"), [(2e-7, ()), (1e-5, ("fitted",))])
def test_sums_in_another_order_are_no_future(change, named, monkeypatch):
    """What rounding moves in a fitted feature is let pass, what later orders move is not."""
    seen = {"customer_id": ["a", "b"], "fitted": [40.0, None]}
    blind = {"customer_id": ["a", "b"], "fitted": [40.0 * (1.0 + change), None]}
    monkeypatch.setattr(guards, "build_features", lambda history, *_, **__: history)
    histories = [SimpleNamespace(to_arrow=lambda t=t: pa.table(t)) for t in (seen, blind)]

    found = features_that_see_the_future(*histories, snapshot=None, builders=())

    assert found == named
