"""Churn and spend together on a simulated shop: skill, level, agreement, repeatability, coverage."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from churnkit.evaluation.backtest import predict_snapshot
from churnkit.evaluation.predictive import auc, log_loss, spend_metrics, total_bias
from churnkit.models.boosting import LightGBM
from churnkit.models.churn import fit_churn, learn_churn
from churnkit.models.purchase import forecast_purchases
from churnkit.models.training import fit_models


def known(snapshot):
    """Return the purchase model's view of a snapshot."""
    return forecast_purchases(snapshot.base, snapshot.snapshot)


def test_same_seed_same_numbers(shop, fitted, settings):
    """Fitting again gives the same predictions to the last bit, and the same notes."""
    again, notes = fit_models(shop.train, settings=settings, judge=spend_metrics)

    first, second = (predict_snapshot(m, shop.test) for m in (fitted.models, again))
    np.testing.assert_array_equal(first.churn_probability, second.churn_probability)
    np.testing.assert_array_equal(first.expected_spend, second.expected_spend)
    np.testing.assert_array_equal(first.expected_spend_high, second.expected_spend_high)
    assert notes == fitted.notes


def test_the_models_have_skill(shop, fitted):
    """They rank churners well above chance and lose less than the base rate."""
    predicted = predict_snapshot(fitted.models, shop.test)

    rate = np.full(len(shop.test.churned), shop.test.churned.mean())
    assert auc(shop.test.churned, predicted.churn_probability) > 0.75
    assert log_loss(shop.test.churned, predicted.churn_probability) < 0.85 * log_loss(
        shop.test.churned, rate
    )


def test_the_level_is_the_purchase_models_times_its_correction(shop, fitted):
    """Mean probability and total spend are exactly those the level asks for."""
    forecast = known(shop.test)

    predicted = predict_snapshot(fitted.models, shop.test)

    mean = 1.0 - forecast.order_probability.mean()
    odds = mean / (1.0 - mean) * np.exp(predicted.level.churn_correction)
    assert predicted.churn_probability.mean() == pytest.approx(odds / (1.0 + odds), abs=1e-9)
    assert predicted.expected_spend.sum() == pytest.approx(
        forecast.expected_spend.sum() * np.exp(predicted.level.spend_correction), rel=1e-9
    )


@pytest.mark.parametrize("level", ["purchase_model", "none"])
def test_the_level_can_be_set(shop, fitted, settings, level):
    """``purchase_model`` corrects nothing; ``none`` moves nothing."""
    chosen = replace(settings, churn_level=level, spend_level=level)

    found = predict_snapshot(replace(fitted.models, settings=chosen), shop.test).level

    assert (found.churn_correction, found.spend_correction) == (0.0, 0.0)
    assert (found.log_odds_shift == 0.0) is (level == "none")
    assert (found.spend_factor == 1.0) is (level == "none")


def test_a_season_seen_before_is_met(make_history, settings):
    """In a shop with a strong season less than half of the purchase model's bias is left."""
    shop = make_history(season=0.8, customers=1_500, seed=4, test_day=985)
    models, _ = fit_models(shop.train, settings=settings, judge=spend_metrics)

    predicted = predict_snapshot(models, shop.test)

    theirs = total_bias(shop.test.future_spend, known(shop.test).expected_spend)
    assert abs(theirs) > 0.2
    assert abs(total_bias(shop.test.future_spend, predicted.expected_spend)) < 0.5 * abs(theirs)


def test_spend_is_order_probability_times_value_of_an_order(shop, fitted):
    """Expected spend over P(order) is a positive value, and orders the interval contains it."""
    predicted = predict_snapshot(fitted.models, shop.test)

    value = predicted.expected_spend / (1.0 - predicted.churn_probability)
    assert value.min() > 0.0
    assert np.all(predicted.expected_spend_low <= predicted.expected_spend)
    assert np.all(predicted.expected_spend <= predicted.expected_spend_high)


