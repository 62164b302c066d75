"""A uniform sample of a stream that no order of its rows changes, and its form for shap's plots."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.reasons import ExplainedSample, Sampler


def drawn(ids, *, size, seed=7, batch=1000):
    """Return what a sampler keeps of ids seen in batches, with a row number each."""
    sampler = Sampler(size=size, seed=seed)
    rows = np.array([int(name[1:]) for name in ids])[:, None]
    for start in range(0, len(ids), batch):
        sampler.see(ids[start : start + batch], rows[start : start + batch])
    return sampler.drawn()


def test_order_and_batches_change_nothing():
    """The same customers are drawn, each with its own row."""
    ids = [f"c{i}" for i in range(3000)]

    names, (rows,) = drawn(ids, size=50)
    again, (others,) = drawn(ids[::-1], size=50, batch=7)

    assert names == again
    assert np.array_equal(rows, others)
    assert [f"c{row}" for row in rows[:, 0]] == list(names)


def test_the_sample_is_uniform():
    """The mean row number of many drawn is the population's, within four standard errors."""
    ids = [f"c{i}" for i in range(20_000)]

    _, (rows,) = drawn(ids, size=2_000)

    error = np.sqrt(20_000**2 / 12 / 2_000)
    assert abs(rows.mean() - 9_999.5) < 4 * error


def test_another_seed_draws_others():
    """The seed reaches the draw."""
    ids = [f"c{i}" for i in range(500)]

    assert drawn(ids, size=20)[0] != drawn(ids, size=20, seed=8)[0]


def test_few_are_all_kept():
    """A population smaller than the sample is the sample."""
    names, (rows,) = drawn(["c2", "c1"], size=20)

    assert names == ("c1", "c2")
    assert rows[:, 0].tolist() == [1, 2]


# shap 0.51 makes its colour maps the way that matplotlib 3.11 is giving up.
@pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning")
def test_shap_takes_the_sample():
    """What shap plots holds values, base, data and names, and adds up."""
    import shap

    sample = ExplainedSample(
        customer_ids=("a", "b"),
        feature_names=("x", "y"),
        says={"x": "…", "y": "…"},
        values=np.array([[1.0, np.nan], [2.0, 3.0]], np.float32),
        contributions=np.array([[0.5, -0.25], [0.0, 1.0]]),
        base=0.125,
    )

    found = sample.to_shap()

    assert isinstance(found, shap.Explanation)
    assert found.feature_names == ["x", "y"]
    assert (found.base_values + found.values.sum(axis=1)).tolist() == [0.375, 1.125]
    assert np.array_equal(found.data, sample.values, equal_nan=True)
