"""Contributions to the log of expected spend, which add up to what the learners expect."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.models.base import FeatureMatrix
from churnkit.models.learner import MODELS
from churnkit.models.spend import SpendModel
from churnkit.reasons import spend_contributions

OBJECTIVES = {
    "hurdle": ("gamma", "l2"),
    "hurdle_lognormal": ("l2",),
    "tweedie_1.5": ("tweedie:1.5",),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_contributions_add_up_to_the_log_of_the_spend(name):
    """Of every kind of learner; the feature that decides is the strongest."""
    rng = np.random.default_rng(6)
    features = FeatureMatrix(
        names=("noise", "wealth"), values=rng.normal(size=(600, 2)).astype(np.float32)
    )
    spend = np.exp(3.0 + features.values[:, 1] + rng.normal(0.0, 0.3, 600)).astype(np.float64)
    learner = MODELS["lightgbm"](threads=1)
    learners = tuple(
        learner.fit(features, np.log1p(spend) if k == "l2" else spend, objective=k, rounds=20)
        for k in OBJECTIVES[name]
    )
    model = SpendModel(objective=name, learners=learners, unit=2.5)

    found = spend_contributions(model, features)

    logs = np.log(model.value(features)[:, 0])
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), logs, atol=1e-6)
    assert next(iter(found.importance())) == "wealth"
    assert np.corrcoef(found.values[:, 1], features.values[:, 1])[0, 1] > 0.8
