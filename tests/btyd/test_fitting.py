"""The search for the maximum: where it ends, and what it says when there is none."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.btyd.fitting import maximise
from churnkit.errors import ModelGuardError


def parabola(columns, count):
    """Log-likelihood of a normal mean and, scaled by a thousand, of a second one."""
    first, second = columns

    def objective(point):
        off = np.stack([first - point[0], second - 1000.0 * point[1]])
        value = -0.5 * (off**2 @ count).sum()
        return float(value), np.array([1.0, 1000.0]) * (off @ count)

    return objective


def search(objective_for=parabola, *, n=20_000, box=((-50.0, 50.0), (-50.0, 50.0))):
    """Fit the two means of simulated values around 3 and 2000."""
    rng = np.random.default_rng(4)
    columns = rng.normal([[3.0], [2000.0]], 1.0, (2, n))
    names = {"first": box[0], "second": box[1]}
    return columns, maximise(
        objective_for,
        columns,
        np.ones(n),
        starts=[(0.0, 0.0), (-5.0, 30.0)],
        box=names,
        where="fit_here",
    )


def test_maximum_of_all_data_is_found_not_that_of_the_pilot():
    """The means of 20,000 values come out exactly, though the pilot saw 8,000."""
    columns, found = search()

    assert found.point * [1.0, 1000.0] == pytest.approx(columns.mean(axis=1), rel=1e-9)
    assert found.at_bounds == ()


def test_maximum_outside_the_box_ends_at_the_bound_and_is_named():
    """The bound is reported, and the other coordinate is still the best there is."""
    columns, found = search(box=((-50.0, 1.5), (-50.0, 50.0)))

    assert found.at_bounds == ("first",)
    assert found.point == pytest.approx([1.5, columns[1].mean() / 1000.0])


def test_maximum_beyond_a_bound_that_the_pilot_did_not_meet():
    """Every second value, which the pilot reads, is small; the rest push the mean to the bound."""
    first = np.tile([1.0, 3.0], 8_000)

    found = maximise(
        parabola,
        (first, np.zeros(16_000)),
        np.ones(16_000),
        starts=[(0.0, 0.5)],
        box={"first": (-50.0, 1.5), "second": (-50.0, 50.0)},
        where="fit_here",
    )

    assert found.point == pytest.approx([1.5, 0.0], abs=1e-8)
    assert found.at_bounds == ("first",)


def test_a_search_without_a_maximum_says_so():
    """A likelihood that does not follow its own gradient is refused, with the reason."""

    def broken(columns, count):
        return lambda point: (0.0, np.ones(2))

    message = r"fit_here: the likelihood must have a maximum; got none after \d+ steps on 20000 "
    with pytest.raises(ModelGuardError, match=message):
        search(broken)
