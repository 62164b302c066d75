"""Lift, reliability and decile tables, against pandas, scipy and tables by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from churnkit.errors import ParameterError
from churnkit.evaluation.tables import decile_table, lift_table, reliability_table


@pytest.fixture
def sample():
    """Labels and distinct probabilities of 1,000 customers."""
    rng = np.random.default_rng(11)
    probability = rng.random(1_000)
    return rng.random(1_000) < probability**2, probability


def test_lift_table_agrees_with_pandas(sample):
    """Twenty groups of equal size, counted with qcut."""
    churned, probability = sample
    groups = pd.Series(churned).groupby(pd.qcut(probability, 20, labels=False)).mean()[::-1]

    table = lift_table(churned, probability, bins=20)

    assert table["churn_rate"] == pytest.approx(groups.to_numpy())
    assert table["lift"] == pytest.approx(groups.to_numpy() / churned.mean())
    assert table["customers"].tolist() == [50.0] * 20
    assert table["churners"].sum() == pytest.approx(churned.sum())


def test_lift_table_by_hand():
    """Six customers in three pairs, churners on places 1, 2 and 5."""
    table = lift_table([1, 1, 0, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.1], bins=3)

    assert {name: column.tolist() for name, column in table.items()} == {
        "bin": [1, 2, 3],
        "customers": [2, 2, 2],
        "churners": [2, 0, 1],
        "churn_rate": [1, 0, 0.5],
        "lift": pytest.approx([2, 0, 1]),
        "share_of_customers": pytest.approx([1 / 3, 2 / 3, 1]),
        "share_of_churners": pytest.approx([2 / 3, 2 / 3, 1]),
        "cumulative_lift": pytest.approx([2, 1, 1]),
    }


def test_lift_without_churners_is_not_a_number():
    """No churner: a rate of 0 is known, a lift is not."""
    table = lift_table([0, 0, 0], [0.1, 0.2, 0.3], bins=2)

    assert table["churn_rate"].tolist() == [0.0, 0.0]
    assert np.isnan(table["lift"]).all()
    assert np.isnan(table["share_of_churners"]).all()


def test_reliability_table_agrees_with_scikit_learn_and_scipy(sample):
    """Points as in calibration_curve, ends as in the Wilson interval of binomtest."""
    churned, probability = sample
    rate, mean = calibration_curve(churned, probability, n_bins=10, strategy="quantile")
    ends = [binomtest(round(r * 100), 100).proportion_ci(0.9, method="wilson") for r in rate]

    table = reliability_table(churned, probability, confidence=0.9)

    assert table["mean_probability"] == pytest.approx(mean)
    assert table["churn_rate"] == pytest.approx(rate)
    assert table["churn_rate_low"] == pytest.approx([end.low for end in ends])
    assert table["churn_rate_high"] == pytest.approx([end.high for end in ends])
    assert table["customers"].tolist() == [100.0] * 10


def test_reliability_table_stays_in_range_with_more_bins_than_customers():
    """Two customers in ten bins: fractions of customers, rates and ends still in [0, 1]."""
    table = reliability_table([0, 1], [0.2, 0.7])

    assert table["customers"] == pytest.approx([0.2] * 10)
    assert table["churn_rate"] == pytest.approx([0.0] * 5 + [1.0] * 5)
    assert (table["churn_rate_low"] >= 0.0).all()
    assert (table["churn_rate_low"] <= table["churn_rate"]).all()
    assert (table["churn_rate"] <= table["churn_rate_high"]).all()
    assert (table["churn_rate_high"] <= 1.0).all()


def test_reliability_table_refuses_percentages():
    """A confidence of 90 was meant as 0.9."""
    with pytest.raises(ParameterError, match=r"confidence must lie inside \(0, 1\); got 90"):
        reliability_table([0, 1], [0.2, 0.7], confidence=90)


def test_decile_table_agrees_with_pandas():
    """Totals per decile of the prediction, counted with qcut."""
    rng = np.random.default_rng(5)
    expected = rng.gamma(1, 50, 2_000)
    future = rng.poisson(1, 2_000) * expected
    frame = pd.DataFrame({"future": future, "expected": expected})
    totals = frame.groupby(pd.qcut(expected, 10, labels=False)).sum()[::-1]

    table = decile_table(future, expected)

    assert table["future_spend"] == pytest.approx(totals["future"].to_numpy())
    assert table["expected_spend"] == pytest.approx(totals["expected"].to_numpy())
    assert table["absolute_percentage_error"] == pytest.approx(
        (totals["expected"] / totals["future"] - 1).abs().to_numpy()
    )


def test_a_decile_that_spent_nothing_has_no_percentage():
    """Nothing, a net refund, and cents that cancel only up to rounding: all three are NaN."""
    expected = np.repeat(np.arange(10.0, 0.0, -1.0), 3)
    future = np.repeat(np.arange(1000.0, 0.0, -100.0), 3)
    future[21:24] = 0.0
    future[24:27] = [5.0, -9.0, 0.0]
    future[27:30] = [0.1, 0.2, -0.3]

    table = decile_table(future, expected)

    assert np.isnan(table["absolute_percentage_error"]).tolist() == [False] * 7 + [True] * 3
    assert table["future_spend"][7:] == pytest.approx([0.0, -4.0, 0.0], abs=1e-9)


def test_tables_become_frames():
    """Columns by name, so a data frame is one call away."""
    frame = pd.DataFrame(decile_table(np.arange(20.0), np.arange(20.0)))

    assert frame.shape == (10, 5)
    assert frame["decile"].tolist() == list(range(1, 11))
