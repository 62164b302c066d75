"""Exact Shapley values and joint effects of many rows, pinned against LightGBM's and shap's own."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.errors import ModelGuardError
from churnkit.models.shapley import FAST_ROWS, ExactShapley

ROWS = FAST_ROWS


@pytest.fixture(scope="module")
def matrix():
    """Give rows with missing values, whole numbers, neighbouring float32 and a constant column."""
    rng = np.random.default_rng(3)
    values = rng.gamma(1.0, size=(ROWS, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, 1] = rng.integers(0, 4, ROWS)
    one = np.float32(16_777_216.0)
    values[:, 2] = np.where(rng.random(ROWS) < 0.5, one, np.nextafter(one, np.float32(np.inf)))
    values[:, 3] = 7.0
    values[:, 4] = rng.normal(size=ROWS)
    return values


def fitted(matrix, *, objective="binary", categories=(), **params):
    """Return a model that needs every column, and its explainer."""
    rng = np.random.default_rng(4)
    known = np.nan_to_num(matrix)
    score = known[:, 0] - known[:, 1] * known[:, 4] + (known[:, 2] > 16_777_216)
    noisy = score + rng.normal(size=len(matrix))
    target = noisy > np.median(noisy) if objective == "binary" else np.exp(noisy / 4)
    given = {"objective": objective, "verbosity": -1, "num_threads": 1, "seed": 1, **params}
    data = lightgbm.Dataset(matrix, target, categorical_feature=list(categories))
    booster = lightgbm.train(given, data, 12)
    text = booster.model_to_string()
    return booster, ExactShapley(
        text=text, booster=lightgbm.Booster(model_str=text), n_features=matrix.shape[1]
    )


@pytest.mark.parametrize(
    "params",
    [
        {"num_leaves": 15, "extra_trees": True, "lambda_l2": 10.0},
        {"num_leaves": 63, "min_data_in_leaf": 5},
        {"num_leaves": 2},
        {"boosting": "dart"},
        {"objective": "gamma"},
        {"objective": "l2"},
        {"objective": "tweedie", "tweedie_variance_power": 1.3},
        {"use_missing": False},
        {"zero_as_missing": True},
        {"categories": (1,), "min_data_per_group": 5, "max_cat_to_onehot": 1},
        {"min_data_in_leaf": ROWS},
    ],
    ids=str,
)
def test_values_are_those_of_lightgbm(matrix, params):
    """Every value within 1e-9 of ``pred_contrib``, and every row adds up to its raw score."""
    booster, exact = fitted(matrix, **params)

    found = exact.values(matrix)

    assert exact.method(ROWS) == "TreeSHAP over patterns of decisions"
    np.testing.assert_allclose(found, booster.predict(matrix, pred_contrib=True), atol=1e-9)
    np.testing.assert_allclose(
        found.sum(axis=1), booster.predict(matrix, raw_score=True), atol=1e-9
    )


@given(
    seed=st.integers(0, 10_000),
    leaves=st.integers(2, 63),
    least=st.sampled_from([1, 5, 40, 400]),
    columns=st.integers(1, 24),
    gaps=st.sampled_from([0.0, 0.1, 0.6]),
    categorical=st.booleans(),
    params=st.fixed_dictionaries(
        {
            "extra_trees": st.booleans(),
            "zero_as_missing": st.booleans(),
            "use_missing": st.booleans(),
            "max_cat_to_onehot": st.sampled_from([1, 8]),
            "feature_fraction": st.sampled_from([0.4, 1.0]),
            "learning_rate": st.sampled_from([0.1, 1.0]),
        }
    ),
)
@settings(max_examples=40, deadline=None)
def test_values_of_any_model(seed, leaves, least, columns, gaps, categorical, params):
    """Random models, rows they have not seen: values of ``pred_contrib``, effects that are shared out."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(600, columns)).astype(np.float32)
    rows[:, ::3] = rng.integers(-1, 12, rows[:, ::3].shape)
    rows[rng.random(rows.shape) < gaps] = np.nan
    learned, unseen = rows[:400], rows[200:]
    target = np.nan_to_num(learned) @ rng.normal(size=columns) + rng.normal(size=400)
    given = {"num_leaves": leaves, "min_data_in_leaf": least, "min_data_per_group": 2, **params}
    data = lightgbm.Dataset(
        learned, target, categorical_feature=list(range(0, columns, 6)) if categorical else []
    )
    booster = lightgbm.train({**given, "verbosity": -1, "num_threads": 1, "seed": seed}, data, 4)
    exact = ExactShapley(text=booster.model_to_string(), booster=booster, n_features=columns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("churnkit.models.shapley.FAST_ROWS", 1)
        found = exact.values(unseen)

    assert exact.method(FAST_ROWS) == "TreeSHAP over patterns of decisions"
    scale = max(1.0, float(np.abs(target).max()))
    np.testing.assert_allclose(
        found, booster.predict(unseen, pred_contrib=True), rtol=0, atol=1e-9 * scale
    )


def test_missing_values_that_training_has_not_seen(matrix):
    """A column without missing values in training takes a missing one as LightGBM does."""
    booster, exact = fitted(np.nan_to_num(matrix))

    np.testing.assert_allclose(
        exact.values(matrix), booster.predict(matrix, pred_contrib=True), atol=1e-9
    )


def test_few_rows_are_left_to_lightgbm(matrix):
    """Below the threshold the values are LightGBM's to the last bit, and the method says so."""
    booster, exact = fitted(matrix)

    found = exact.values(matrix[:10])

    assert exact.method(10) == "LightGBM's pred_contrib (fewer than 2,500 rows)"
    np.testing.assert_array_equal(found, booster.predict(matrix[:10], pred_contrib=True))


def test_a_random_forest_is_left_to_lightgbm(matrix):
    """The rule is named, the values are LightGBM's, and there are no joint effects."""
    booster, exact = fitted(matrix, boosting="rf", bagging_fraction=0.5, bagging_freq=1)

    found = exact.values(matrix)

    assert exact.method(ROWS) == "LightGBM's pred_contrib (the model is a random forest)"
    np.testing.assert_array_equal(found, booster.predict(matrix, pred_contrib=True))
    assert exact.interactions(matrix[:10]) is None


def test_a_leaf_of_many_features_is_left_to_lightgbm(matrix, monkeypatch):
    """Past the limit the table of its patterns would be too large, and the method says so."""
    monkeypatch.setattr("churnkit.models.shapley.MOST_FEATURES", 2)
    booster, exact = fitted(matrix)

    found = exact.values(matrix)

    assert exact.method(ROWS) == "LightGBM's pred_contrib (a leaf depends on more than 2 features)"
    np.testing.assert_array_equal(found, booster.predict(matrix, pred_contrib=True))


def test_a_branch_without_rows_is_left_to_lightgbm(matrix):
    """Its share is nothing, by which nothing can be divided."""
    booster, exact = fitted(matrix, num_leaves=4)
    empty = re.sub(r"(?m)^leaf_count=\d+", "leaf_count=0", booster.model_to_string())

    found = replace(exact, text=empty).method(ROWS)

    assert found == "LightGBM's pred_contrib (a branch has no training rows)"


def test_chunks_and_parts_of_the_model_change_nothing(matrix, monkeypatch):
    """Rows in small chunks, by few tables at a time, are explained as all at once."""
    _, exact = fitted(matrix)
    whole = exact.values(matrix)
    monkeypatch.setattr("churnkit.models.shapley.CHUNK_ROWS", 700)
    monkeypatch.setattr("churnkit.models.shapley.TABLE_BYTES", 40_000)

    parts = list(exact._tables(order=1))

    assert len(parts) > 10
    np.testing.assert_array_equal(exact.values(matrix), whole)


def test_memory_is_that_of_the_values(monkeypatch):
    """Beside the result, only a chunk and the tables are held."""
    rows = np.random.default_rng(5).normal(size=(60_000, 20)).astype(np.float32)
    _, exact = fitted(rows[:2_000], num_leaves=31)
    monkeypatch.setattr("churnkit.models.shapley.CHUNK_ROWS", 2_000)
    exact.values(rows[:2_000])

    tracemalloc.start()
    found = exact.values(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < found.nbytes + 4_000_000


def test_explaining_twice_gives_the_same_numbers(matrix):
    """To the last bit."""
    _, exact = fitted(matrix)

    np.testing.assert_array_equal(exact.values(matrix), exact.values(matrix))


def test_linear_leaves_are_refused(matrix):
    """LightGBM itself cannot explain them."""
    _, exact = fitted(matrix, linear_tree=True)

    with pytest.raises(ModelGuardError, match="linear leaves has no exact contributions"):
        exact.values(matrix)


@pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning")
def test_interactions_are_those_of_shap(matrix):
    """Twice the mean size of shap's own interaction values, pair by pair."""
    import shap

    booster, exact = fitted(matrix)
    few = matrix[:60]

    found = exact.interactions(few)

    theirs = np.asarray(shap.TreeExplainer(booster).shap_interaction_values(few.astype(float)))
    expected = 2.0 * np.abs(theirs).mean(axis=0)
    assert (1, 4) in found
    for (a, b), size in found.items():
        assert size == pytest.approx(expected[a, b], abs=1e-5)
    absent = [pair for pair in zip(*np.triu_indices(6, 1), strict=True) if pair not in found]
    assert all(expected[a, b] < 1e-9 for a, b in absent)
