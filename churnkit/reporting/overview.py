"""What a reader sees first: the headline figures, what to know before trusting them, and the drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.reporting.history import plain_name
from churnkit.reporting.numbers import amount, count, decimal, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from churnkit.reporting.page import Report

__all__ = ["drift_rows", "headline", "summary", "warnings"]

DRIFT_SOME, DRIFT_MUCH = 0.1, 0.25
SET_ASIDE_MUCH = 0.05
MOST_DRIFT = 12
PREDICTED = "churn_probability"


def headline(report: Report) -> list[dict[str, str]]:
    """Return the figures at the top: name, value, and what to hold it against."""
    manifest = report.manifest
    scored = manifest["statuses"].get("scored", 0)
    high = manifest["risk_bands"].get("high", 0)
    totals = manifest["totals"]
    days = manifest["horizon_days"]
    leaving = _sum(report.scores, "churn_probability")
    auc = report.means.get("model", {}).get("churn.auc")
    others = {
        name: value
        for name, row in report.means.items()
        if name != "model" and (value := row.get("churn.auc")) is not None
    }
    best = max(others, key=lambda name: others[name]) if others else None
    of_mrr, orders = _of_mrr(report), count(totals["expected_orders"])
    return [
        {
            "name": "Customers at high risk",
            "value": count(high),
            "note": f"of {count(scored)} scored, {percent(high / scored if scored else None)}",
        },
        {
            "name": "Value at risk",
            "value": amount(totals["value_at_risk"]),
            "note": f"{days} days of each customer if they stayed, times the chance of leaving",
        },
        {
            "name": "Expected to leave",
            "value": count(leaving),
            "note": f"{'will leave' if of_mrr else 'will not order'} in {days} days,"
            f" {percent(leaving / scored if scored else None)}",
        },
        {
            "name": "Expected spend",
            "value": amount(totals["expected_spend"]),
            "note": f"{'on subscriptions' if of_mrr else f'in {orders} orders'} over {days} days"
            + _band(manifest.get("expected_spend_total")),
        },
        *of_mrr,
        {
            "name": "Ranking quality (AUC)",
            "value": decimal(auc, 3),
            "note": "no baseline to compare"
            if best is None
            else f"best baseline: {plain_name(best)}, {decimal(others[best], 3)}",
        },
    ]


def _band(total: Mapping[str, float] | None) -> str:
    """Return where the total should lie, in words; nothing where that is not known."""
    if total is None:
        return ""
    low, high = amount(total["low"]), amount(total["high"])
    return f"; {percent(total['coverage'])} sure: {low} to {high}"


def _of_mrr(report: Report) -> list[dict[str, str]]:
    """Return the monthly revenue at risk, nothing where the customers are no subscribers."""
    totals = report.manifest["totals"]
    if "mrr_at_risk" not in totals:
        return []
    running = _sum(report.scores, "mrr") if "mrr" in report.scores.column_names else 0.0
    share = percent(totals["mrr_at_risk"] / running if running else None, 1)
    return [
        {
            "name": "Monthly revenue at risk",
            "value": amount(totals["mrr_at_risk"]),
            "note": f"{share} of {amount(running)} that runs now;"
            f" {amount(totals['expected_mrr_retained'])} expected to be kept",
        }
    ]


def _sum(table: pa.Table, column: str) -> float:
    import pyarrow.compute as pc

    return float(pc.sum(table.column(column)).as_py() or 0.0)


def summary(report: Report) -> str:
    """Return the one sentence to take away: how few customers hold half of what is at risk."""
    values = report.scores.column("value_at_risk").to_numpy().astype(np.float64)
    cumulated = np.cumsum(np.sort(np.nan_to_num(values))[::-1])
    if not cumulated.size or cumulated[-1] <= 0:
        return "Nobody is scored, so that nothing is at risk."
    few = int(np.searchsorted(cumulated, cumulated[-1] / 2)) + 1
    return (
        f"Half of all value at risk sits with {count(few)} customers,"
        f" {percent(few / cumulated.size, 1)} of those scored."
    )


def warnings(
    report: Report, *, levels: Sequence[Mapping[str, Any]], drift: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return what a reader should know before trusting the numbers."""
    found = [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in report.no_skill]
    found += [
        f"At the test of {row['cutoff']}, the total of {row['what']} was predicted as"
        f" {row['predicted']} and came to {row['actual']} ({row['off']}): more than 10 % off."
        for row in levels
        if row["warn"]
    ]
    if not report.tests:
        found.append(
            "The outcome of no test cutoff is in these data, so that the charts of the test are left out."
        )
    moved = [
        row["says"]
        for row in drift
        # The date of the run always differs, and tells nothing of the customers.
        if row["grade"] == "large" and not row["name"].startswith("cutoff_")
    ]
    if moved:
        shown = ", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")
        found.append(
            f"The customers differ much from those the model was trained on: {shown} (see Drift)."
        )
    for table in report.tables:
        share = table.rows_set_aside / table.rows_read if table.rows_read else 0.0
        if share > SET_ASIDE_MUCH:
            found.append(
                f"{percent(share)} of the rows of {table.table} were set aside (see Data quality)."
            )
    return found


def drift_rows(manifest: Mapping[str, Any], *, phrases: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the features that moved most since training, and the predictions, with a grade."""
    found = {PREDICTED: manifest["drift"][PREDICTED]}
    features = manifest["drift"]["features"]
    ordered = sorted(features, key=lambda name: -(features[name] or 0.0))
    found |= {name: features[name] for name in ordered[:MOST_DRIFT]}
    rows = []
    for name, value in found.items():
        grade = "not known"
        if value is not None:
            grade = "small" if value < DRIFT_SOME else "some" if value < DRIFT_MUCH else "large"
        says = "the predicted chance of leaving" if name == PREDICTED else phrases.get(name, name)
        rows.append({"name": name, "says": says, "value": decimal(value, 3), "grade": grade})
    return rows
