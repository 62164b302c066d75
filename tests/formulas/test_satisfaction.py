"""Survey scores: worked examples, properties, scores off the scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from churnkit.errors import ParameterError
from churnkit.formulas import ces, csat, nps

answers = st.lists(st.integers(0, 10), min_size=1, max_size=60)


def test_csat_of_the_worked_example():
    """85 positive answers of 100: 85 %, with Wilson's interval."""
    oracle = stats.binomtest(85, 100).proportion_ci(method="wilson")

    result = csat(scores=[1, 2, 3, 4, 5], counts=[3, 4, 8, 35, 50])

    assert (result.value, result.numerator, result.denominator) == (85.0, 85.0, 100.0)
    assert (result.ci_low, result.ci_high) == pytest.approx((100 * oracle.low, 100 * oracle.high))


@pytest.mark.parametrize(
    ("options", "positive_from", "expected"), [(5, None, 40.0), (5, 3, 60.0), (7, None, 0.0), (7, 5, 20.0)]
)  # fmt: skip
def test_csat_counts_what_is_configured_as_positive(options, positive_from, expected):
    """The top two options unless told otherwise."""
    result = csat(scores=[1, 2, 3, 4, 5], options=options, positive_from=positive_from)

    assert result.value == pytest.approx(expected)


def test_nps_of_the_worked_example():
    """50 % promoters less 20 % detractors: 30 points."""
    result = nps(scores=[9, 10, 7, 8, 6, 0], counts=[25, 25, 15, 15, 10, 10])

    assert (result.value, result.unit, result.n) == (30.0, "points", 100)
    half = stats.norm.ppf(0.975) * np.sqrt((0.7 - 0.09) / 100) * 100
    assert (result.ci_low, result.ci_high) == pytest.approx((30 - half, 30 + half))


@pytest.mark.parametrize(
    ("score", "expected"), [(0, -100), (6, -100), (7, 0), (8, 0), (9, 100), (10, 100)]
)
def test_nps_classes_end_where_reichheld_drew_them(score, expected):
    """0-6 detract, 7 and 8 are passive, 9 and 10 promote; one class has no interval."""
    result = nps(scores=[score] * 40)

    assert (result.value, result.status) == (expected, "ok")
    assert (result.ci_low, result.ci_high) == (None, None)


@given(answers)
def test_nps_is_a_mean_within_its_range(scores):
    """The mean of +100, 0 and -100, never outside, and turning the votes round changes its sign."""
    votes = [100 * ((s >= 9) - (s <= 6)) for s in scores]

    result = nps(scores=scores)

    assert result.value == pytest.approx(np.mean(votes))
    assert -100.0 <= result.value <= 100.0


@given(answers)
def test_counted_scores_are_the_same_answers(scores):
    """A histogram, in any order and in pieces, gives what the answers give."""
    distinct, often = np.unique(scores, return_counts=True)
    pieces = [*distinct[::-1], *distinct]
    halves = [*(often[::-1] // 2), *(often - often // 2)]

    assert nps(scores=pieces, counts=halves) == nps(scores=scores)
    shifted = np.minimum(np.array(scores), 6) + 1
    histogram = np.bincount(shifted, minlength=8)[1:]
    assert ces(scores=range(1, 8), counts=histogram) == ces(scores=shifted)


def test_ces_of_the_worked_example():
    """A mean of 5.6 on 7 options: 80."""
    result = ces(scores=[5, 6], counts=[40, 60])

    assert (result.value, result.numerator, result.denominator) == (80.0, 560.0, 700.0)


def test_ces_by_each_definition():
    """The same answers: 80 % of the scale, a mean of 5.6 points, 60 % in the top two boxes."""
    found = [
        ces(scores=[5, 6], counts=[40, 60], variant=variant)
        for variant in ("share_of_scale", "mean", "top_two_box")
    ]

    assert [result.value for result in found] == pytest.approx([80.0, 5.6, 60.0])
    assert [result.unit for result in found] == ["percent", "score", "percent"]


def test_ces_interval_agrees_with_scipy():
    """The bootstrap of the mean, up to the noise of resampling."""
    scores = np.random.default_rng(3).integers(1, 8, 200)
    oracle = stats.bootstrap((scores,), np.mean, method="percentile", n_resamples=10_000, rng=1)

    result = ces(scores=scores, variant="mean")

    noise = 0.15 * oracle.standard_error
    assert result.ci_low == pytest.approx(oracle.confidence_interval.low, abs=noise)
    assert result.ci_high == pytest.approx(oracle.confidence_interval.high, abs=noise)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nps(scores=[10, 11]), r"nps: scores must be whole .* 0 to 10; got 11 at position 1"),
        (lambda: nps(scores=[-1]), r"nps: scores must be whole numbers from 0 to 10; got -1"),
        (lambda: nps(scores=[8.5]), r"nps: scores must be whole numbers from 0 to 10; got 8.5"),
        (lambda: csat(scores=[0]), r"csat: scores must be whole numbers from 1 to 5; got 0"),
        (lambda: csat(scores=[6]), r"csat: scores must be whole numbers from 1 to 5; got 6"),
        (lambda: csat(scores=[5], counts=[1, 2]), r"counts must be as long as scores \(1\)"),
        (lambda: csat(scores=[5], counts=[-1]), r"counts must hold whole numbers >= 0; got -1.0"),
        (lambda: csat(scores=[5], options=1), r"options must be >= 2; got 1"),
        (lambda: csat(scores=[5], positive_from=6), r"positive_from must lie in 2 to 5; got 6"),
        (lambda: ces(scores=[8]), r"ces: scores must be whole numbers from 1 to 7; got 8"),
        (lambda: ces(scores=[5], variant="top2"), r"variant must be a known name; got 'top2'"),
    ],
)  # fmt: skip
def test_scores_off_the_scale_are_refused(call, message):
    """An 11, a half point or a zero on a scale from one are named with their position."""
    with pytest.raises(ParameterError, match=message):
        call()
