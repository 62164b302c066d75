"""The search for parameters: repeatable, blind to the test, never worse than the defaults at its folds."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from churnkit.errors import ParameterError
from churnkit.evaluation.backtest import predict_snapshot
from churnkit.evaluation.predictive import log_loss, spend_metrics
from churnkit.models.boosting import LightGBM, default_parameters
from churnkit.models.churn import churn_validation_loss
from churnkit.models.learner import MODELS
from churnkit.models.search import search_parameters
from churnkit.models.training import fit_models


@pytest.fixture(scope="module")
def train(shop):
    """Give every third training snapshot: two folds, quickly fitted."""
    return shop.train[::3]


@pytest.fixture
def searching(settings):
    """Give settings that try four sets of parameters on two folds."""
    return replace(settings, search_trials=4, search_folds=2)


def test_a_search_is_repeatable(train, searching):
    """The same seed tries and finds the same, another seed tries something else."""
    first, again = (search_parameters(train, settings=searching) for _ in range(2))
    other = search_parameters(train, settings=replace(searching, seed=8))

    assert first == again
    assert first[1][0].trials[1].params != other[1][0].trials[1].params


def test_folds_go_forward_and_the_newest_come_last(train, searching):
    """Trials are judged at the newest training snapshots, on what had matured by then."""
    _, (churn, spend) = search_parameters(train, settings=searching)

    assert churn.cutoffs == tuple(str(s.snapshot.cutoff) for s in train[-2:])
    assert spend.cutoffs == churn.cutoffs
    assert [len(t.losses) for t in churn.trials] == [2] * 4
    earlier = [s for s in train[:-1] if s.snapshot.label_end <= train[-1].snapshot.cutoff]
    plain = LightGBM(seed=searching.seed, threads=1)
    assert churn.trials[0].losses[-1] == churn_validation_loss(earlier, train[-1], learner=plain)


def test_the_defaults_are_the_first_trial_and_stay_unless_beaten(train, searching):
    """What is found lowers the loss of the defaults at the folds, or nothing is changed."""
    settings, searches = search_parameters(train, settings=searching)

    for search, params in zip(
        searches, (settings.churn_params, settings.spend_params), strict=True
    ):
        assert (search.trials[0].params, search.trials[0].loss) == ({}, 1.0)
        assert search.best.loss <= 1.0
        assert dict(params) == (dict(search.best.params) if search.best.loss < 0.999 else {})
        assert dict(params) == dict(search.found)


def test_what_is_set_is_not_searched(train, searching):
    """A parameter of the configuration is used in every trial and tried in none."""
    fixed = replace(searching, search_trials=2, churn_params={"num_leaves": 3})

    settings, (churn, _) = search_parameters(train, settings=fixed)

    assert settings.churn_params["num_leaves"] == 3
    assert all("num_leaves" not in trial.params for trial in churn.trials)


def test_without_trials_nothing_is_searched(train, settings):
    """Off by default: the settings are the very same and optuna is not asked for."""
    assert search_parameters(train, settings=settings) == (settings, ())


def test_without_a_matured_snapshot_nothing_is_searched(train, searching):
    """One snapshot has nothing before it to fit on."""
    assert search_parameters(train[:1], settings=searching) == (searching, ())


def test_the_models_are_fitted_with_what_was_found(train, searching):
    """Parameters of the settings reach the learners and stay in the models."""
    found, _ = search_parameters(train, settings=replace(searching, churn_params={"num_leaves": 3}))

    models, _ = fit_models(train, settings=found, judge=spend_metrics)

    assert "[num_leaves: 3]" in models.churn.learner.to_text()
    assert models.settings.churn_params == found.churn_params


def test_a_fold_in_which_nobody_buys_judges_no_spend(train, searching):
    """Its loss is none, and the other folds decide."""
    poor = [*train[:-1], replace(train[-1], future_spend=np.zeros(len(train[-1].churned)))]

    _, (_, spend) = search_parameters(poor, settings=searching)

    assert all(trial.losses[-1] is None for trial in spend.trials)
    assert all(np.isfinite(trial.loss) for trial in spend.trials)
    assert len({trial.loss for trial in spend.trials}) > 1


def test_a_search_without_optuna_says_what_to_install(train, searching, monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(ParameterError, match=r"pip install 'churnkit-ml\[search\]'"):
        search_parameters(train, settings=searching)


def test_a_model_without_a_space_cannot_be_searched(train, searching, monkeypatch):
    """A learner of one's own need not have parameters to search, but then trials are refused."""
    monkeypatch.delattr(LightGBM, "search_space")

    with pytest.raises(ParameterError, match="model 'lightgbm' has no parameters to search"):
        search_parameters(train, settings=searching)


@pytest.mark.parametrize("rows", [60, 3_000, 200_000, 5_000_000])
def test_the_defaults_of_every_size_lie_in_its_space(rows):
    """A search looks around the defaults, whatever the data's size."""
    space, defaults = MODELS["lightgbm"].search_space(rows), default_parameters(rows)

    for name, (low, high, _) in space.items():
        assert low <= defaults[name] <= high, name
        assert low < high


def test_fewer_rows_are_regularised_more():
    """Leaves hold a larger share of few rows, trees are no larger, thresholds are random."""
    sizes = [100, 1_000, 10_000, 100_000, 1_000_000]
    chosen = [default_parameters(rows) for rows in sizes]

    share = [c["min_data_in_leaf"] / rows for c, rows in zip(chosen, sizes, strict=True)]
    assert np.all(np.diff(share) < 0.0)
    assert np.all(np.diff([c["num_leaves"] for c in chosen]) >= 0)
    assert [c["extra_trees"] for c in chosen] == [True, True, True, False, False]


def test_on_few_rows_the_defaults_beat_lightgbms_own(make_history, settings):
    """Sixty customers: strong regularisation loses less at a later test than LightGBM's defaults."""
    untuned = {
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "feature_fraction": 1.0,
        "bagging_fraction": 1.0,
        "lambda_l2": 0.0,
        "extra_trees": False,
    }
    losses = []
    for seed in range(3):
        small = make_history(customers=60, seed=seed)
        for params in ({}, untuned):
            chosen = replace(settings, churn_params=params, spend_params=params)
            models, _ = fit_models(small.train, settings=chosen, judge=spend_metrics)
            predicted = predict_snapshot(models, small.test)
            losses.append(log_loss(small.test.churned, predicted.churn_probability))

    assert np.mean(losses[::2]) < np.mean(losses[1::2])
