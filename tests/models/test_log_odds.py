"""Log-odds and probabilities are inverse, and a shift sets the mean exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.models.log_odds import level_shift, logit, sigmoid


def test_log_odds_and_probabilities_are_inverse_without_overflow():
    """Extreme log-odds give 0 and 1, and probabilities of 0 and 1 finite log-odds."""
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    np.testing.assert_allclose(sigmoid(logit(np.array([0.2, 0.9]))), [0.2, 0.9])


@pytest.mark.parametrize("mean", [0.0, 1.0, -0.1])
def test_an_impossible_level_is_refused(mean):
    """A mean probability lies strictly between 0 and 1."""
    with pytest.raises(ParameterError, match="target_mean must lie strictly between 0 and 1"):
        level_shift(np.zeros(3), target_mean=mean)


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=30),
    st.floats(0.001, 0.999),
)
def test_the_shift_meets_the_mean_exactly(log_odds, mean):
    """After the shift, the mean probability is the target's."""
    array = np.array(log_odds)

    shifted = sigmoid(array + level_shift(array, target_mean=mean))

    assert shifted.mean() == pytest.approx(mean, abs=1e-9)
