"""Puts a run on one page of HTML that needs nothing but itself."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from churnkit.reporting.customers import customer_data, customer_rows
from churnkit.reporting.drivers import (
    band_rows,
    dependence_charts,
    driver_rows,
    reason_rows,
    strip_chart,
)
from churnkit.reporting.history import (
    cohort_view,
    metric_charts,
    metric_rows,
    plain_name,
    segment_rows,
)
from churnkit.reporting.level import level_charts, level_rows
from churnkit.reporting.meaning import label_in_words
from churnkit.reporting.numbers import count
from churnkit.reporting.overview import drift_rows, headline, summary, warnings
from churnkit.reporting.quality import metric_table, quality_charts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from churnkit.data.contracts import TableReport
    from churnkit.reporting.customers import CustomerView
    from churnkit.reporting.drivers import DriverSample
    from churnkit.reporting.level import LevelPoint
    from churnkit.reporting.quality import TestOutcome
    from churnkit.retention.cohorts import CohortTriangle
    from churnkit.retention.report import RetentionReport

__all__ = ["Report", "render_report"]


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
    levels : sequence of LevelPoint
        Totals predicted and actual at the cutoffs of training and test, oldest first.
    no_skill : sequence of str
        What the model was no better than in its test, a sentence each.
    drivers : DriverSample or None
    by_reason : sequence of mapping
        Scored customers by their main reason; see :func:`churnkit.reporting.drivers.reason_rows`.
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
    levels: Sequence[LevelPoint] = ()
    no_skill: Sequence[str] = ()
    drivers: DriverSample | None = None
    by_reason: Sequence[Mapping[str, Any]] = ()
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
    drift = drift_rows(manifest, phrases={} if drivers is None else drivers.phrases)
    tables = [_table(t) for t in report.tables]
    return {
        "name": report.name,
        "manifest": manifest,
        "churned": label_in_words(manifest.get("label", {"kind": "no_order"})),
        "headline": headline(report),
        "summary": summary(report),
        "warnings": warnings(report, levels=levels, drift=drift),
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
        "level_charts": level_charts(report.levels),
        "drivers": [] if drivers is None else driver_rows(drivers),
        "driver_count": count(0 if drivers is None else len(drivers.values)),
        "strips": None if drivers is None else strip_chart(drivers),
        "bands": ([], []) if drivers is None else band_rows(drivers),
        "by_reason": reason_rows(report.by_reason),
        "dependence": [] if drivers is None else dependence_charts(drivers),
        "tables": tables,
        "uncounted": [
            f"{name} ({count(rows)})"
            for name, rows in manifest.get("uncounted_event_types", {}).items()
        ],
        "drift": drift,
        "made": report.made,
        "config_text": report.config_text,
    }


def _period(metrics: RetentionReport | None) -> str:
    if metrics is None or not metrics.rows:
        return ""
    newest = metrics.rows[0].period
    for row in metrics.rows:
        newest = max(newest, row.period, key=lambda p: p.start)
    return f"{newest.start:%B %Y}" if 28 <= newest.days <= 31 else f"{newest.start} to {newest.end}"


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
