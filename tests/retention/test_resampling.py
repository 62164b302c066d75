"""Intervals of a report: those of the formulas' bootstrap, and the right share of them is right."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.formulas import bootstrap_ratio_interval
from churnkit.retention.resampling import Resampling


@pytest.mark.parametrize("n", [60, 6000])
def test_intervals_agree_with_the_bootstrap_of_the_formulas(n):
    """Below and above the number of groups the bounds are near those of the slow way."""
    rng = np.random.default_rng(1)
    orders = rng.integers(1, 6, n).astype(np.float64)
    money = rng.gamma(1.0, 50.0, n) * orders

    (fast,) = Resampling(seed=3).intervals([money, orders], [(0, 1)])
    slow = bootstrap_ratio_interval(money, orders, seed=4)

    width = slow[1] - slow[0]
    assert fast == pytest.approx(slow, abs=0.12 * width)


def test_the_order_of_rows_does_not_matter():
    """Shuffled customers give the same bounds, to the last bits of a sum."""
    rng = np.random.default_rng(2)
    a, b = rng.gamma(1.0, 50.0, 9000), rng.integers(1, 4, 9000).astype(np.float64)
    mixed = rng.permutation(9000)

    first = Resampling().intervals([a, b], [(0, 1)])
    again = Resampling().intervals([a[mixed], b[mixed]], [(0, 1)])

    assert first[0] == pytest.approx(again[0], rel=1e-12)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    """Over repeated samples the coverage is that of the level."""
    rng = np.random.default_rng(3)
    resampling = Resampling(resamples=400)
    held = 0
    for _ in range(200):
        value = rng.gamma(2.0, 10.0, 300)
        ((low, high),) = resampling.intervals([value, np.ones(300)], [(0, 1)])
        held += low <= 20.0 <= high

    assert 180 <= held <= 199


@pytest.mark.parametrize(
    "columns",
    [[[1.0], [1.0]], [[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]], [[2.0, 2.0, 2.0], [1.0, 1.0, 1.0]]],
)
def test_without_spread_there_is_no_interval(columns):
    """One row, a denominator that a resample can lose, or equal rows give none."""
    assert Resampling().intervals([np.array(c) for c in columns], [(0, 1)]) == [None]
