"""LightGBM behind the contract of a learner, against the contract and LightGBM's own additivity."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from churnkit.errors import ModelGuardError
from churnkit.models.base import FeatureMatrix
from churnkit.models.bins import shared_bins
from churnkit.models.boosting import default_parameters
from churnkit.models.learner import MODELS


@pytest.fixture
def sample():
    """Give 800 rows, of which the first feature decides."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(800, 3)).astype(np.float32)
    values[rng.random((800, 3)) < 0.05] = np.nan
    churned = (np.nan_to_num(values[:, 0]) + rng.normal(size=800) > 0).astype(np.float64)
    return FeatureMatrix(names=("a", "b", "c"), values=values), churned


@pytest.fixture(params=MODELS.names())
def learner(request):
    """Give each registered learner."""
    return MODELS[request.param](threads=1)


def test_same_seed_gives_the_same_model(learner, sample):
    """Fitting twice gives the same text, so the same predictions to the last bit."""
    first, second = (learner.fit(*sample, objective="binary", rounds=20) for _ in range(2))

    assert first.to_text() == second.to_text()
    np.testing.assert_array_equal(first.predict_raw(sample[0]), second.predict_raw(sample[0]))


def test_another_seed_gives_another_model(sample):
    """The seed reaches the sampling of rows and columns."""
    first, second = (
        MODELS["lightgbm"](threads=1, seed=seed).fit(*sample, objective="binary", rounds=20)
        for seed in (1, 2)
    )

    assert not np.array_equal(first.predict_raw(sample[0]), second.predict_raw(sample[0]))


def test_loaded_text_predicts_identically(learner, sample):
    """A model read from its own text gives identical raw scores and knows its columns."""
    fitted = learner.fit(*sample, objective="binary", rounds=20)

    loaded = learner.load(fitted.to_text())

    assert loaded.feature_names == ("a", "b", "c")
    assert loaded.rounds == fitted.rounds
    np.testing.assert_array_equal(loaded.predict_raw(sample[0]), fitted.predict_raw(sample[0]))


def test_contributions_add_up_to_the_raw_score(learner, sample):
    """Shapley values and the base sum to the log-odds of every customer."""
    fitted = learner.fit(*sample, objective="binary", rounds=20)

    contributions = fitted.contributions(sample[0])

    assert contributions.shape == (800, 4)
    np.testing.assert_allclose(contributions.sum(axis=1), fitted.predict_raw(sample[0]), atol=1e-9)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("b", "a", "c"), "another order than in training"),
        (("a", "b"), "missing: c"),
        (("a", "b", "c", "d"), "not known to the model: d"),
    ],
)
def test_wrong_or_reordered_columns_are_refused(learner, sample, names, said):
    """No prediction is made from columns that are not the model's, in its order."""
    fitted = learner.fit(*sample, objective="binary", rounds=5)
    other = FeatureMatrix(names=names, values=np.zeros((2, len(names)), np.float32))

    with pytest.raises(ModelGuardError, match=said):
        fitted.predict(other)


def test_early_stopping_keeps_the_best_round(learner, sample):
    """With a validation set of pure noise, training ends long before the last round."""
    noise = np.random.default_rng(1).random(800) < 0.5

    fitted = learner.fit(
        *sample, objective="binary", rounds=400, validation=(sample[0], noise.astype(np.float64))
    )

    assert fitted.rounds < 100


def test_an_impossible_objective_is_refused(learner, sample):
    """LightGBM's own complaint reaches the user as a refusal of the model."""
    features, churned = sample

    with pytest.raises(ModelGuardError, match="lightgbm: training with objective 'gamma' failed"):
        learner.fit(features, churned - 1.0, objective="gamma", rounds=5)


def test_parameters_given_replace_the_defaults(sample):
    """A configured parameter is the one LightGBM reports."""
    fitted = MODELS["lightgbm"](threads=1, params={"num_leaves": 4}).fit(
        *sample, objective="binary", rounds=3
    )

    assert "[num_leaves: 4]" in fitted.to_text()


@pytest.mark.parametrize(("rows", "least"), [(50, 20), (1_000, 100), (100_000, 200)])
def test_leaves_grow_with_the_data(rows, least):
    """Few rows keep a tenth of them in every leaf, many keep 200."""
    assert default_parameters(rows)["min_data_in_leaf"] == least


