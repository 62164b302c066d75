"""Exact Shapley values of many rows, pinned against LightGBM's own."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

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
    ],
    ids=str,
)
def test_values_are_those_of_lightgbm(matrix, params):
    """Every value within 1e-4 of ``pred_contrib``, and every row adds up to its raw score."""
    booster, exact = fitted(matrix, **params)

    found = exact.values(matrix)

    assert exact.method(ROWS) == "woodelf-explainer"
    np.testing.assert_allclose(found, booster.predict(matrix, pred_contrib=True), atol=1e-4)
    np.testing.assert_allclose(
        found.sum(axis=1), booster.predict(matrix, raw_score=True), atol=1e-4
    )


def test_missing_values_that_training_has_not_seen(matrix):
    """A column without missing values in training takes a missing one as LightGBM does."""
    booster, exact = fitted(np.nan_to_num(matrix))

    np.testing.assert_allclose(
        exact.values(matrix), booster.predict(matrix, pred_contrib=True), atol=1e-4
    )


def test_few_rows_are_left_to_lightgbm(matrix):
    """Below the threshold the values are LightGBM's to the last bit, and the method says so."""
    booster, exact = fitted(matrix)

    found = exact.values(matrix[:10])

    assert exact.method(10) == "LightGBM's pred_contrib (fewer than 5,000 rows)"
    np.testing.assert_array_equal(found, booster.predict(matrix[:10], pred_contrib=True))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (
            {"categories": (1,), "min_data_per_group": 5, "max_cat_to_onehot": 1},
            "splits by categories",
        ),
        ({"zero_as_missing": True}, "takes 0 for missing"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "is a random forest"),
        ({"min_data_in_leaf": ROWS}, "has no split"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_that_are_not_read_are_left_to_lightgbm(matrix, params, said):
    """Each obstacle is recognised and named, and the values are LightGBM's."""
    booster, exact = fitted(matrix, **params)

    found = exact.values(matrix)

    assert exact.method(ROWS) == f"LightGBM's pred_contrib (the model {said})"
    np.testing.assert_array_equal(found, booster.predict(matrix, pred_contrib=True))


def test_chunks_and_threads_change_nothing(matrix, monkeypatch):
    """Rows explained in small chunks on two threads are those explained at once, to float32."""
    _, exact = fitted(matrix)
    whole = exact.values(matrix)
    monkeypatch.setattr("churnkit.models.shapley.CHUNK_ROWS", 700)
    monkeypatch.setattr("churnkit.models.shapley.LEAST_PER_THREAD", 700)

    np.testing.assert_allclose(exact.values(matrix), whole, atol=3e-6)


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


def test_interactions_of_a_model_that_is_not_read(matrix):
    """There are none."""
    _, exact = fitted(matrix, zero_as_missing=True)

    assert exact.interactions(matrix[:10]) is None
