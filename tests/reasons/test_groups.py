"""Groups of features that say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from churnkit.reasons import correlated_groups, group_sums, leaders, members


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_every_two_of_a_group_are_strongly_correlated(seed):
    """By scipy's own rank correlation, at least 0.7 either way."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(80, 3))
    values = np.column_stack([causes @ rng.normal(size=3) for _ in range(7)])
    names = [f"f{i}" for i in range(7)]

    groups = correlated_groups(values, names=names)

    rho = np.abs(spearmanr(values).statistic)
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            if groups[one] == groups[other]:
                assert rho[i, j] >= 0.7 - 1e-9


def test_monotone_copies_are_one_group():
    """Whatever the scale, the sign and the gaps; a constant and a category stay by themselves."""
    x = np.random.default_rng(1).gamma(1.0, size=500)
    gaps = np.where(np.arange(500) % 50 == 0, np.nan, np.exp(x))
    values = np.column_stack([x, -(x**2), gaps, np.full(500, 3.0), x])

    groups = correlated_groups(values, names=["a", "b", "c", "flat", "kind"], apart=["kind"])

    assert groups == {"a": "a", "b": "a", "c": "a", "flat": "flat", "kind": "kind"}


def test_nothing_to_compare():
    """One feature, or one row, makes no group."""
    assert correlated_groups(np.zeros((5, 1)), names=["a"]) == {"a": "a"}
    assert correlated_groups(np.zeros((1, 2)), names=["a", "b"]) == {"a": "a", "b": "b"}


def test_sums_and_leaders_of_groups():
    """A group adds what its features add together, and its largest leads; the first of equals."""
    weights = np.array([[1.0, -2.0, 0.5, 4.0], [3.0, 1.0, 0.5, -4.0]])
    grouped = members({"a": "a", "c": "a", "b": "b", "d": "b"}, ["a", "b", "c", "d"])

    found = group_sums(weights, grouped)

    assert grouped == [[0, 2], [1, 3]]
    assert found.tolist() == [[1.5, 2.0], [3.5, -3.0]]
    assert leaders(np.array([1.0, 1.5, 2.0, 1.5]), grouped) == [2, 1]
