"""Quality on the page: the same numbers as scikit-learn's, the best marked, the level judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from churnkit.reporting.quality import metric_table, quality_charts


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


def test_roc_passes_through_the_points_of_scikit_learn(outcome):
    """The curve's numbers lie on the curve that scikit-learn draws."""
    test = outcome()
    false, true, _ = roc_curve(test.churned, test.churn_probability, drop_intermediate=False)

    roc = quality_charts(test)[0]

    for _, left, stayed, *_ in roc.rows:
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


def test_roc_stands_beside_other_rankings(outcome):
    """A ranking in days and one in probabilities are each drawn where scikit-learn draws them."""
    test = outcome()
    rng = np.random.default_rng(5)
    days = 100 * test.churn_probability + rng.normal(0, 30, len(test.churned))
    test = replace(test, rankings={"BG/NBD": test.churn_probability, "days of silence": days})
    false, true, _ = roc_curve(test.churned, days, drop_intermediate=False)

    roc, lift, *_ = quality_charts(test)

    silent = [row[-1] for row in roc.rows]
    riskiest_third = np.interp(0.3, roc_shares(test.churned, days), true)
    assert [name for _, name in roc.legend] == ["at random", "days of silence", "BG/NBD", "model"]
    assert float(silent[3].rstrip("\xa0%")) / 100 == pytest.approx(riskiest_third, abs=0.01)
    assert [row[1] == row[2] for row in lift.rows] == [True] * 10
    assert false[-1] == 1.0


def roc_shares(churned, ranking):
    """Return the share of all customers that are ranked above each of scikit-learn's points."""
    false, true, _ = roc_curve(churned, ranking, drop_intermediate=False)
    rate = churned.mean()
    return rate * true + (1 - rate) * false
