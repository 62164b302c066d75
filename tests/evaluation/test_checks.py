"""Bad arrays are refused with the argument's name, the rule and the first wrong position."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churnkit.errors import ParameterError
from churnkit.evaluation import predictive, profit
from churnkit.evaluation.checks import churn_arrays, finite_vector, open_fraction, spend_arrays

CHURN_FUNCTIONS = (
    predictive.auc,
    predictive.average_precision,
    predictive.base_rate,
    predictive.brier,
    predictive.churn_metrics,
    predictive.ece,
    predictive.ece_interval,
    predictive.lift_table,
    predictive.log_loss,
    predictive.reliability_table,
    predictive.top_decile_lift,
    profit.best_share_to_contact,
    profit.empc,
    profit.profit_curve,
)
SPEND_FUNCTIONS = (
    predictive.decile_mape,
    predictive.decile_table,
    predictive.gini_normalized,
    predictive.mae,
    predictive.rmse,
    predictive.spearman,
    predictive.spend_metrics,
    predictive.top_decile_capture,
    predictive.total_bias,
)
BAD_CHURN = [
    ([0, 1, 0], [0.1, 0.2, np.nan], r"probability must be finite; got nan at position 2"),
    ([0, 1, 0], [0.1, None, 0.2], r"probability must be finite; got nan at position 1"),
    ([0, 1, 0], [0.1, 1.25, -3], r"probability must lie in \[0, 1\]; got 1.25 at position 1"),
    ([0, 1, 0], [-0.5, 0.2, 0.3], r"probability must lie in \[0, 1\]; got -0.5 at position 0"),
    ([0, 2, 0], [0.1, 0.2, 0.3], r"churned must be 0 or 1; got 2.0 at position 1"),
    ([0, np.nan, 0], [0.1, 0.2, 0.3], r"churned must be finite; got nan at position 1"),
    ([0, 1], [0.1, 0.2, 0.3], r"churned and probability must have one length; got 2 and 3"),
    ([], [], r"churned must hold at least one customer; got 0"),
    ([[0, 1]], [0.1, 0.2], r"churned must be one-dimensional; got shape \(1, 2\)"),
    ([0, 1], ["a", "b"], r"probability must hold numbers, none missing; got list \(could not conv"),
    ([0, 1], [True, False], r"probability must hold probabilities, not decisions; got booleans"),
]
BAD_SPEND = [
    ([0, 1], [np.nan, 2], r"expected_spend must be finite; got nan at position 0"),
    ([0, np.inf], [1, 2], r"future_spend must be finite; got inf at position 1"),
    ([0, 1, 2], [1, 2], r"future_spend and expected_spend must have one length; got 3 and 2"),
    ([], [], r"future_spend must hold at least one customer; got 0"),
    ([0, 1], 3.0, r"expected_spend must be one-dimensional; got shape \(\)"),
]


@pytest.mark.parametrize("function", CHURN_FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize(("churned", "probability", "message"), BAD_CHURN)
def test_every_churn_function_refuses_bad_arrays(function, churned, probability, message):
    """Labels and probabilities are checked the same way by whichever function gets them."""
    with pytest.raises(ParameterError, match=message):
        function(churned, probability)


@pytest.mark.parametrize("function", SPEND_FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize(("future_spend", "expected_spend", "message"), BAD_SPEND)
def test_every_spend_function_refuses_bad_arrays(function, future_spend, expected_spend, message):
    """Actual and expected spend are checked the same way by whichever function gets them."""
    with pytest.raises(ParameterError, match=message):
        function(future_spend, expected_spend)


def test_a_missing_value_of_pandas_is_refused():
    """A nullable column with a missing value is a parameter error, not one of pandas."""
    column = pd.Series([1.0, None], dtype="Float64")

    with pytest.raises(ParameterError, match=r"^future_spend must .*(missing|finite); got "):
        finite_vector("future_spend", column)


@pytest.mark.parametrize(
    "labels",
    [[True, False], [1, 0], [1.0, 0.0], np.array([1, 0], dtype=np.int8), pd.Series([True, False])],
)
def test_labels_may_be_booleans_or_numbers(labels):
    """True is 1 whatever the type of the column, and the result is float64."""
    churned, _ = churn_arrays(labels, [0.5, 0.5])

    assert churned.dtype == np.float64
    assert churned.tolist() == [1.0, 0.0]


def test_inputs_stay_as_they_were():
    """No function writes into the arrays it was given."""
    churned, probability = np.array([1.0, 0.0, 1.0]), np.array([0.2, 0.9, 0.2])
    future, expected = np.array([3.0, -1.0, 0.0]), np.array([1.0, 1.0, 2.0])
    for array in (churned, probability, future, expected):
        array.flags.writeable = False

    for function in CHURN_FUNCTIONS:
        function(churned, probability)
    for function in SPEND_FUNCTIONS:
        function(future, expected)

    assert spend_arrays(future, expected)[0].tolist() == [3.0, -1.0, 0.0]
    assert churn_arrays(churned, probability)[1].tolist() == [0.2, 0.9, 0.2]


@pytest.mark.parametrize("value", [0.0, 1.0, 95, float("nan")])
def test_a_fraction_lies_inside_0_and_1(value):
    """A confidence of 95 was meant as 0.95 and is refused."""
    with pytest.raises(ParameterError, match=rf"confidence must lie inside \(0, 1\); got {value}"):
        open_fraction("confidence", value)


@pytest.mark.parametrize(
    "function", [predictive.ece, predictive.lift_table, predictive.reliability_table]
)
def test_bins_are_counted_from_one(function):
    """No bins, no table."""
    with pytest.raises(ParameterError, match=r"bins must be at least 1; got 0"):
        function([0, 1], [0.1, 0.2], bins=0)
