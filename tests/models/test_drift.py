"""Distributions in training and how far they have moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.models.drift import bin_counts, describe, stability_index


def test_bins_hold_about_equal_shares():
    """Ten bins of a continuous sample hold a tenth each, and none is missing."""
    found = describe(np.arange(1000.0))

    assert len(found["edges"]) == 9
    assert found["shares"] == pytest.approx([0.1] * 10 + [0.0], abs=0.002)


def test_equal_edges_are_merged():
    """A feature that is mostly zero has fewer bins, each with rows."""
    found = describe([0.0] * 90 + list(range(1, 11)))

    assert len(found["edges"]) == len(set(found["edges"])) < 9
    assert sum(found["shares"]) == pytest.approx(1.0)


def test_missing_values_have_the_last_bin():
    """NaN is counted, not dropped: a feature that is no longer filled has drifted."""
    found = describe([1.0, 2.0, np.nan, np.nan], bins=2)

    assert found["shares"][-1] == 0.5
    assert list(bin_counts(np.array([np.nan, 1.0, np.inf]), edges=[1.5])) == [1, 0, 2]


def test_nothing_known_at_all():
    """A feature without a value has no edges, and everybody in the bin of the missing."""
    assert describe([np.nan, np.nan]) == {"edges": [], "shares": [0.0, 1.0]}


def test_counts_are_those_of_a_histogram():
    """Against numpy's histogram, whose bins are closed on the left as well."""
    values, edges = np.random.default_rng(1).normal(size=500), [-1.0, 0.0, 0.7]

    expected, _ = np.histogram(values, bins=[-np.inf, *edges, np.inf])

    assert list(bin_counts(values, edges=edges)[:-1]) == list(expected)


def test_index_of_a_worked_example():
    """Shares 0.2/0.8 that became 0.4/0.6: 0.2 ln 2 + 0.2 ln (4/3)."""
    index = stability_index([0.2, 0.8], np.array([4, 6]))

    assert index == pytest.approx(0.2 * np.log(2) + 0.2 * np.log(4 / 3))


def test_no_rows_have_no_index():
    """Nothing scored, nothing known."""
    assert stability_index([0.5, 0.5], np.array([0, 0])) is None


@given(st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any))
def test_index_is_finite_and_not_negative(counts):
    """Empty bins on either side are kept away from infinity."""
    index = stability_index([0.0, 0.25, 0.75], np.array(counts))

    assert 0.0 <= index < 20.0
