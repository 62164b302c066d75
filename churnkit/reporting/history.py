"""The retention metrics over months, the cohort triangle and the segments, ready for the page."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.formulas import FORMULAS, formula_info
from churnkit.reporting.axes import Axes
from churnkit.reporting.charts import Chart, Line, line_chart, spark_path
from churnkit.reporting.numbers import amount, count, decimal, metric, nice_ticks, percent
from churnkit.retention.report import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from churnkit.retention.cohorts import CohortTriangle
    from churnkit.retention.report import ReportRow, RetentionReport

__all__ = ["cohort_view", "metric_charts", "metric_rows", "plain_name", "segment_rows"]

CHARTED = (
    "customer_retention_rate",
    "customer_churn_rate",
    "repeat_purchase_rate",
    "purchase_frequency",
    "average_order_value",
    "net_revenue_retention",
    "gross_revenue_retention",
    "stickiness",
    "nps",
)
MOST_CHARTS = 6
MOST_COHORTS = 24
MONTHS_IN_YEAR = 12
NBD = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}


def plain_name(name: str) -> str:
    """Return the words of a code name.

    Examples
    --------
    >>> plain_name("customer_retention_rate"), plain_name("nps")
    ('Customer retention rate', 'NPS')
    """
    if name in {"nps", "csat", "ces", "rfm"}:
        return name.upper()
    if name in NBD:
        return NBD[name]
    words = name.replace("_", " ").replace("ltv to cac", "LTV to CAC").replace("cac", "CAC")
    return words[:1].upper() + words[1:]


def _series(report: RetentionReport) -> list[list[ReportRow]]:
    """Return the rows over everybody, one list over time for each metric and source."""
    rows = [row for row in report.rows if row.segment == ALL]

    def of(row: ReportRow) -> tuple[str, str]:
        return row.metric.metric, row.source

    return [list(group) for _, group in groupby(rows, key=of)]


def _names(series: Sequence[Sequence[ReportRow]]) -> list[str]:
    """Return the name of each metric in words; with its source where a metric has several."""
    counts = Counter(rows[0].metric.metric for rows in series)
    return [
        plain_name(rows[0].metric.metric)
        + (f" ({rows[0].source.replace('_', ' ')})" if counts[rows[0].metric.metric] > 1 else "")
        for rows in series
    ]


def metric_rows(report: RetentionReport) -> list[dict[str, Any]]:
    """Return each metric with its newest value, interval, earlier values and the path of its line."""
    made, series = [], _series(report)
    for rows, name in zip(series, _names(series), strict=True):
        newest = rows[-1].metric
        past = [row.metric.value for row in rows]
        info = formula_info(newest.metric) if newest.metric in FORMULAS else None
        interval = ""
        if newest.ci_low is not None and newest.ci_high is not None:
            ends = (metric(v, newest.unit) for v in (newest.ci_low, newest.ci_high))
            interval = " to ".join(ends)
        made.append(
            {
                "name": name,
                "means": "" if info is None else info.summary,
                "source": rows[-1].source,
                "value": metric(newest.value, newest.unit),
                "interval": interval,
                "note": newest.reason,
                "previous": metric(past[-2], newest.unit) if len(past) > 1 else "–",
                "year_ago": (
                    metric(past[-1 - MONTHS_IN_YEAR], newest.unit)
                    if len(past) > MONTHS_IN_YEAR
                    else "–"
                ),
                "line": spark_path(past),
                "says": f"from {metric(past[0], newest.unit)} to {metric(past[-1], newest.unit)}",
            }
        )
    return made


def metric_charts(report: RetentionReport) -> list[Chart]:
    """Return the main metrics over time with their intervals, at most six."""
    series = _series(report)
    named = reversed(list(zip(series, _names(series), strict=True)))
    found = {rows[0].metric.metric: (rows, name) for rows, name in named}
    chosen = [found[metric] for metric in CHARTED if metric in found and len(found[metric][0]) > 1]
    return [_over_time(rows, name=name) for rows, name in chosen[:MOST_CHARTS]]


def _over_time(rows: Sequence[ReportRow], *, name: str) -> Chart:
    def numbers(name: str) -> list[float]:
        found = [getattr(row.metric, name) for row in rows]
        return [np.nan if v is None else float(v) for v in found]

    values, low, high = numbers("value"), numbers("ci_low"), numbers("ci_high")
    known = [v for v in (*values, *low, *high) if np.isfinite(v)] or [0.0, 1.0]
    up = nice_ticks(min(known), max(known), most=4)
    unit = rows[-1].metric.unit
    every = max(1, -(-len(rows) // 6))
    ticks = [(float(i), f"{rows[i].period.start:%b %y}") for i in range(len(rows) - 1, -1, -every)][
        ::-1
    ]
    measured = rows[-1].metric.metric
    return line_chart(
        name,
        says=formula_info(measured).summary if measured in FORMULAS else "",
        lines=[
            Line(
                name="by month",
                style="s1",
                x=np.arange(float(len(rows))),
                y=values,
                low=low,
                high=high,
                dots=True,
            )
        ],
        axes=Axes(
            x=(-0.3, len(rows) - 0.7),
            y=(up[0], up[-1]),
            y_format=lambda v: metric(v, unit).replace(".0\xa0%", "\xa0%"),
            x_ticks=ticks,
            height=215,
        ),
        columns=["period", "value", "from", "to", "n"],
        rows=[
            [
                f"{row.period.start} to {row.period.end}",
                *(
                    metric(v, unit)
                    for v in (row.metric.value, row.metric.ci_low, row.metric.ci_high)
                ),
                count(row.metric.n),
            ]
            for row in rows
        ],
    )


def cohort_view(triangle: CohortTriangle) -> dict[str, Any]:
    """Return the newest cohorts with the share that ordered at each age, and each cell's shade."""
    total = len(triangle.cohorts)
    first = max(0, total - MOST_COHORTS)
    later = [
        active / triangle.size[c]
        for c in range(first, total)
        for age, active in enumerate(triangle.customers[c])
        if age and active is not None and triangle.size[c]
    ]
    top = max(later, default=1.0) or 1.0
    rows = []
    for c in range(first, total):
        size = triangle.size[c]
        if not size:
            continue
        cells: list[dict[str, object] | None] = []
        for active in triangle.customers[c][: total - first]:
            if active is None:
                cells.append(None)
                continue
            share = active / size
            cells.append({"text": decimal(100 * share, 0), "heat": round(min(share / top, 1.0), 2)})
        rows.append(
            {"name": f"{triangle.cohorts[c].start:%b %Y}", "size": count(size), "cells": cells}
        )
    return {"ages": list(range(total - first)), "rows": rows}


