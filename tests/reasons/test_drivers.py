"""Drivers of a population against pandas, and their intervals against what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnkit.reasons import DriverSums, change_of_drivers, dependence, drivers_by_segment

NAMES = ("a", "b")
SAYS = {"a": "a in words", "b": "b in words"}


def sums_of(weights, *, batch=7):
    """Return the sums over rows that come in batches."""
    sums = DriverSums()
    for start in range(0, len(weights), batch):
        sums.see(weights[start : start + batch])
    return sums


def test_batches_give_the_mean_and_its_error_of_pandas():
    """Mean size, standard error and mean with signs are those of all rows at once."""
    weights = np.random.default_rng(1).normal([0.5, -2.0], [1.0, 0.1], size=(100, 2))

    rows = sums_of(weights).rows(NAMES, SAYS)

    frame = pd.DataFrame(weights, columns=NAMES)
    assert [row["feature"] for row in rows] == ["b", "a"]
    for row in rows:
        size = frame[row["feature"]].abs()
        assert row["mean_contribution"] == pytest.approx(size.mean())
        assert row["mean_signed"] == pytest.approx(frame[row["feature"]].mean())
        half = 1.959963984540054 * size.std(ddof=1) / 10
        assert row["high"] - row["mean_contribution"] == pytest.approx(half, rel=1e-9)
        assert row["says"] == SAYS[row["feature"]]


def test_nineteen_of_twenty_intervals_hold_the_truth():
    """Over 400 samples of a skewed size, 92 % to 98 % of the intervals cover its mean."""
    rng = np.random.default_rng(2)

    covered = 0
    for _ in range(400):
        row = sums_of(rng.exponential(size=(200, 1)), batch=200).rows(("a",), SAYS)[0]
        covered += row["low"] <= 1.0 <= row["high"]

    assert 0.92 <= covered / 400 <= 0.98


def test_one_customer_has_no_interval():
    """Nothing is known of its spread."""
    row = sums_of(np.array([[1.0, 0.0]])).rows(NAMES, SAYS)[0]

    assert (row["low"], row["high"]) == (None, None)


def test_changes_add_up_to_the_change_of_the_mean():
    """What all features did together is what happened to the mean log-odds."""
    rng = np.random.default_rng(3)
    now, then = rng.normal(0.5, size=(50, 2)), rng.normal(size=(40, 2))

    rows = change_of_drivers(sums_of(now), sums_of(then), names=NAMES, says=SAYS)

    total = now.sum(axis=1).mean() - then.sum(axis=1).mean()
    assert sum(row["change_signed"] for row in rows) == pytest.approx(total)
    by = {row["feature"]: row for row in rows}
    a = np.abs(now[:, 0]).mean() - np.abs(then[:, 0]).mean()
    assert by["a"]["change"] == pytest.approx(a)
    assert by["a"]["low"] < a < by["a"]["high"]


def test_segments_are_those_of_a_group_by():
    """The largest first, each with the means of its own customers."""
    weights = np.array([[1.0, 0.0], [3.0, -4.0], [0.5, 0.5]])

    rows = drivers_by_segment(weights, ["x", "x", "y"], names=NAMES, says=SAYS)

    found = [(r["segment"], r["customers"], r["feature"], r["mean_contribution"]) for r in rows]
    assert found == [("x", 2, "a", 2.0), ("x", 2, "b", 2.0), ("y", 1, "a", 0.5), ("y", 1, "b", 0.5)]


def test_dependence_keeps_every_customer():
    """Bins of a rising relation rise, and unknown values have a row of their own."""
    value = np.concatenate([np.arange(120.0), [np.nan] * 5])
    weight = np.where(np.isfinite(value), value / 100, -1.0)

    rows = dependence(value, weight)

    assert sum(row["customers"] for row in rows) == 125
    assert rows[-1] == {"value": None, "customers": 5, "mean": -1.0, "low": -1.0, "high": -1.0}
    means = [row["mean"] for row in rows[:-1]]
    assert means == sorted(means)
    assert len(means) == 12
    assert all(row["mean"] == pytest.approx(row["value"] / 100) for row in rows[:-1])


def test_dependence_on_nothing_known():
    """One row, of the unknown."""
    assert [row["value"] for row in dependence(np.array([np.nan]), np.array([0.5]))] == [None]
