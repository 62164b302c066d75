"""Metrics of churn probabilities, against scikit-learn, pairs counted one by one and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from churnkit.evaluation.churn import (
    auc,
    average_precision,
    base_rate,
    brier,
    log_loss,
    top_decile_lift,
)


def labels_and_probabilities():
    """Both classes present; probabilities on a grid of 1/64, so ties are common and sums exact."""
    row = st.tuples(st.integers(0, 1), st.integers(0, 64))
    rows = st.lists(row, min_size=2, max_size=60).filter(
        lambda rows: len({y for y, _ in rows}) == 2
    )
    return rows.map(
        lambda rows: (np.array([y for y, _ in rows]), np.array([p for _, p in rows]) / 64)
    )


@pytest.fixture(params=["distinct", "tied"])
def sample(request):
    """Labels and probabilities of 2,000 customers."""
    rng = np.random.default_rng(3)
    probability = rng.beta(1, 4, 2_000)
    if request.param == "tied":
        probability = probability.round(1)
    return rng.random(2_000) < probability, probability.clip(0.001, 0.999)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (auc, oracle.roc_auc_score),
        (average_precision, oracle.average_precision_score),
        (log_loss, oracle.log_loss),
        (brier, oracle.brier_score_loss),
    ],
    ids=lambda function: function.__name__,
)
def test_agrees_with_scikit_learn(sample, metric, expected):
    """The same number, with and without ties."""
    assert metric(*sample) == pytest.approx(expected(*sample), rel=1e-12)


@given(labels_and_probabilities())
def test_auc_is_the_share_of_pairs_in_the_right_order(sample):
    """Every churner is compared with every other customer; a tie is half a point."""
    y, p = sample
    margins = p[y == 1][:, None] - p[y == 0][None, :]

    expected = ((margins > 0) + 0.5 * (margins == 0)).mean()

    assert auc(y, p) == pytest.approx(expected)


@given(labels_and_probabilities())
def test_auc_depends_on_the_order_only(sample):
    """A strictly rising transform changes nothing; reversing the order mirrors it."""
    y, p = sample

    assert auc(y, 0.1 + p**3 / 2) == auc(y, p)
    assert auc(y, 1 - p) == pytest.approx(1 - auc(y, p))


@given(labels_and_probabilities())
def test_the_true_base_rate_is_the_best_constant(sample):
    """No constant has a smaller log loss or Brier score than the base rate."""
    y, p = sample
    best = np.full(y.size, base_rate(y, p))

    constant = np.full(y.size, p[0])

    assert log_loss(y, best) <= log_loss(y, constant) + 1e-12
    assert brier(y, best) <= brier(y, constant) + 1e-12


def test_log_loss_of_a_certain_error_is_finite():
    """A probability of exactly 0 or 1 is held at a distance of 1e-15."""
    wrong = log_loss([1, 0], [0.0, 1.0])

    assert wrong == pytest.approx(-math.log(1e-15), rel=1e-3)
    assert log_loss([1, 0], [1.0, 0.0]) == pytest.approx(1e-15, rel=0.2)


def test_top_decile_lift_by_hand():
    """Of 20 customers 5 churn, and both of the two best ranked: 100 % over 25 %."""
    churned = [1, 1, 0, 1, 0, 0, 1, 0, 0, 1, *[0] * 10]
    probability = np.linspace(0.9, 0.1, 20)

    assert top_decile_lift(churned, probability) == pytest.approx(4.0)


@given(labels_and_probabilities())
def test_a_constant_probability_knows_nothing(sample):
    """Without any order AUC is one half, lift 1 and average precision the base rate."""
    y, _ = sample
    constant = np.full(y.size, 0.3)

    assert auc(y, constant) == pytest.approx(0.5)
    assert top_decile_lift(y, constant) == pytest.approx(1.0)
    assert average_precision(y, constant) == pytest.approx(y.mean())


def test_one_class_leaves_ranking_undefined():
    """With no churner there is nothing to find, with churners only nobody to tell them from."""
    p = [0.2, 0.4]

    none = {f.__name__: f([0, 0], p) for f in (auc, average_precision, top_decile_lift)}
    everybody = {f.__name__: f([1, 1], p) for f in (auc, average_precision, top_decile_lift)}

    assert none == {"auc": None, "average_precision": None, "top_decile_lift": None}
    assert everybody == {"auc": None, "average_precision": 1.0, "top_decile_lift": 1.0}
    assert log_loss([0, 0], p) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert brier([0, 0], p) == pytest.approx(0.1)
    assert base_rate([0, 0], p) == 0.0