def test_categories_are_split_as_sets():
    """One leaf on each side tells the even levels from the odd, which no threshold can."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 12, 4_000).astype(np.float32)
    matrix = FeatureMatrix(names=("level",), values=codes[:, None], categories=("level",))
    params = {"num_leaves": 2, "extra_trees": False, "cat_smooth": 1.0, "max_cat_to_onehot": 1}

    fitted = MODELS["lightgbm"](params=params, threads=1).fit(
        matrix, (codes % 2).astype(np.float64), objective="binary", rounds=5
    )

    again = MODELS["lightgbm"]().load(fitted.to_text())
    said = again.predict_raw(matrix)
    assert said[codes % 2 == 1].min() > said[codes % 2 == 0].max()
    np.testing.assert_allclose(again.contributions(matrix).sum(axis=1), said, atol=1e-9)


@pytest.mark.parametrize("chosen", [None, np.arange(800) % 3 > 0])
def test_shared_bins_change_no_model_and_are_made_once(sample, monkeypatch, chosen):
    """Two targets of the same rows give the models of separate fits, with one binning of the view."""
    import lightgbm

    features, churned = sample
    view = FeatureMatrix(names=features.names, values=features.values[:])
    taught = churned if chosen is None else churned[chosen]
    targets = (("binary", taught), ("l2", np.log1p(taught * 7.0)))
    learner = MODELS["lightgbm"](threads=1)

    def fit(y, kind):
        return learner.fit(view, y, objective=kind, rounds=20, rows=chosen).to_text()

    apart = [fit(y, kind) for kind, y in targets]
    made = []
    plain = lightgbm.Dataset.__init__
    monkeypatch.setattr(
        lightgbm.Dataset, "__init__", lambda *a, **k: made.append(1) or plain(*a, **k)
    )

    with shared_bins():
        together = [fit(y, kind) for kind, y in targets]

    assert together == apart
    assert len(made) == 1


def test_bins_of_other_rows_are_not_taken(sample):
    """Rows that begin elsewhere in the same matrix, and copies, get bins of their own."""
    features, churned = sample
    learner, names = MODELS["lightgbm"](threads=1), features.names
    parts = [features.values[:500], features.values[300:], features.values[:500].copy()]
    targets = [churned[:500], churned[300:], churned[:500]]

    with shared_bins():
        shared = [
            learner.fit(FeatureMatrix(names=names, values=x), y, objective="binary", rounds=9)
            for x, y in zip(parts, targets, strict=True)
        ]

    for fitted, x, y in zip(shared, parts, targets, strict=True):
        own = learner.fit(FeatureMatrix(names=names, values=x), y, objective="binary", rounds=9)
        assert fitted.to_text() == own.to_text()


@pytest.mark.parametrize("sampled", [300, 200_000])
def test_chosen_rows_give_the_model_of_their_copy(sample, sampled):
    """To the last bit: with NaN, zeros, levels, rare values, and bins found on some rows only."""
    features, churned = sample
    rare = np.arange(800) % 27 == 2
    values = np.column_stack([features.values, np.arange(800) % 7, np.zeros(800), rare])
    values[::3, 1] = 0.0
    whole = FeatureMatrix(
        names=("a", "b", "c", "level", "none", "rare"),
        values=values.astype(np.float32),
        categories=("level",),
    )
    rows = np.arange(800) % 5 > 1
    learner = MODELS["lightgbm"](threads=1, params={"bin_construct_sample_cnt": sampled})

    fitted = learner.fit(whole, churned[rows], objective="binary", rounds=20, rows=rows)

    copied = learner.fit(whole[rows], churned[rows], objective="binary", rounds=20)
    assert fitted.to_text() == copied.to_text()


def test_one_set_of_bins_is_kept(sample, monkeypatch):
    """Targets of the same chosen rows share bins; those of other rows take their place."""
    import lightgbm

    features, churned = sample
    view = FeatureMatrix(names=features.names, values=features.values[:])
    late, same = np.arange(800) > 300, np.arange(800) > 300
    made = []
    plain = lightgbm.Dataset.__init__

    def making(self, *arguments, **named):
        made.append(weakref.ref(self))
        plain(self, *arguments, **named)

    monkeypatch.setattr(lightgbm.Dataset, "__init__", making)
    learner = MODELS["lightgbm"](threads=1)
    there = []

    with shared_bins():
        for rows in (late, late, None, same):
            target = churned if rows is None else churned[rows]
            learner.fit(view, target, objective="binary", rounds=5, rows=rows)
            there.append([ref() is not None for ref in made])

    assert there == [[True], [True], [False, True], [False, False, True]]
