"""Quality on the page: the same numbers as scikit-learn's, the best marked, the level judged."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from churnkit.reporting.quality import level_rows, metric_table, quality_charts


def test_best_of_each_row_is_marked_in_the_right_direction():
    """More AUC, less log loss and a bias nearer to 0 are better; ties as written are all marked."""
    means = {
        "model": {"churn.auc": 0.8, "churn.log_loss": 0.5, "spend.total_bias": -0.02},
        "rfm": {"churn.auc": 0.79999, "churn.log_loss": 0.4, "spend.total_bias": 0.01},
        "bg_nbd": {"churn.auc": None, "churn.log_loss": 0.6, "spend.total_bias": -0.5},
    }

    table = metric_table(means)

    marked = {row["name"]: [cell["best"] for cell in row["cells"]] for row in table["rows"]}
    assert table["models"] == ["Model", "RFM", "BG/NBD"]
    assert marked == {
        "Churn: AUC": [True, True, False],
        "Churn: log loss": [False, True, False],
        "Spend: bias of the total": [False, True, False],
    }


@pytest.mark.parametrize(
    ("factor", "warned"), [(1.09, False), (1.11, True), (0.91, False), (0.89, True)]
)
def test_level_warns_beyond_ten_percent(outcome, factor, warned):
    """A total more than 10 % above or below what happened is flagged."""
    test = outcome()
    exact = test.expected_spend * (test.future_spend.sum() / test.expected_spend.sum())
    test = type(test)(**{**vars(test), "expected_spend": exact * factor})

    rows = level_rows([test])

    assert [row["what"] for row in rows] == ["customers lost", "spend"]
    assert rows[1]["warn"] is warned


def test_roc_passes_through_the_points_of_scikit_learn(outcome):
    """The curve's numbers lie on the curve that scikit-learn draws."""
    test = outcome()
    false, true, _ = roc_curve(test.churned, test.churn_probability, drop_intermediate=False)

    roc = quality_charts(test)[0]

    for _, left, stayed in roc.rows:
        drawn, at = (float(text.rstrip("\xa0%")) / 100 for text in (left, stayed))
        near = true[np.abs(false - at) <= 0.006]
        assert near.min() - 0.01 <= drawn <= near.max() + 0.01


@pytest.mark.parametrize("everybody", [True, False])
def test_charts_of_churn_need_both_outcomes(outcome, everybody):
    """Where all left or none did, only the chart of spend is drawn."""
    test = outcome()
    test = type(test)(**{**vars(test), "churned": np.full(len(test.churned), everybody)})

    charts = quality_charts(test)

    assert [chart.title for chart in charts] == ["Spend by tenth of the list"]
