"""Puts a run on one page of HTML that needs nothing but itself."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.reporting.customers import customer_data, customer_rows
from churnkit.reporting.drivers import dependence_charts, driver_rows, strip_chart
from churnkit.reporting.history import (
    cohort_view,
    metric_charts,
    metric_rows,
    plain_name,
    segment_rows,
)
from churnkit.reporting.numbers import amount, count, decimal, percent
from churnkit.reporting.quality import level_rows, metric_table, quality_charts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from churnkit.data.contracts import TableReport
    from churnkit.reporting.customers import CustomerView
    from churnkit.reporting.drivers import DriverSample
    from churnkit.reporting.quality import TestOutcome
    from churnkit.retention.cohorts import CohortTriangle
    from churnkit.retention.report import RetentionReport

__all__ = ["Report", "render_report"]

DRIFT_SOME, DRIFT_MUCH = 0.1, 0.25
SET_ASIDE_MUCH = 0.05
MOST_DRIFT = 12
PREDICTED = "churn_probability"


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What a page shows, as plain objects.

    Attributes
    ----------
    name : str
        Of the run.
    manifest : mapping
        Of the score table: ``as_of``, ``horizon_days``, ``statuses``, ``risk_bands``, ``totals``,
        ``drift``, ``model``.
    scores : pyarrow.Table
        Scored customers; see :func:`churnkit.reporting.history.segment_rows` for the columns.
    customers : sequence of CustomerView
        Those most worth saving, the most value at risk first.
    means : mapping
        Metrics of the model and the baselines over the test cutoffs.
    tests : sequence of TestOutcome
        Predictions and outcomes at the test cutoffs, oldest first; empty where they cannot be had.
    drivers : DriverSample or None
    metrics : RetentionReport or None
    cohorts : CohortTriangle or None
    tables : sequence of TableReport
        What was read.
    made : sequence of (str, str)
        How the page was made: versions, hashes, fingerprints.
    config_text : str
        The configuration, YAML.
    """

    name: str
    manifest: Mapping[str, Any]
    scores: pa.Table
    customers: Sequence[CustomerView]
    means: Mapping[str, Mapping[str, float | None]]
    tests: Sequence[TestOutcome] = ()
    drivers: DriverSample | None = None
    metrics: RetentionReport | None = None
    cohorts: CohortTriangle | None = None
    tables: Sequence[TableReport] = ()
    made: Sequence[tuple[str, str]] = field(default=())
    config_text: str = ""


def render_report(report: Report) -> str:
    """Return the page: one HTML document without any reference to another file.

    Every text from the data is escaped, and the page's content security policy lets no script run
    but the page's own.

    Parameters
    ----------
    report : Report
        What to show.

    Returns
    -------
    str
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("churnkit.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("churnkit.reporting") / "templates"
    style, script = ((folder / name).read_text("utf-8") for name in ("report.css", "report.js"))
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    view = _view(report)
    return environment.get_template("report.html.jinja").render(
        **view,
        style=Markup(style),  # noqa: S704 - the package's own file
        script=Markup(script),  # noqa: S704 - the package's own file
        script_hash=f"sha256-{digest}",
        data=Markup(customer_data(report.customers)),  # noqa: S704 - escaped for a script element
    )


def _view(report: Report) -> dict[str, Any]:
    manifest = report.manifest
    metrics, drivers = report.metrics, report.drivers
    levels = level_rows(report.tests)
    rows = customer_rows(report.customers)
    drift = _drift(manifest, phrases={} if drivers is None else drivers.phrases)
    tables = [_table(t) for t in report.tables]
    return {
        "name": report.name,
        "manifest": manifest,
        "headline": _headline(report),
        "summary": _summary(report),
        "warnings": _warnings(report, levels=levels, drift=drift),
        "customers": rows,
        "segments_of_customers": sorted({row["segment"] for row in rows}),
        "scored": count(manifest["statuses"].get("scored", 0)),
        "segments": segment_rows(report.scores),
        "metric_rows": [] if metrics is None else metric_rows(metrics),
        "metric_charts": [] if metrics is None else metric_charts(metrics),
        "metric_period": _period(metrics),
        "absent": []
        if metrics is None
        else [(plain_name(gone.metric), gone.reason) for gone in metrics.absent],
        "cohorts": None if report.cohorts is None else cohort_view(report.cohorts),
        "quality": metric_table(report.means),
        "quality_charts": quality_charts(report.tests[-1]) if report.tests else [],
        "tested_at": [test.cutoff for test in report.tests],
        "levels": levels,
        "drivers": [] if drivers is None else driver_rows(drivers),
        "driver_count": count(0 if drivers is None else len(drivers.values)),
        "strips": None if drivers is None else strip_chart(drivers),
        "dependence": [] if drivers is None else dependence_charts(drivers),
        "tables": tables,
        "drift": drift,
        "made": report.made,
        "config_text": report.config_text,
    }


def _headline(report: Report) -> list[dict[str, str]]:
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
            "note": f"will not order in {days} days, {percent(leaving / scored if scored else None)}",
        },
        {
            "name": "Expected spend",
            "value": amount(totals["expected_spend"]),
            "note": f"in {count(totals['expected_orders'])} orders over {days} days",
        },
        {
            "name": "Ranking quality (AUC)",
            "value": decimal(auc, 3),
            "note": "no baseline to compare"
            if best is None
            else f"best baseline: {plain_name(best)}, {decimal(others[best], 3)}",
        },
    ]


def _sum(table: pa.Table, column: str) -> float:
    import pyarrow.compute as pc

    return float(pc.sum(table.column(column)).as_py() or 0.0)


def _summary(report: Report) -> str:
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


def _period(metrics: RetentionReport | None) -> str:
    if metrics is None or not metrics.rows:
        return ""
    newest = metrics.rows[0].period
    for row in metrics.rows:
        newest = max(newest, row.period, key=lambda p: p.start)
    return f"{newest.start:%B %Y}" if 28 <= newest.days <= 31 else f"{newest.start} to {newest.end}"


def _warnings(
    report: Report, *, levels: Sequence[Mapping[str, Any]], drift: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return what a reader should know before trusting the numbers."""
    found = [
        f"At the test of {row['cutoff']}, the total of {row['what']} was predicted as"
        f" {row['predicted']} and came to {row['actual']} ({row['off']}): more than 10 % off."
        for row in levels
        if row["warn"]
    ]
    if not report.tests:
        found.append(
            "The outcome of no test cutoff is in these data, so that the charts of the test are left out."
        )
    moved = [row["says"] for row in drift if row["grade"] == "large"]
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


def _drift(manifest: Mapping[str, Any], *, phrases: Mapping[str, str]) -> list[dict[str, Any]]:
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


def _table(report: TableReport) -> dict[str, Any]:
    return {
        "name": report.table,
        "source": report.source,
        "read": count(report.rows_read),
        "used": count(report.rows_used),
        "aside": count(report.rows_set_aside),
        "used_share": round(100.0 * report.rows_used / report.rows_read, 1)
        if report.rows_read
        else 0,
        "first": (report.first_at or "–")[:10],
        "last": (report.last_at or "–")[:10],
        "customers": count(report.customers),
        "checks": [
            {
                "sentence": check.sentence,
                "rows": count(check.rows),
                "fate": ("set aside" if check.set_aside else "kept") if check.rows else "",
                "examples": ", ".join(check.examples[:3]),
            }
            for check in sorted(report.checks, key=lambda c: -c.rows)
            if check.rows
        ],
        "passed": [check.sentence for check in report.checks if not check.rows],
    }
