"""Weights by half-life against the exponential itself."""

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.features.decay import decay_weights

AGES = np.array([0.0, 0.3, 1.0, 29.9, 180.0, 729.5, 3650.0])


@given(half_lives=st.lists(st.integers(1, 400), min_size=1, max_size=6, unique=True))
def test_a_row_weighs_half_as_much_with_every_half_life(half_lives):
    """However the weight is computed: by an exponential, or from that of a longer half-life."""
    rows = nw.from_native(pl.DataFrame({"age_days": AGES}))
    weights = decay_weights(half_lives)
    assert sorted(weights) == sorted(half_lives)
    for h, weight in weights.items():
        found = rows.select(found=weight)["found"].to_numpy()
        assert found == pytest.approx(0.5 ** (AGES / h), rel=1e-12, abs=1e-300)
