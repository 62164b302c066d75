"""Ranks, drift and the refusal of predictions that are no numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ModelGuardError
from churnkit.models.base import FeatureMatrix
from churnkit.models.drift import describe
from churnkit.scoring.predictions import Drift, _rank, refuse_unknown


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