def segment_rows(scores: pa.Table) -> list[dict[str, Any]]:
    """Return the scored customers by RFM segment: how many, how risky, what they are worth.

    Parameters
    ----------
    scores : pyarrow.Table
        ``rfm_segment``, ``risk_band``, ``churn_probability``, ``expected_spend``,
        ``value_at_risk``, ``historical_ltv`` of scored customers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    scores = scores.filter(pc.is_valid(scores.column("rfm_segment")))
    if not scores.num_rows:
        return []
    high = pc.equal(scores.column("risk_band"), "high").cast(pa.int64())
    grouped = (
        scores.append_column("high", high)
        .group_by("rfm_segment")
        .aggregate(
            [
                ("rfm_segment", "count"),
                ("high", "sum"),
                ("churn_probability", "mean"),
                ("expected_spend", "sum"),
                ("value_at_risk", "sum"),
                ("historical_ltv", "sum"),
            ]
        )
        .sort_by([("value_at_risk_sum", "descending")])
    )
    at_risk = sum(v or 0.0 for v in grouped.column("value_at_risk_sum").to_pylist()) or 1.0
    return [
        {
            "name": plain_name(row["rfm_segment"] or "none"),
            "customers": row["rfm_segment_count"],
            "share": row["rfm_segment_count"] / scores.num_rows,
            "high": row["high_sum"],
            "high_share": row["high_sum"] / row["rfm_segment_count"],
            "probability": row["churn_probability_mean"],
            "spend": row["expected_spend_sum"] or 0.0,
            "at_risk": row["value_at_risk_sum"] or 0.0,
            "at_risk_share": (row["value_at_risk_sum"] or 0.0) / at_risk,
            "earned": row["historical_ltv_sum"] or 0.0,
            "shown": {
                "customers": count(row["rfm_segment_count"]),
                "share": percent(row["rfm_segment_count"] / scores.num_rows, 1),
                "high_share": percent(row["high_sum"] / row["rfm_segment_count"]),
                "probability": percent(row["churn_probability_mean"]),
                "spend": amount(row["expected_spend_sum"]),
                "at_risk": amount(row["value_at_risk_sum"]),
                "earned": amount(row["historical_ltv_sum"]),
            },
        }
        for row in grouped.to_pylist()
    ]
