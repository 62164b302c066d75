"""The recorded metrics: their names, their order, and each the function of its name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.evaluation import predictive
from churnkit.evaluation.predictive import churn_metrics, spend_metrics

CHURN_NAMES = [
    "churn.auc",
    "churn.average_precision",
    "churn.log_loss",
    "churn.brier",
    "churn.ece",
    "churn.top_decile_lift",
    "churn.empc",
    "churn.base_rate",
]
SPEND_NAMES = [
    "spend.gini_normalized",
    "spend.spearman",
    "spend.decile_mape",
    "spend.total_bias",
    "spend.rmse",
    "spend.mae",
    "spend.top_decile_capture",
    "spend.interval_coverage",
    "spend.interval_stated_coverage",
]
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(-20, 99), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


@pytest.fixture
def sample():
    """Labels, spend and predictions of 300 customers."""
    rng = np.random.default_rng(2)
    probability = rng.random(300)
    expected = rng.gamma(1, 50, 300)
    return {
        "churned": rng.random(300) < probability,
        "probability": probability,
        "future_spend": expected * rng.poisson(1, 300),
        "expected_spend": expected,
    }


def test_churn_metrics_are_the_functions_of_their_names(sample):
    """Each name after the dot is a function here, and its value stands under it."""
    arrays = sample["churned"], sample["probability"]

    metrics = churn_metrics(*arrays)

    assert list(metrics) == CHURN_NAMES
    for name, value in metrics.items():
        assert value == getattr(predictive, name.removeprefix("churn."))(*arrays), name


def test_spend_metrics_are_the_functions_of_their_names(sample):
    """Each name after the dot is a function here, and its value stands under it."""
    arrays = sample["future_spend"], sample["expected_spend"]
    ends = {"low": arrays[1] * 0.5, "high": arrays[1] * 1.5}

    metrics = spend_metrics(*arrays, **ends, stated=[0.8, 0.9] * 150)

    assert list(metrics) == SPEND_NAMES
    assert metrics.pop("spend.interval_stated_coverage") == pytest.approx(0.85)
    assert metrics.pop("spend.interval_coverage") == predictive.interval_coverage(arrays[0], **ends)
    for name, value in metrics.items():
        assert value == getattr(predictive, name.removeprefix("spend."))(*arrays), name


def test_coverage_without_intervals_is_none(sample):
    """A model without intervals has all the other metrics."""
    metrics = spend_metrics(sample["future_spend"], sample["expected_spend"])

    assert [name for name, value in metrics.items() if value is None] == [
        "spend.interval_coverage",
        "spend.interval_stated_coverage",
    ]


def test_undefined_metrics_become_null_in_json():
    """One class and no spend: nothing fails, and JSON holds nulls and plain numbers only."""
    metrics = churn_metrics([0, 0], [0.2, 0.4]) | spend_metrics([0.0, 0.0], [1.0, 3.0])

    read_back = json.loads(json.dumps(metrics, allow_nan=False))

    assert {name for name, value in read_back.items() if value is None} == {
        "churn.auc",
        "churn.average_precision",
        "churn.top_decile_lift",
        "spend.gini_normalized",
        "spend.spearman",
        "spend.decile_mape",
        "spend.total_bias",
        "spend.top_decile_capture",
        "spend.interval_coverage",
        "spend.interval_stated_coverage",
    }
    assert read_back["spend.mae"] == 2.0


@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_changes_nothing(rows, random):
    """Tied or not, shuffled customers have the same metrics."""

    def metrics(rows):
        churned, probability, future, expected = np.array(rows, dtype=float).T
        return churn_metrics(churned, probability / 4) | spend_metrics(future, expected)

    before, after = metrics(rows), metrics(random.sample(rows, len(rows)))

    assert after == {
        name: None if value is None else pytest.approx(value, abs=1e-9)
        for name, value in before.items()
    }


@pytest.mark.parametrize("end", ["low", "high"])
def test_half_an_interval_is_refused(end):
    """The message names the end that was given alone."""
    with pytest.raises(
        ParameterError, match=f"low and high must be given together; got only {end}"
    ):
        spend_metrics([1.0], [1.0], **{end: [1.0]})
