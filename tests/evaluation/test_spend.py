"""Metrics of expected spend, against scipy, scikit-learn, pandas and sums by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from churnkit.evaluation.spend import (
    decile_mape,
    gini_normalized,
    mae,
    rmse,
    spearman,
    top_decile_capture,
    total_bias,
)

MONEY = st.integers(-100, 1_000)
ROWS = st.lists(st.tuples(MONEY, MONEY), min_size=2, max_size=40).filter(
    lambda rows: len({actual for actual, _ in rows}) > 1
)


@pytest.fixture(params=["distinct", "tied"])
def sample(request):
    """Actual and expected spend of 3,000 customers, half of whom bought nothing."""
    rng = np.random.default_rng(8)
    expected = rng.gamma(1, 60, 3_000)
    if request.param == "tied":
        expected = expected.round(-1)
    return np.where(rng.random(3_000) < 0.5, rng.gamma(2, 0.5, 3_000) * expected, 0.0), expected


def test_agrees_with_the_libraries(sample):
    """Spearman as in scipy; the two errors as in scikit-learn; with and without ties."""
    assert spearman(*sample) == pytest.approx(spearmanr(*sample).statistic)
    assert rmse(*sample) == pytest.approx(root_mean_squared_error(*sample))
    assert mae(*sample) == pytest.approx(mean_absolute_error(*sample))


def test_gini_is_the_ratio_of_two_covariances(sample):
    """Covariance of spend with the prediction's ranks, over that with its own ranks."""
    future, expected = (pd.Series(values) for values in sample)

    ratio = future.cov(expected.rank()) / future.cov(future.rank())

    assert gini_normalized(*sample) == pytest.approx(ratio)


def test_gini_by_hand():
    """Cumulative shares 1/4, 1, 1 are 1/4 above a random order's; the perfect 3/4, 1, 1 are 3/4."""
    perfect = [30.0, 10.0, 0.0]

    assert gini_normalized([30.0, 10.0, 0.0], perfect) == 1.0
    assert gini_normalized([10.0, 30.0, 0.0], perfect) == pytest.approx(1 / 3)
    assert gini_normalized([0.0, 10.0, 30.0], perfect) == -1.0


@given(ROWS)
def test_gini_is_one_for_the_perfect_order_and_odd_in_the_prediction(rows):
    """Any rising function of the truth scores 1, its mirror -1; everything lies between."""
    future, expected = np.array(rows, dtype=float).T

    value = gini_normalized(future, expected)

    assert gini_normalized(future, future**3) == pytest.approx(1.0)
    assert gini_normalized(future, -future) == pytest.approx(-1.0)
    assert gini_normalized(future, -expected) == pytest.approx(-value, abs=1e-9)
    assert -1 - 1e-9 <= value <= 1 + 1e-9


@given(ROWS, st.integers(-500, 500))
def test_gini_does_not_mind_negative_spend(rows, shift):
    """Moving everybody's spend below or above zero changes nothing."""
    future, expected = np.array(rows, dtype=float).T

    moved = gini_normalized(future + shift, expected)

    assert moved == pytest.approx(gini_normalized(future, expected), abs=1e-9)


def test_decile_mape_by_hand():
    """Twenty customers in ten pairs; one pair 11 % too high, another 10 % too low."""
    future = np.repeat(np.arange(1000.0, 0.0, -100.0), 2)
    expected = future.copy()
    expected[4:6] *= 1.11  # 888, still between its neighbours 900 and 700
    expected[10:12] *= 0.9  # 450, still between its neighbours 600 and 400

    assert decile_mape(future, expected) == pytest.approx((0.11 + 0.1) / 10)


def test_decile_mape_agrees_with_pandas(sample):
    """Mean over qcut deciles, where predictions are distinct."""
    future, expected = sample[0], np.argsort(np.argsort(sample[1], kind="stable")) + 0.5
    frame = pd.DataFrame({"future": future, "expected": expected})
    totals = frame.groupby(pd.qcut(expected, 10, labels=False)).sum()

    mape = (totals["expected"] / totals["future"] - 1).abs().mean()

    assert decile_mape(future, expected) == pytest.approx(mape)


def test_decile_mape_leaves_out_deciles_that_spent_nothing():
    """Nine deciles are 10 % too high; the last spent nothing, against 0.5 expected."""
    future = np.arange(9.0, -1.0, -1.0)
    expected = np.array([*(future[:9] * 1.1), 0.5])

    assert decile_mape(future, expected) == pytest.approx(0.1)


@given(st.lists(MONEY, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_bias_is_zero_when_totals_agree(future, random):
    """Right in total, however wrong for each; None when the total is not positive."""
    expected = random.sample(future, len(future))

    bias = total_bias(future, expected)

    assert bias == (0.0 if sum(future) > 0 else None)


@given(ROWS, st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_another_currency_changes_only_the_errors(rows, rate):
    """Both sides times a constant: money errors scale, everything else stays."""
    future, expected = np.array(rows, dtype=float).T

    for metric in (rmse, mae):
        assert metric(future * rate, expected * rate) == pytest.approx(
            metric(future, expected) * rate
        )
    for metric in (total_bias, decile_mape, gini_normalized, spearman, top_decile_capture):
        before, after = metric(future, expected), metric(future * rate, expected * rate)
        assert (after is None) == (before is None), metric.__name__
        assert before is None or after == pytest.approx(before, abs=1e-9), metric.__name__


def test_top_decile_capture_by_hand():
    """The two best of twenty bring 30 and 20 of 100."""
    future = np.array([30.0, 20.0, *[50.0 / 18] * 18])

    assert top_decile_capture(future, np.linspace(9, 1, 20)) == pytest.approx(0.5)
    assert top_decile_capture(future, np.ones(20)) == pytest.approx(0.1)


def test_undefined_metrics_are_none():
    """No difference to rank or no spend to share: None, and the errors still have a value."""
    nothing, some = [0.0, 0.0], [1.0, 3.0]

    undefined = (gini_normalized, spearman, decile_mape, total_bias, top_decile_capture)

    assert [metric(nothing, some) for metric in undefined] == [None] * 5
    assert spearman(some, [2.0, 2.0]) is None
    assert gini_normalized(some, [2.0, 2.0]) == pytest.approx(0.0)
    assert mae(nothing, some) == 2.0
    assert rmse(nothing, some) == pytest.approx(5**0.5)
