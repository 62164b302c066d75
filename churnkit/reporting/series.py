"""The figure of a metric over time with its interval, and how all figures of retention look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.errors import ParameterError
from churnkit.retention.report import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from churnkit.retention.report import ReportRow, RetentionReport

__all__ = ["COLOURS", "plot_metric", "styled"]

# Okabe and Ito (2008): told apart by colour-blind readers too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
"""Colours of series, in order."""

WHOLE_SHARE = 0.85
"""Periods shorter than this share of the longest have open markers: months differ by less."""

ACRONYMS = ("ces", "csat", "nps")

UNITS = {
    "percent": "%",
    "points": "points",
    "currency": "currency of the input",
    "hours": "hours",
    "months": "months",
    "ratio": "",
    "count": "",
    "score": "points of the scale",
}


def plot_metric(
    result: RetentionReport,
    *,
    metric: str = "customer_retention_rate",
    segments: Sequence[str] | None = None,
    source: str | None = None,
) -> Figure:
    """Draw a metric over the periods of a report, with its interval as a band.

    Values are drawn at the ends of their periods; shorter periods have open markers.

    Parameters
    ----------
    result : RetentionReport
        The report.
    metric : str
        Which metric.
    segments : sequence of str, optional
        Which segments, by default everybody together. The bands are left out where there are more
        than three.
    source : str, optional
        Which table, where the metric is known from several; by default the first.

    Raises
    ------
    ParameterError
        If the report has no such rows.
    """
    import plotly.graph_objects as go

    wanted = (ALL,) if segments is None else tuple(segments)
    rows = [row for row in result.rows if row.metric.metric == metric and row.segment in wanted]
    first = source or (rows[0].source if rows else None)
    rows = [row for row in rows if row.source == first]
    if not rows:
        reasons = "; ".join(gone.reason for gone in result.absent if gone.metric == metric)
        known = ", ".join(dict.fromkeys(row.metric.metric for row in result.rows))
        msg = (
            f"plot_metric: the report must have rows of metric {metric!r} for {', '.join(wanted)};"
            f" got none{': ' + reasons if reasons else ''}. Known: {known}."
        )
        raise ParameterError(msg)
    figure = go.Figure()
    names = [name for name in wanted if any(row.segment == name for row in rows)]
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        _add_series(
            figure,
            [row for row in rows if row.segment == name],
            name=name,
            colour=colour,
            band=len(names) <= 3,
        )
    metric_value = rows[0].metric
    figure.update_yaxes(title=UNITS[metric_value.unit])
    figure.update_xaxes(title="", showgrid=False)
    figure.update_layout(showlegend=len(names) > 1)
    words = metric.upper() if metric in ACRONYMS else metric.replace("_", " ").capitalize()
    variant = f", {metric_value.variant.replace('_', ' ')}" if metric_value.variant else ""
    return styled(figure, title=f"{words}{variant} ({first})")


def _add_series(
    figure: Figure, rows: Sequence[ReportRow], *, name: str, colour: str, band: bool
) -> None:
    """Add one line at the ends of the periods, and its band."""
    import plotly.graph_objects as go

    days = [row.period.end for row in rows]
    # A period cut off by the start or the end of the report is not to be compared with the others.
    whole = WHOLE_SHARE * max(row.period.days for row in rows)
    partial = [row.period.days < whole for row in rows]
    if band:
        seen = [row for row in rows if row.metric.ci_low is not None]
        ends = [row.period.end for row in seen]
        low, high = [r.metric.ci_low for r in seen], [r.metric.ci_high for r in seen]
        figure.add_trace(
            go.Scatter(
                x=[*ends, *ends[::-1]],
                y=[*high, *low[::-1]],
                fill="toself",
                fillcolor=colour,
                opacity=0.18,
                mode="lines",
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
            )
        )
    figure.add_trace(
        go.Scatter(
            x=days,
            y=[row.metric.value for row in rows],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 7, "symbol": ["circle-open" if cut else "circle" for cut in partial]},
            customdata=[(row.metric.n, row.metric.status, str(row.period.start)) for row in rows],
            hovertemplate="%{customdata[2]} to %{x|%Y-%m-%d}: %{y:.4g}"
            "<br>n = %{customdata[0]}, %{customdata[1]}<extra>%{fullData.name}</extra>",
        )
    )


def styled(
    figure: Figure,
    *,
    title: str,
    height: int = 420,
    left: int = 70,
    top: int = 80,
    bottom: int = 60,
) -> Figure:
    """Return the figure with the fonts, margins and title of all figures."""
    figure.update_layout(
        template="plotly_white",
        title={
            "text": title,
            "x": 0.02,
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 18},
        },
        font={"family": "Inter, Segoe UI, Helvetica, Arial, sans-serif", "size": 13},
        margin={"l": left, "r": 30, "t": top, "b": bottom},
        height=height,
        hovermode="closest",
    )
    return figure