def test_the_interval_covers_what_it_says(shop, fitted):
    """Of the customers likely to order, about 80 % fall inside; nobody is covered by less."""
    predicted = predict_snapshot(fitted.models, shop.test)

    spend = shop.test.future_spend
    inside = (predicted.expected_spend_low <= spend) & (spend <= predicted.expected_spend_high)
    likely = predicted.churn_probability < 0.6
    assert inside[likely].mean() == pytest.approx(0.8, abs=0.05)
    assert inside.mean() > 0.77


def test_intervals_say_how_much_they_hold(shop, fitted):
    """Where no order is likelier than the nominal coverage, that is what is said and what comes true."""
    predicted = predict_snapshot(fitted.models, shop.test)

    spend, stated = shop.test.future_spend, predicted.stated_coverage
    inside = (predicted.expected_spend_low <= spend) & (spend <= predicted.expected_spend_high)
    np.testing.assert_array_equal(stated, np.maximum(predicted.churn_probability, 0.8))
    assert inside.mean() == pytest.approx(stated.mean(), abs=0.03)


def test_without_a_purchase_model_the_learners_stand_alone(shop, fitted):
    """No forecast: no blend and no level, and probabilities are still probabilities."""
    predicted = fitted.models.predict(shop.test.features, forecast=None, base={})

    assert np.all((predicted.churn_probability > 0) & (predicted.churn_probability < 1))
    assert predicted.level.log_odds_shift == 0.0
    assert predicted.level.spend_factor == 1.0


def test_one_snapshot_is_enough_to_fit(shop, settings):
    """With nothing later to choose on, half of each view is taken and no interval is given."""
    models, notes = fit_models(shop.train[-1:], settings=settings, judge=spend_metrics)

    predicted = predict_snapshot(models, shop.test)

    assert (notes["churn.weight"], notes["spend.weight"]) == (0.5, 0.5)
    assert predicted.expected_spend_low is None
    assert auc(shop.test.churned, predicted.churn_probability) > 0.7


def test_a_purchase_model_worse_than_the_mean_has_no_share(shop):
    """With nothing later to choose on, it is judged on labels that it has not seen."""
    newest = shop.train[-1]
    learner = learn_churn([newest], learner=LightGBM(threads=1))
    theirs = known(newest).churn_probability
    forecasts = (theirs, 1.0 - theirs, np.full(len(theirs), 0.3))

    weights = [
        fit_churn(
            [newest], final=learner, first=None, forecast=SimpleNamespace(churn_probability=p)
        ).model.weight
        for p in forecasts
    ]

    assert weights == [0.5, 1.0, 0.5]


@pytest.mark.parametrize("objective", ["tweedie", "hurdle_gamma", "hurdle_lognormal"])
def test_every_objective_predicts_the_same_total(shop, settings, objective):
    """Whatever ranks customers, the level sets the total."""
    chosen = replace(settings, objective=objective)
    models, _ = fit_models(shop.train[-4:], settings=chosen, judge=spend_metrics)

    predicted = predict_snapshot(models, shop.test)

    expected = known(shop.test).expected_spend.sum() * np.exp(predicted.level.spend_correction)
    assert predicted.expected_spend.sum() == pytest.approx(expected, rel=1e-9)


def test_a_label_of_another_meaning_leaves_orders_to_the_purchase_model(shop, settings):
    """Where churn is not "no order", its probability gets no purchase model's level or share."""
    train = [replace(s, churned=s.features.values[:, 0] > 100) for s in shop.train]
    models, notes = fit_models(train, settings=settings, judge=spend_metrics)

    predicted = predict_snapshot(models, shop.test)

    assert not models.churn_is_no_order
    assert notes["churn.weight"] == 1.0
    assert predicted.level.log_odds_shift == 0.0
    assert auc(shop.test.features.values[:, 0] > 100, predicted.churn_probability) > 0.99
