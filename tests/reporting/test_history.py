"""The retention metrics of the page, as rows and as charts."""

from __future__ import annotations

from dataclasses import replace

from churnkit.reporting.history import metric_charts, metric_rows


def test_a_metric_of_two_tables_says_which_is_which(report):
    """Customers are kept as buyers and as subscribers: two rows of one name would puzzle."""
    metrics = report.metrics
    both = [
        *metrics.rows,
        *(replace(r, source="subscriptions") for r in metrics.rows),
    ]
    order = {row.metric.metric: i for i, row in enumerate(metrics.rows)}
    both.sort(key=lambda r: (r.segment, order[r.metric.metric], r.source, r.period.start))
    two = replace(metrics, rows=tuple(both))

    names = [row["name"] for row in metric_rows(two)]
    titles = [chart.title for chart in metric_charts(two)]

    assert len(set(names)) == len(names)
    assert names[0].endswith(" (orders)")
    assert names[1].endswith(" (subscriptions)")
    assert all(title.endswith(" (orders)") for title in titles)
    assert not any("(" in row["name"] for row in metric_rows(metrics))
