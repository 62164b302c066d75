"""Churn of subscribers blended with the retention curve, and set to its level."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from churnkit.data.windows import Snapshot
from churnkit.errors import ModelGuardError
from churnkit.evaluation.backtest import predict_snapshot
from churnkit.models.base import FeatureMatrix, LabelledSnapshot
from churnkit.models.boosting import LightGBM
from churnkit.models.bundle import Bundle, load_bundle, save_bundle
from churnkit.models.contract import Contracts, Stays
from churnkit.models.settings import ModelSettings
from churnkit.models.staying import forecast_stays
from churnkit.models.training import fit_models

HORIZON = 30
NOBODY = Stays(
    customer=np.zeros(0, np.int64),
    days=np.zeros(0),
    ended=np.zeros(0, bool),
    entered=np.zeros(0),
)
SETTINGS = ModelSettings(threads=1, calibration="none")


def labelled(month, *, n=400, knows=0.0, curve_misses=0.0, seed=0):
    """Return subscribers whose chance to leave a curve knows, and a feature perhaps better.

    ``knows`` is how much of the chance the feature shows beyond the curve; ``curve_misses`` is what
    the curve's log-odds are too high by.
    """
    rng = np.random.default_rng(1000 * seed + month)
    by_tenure = rng.choice([-3.0, -1.0], n)
    hidden = rng.standard_normal(n)
    churned = rng.random(n) < 1.0 / (1.0 + np.exp(-(by_tenure + knows * hidden)))
    chance = 1.0 / (1.0 + np.exp(-(by_tenure + curve_misses)))
    mrr = np.full(n, 10.0)
    return LabelledSnapshot(
        snapshot=Snapshot(
            cutoff=date(2024, 1, 1) + timedelta(days=HORIZON * month),
            observation_days=365,
            horizon_days=HORIZON,
        ),
        customer_ids=np.arange(n).astype(str).astype(object),
        base={"subscriptions_running": np.ones(n), "mrr": mrr, "log_stay": np.log1p(-chance)},
        eligible=np.ones(n, bool),
        features=FeatureMatrix(names=("x",), values=hidden[:, None].astype(np.float32)),
        churned=churned,
        future_spend=np.where(churned, 5.0, 10.0),
        future_orders=np.zeros(n),
        contracts=Contracts(mrr=mrr, future_mrr=np.where(churned, 0.0, mrr), stays=NOBODY),
    )


def fitted(months=6, *, settings=SETTINGS, **options):
    """Return models, notes and the snapshot after the last month of training."""
    train = [labelled(month, **options) for month in range(months)]
    models, notes = fit_models(train, settings=settings, judge=lambda *_, **__: {})
    return models, notes, labelled(months, **options)


def log_loss(probability, churned):
    """Return the mean negative log-likelihood."""
    return -np.mean(np.log(np.where(churned, probability, 1.0 - probability)))


@pytest.mark.parametrize("seed", range(3))
def test_features_without_news_leave_the_curve_what_it_is(seed):
    """Where the learner knows nothing, the blend is as good as the curve alone."""
    models, notes, test = fitted(seed=seed)

    found = predict_snapshot(models, test).churn_probability

    curve = test.staying.churn_probability
    assert notes["churn.weight"] < 0.5
    assert log_loss(found, test.churned) < log_loss(curve, test.churned) + 0.005
    assert found.mean() == pytest.approx(curve.mean(), rel=0.05)


def test_features_with_news_take_the_larger_share():
    """Where the learner knows more, it does most, and the blend beats the curve by far."""
    models, notes, test = fitted(knows=2.0)

    found = predict_snapshot(models, test).churn_probability

    assert notes["churn.weight"] > 0.5
    assert (
        log_loss(found, test.churned)
        < log_loss(test.staying.churn_probability, test.churned) - 0.05
    )


def test_weights_are_judged_on_several_snapshots():
    """Where nobody left at the newest one, those before it still say that the learner knows more."""
    train = [labelled(month, knows=2.0) for month in range(6)]
    nobody = replace(train[-1], churned=np.zeros(len(train[-1].churned), bool))

    _, notes = fit_models([*train[:-1], nobody], settings=SETTINGS, judge=lambda *_, **__: {})

    assert notes["churn.weight"] > 0.6


@pytest.mark.parametrize(("customers", "fits"), [(200, 5), (8_000, 2)])
def test_many_endings_need_no_more_snapshots(customers, fits, monkeypatch):
    """A learner of all and one for each snapshot judged: one, if a thousand left at it."""
    made = []
    fit = LightGBM.fit
    monkeypatch.setattr(LightGBM, "fit", lambda *a, **k: made.append(1) or fit(*a, **k))

    fitted(8, n=customers)

    assert len(made) == fits


def test_the_curve_sets_the_level_corrected_by_what_it_missed():
    """Asked for, its mean is the level; on auto, a miss of every month is taken back."""
    alone, _, test = fitted(
        curve_misses=0.7, settings=replace(SETTINGS, churn_level="purchase_model")
    )
    auto, notes, _ = fitted(curve_misses=0.7)

    curve = test.staying.churn_probability.mean()
    corrected = predict_snapshot(auto, test)
    assert predict_snapshot(alone, test).churn_probability.mean() == pytest.approx(curve)
    assert corrected.churn_probability.mean() == pytest.approx(test.churned.mean(), abs=0.03)
    assert corrected.level.churn_correction == pytest.approx(-0.7, abs=0.15)
    assert {notes[f"level.missed_log_odds.{p.cutoff}"] for p in auto.level.points} == {
        p.log_odds for p in auto.level.points
    }


def test_a_bundle_keeps_blend_and_level(tmp_path):
    """Loaded, it predicts the same to the last bit: the curve comes with the data of the day."""
    models, notes, test = fitted(knows=1.0, curve_misses=0.3)
    bundle = Bundle(
        name="saas",
        version="1",
        created_at="2024-01-01T00:00:00+00:00",
        models=models,
        features={},
        feature_names=test.features.names,
        data={},
        snapshot={},
        label={"kind": "subscription_end"},
        population={},
        value={},
        notes=notes,
    )

    loaded = load_bundle(save_bundle(bundle, tmp_path / "b")).models

    for name in ("churn_probability", "expected_spend", "mrr_at_risk"):
        np.testing.assert_array_equal(
            getattr(predict_snapshot(loaded, test), name),
            getattr(predict_snapshot(models, test), name),
        )


def test_data_without_ended_subscriptions_are_refused_at_scoring():
    """A model that leans on the curve does not go on without it."""
    models, _, test = fitted()
    running = replace(test, base=test.base | {"log_stay": np.full(len(test.churned), np.nan)})

    with pytest.raises(ModelGuardError, match="Give the whole history of subscriptions"):
        predict_snapshot(models, running)


def test_where_nobody_was_seen_to_leave_the_learner_is_alone():
    """Without a curve in training there is nothing to blend with and no level to set."""
    train = [labelled(m) for m in range(4)]
    without = [
        replace(s, base=s.base | {"log_stay": np.full(len(s.churned), np.nan)}) for s in train
    ]

    models, notes = fit_models(without, settings=SETTINGS, judge=lambda *_, **__: {})

    assert notes["churn.weight"] == 1.0
    assert predict_snapshot(models, without[-1]).level.log_odds_shift == 0.0


def test_customers_of_orders_have_no_curve():
    """Only subscribers stay by a curve."""
    snapshot = Snapshot(cutoff=date(2024, 1, 1), observation_days=365, horizon_days=HORIZON)

    assert forecast_stays({"orders": np.ones(2)}, snapshot) is None
