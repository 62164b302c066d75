"""Calibrators: monotone, equal to their definitions, chosen only where they help."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from churnkit.errors import UnknownNameError
from churnkit.models.calibration import CALIBRATORS, choose_calibrator, load_calibrator
from churnkit.models.log_odds import log_loss_of, sigmoid


def outcomes(*, slope, customers=4_000, seed=2):
    """Return log-odds and what happened where the true log-odds are ``slope`` times as large."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0.5, 1.5, customers)
    return log_odds, rng.random(customers) < sigmoid(slope * log_odds)


@pytest.mark.parametrize("name", CALIBRATORS.names())
def test_every_calibrator_is_monotone_and_survives_json(name):
    """No customer is moved past or next to another, and the loaded map is the same."""
    fitted = CALIBRATORS[name].fit(*outcomes(slope=0.5))
    grid = np.linspace(-8, 8, 200)

    loaded = load_calibrator(json.loads(json.dumps(fitted.to_dict())))

    assert np.all(np.diff(fitted.log_odds(grid)) > 0.0)
    np.testing.assert_array_equal(loaded.log_odds(grid), fitted.log_odds(grid))


def test_beta_calibration_is_a_logistic_regression():
    """With both slopes free it is the unpenalised regression on ln p and −ln(1 − p)."""
    log_odds, churned = outcomes(slope=0.6)
    p = sigmoid(log_odds)
    design = np.column_stack([np.log(p), -np.log1p(-p)])
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(design, churned)

    fitted = CALIBRATORS["beta"].fit(log_odds, churned)

    assert (fitted.a, fitted.b) == pytest.approx(tuple(oracle.coef_[0]), abs=2e-3)
    assert fitted.c == pytest.approx(oracle.intercept_[0], abs=2e-3)


def test_venn_abers_is_two_isotonic_fits_with_the_customer_in_them():
    """At every observed score it is the merge of the definition, fitted anew by scikit-learn."""
    scores, churned = outcomes(slope=0.7, customers=120)
    scores = np.round(scores, 1)

    fitted = CALIBRATORS["venn_abers"].fit(scores, churned)

    for score in np.unique(scores):
        p0, p1 = (
            IsotonicRegression()
            .fit(np.append(scores, score), np.append(churned, label))
            .predict([score])[0]
            for label in (False, True)
        )
        found = sigmoid(fitted.log_odds(np.array([score])))[0]
        assert found == pytest.approx(p1 / (1.0 - p0 + p1), abs=1e-5)


def test_venn_abers_is_never_sure_and_stays_small():
    """With only churners seen nobody has 1, with 5,000 customers there are 400 points at most."""
    scores, churned = outcomes(slope=0.7, customers=5_000)

    alone = CALIBRATORS["venn_abers"].fit(scores[:20], np.ones(20, dtype=bool))
    many = CALIBRATORS["venn_abers"].fit(scores, churned)

    assert np.all(np.array(alone.y) < 1.0)
    assert len(many.x) <= 400
    fresh, happened = outcomes(slope=0.7, seed=8)
    assert log_loss_of(many.log_odds(fresh), happened) < log_loss_of(fresh, happened)


def test_overconfident_log_odds_are_calibrated():
    """Where the truth is half as sure, the choice lowers log loss on new customers."""
    chosen, losses = choose_calibrator("auto", seed=1, **named(outcomes(slope=0.4)))

    log_odds, churned = outcomes(slope=0.4, seed=9)
    assert chosen.kind != "none"
    assert losses[chosen.kind] < losses["none"]
    assert log_loss_of(chosen.log_odds(log_odds), churned) < log_loss_of(log_odds, churned)


def test_good_log_odds_are_left_alone():
    """Where nothing is to be gained, nothing is done."""
    chosen, _ = choose_calibrator("auto", seed=1, **named(outcomes(slope=1.0)))

    assert chosen.kind == "none"


@pytest.mark.parametrize("churned", [np.zeros(10, dtype=bool), np.ones(10, dtype=bool)])
def test_one_outcome_calibrates_nothing(churned):
    """If all churned or none did, there is nothing to learn."""
    chosen, losses = choose_calibrator("auto", log_odds=np.zeros(10), churned=churned, seed=1)

    assert (chosen.kind, losses) == ("none", {})


def test_a_wanted_calibrator_is_fitted_whatever_it_brings():
    """A name is an order, not a suggestion; an unknown one is refused."""
    chosen, _ = choose_calibrator("isotonic", seed=1, **named(outcomes(slope=1.0)))

    assert chosen.kind == "isotonic"
    with pytest.raises(UnknownNameError, match="unknown calibration 'plat'"):
        choose_calibrator("plat", seed=1, **named(outcomes(slope=1.0)))


def named(sample):
    """Return a sample as keyword arguments."""
    return {"log_odds": sample[0], "churned": sample[1]}


def test_a_gain_that_may_be_luck_calibrates_nothing():
    """On few customers, a calibrator must gain more than two standard errors to be kept."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-1.5, 0.7, 60)
    kept = {0.0: 0, 2.0: 0}
    for seed in range(5):
        churned = np.random.default_rng(seed).random(60) < sigmoid(log_odds)
        for errors in kept:
            found, _ = choose_calibrator(
                "auto", log_odds=log_odds, churned=churned, seed=7, standard_errors=errors
            )
            kept[errors] += found.kind != "none"

    assert kept[2.0] == 0
    assert kept[0.0] > 0
