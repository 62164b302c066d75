"""Intervals of shares, rates and net scores against scipy and published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from churnkit.errors import ParameterError
from churnkit.formulas import (
    median_interval,
    net_share_interval,
    poisson_interval,
    wilson_interval,
)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 10), (85, 100), (2, 100_000)]
)
def test_wilson_agrees_with_scipy(successes, trials, level):
    """The same bounds as scipy's binomtest, at the edges too."""
    oracle = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")

    actual = wilson_interval(successes, trials, level=level)

    assert actual == pytest.approx((oracle.low, oracle.high), rel=1e-10, abs=1e-15)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_a_share(counts):
    """0 <= low <= share <= high <= 1 for any counts, and the interval has a width."""
    successes, trials = counts

    low, high = wilson_interval(successes, trials)

    assert 0.0 <= low <= successes / trials <= high <= 1.0
    assert low < high


@pytest.mark.parametrize(("events", "exposure"), [(0, 10.0), (1, 600.0), (30, 600.0), (4000, 3.5)])
def test_poisson_agrees_with_the_chi_square_form(events, exposure):
    """Garwood's bounds are half of chi-square quantiles, as scipy computes them."""
    low = stats.chi2.ppf(0.05, 2 * events) / 2 if events else 0.0
    high = stats.chi2.ppf(0.95, 2 * events + 2) / 2

    actual = poisson_interval(events, exposure=exposure, level=0.9)

    assert actual == pytest.approx((low / exposure, high / exposure), rel=1e-10)


def test_poisson_tail_probabilities_are_those_of_the_level():
    """Exactly: at the lower bound 30 or more have probability 2.5 %, at the upper 30 or fewer."""
    low, high = poisson_interval(30, exposure=1.0)

    assert stats.poisson.sf(29, low) == pytest.approx(0.025)
    assert stats.poisson.cdf(30, high) == pytest.approx(0.025)


def test_net_share_has_the_variance_of_a_multinomial_difference():
    """The half width is z times the standard deviation of a sample of +1, 0 and -1."""
    plus, minus, n = 50, 20, 100
    scores = [1.0] * plus + [-1.0] * minus + [0.0] * (n - plus - minus)
    deviation = math.sqrt(float(stats.describe(scores, ddof=0).variance) / n)

    low, high = net_share_interval(plus, minus, n)

    assert (low + high) / 2 == pytest.approx(0.3)
    assert (high - low) / 2 == pytest.approx(stats.norm.ppf(0.975) * deviation)


@pytest.mark.parametrize("counts", [(9, 0, 9), (0, 9, 9), (0, 0, 9)])
def test_net_share_without_spread_has_no_interval(counts):
    """Unanimous answers have no variance to take an interval from."""
    assert net_share_interval(*counts) is None


def test_net_share_stays_within_its_range():
    """Bounds past -1 or 1 are cut."""
    assert net_share_interval(1, 2, 3)[0] == -1.0
    assert net_share_interval(2, 1, 3)[1] == 1.0


@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, math.nan])
@pytest.mark.parametrize(
    "interval",
    [
        lambda level: wilson_interval(1, 2, level=level),
        lambda level: poisson_interval(1, exposure=2.0, level=level),
        lambda level: net_share_interval(1, 1, 2, level=level),
    ],
)
def test_a_level_outside_the_open_unit_interval_is_refused(interval, level):
    """95 is a frequent slip for 0.95."""
    with pytest.raises(ParameterError, match=r"level must lie between 0 and 1; got"):
        interval(level)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(3, 2), r"successes must not exceed trials \(2\); got 3"),
        (lambda: wilson_interval(0, 0), r"trials must be > 0; got 0"),
        (lambda: wilson_interval(-1, 2), r"successes must be >= 0; got -1"),
        (lambda: poisson_interval(1.5, exposure=2), r"events must be a whole number"),
        (lambda: poisson_interval(1, exposure=0.0), r"exposure must be > 0; got 0.0"),
        (lambda: net_share_interval(2, 2, 3), r"positive \+ negative must not exceed trials"),
    ],
)
def test_impossible_counts_are_refused(call, message):
    """The message names the argument that is wrong."""
    with pytest.raises(ParameterError, match=message):
        call()


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 30, 101, 1000])
def test_median_interval_is_that_of_scipy(n, level):
    """The values that scipy's test of a quantile takes, or none where there are too few."""
    values = np.random.default_rng(n).exponential(size=n)
    oracle = stats.quantile_test(values, p=0.5).confidence_interval(level)
    expected = None if np.isnan([oracle.low, oracle.high]).any() else (oracle.low, oracle.high)

    assert median_interval(values, level=level) == expected


def test_median_interval_of_nothing_is_none():
    """No values, no interval."""
    assert median_interval([]) is None
