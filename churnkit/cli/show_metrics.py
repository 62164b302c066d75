"""Turns retention metrics into tables of 80 columns and sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from churnkit.cli.show_views import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from churnkit.cli.console import Console
    from churnkit.formulas import MetricValue
    from churnkit.pipeline.metrics import MetricsResult
    from churnkit.retention.movements import MrrMovement
    from churnkit.retention.periods import Period
    from churnkit.retention.report import ReportRow
    from churnkit.retention.subscriptions import SurvivalCurve

__all__ = ["metrics", "recent_metrics"]

EVERYBODY = "all"
PARTIAL = "~"
WHOLE = 100.0
NAME_WIDTH, VALUE_WIDTH, SEGMENT_WIDTH = 33, 11, 13
UNITS = {
    "percent": "{:,.1f} %",
    "points": "{:+,.1f} pts",
    "ratio": "{:,.3f}",
    "currency": "{:,.2f}",
    "hours": "{:,.1f} h",
    "months": "{:,.1f} mo",
    "count": "{:,.0f}",
    "score": "{:,.2f}",
}
MOVEMENTS = ("start_mrr", "new", "expansion", "contraction", "churn", "reactivation", "end_mrr")
AGES = (30, 90, 180, 365, 730)
IN_A_RUN = (
    "customer_retention_rate",
    "customer_churn_rate",
    "repeat_purchase_rate",
    "purchase_frequency",
    "average_order_value",
    "net_revenue_retention",
    "csat",
    "nps",
    "contact_rate",
)


def metrics(console: Console, result: MetricsResult) -> None:
    """Show every metric, what has no value and why, and what is absent and why."""
    rows = result.report.rows
    segments = list(dict.fromkeys(row.segment for row in rows))
    periods = _periods(rows)
    last = result.end - timedelta(days=1)
    title = f"{result.name}: {result.start} to {last}"
    if len(periods) > 1:
        shown = set(periods[-_columns(console) :])
        rows = tuple(row for row in rows if row.period in shown)
        cut = (
            f" (the last {len(shown)} of {len(periods)} periods)"
            if len(shown) < len(periods)
            else ""
        )
        for segment in segments:
            chosen = [row for row in rows if row.segment == segment]
            of = "" if segment == EVERYBODY else f", {result.by} {segment}"
            _series(console, f"{title}{of}{cut}", chosen, every=result.every)
    elif len(segments) > 1:
        width = _columns(console, width=SEGMENT_WIDTH)
        for first in range(0, len(segments), width):
            names = segments[first : first + width]
            by_name = {n: [row for row in rows if row.segment == n] for n in names}
            _beside(console, f"{title}, by {result.by}", by_name)
    elif rows:
        _single(console, title, rows, level=result.level)
    _notes(console, rows)
    _movements(console, result)
    if result.survival is not None:
        _survival(console, result.survival)
    reasons: dict[str, list[str]] = {}
    for gone in result.report.absent:
        reasons.setdefault(gone.reason, []).append(gone.metric)
    for reason, names in reasons.items():
        console.say(f"Absent, as {reason}: {', '.join(names)}.")
    places(console, result.output, result.rejected_rows, tables=result.tables)


def recent_metrics(console: Console, result: MetricsResult) -> None:
    """Show the main metrics of the latest periods and where the others are."""
    rows = [row for row in result.report.rows if row.metric.metric in IN_A_RUN]
    if len({row.period for row in rows}) > 1:
        shown = _periods(rows)[-_columns(console) :]
        recent = [row for row in rows if row.period in shown]
        _series(console, "Retention metrics", recent, every=result.every)
    else:
        _single(console, f"Retention metrics from {result.start}", rows, level=result.level)
    places(console, result.output, result.rejected_rows)


def _columns(console: Console, *, width: int = VALUE_WIDTH) -> int:
    """Return how many columns of values fit beside the names."""
    return max((console.out.width - NAME_WIDTH) // width, 1)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=Text(title, style="bold") if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("metric", max_width=NAME_WIDTH - 2)
    for column in columns:
        table.add_column(Text(column), justify="right")
    return table


def _value(metric: MetricValue) -> str:
    if metric.value is None:
        return "–"
    mark = "*" if metric.status == "small_n" else ""
    return UNITS[metric.unit].format(metric.value) + mark


def _named(rows: Iterable[ReportRow]) -> dict[str, list[ReportRow]]:
    """Return the rows by metric, and by source where a metric has several."""
    rows = list(rows)
    sources: dict[str, set[str]] = {}
    for row in rows:
        sources.setdefault(row.metric.metric, set()).add(row.source)
    found: dict[str, list[ReportRow]] = {}
    for row in rows:
        name = row.metric.metric
        label = f"{name} ({row.source})" if len(sources[name]) > 1 else name
        found.setdefault(label, []).append(row)
    return found


def _single(console: Console, title: str, rows: Sequence[ReportRow], *, level: float) -> None:
    table = _table(title, "value", f"{100.0 * level:g} % interval", "n")
    for label, (row,) in _named(rows).items():
        metric = row.metric
        form = UNITS[metric.unit].partition("}")[0] + "}"
        known = metric.ci_low is not None and metric.ci_high is not None
        interval = f"{form} to {form}".format(metric.ci_low, metric.ci_high) if known else ""
        n = "" if metric.n is None else f"{metric.n:,}"
        table.add_row(label, _value(metric), interval, n)
    console.print(table)


def _series(console: Console, title: str, rows: Sequence[ReportRow], *, every: str | None) -> None:
    periods = _periods(rows)
    labels = [_label(period, every=every) for period in periods]
    table = _table(title, *labels)
    for label, found in _named(rows).items():
        values = {row.period: _value(row.metric) for row in found}
        table.add_row(label, *(values.get(period, "") for period in periods))
    console.print(table)
    if any(label.endswith(PARTIAL) for label in labels):
        console.say(f"{PARTIAL} only a part of the period is in it.")


def _periods(rows: Iterable[ReportRow]) -> list[Period]:
    return sorted({row.period for row in rows}, key=lambda period: period.start)


def _label(period: Period, *, every: str | None) -> str:
    """Return the name of a period, with a mark where the report has only a part of it."""
    months = {"month": 1, "quarter": 3, "year": 12}[every or "month"]
    first, last = period.start, period.end
    begins = first.day == 1 and (first.month - 1) % months == 0
    ends = last.day == 1 and (last.month - 1) % months == 0
    part = "" if begins and ends else PARTIAL
    names = {
        "year": f"{first.year}",
        "quarter": f"{first.year} Q{(first.month + 2) // 3}",
    }
    return names.get(every or "", f"{first:%Y-%m}") + part


def _beside(console: Console, title: str, by_name: Mapping[str, Sequence[ReportRow]]) -> None:
    """Show segments beside each other."""
    table = _table(title, *("\n".join(name.split("_")) for name in by_name))
    named = {name: _named(rows) for name, rows in by_name.items()}
    labels = list(dict.fromkeys(label for found in named.values() for label in found))
    for label in labels:
        cells = [
            _value(found[label][0].metric) if label in found else "" for found in named.values()
        ]
        table.add_row(label, *cells)
    console.print(table)


def _notes(console: Console, rows: Sequence[ReportRow]) -> None:
    """Explain the marks, and say why there is no value."""
    if any(row.metric.status == "small_n" for row in rows):
        console.say("* rests on fewer than 30 customers, answers or orders.")
    retention = [r.metric for r in rows if r.metric.metric == "customer_retention_rate"]
    if any(m.value is not None and m.value > WHOLE for m in retention):
        console.say(
            "customer_retention_rate can pass 100 %: who comes back counts at the end and not at"
            " the start. customer_retention_rate_strict leaves them out."
        )
    reasons: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.metric.value is None:
            reasons.setdefault(row.metric.reason, {})[row.metric.metric] = None
    for reason, names in reasons.items():
        console.say(f"– {reason}: {', '.join(names)}.")


def _movements(console: Console, result: MetricsResult) -> None:
    moved = [each for each in result.report.movements if each.segment == EVERYBODY]
    if not moved:
        return
    shown: list[MrrMovement] = moved[-_columns(console) :]
    labels = [_label(each.period, every=result.every) for each in shown]
    if len(moved) == 1:
        labels = ["value"]
    # A title is as wide as its table, which may be narrower.
    console.print(Text("Monthly recurring revenue", style="bold"))
    table = _table("", *labels)
    for name in MOVEMENTS:
        sign = -1.0 if name in {"contraction", "churn"} else 1.0
        table.add_row(name, *(f"{sign * getattr(each, name) + 0.0:,.0f}" for each in shown))
    console.print(table)


def _survival(console: Console, curve: SurvivalCurve) -> None:
    reached = [age for age in AGES if age <= curve.days.max()]
    ages = ", ".join(f"{100.0 * curve.at(age):.1f} % longer than {age} days" for age in reached)
    median = curve.median_days()
    half = (
        "more than half last longer than was observed"
        if median is None
        else (f"half last {median:,.0f} days or less")
    )
    console.say(
        f"Of {curve.subscriptions:,} subscriptions {curve.ended:,} have ended. They last"
        f" {f'{ages}; ' if ages else ''}{half} (Kaplan-Meier)."
    )
