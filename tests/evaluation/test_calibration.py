"""Calibration error and interval coverage, against scikit-learn, simulated truth and counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from churnkit.errors import ParameterError
from churnkit.evaluation.calibration import ece, ece_interval, interval_coverage


def simulated(seed, *, n=500, too_high=0.0):
    """Draw labels from true probabilities, and return those moved by a known error."""
    rng = np.random.default_rng(seed)
    probability = rng.random(n) * 0.8
    return rng.random(n) < probability, probability + too_high


def test_ece_agrees_with_the_calibration_curve_of_scikit_learn():
    """Ten quantile bins of distinct probabilities: the mean gap of the curve's points."""
    churned, probability = simulated(1, n=1_000)
    rate, mean_probability = calibration_curve(churned, probability, n_bins=10, strategy="quantile")

    expected = np.abs(rate - mean_probability).mean()

    assert ece(churned, probability) == pytest.approx(expected)


def test_ece_of_a_constant_is_the_gap_of_the_means():
    """All tied: no bin is luckier than another, whatever the row order."""
    churned = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]

    assert ece(churned, [0.5] * 10) == pytest.approx(0.2)
    assert ece(churned, [0.3] * 10) == pytest.approx(0.0)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=1, max_size=50))
def test_ece_lies_between_the_gap_of_the_means_and_that_of_the_customers(rows):
    """More bins can only find more: one bin at the least, each customer apart at the most."""
    churned, probability = np.array(rows, dtype=float).T / [[1.0], [8.0]]

    ten, one = ece(churned, probability), ece(churned, probability, bins=1)

    assert one == pytest.approx(abs(churned.mean() - probability.mean()))
    assert one - 1e-9 <= ten <= np.abs(churned - probability).mean() + 1e-9


def test_ece_interval_rarely_accuses_true_probabilities():
    """Over 100 samples of a calibrated model, about 95 in 100 intervals reach down to 0."""
    intervals = [ece_interval(*simulated(seed), resamples=100) for seed in range(100)]

    reaching_zero = sum(low == 0.0 for low, _ in intervals)

    assert 88 <= reaching_zero < 100


def test_ece_interval_covers_and_proves_a_real_error():
    """Probabilities too high by 0.2: the interval holds 0.2 and is far from 0, each time."""
    intervals = [ece_interval(*simulated(s, too_high=0.2), resamples=50) for s in range(20)]

    assert all(0.05 < low < 0.2 < high < 0.35 for low, high in intervals)


def test_ece_interval_narrows_with_customers_and_repeats_with_its_seed():
    """A hundred times the customers, about a tenth of the width; same seed, same interval."""
    few = ece_interval(*simulated(5, too_high=0.2))
    many = ece_interval(*simulated(5, n=50_000, too_high=0.2), resamples=50)

    assert (few[1] - few[0]) / (many[1] - many[0]) == pytest.approx(10, rel=0.25)
    assert few == ece_interval(*simulated(5, too_high=0.2), seed=0)
    assert few != ece_interval(*simulated(5, too_high=0.2), seed=1)


def test_ece_interval_is_wider_for_more_confidence():
    """Being surer costs width, around the observed error in the middle."""
    churned, probability = simulated(5, too_high=0.2)

    low50, high50 = ece_interval(churned, probability, confidence=0.5)
    low99, high99 = ece_interval(churned, probability, confidence=0.99)

    assert low99 < low50 < ece(churned, probability) < high50 < high99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 95}, r"confidence must lie inside \(0, 1\); got 95"),
        ({"resamples": 0}, r"resamples must be at least 1; got 0"),
        ({"bins": 0}, r"bins must be at least 1; got 0"),
    ],
)
def test_ece_interval_refuses_impossible_options(options, message):
    """The message names the option and its value."""
    with pytest.raises(ParameterError, match=message):
        ece_interval([0, 1], [0.1, 0.9], **options)


def test_interval_coverage_counts_both_ends():
    """On the lower end, on the upper end, inside, below, above: three of five."""
    coverage = interval_coverage(
        [1.0, 4.0, 2.0, 0.5, 4.5], low=[1.0] * 5, high=[4.0, 4.0, 4.0, 4.0, 4.0]
    )

    assert coverage == pytest.approx(3 / 5)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1e6), st.floats(0, 1e6)
)
def test_wider_intervals_never_cover_less(spend, width, more):
    """Coverage rises with width, from the exact hits to everybody."""
    middle = np.zeros(len(spend))

    narrow = interval_coverage(spend, low=middle - width, high=middle + width)
    wide = interval_coverage(spend, low=middle - width - more, high=middle + width + more)

    assert 0.0 <= narrow <= wide <= 1.0
    assert interval_coverage(spend, low=spend, high=spend) == 1.0


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([0.0, 5.0], [1.0, 4.0], r"low must not exceed high; got 5.0 and 4.0 at position 1"),
        ([0.0, np.nan], [1.0, 4.0], r"low must be finite; got nan at position 1"),
        ([0.0, 1.0], [1.0], r"future_spend and high must have one length; got 2 and 1"),
    ],
)
def test_interval_coverage_refuses_broken_intervals(low, high, message):
    """Crossed, missing or too few ends are named with their position."""
    with pytest.raises(ParameterError, match=message):
        interval_coverage([1.0, 2.0], low=low, high=high)
