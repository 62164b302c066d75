"""How good the model is: its metrics beside the baselines, and the charts of one test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.evaluation.predictive import decile_table, lift_table, reliability_table
from churnkit.evaluation.profit import CAMPAIGN_2013, best_share_to_contact, profit_curve
from churnkit.reporting.axes import Axes
from churnkit.reporting.charts import Bars, Chart, Line, bar_chart, line_chart
from churnkit.reporting.history import plain_name
from churnkit.reporting.numbers import amount, decimal, nice_ticks, percent, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["METRICS", "TestOutcome", "metric_table", "quality_charts"]

METRICS: tuple[tuple[str, str, str, bool | None], ...] = (
    ("churn.auc", "Churn: AUC", "how often a customer who left was ranked above one who stayed", True),
    ("churn.average_precision", "Churn: average precision", "how pure the top of the list is", True),
    ("churn.top_decile_lift", "Churn: lift in the top tenth", "times more churn than at random", True),
    ("churn.empc", "Churn: EMPC", "most profit of a retention campaign, per customer", True),
    ("churn.log_loss", "Churn: log loss", "penalty on wrong probabilities", False),
    ("churn.brier", "Churn: Brier score", "mean squared error of probabilities", False),
    ("churn.ece", "Churn: calibration error", "distance of probabilities from what happened", False),
    ("spend.gini_normalized", "Spend: normalized Gini", "ranking of spenders; 1 is perfect", True),
    ("spend.spearman", "Spend: Spearman", "rank correlation with what was spent", True),
    ("spend.top_decile_capture", "Spend: in the top tenth", "share of all spend", True),
    ("spend.decile_mape", "Spend: error of tenths", "mean absolute error of tenths, as a share", False),
    ("spend.total_bias", "Spend: bias of the total", "predicted over actual, less 1", None),
    ("spend.mae", "Spend: mean absolute error", "per customer, in currency", False),
    ("spend.rmse", "Spend: root mean squared error", "per customer, in currency", False),
    ("spend.interval_coverage", "Spend: interval coverage", "share of customers within their interval", None),
    ("spend.interval_stated_coverage", "Spend: stated coverage", "share that they say they hold", None),
    ("mrr.at_risk_share", "Monthly revenue: at risk", "predicted share that leaving takes", None),
    ("mrr.lost_share", "Monthly revenue: lost", "share that leaving took", None),
    ("mrr.downgrade_share", "Monthly revenue: downgraded", "share lost by those who stayed", None),
    ("mrr.retained_bias", "Monthly revenue: bias of what is kept", "predicted over actual, less 1", None),
    ("mrr.top_decile_capture", "Monthly revenue: in the top tenth", "share of what was lost", True),
)  # fmt: skip
"""Name, heading, meaning, and whether more is better (None: neither)."""

PERCENTAGES = frozenset(
    {
        "spend.decile_mape",
        "spend.interval_coverage",
        "spend.interval_stated_coverage",
        "spend.top_decile_capture",
    }
)


@dataclass(frozen=True, kw_only=True, eq=False)
class TestOutcome:
    """What the model said at a test cutoff and what then happened, arrays of shape (n,).

    ``rankings`` are numbers by which others would have ranked the customers, the riskiest highest;
    ``attributes`` what else is known of each customer, by attribute.
    """

    __test__ = False

    cutoff: str
    churned: NDArray[np.bool_]
    churn_probability: Floats
    future_spend: Floats
    expected_spend: Floats
    rankings: Mapping[str, Floats] = field(default_factory=dict)
    attributes: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


BIASES = {"spend.total_bias", "mrr.retained_bias"}


def metric_table(means: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    """Return every metric of the model and each baseline as text, the best of each marked.

    Parameters
    ----------
    means : mapping of str to mapping
        Model name → metric name → value or None, as :meth:`Backtest.mean` gives them.
    """
    rows = []
    for name, heading, meaning, more in METRICS:
        values = {model: metrics.get(name) for model, metrics in means.items()}
        known = {model: v for model, v in values.items() if v is not None}
        if not known:
            continue
        best = None
        if name in BIASES:
            best = min(known, key=lambda m: abs(known[m]))
        elif more is not None:
            best = (max if more else min)(known, key=lambda m: known[m])
        direction = {True: "more is better", False: "less is better", None: ""}[more]
        if name in BIASES:
            direction = "nearer to 0 is better"
        cells = [
            {"text": text, "best": best is not None and text == _metric_text(name, known[best])}
            for text in (_metric_text(name, value) for value in values.values())
        ]
        rows.append({"name": heading, "meaning": meaning, "direction": direction, "cells": cells})
    return {"models": [plain_name(name) for name in means], "rows": rows}


def _metric_text(name: str, value: float | None) -> str:
    if name in {"spend.mae", "spend.rmse"}:
        return amount(value)
    if name in BIASES and value is not None:
        return ("+" if value > 0 else "") + percent(value, 1)
    if name in PERCENTAGES or name.startswith("mrr."):
        return percent(value, 1)
    return decimal(value, 2 if name in {"churn.empc", "churn.top_decile_lift"} else 3)


def quality_charts(test: TestOutcome) -> list[Chart]:
    """Return ROC, lift, reliability, spend by tenths and profit of one test.

    Charts of churn are left out where everybody churned or nobody did.
    """
    charts = []
    if test.churned.any() and not test.churned.all():
        charts = [_roc(test), _lift(test), _reliability(test)]
    charts.append(_deciles(test))
    if len(charts) > 1:
        charts.append(_profit(test))
    return charts


def _shares(ticks: Sequence[float]) -> list[tuple[float, str]]:
    return [(t, percent(t)) for t in ticks]


SQUARE = Axes(
    x=(0.0, 1.0), y=(0.0, 1.0), y_format=percent, x_ticks=_shares([0.0, 0.25, 0.5, 0.75, 1.0])
)


def _square(x_name: str, y_name: str) -> Axes:
    from dataclasses import replace

    return replace(SQUARE, x_name=x_name, y_name=y_name)


def _curve(churned: NDArray[np.bool_], ranking: Floats) -> tuple[Floats, Floats]:
    """Return the shares of those who stayed and of those who left, from the riskiest on."""
    table = lift_table(churned, _scaled(ranking), bins=min(100, churned.size))
    left = np.append(0.0, np.cumsum(table["churners"])) / churned.sum()
    stayed = np.cumsum(table["customers"] - table["churners"]) / (~churned).sum()
    return np.append(0.0, stayed), left


def _scaled(ranking: Floats) -> Floats:
    """Return numbers in [0, 1] that rank customers as others do."""
    low, high = float(ranking.min()), float(ranking.max())
    return np.asarray((ranking - low) / (high - low)) if high > low else np.zeros(len(ranking))


def _roc(test: TestOutcome) -> Chart:
    false, caught = _curve(test.churned, test.churn_probability)
    others = [(name, *_curve(test.churned, ranking)) for name, ranking in test.rankings.items()]
    at = round(0.3 * (len(caught) - 1))
    return line_chart(
        "Finding those who leave (ROC)",
        says=f"The riskiest 30 % hold {percent(float(caught[at]))} of all who left and"
        f" {percent(float(false[at]))} of those who stayed.",
        lines=[
            Line(name="at random", style="s0", x=[0, 1], y=[0, 1]),
            *(
                Line(name=name, style=style, x=x, y=y)
                for style, (name, x, y) in zip(("s3", "s2"), others[::-1], strict=False)
            ),
            Line(name="model", style="s1", x=false, y=caught),
        ],
        axes=_square("share of those who stayed", "share of those who left"),
        columns=["riskiest", "left: model", "stayed: model", *(f"left: {o[0]}" for o in others)],
        rows=[
            [
                percent(i / (len(caught) - 1)),
                percent(float(caught[i]), 1),
                percent(float(false[i]), 1),
                *(percent(float(other[2][i]), 1) for other in others),
            ]
            for i in range(0, len(caught), max(len(caught) // 10, 1))
        ],
    )


def _lift(test: TestOutcome) -> Chart:
    table = lift_table(test.churned, test.churn_probability)
    rivals = [
        Bars(name=name, style="s0", y=lift_table(test.churned, _scaled(ranking))["lift"])
        for name, ranking in list(test.rankings.items())[:1]
    ]
    return bar_chart(
        "Lift by tenth of the list",
        says=f"In the riskiest tenth, {percent(float(table['churn_rate'][0]))} left:"
        f" {decimal(float(table['lift'][0]), 2)} times the average of"
        f" {percent(float(test.churned.mean()))}.",
        places=[str(i) for i in range(1, 11)],
        bars=[Bars(name="model", style="s1", y=table["lift"]), *rivals],
        x_name="tenth of customers, riskiest first",
        y_name="times the average",
        y_format=lambda v: f"{v:.2f}".rstrip("0").rstrip("."),
        level=(1.0, "average"),
    )


def _reliability(test: TestOutcome) -> Chart:
    table = reliability_table(test.churned, test.churn_probability)
    said, happened = table["mean_probability"], table["churn_rate"]
    worst = float(np.max(np.abs(said - happened)))
    return line_chart(
        "Are the probabilities right?",
        says="On the diagonal, as many leave as was said; the largest gap is"
        f" {decimal(100 * worst, 0)} points.",
        lines=[
            Line(name="perfect", style="s0", x=[0, 1], y=[0, 1]),
            Line(
                name="tenths of customers, 95 % interval",
                style="s1",
                x=said,
                y=happened,
                low=table["churn_rate_low"],
                high=table["churn_rate_high"],
                dots=True,
            ),
        ],
        axes=_square("probability said", "share that left"),
        columns=["said", "left", "from", "to"],
        rows=[
            [percent(float(v), 1) for v in row]
            for row in zip(
                said, happened, table["churn_rate_low"], table["churn_rate_high"], strict=True
            )
        ],
    )


def _deciles(test: TestOutcome) -> Chart:
    table = decile_table(test.future_spend, test.expected_spend)
    total = float(test.future_spend.sum())
    share = float(table["future_spend"][0]) / total if total > 0 else None
    return bar_chart(
        "Spend by tenth of the list",
        says=f"The tenth expected to spend most brought {percent(share)} of all spend.",
        places=[str(i) for i in range(1, 11)],
        bars=[
            Bars(name="expected", style="s0", y=table["expected_spend"]),
            Bars(name="actual", style="s1", y=table["future_spend"]),
        ],
        x_name="tenth of customers, highest expected first",
    )


def _profit(test: TestOutcome) -> Chart:
    curve = profit_curve(test.churned, test.churn_probability)
    best = best_share_to_contact(test.churned, test.churn_probability)
    campaign = CAMPAIGN_2013
    ticks = nice_ticks(float(curve["profit"].min()), float(curve["profit"].max()))
    return line_chart(
        "Profit of a campaign by how many it contacts",
        says=f"Best here: contact {percent(best.share)}. Assumes a customer kept is worth"
        f" {campaign.lifetime_value:g}, an incentive costs {campaign.incentive_cost:g}, a contact"
        f" {campaign.contact_cost:g}, and {percent(campaign.mean_save_rate)} of churners can be saved"
        " (Verbraken et al., 2013).",
        lines=[Line(name="profit", style="s1", x=curve["share"], y=curve["profit"])],
        axes=Axes(
            x=(0.0, 1.0),
            y=(ticks[0], ticks[-1]),
            x_name="share of customers contacted",
            y_name="per customer",
            x_ticks=SQUARE.x_ticks,
            y_format=short,
        ),
        columns=["contacted", "profit per customer"],
        rows=[
            [percent(float(curve["share"][i])), decimal(float(curve["profit"][i]), 2)]
            for i in range(0, 101, 10)
        ],
    )
