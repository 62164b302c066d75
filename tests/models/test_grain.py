"""Fine trees: taken for customers who keep to a rhythm, and for nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from churnkit.evaluation.backtest import predict_snapshot
from churnkit.evaluation.predictive import log_loss, rmse, spend_metrics
from churnkit.models.boosting import LightGBM, default_parameters
from churnkit.models.churn import learn_churn, split_for_validation
from churnkit.models.grain import finer_settings
from churnkit.models.training import fit_models

FINER = {"extra_trees": False, "min_data_in_leaf": 20}


@pytest.fixture
def traders(make_traders):
    """Give customers who order every 30 days until they leave."""
    return make_traders(seed=1)


def chosen(history, settings):
    """Return the settings that the history asks for."""
    split = split_for_validation(history.train)
    return finer_settings(
        settings,
        train=history.train,
        split=split,
        first=learn_churn(split[0], learner=LightGBM(params=settings.churn_params, threads=1)),
        forecast=split[1].forecast("bg_nbd"),
    )


def fitted_to(history, settings):
    """Return the models and notes, and losses of churn and spend at the test."""
    models, notes = fit_models(history.train, settings=settings, judge=spend_metrics)
    predicted, test = predict_snapshot(models, history.test), history.test
    return (
        models,
        notes,
        log_loss(test.churned, predicted.churn_probability),
        rmse(test.future_spend, predicted.expected_spend),
    )


def test_a_rhythm_takes_finer_trees_that_do_better_later(make_traders, settings, monkeypatch):
    """At tests on which nothing was chosen, churn and spend are nearer than without."""
    histories = [make_traders(seed=seed) for seed in (1, 2, 3)]

    finer = [fitted_to(history, settings) for history in histories]
    monkeypatch.setattr(LightGBM, "finer_parameters", lambda rows: {})
    usual = [fitted_to(history, settings) for history in histories]

    assert [notes["churn.trees"] for _, notes, *_ in finer] == ["finer"] * 3
    assert [notes["churn.trees"] for _, notes, *_ in usual] == ["usual"] * 3
    for models, *_ in finer:
        assert models.settings.churn_params == models.settings.spend_params == FINER
    for loss, most in ((2, 0.98), (3, 0.95)):
        assert sum(f[loss] for f in finer) < most * sum(f[loss] for f in usual)


def test_customers_without_a_rhythm_keep_the_usual_trees(shop, fitted, settings):
    """Orders at random times leave no edge to be seen."""
    assert fitted.notes["churn.trees"] == "usual"
    assert fitted.models.settings == settings
    assert chosen(shop, settings) is None


def test_parameters_that_were_asked_for_stay(traders, settings):
    """What is set is never replaced; where all is set, there is nothing finer."""
    leaves = replace(settings, churn_params={"min_data_in_leaf": 40})
    everything = replace(settings, churn_params={"min_data_in_leaf": 200, "extra_trees": True})

    found = chosen(traders, leaves)

    assert found.churn_params == {"extra_trees": False, "min_data_in_leaf": 40}
    assert found.spend_params == FINER
    assert chosen(traders, everything) is None


def test_many_rows_have_no_finer_trees():
    """From 30,000 rows on the defaults take the best thresholds themselves."""
    assert LightGBM.finer_parameters(29_999) == FINER
    assert LightGBM.finer_parameters(30_000) == {}
    assert default_parameters(30_000)["extra_trees"] is False


def test_a_small_gain_is_not_taken(traders, settings, monkeypatch):
    """Finer trees that see hardly anything more stay away, however sure their gain."""
    monkeypatch.setattr("churnkit.models.grain.SURE", 0.0)
    monkeypatch.setattr("churnkit.models.grain.LEAST_GAIN", 0.99)

    assert chosen(traders, settings) is None
