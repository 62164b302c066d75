"""Plotly figures of retention results: cohorts, revenue bridge, series with interval, survival, funnel."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from churnkit.errors import ParameterError
from churnkit.reporting.series import COLOURS, plot_metric, styled
from churnkit.retention.cohorts import CohortTriangle
from churnkit.retention.funnels import Funnel
from churnkit.retention.report import ALL, RetentionReport
from churnkit.retention.subscriptions import SurvivalCurve

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from churnkit.retention.cohorts import Measure

__all__ = [
    "plot",
    "plot_cohorts",
    "plot_funnel",
    "plot_metric",
    "plot_mrr_bridge",
    "plot_survival",
]

TOTAL, UP, DOWN = "#4D4D4D", "#0072B2", "#D55E00"

TITLES = {
    "rate": "Customers who order, in % of their cohort",
    "customers": "Customers who order",
    "revenue": "Net revenue",
    "unbounded_rate": "Customers who order then or later, in % of their cohort",
    "unbounded_customers": "Customers who order then or later",
}


@singledispatch
def plot(result: Any, **options: Any) -> Figure:  # noqa: ARG001 - the options of the type's own function
    """Return the figure of a result, with the options of the function for its type.

    Parameters
    ----------
    result : RetentionReport, CohortTriangle, SurvivalCurve or Funnel
        A report is drawn by :func:`plot_metric`, the others by the function of their name.
    **options
        See that function.

    Raises
    ------
    ParameterError
        If there is no figure for the type.
    """
    known = "CohortTriangle, Funnel, RetentionReport, SurvivalCurve"
    msg = f"plot: result must be one of {known}; got {type(result).__name__}"
    raise ParameterError(msg)


@plot.register(CohortTriangle)
def plot_cohorts(result: CohortTriangle, *, measure: Measure = "rate") -> Figure:
    """Draw a cohort triangle as a heat map with the numbers in its cells.

    Parameters
    ----------
    result : CohortTriangle
        The triangle; cells that are not observed stay empty.
    measure : str, default "rate"
        See :data:`churnkit.retention.cohorts.MEASURES`.
    """
    import plotly.graph_objects as go

    rate = measure.endswith("rate")
    # A period in which nobody was acquired is no cohort.
    there = [size > 0 for size in result.size]
    table = result.to_pandas(measure)[there]
    sizes = [size for size in result.size if size > 0]
    labels = [f"{start:%b %Y} ({size:,})" for start, size in zip(table.index, sizes, strict=True)]
    # The first column is 100 by definition: it must not set the scale of the others.
    later = table.iloc[:, 1:].max().max() if rate and table.shape[1] > 1 else table.max().max()
    texts = [["" if math.isnan(cell) else _short(cell) for cell in row] for row in table.to_numpy()]
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(),
            x=[str(age) for age in table.columns],
            y=labels,
            text=texts,
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=float(later) if later > 0 else 1.0,
            xgap=1,
            ygap=1,
            hoverongaps=False,
            colorbar={"title": "%" if rate else ""},
        )
    )
    figure.update_yaxes(autorange="reversed", title="cohort (customers)", showgrid=False)
    figure.update_xaxes(
        title="periods since acquisition", side="top", showgrid=False, type="category"
    )
    return styled(figure, title=TITLES[measure], height=190 + 26 * len(labels), left=130, top=110)


def _short(value: float) -> str:
    """Return a number that fits into a cell."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.1f}M"
    return f"{value / 1e3:.0f}k" if abs(value) >= 1e4 else f"{value:,.0f}"


def plot_mrr_bridge(result: RetentionReport, *, segment: str = ALL) -> Figure:
    """Draw how the recurring revenue came from the start of a report to its end.

    Parameters
    ----------
    result : RetentionReport
        With movements; those of all its periods are added up.
    segment : str
        Which segment.

    Raises
    ------
    ParameterError
        If the report has no movements of the segment.
    """
    import plotly.graph_objects as go

    moved = [each for each in result.movements if each.segment == segment]
    if not moved:
        known = ", ".join(sorted({each.segment for each in result.movements})) or "none"
        msg = f"plot_mrr_bridge: segment must have movements; got {segment!r}. Known: {known}."
        raise ParameterError(msg)
    signs = {"new": 1, "reactivation": 1, "expansion": 1, "contraction": -1, "churn": -1}
    steps = {name: sign * sum(getattr(m, name) for m in moved) for name, sign in signs.items()}
    first, last = moved[0], moved[-1]
    names = [f"MRR before<br>{first.period.start}", *steps, f"MRR before<br>{last.period.end}"]
    values = [first.start_mrr, *steps.values(), last.end_mrr]
    figure = go.Figure(
        go.Waterfall(
            x=names,
            y=values,
            measure=["absolute", *["relative"] * len(steps), "total"],
            text=[f"{v:,.0f}" if i in (0, 6) else f"{v:+,.0f}" for i, v in enumerate(values)],
            textposition="outside",
            cliponaxis=False,
            increasing={"marker": {"color": UP}},
            decreasing={"marker": {"color": DOWN}},
            totals={"marker": {"color": TOTAL}},
            connector={"line": {"color": "#BBBBBB", "width": 1}},
        )
    )
    figure.update_traces(base=0)
    figure.update_yaxes(title="currency of the input per month", rangemode="tozero")
    whose = "" if segment == ALL else f", {segment}"
    return styled(figure, title=f"Monthly recurring revenue{whose}")


@plot.register(SurvivalCurve)
def plot_survival(result: SurvivalCurve) -> Figure:
    """Draw a Kaplan-Meier curve as steps, with its interval as a band.

    Parameters
    ----------
    result : SurvivalCurve
        The curve.
    """
    import plotly.graph_objects as go

    days = [0.0, *result.days.tolist()]
    figure = go.Figure()
    for bound, fill in (("ci_high", None), ("ci_low", "tonexty")):
        figure.add_trace(
            go.Scatter(
                x=days,
                y=[1.0, *getattr(result, bound).tolist()],
                line={"width": 0, "shape": "hv"},
                fill=fill,
                fillcolor="rgba(0, 114, 178, 0.18)",
                hoverinfo="skip",
                showlegend=False,
            )
        )
    figure.add_trace(
        go.Scatter(
            x=days,
            y=[1.0, *result.survival.tolist()],
            line={"color": COLOURS[0], "width": 2, "shape": "hv"},
            hovertemplate="%{y:.1%} last longer than %{x:.0f} days<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_yaxes(title="share that lasts longer", tickformat=".0%", range=[0, 1.02])
    figure.update_xaxes(title="days since the start", rangemode="tozero")
    seen = f"{result.subscriptions:,} subscriptions, {result.ended:,} ended"
    return styled(figure, title=f"How long subscriptions last ({seen})")


@plot.register(Funnel)
def plot_funnel(result: Funnel) -> Figure:
    """Draw a funnel with the users of each step and their share of the first.

    Parameters
    ----------
    result : Funnel
        The funnel.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Funnel(
            y=[step.event_type for step in result.steps],
            x=[step.users for step in result.steps],
            texttemplate="%{value:,} (%{percentInitial:.1%})",
            marker={"color": COLOURS[0]},
            connector={"fillcolor": "rgba(0, 114, 178, 0.15)"},
        )
    )
    return styled(figure, title="Users who reach each step")


plot.register(RetentionReport)(plot_metric)
