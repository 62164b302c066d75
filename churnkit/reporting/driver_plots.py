"""Plotly figures of an explanation: drivers, beeswarm, dependence, segments, change between dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean
from churnkit.reporting.series import COLOURS, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

    from churnkit.reasons import ExplainedSample

__all__ = ["plot_explanation"]

UP, DOWN = "#D55E00", "#0072B2"
DOTS = 600
UNITS = {"churn": "log-odds of churning", "spend": "log of expected spend"}


class Explanation(Protocol):
    """What is drawn."""

    target: str
    drivers: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    compared_with: str | None
    sample: ExplainedSample

    def dependence(self, feature: str) -> Any:
        """Return contributions over the values of a feature."""
        ...


def plot_explanation(result: Any, *, kind: str, feature: str, most: int) -> Figure:
    """Return a figure of an explanation; see :meth:`churnkit.pipeline.explained.ExplainResult.plot`."""
    if kind not in KINDS:
        guess, known = did_you_mean(kind, KINDS), ", ".join(KINDS)
        msg = f"plot: kind must be a known name; got {kind!r}.{guess} Known: {known}."
        raise ParameterError(msg)
    figure: Figure = KINDS[kind](result, feature, most)
    return figure


def _bars(
    rows: Sequence[dict[str, Any]], value: str, *, title: str, axis: str, signed: bool = False
) -> Figure:
    import plotly.graph_objects as go

    x = np.array([row[value] for row in rows])
    error = None
    if all(row["low"] is not None for row in rows):
        highs, lows = (np.array([row[side] for row in rows]) for side in ("high", "low"))
        error = {"type": "data", "symmetric": False, "array": highs - x, "arrayminus": x - lows}
    colour = np.where(x > 0, UP, DOWN) if signed else COLOURS[0]
    figure = go.Figure(
        go.Bar(
            x=x,
            y=[row["says"] for row in rows],
            orientation="h",
            error_x=error,
            marker_color=colour,
            customdata=[row["feature"] for row in rows],
            hovertemplate="%{y}<br>%{x:.3f}<br>%{customdata}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(title=axis)
    return styled(figure, title=title, height=140 + 26 * len(rows))


def _drivers(result: Explanation, _: str, most: int) -> Figure:
    axis = f"mean size of the contribution to the {UNITS[result.target]}"
    rows = result.drivers[:most]
    return _bars(rows, "mean_contribution", title=f"Drivers of {result.target}", axis=axis)


def _changes(result: Explanation, _: str, most: int) -> Figure:
    if result.compared_with is None:
        msg = "plot: changes need another date; got none. Explain with compare=DATE."
        raise ParameterError(msg)
    return _bars(
        result.changes[:most],
        "change",
        title=f"Drivers of {result.target}: change since {result.compared_with}",
        axis="change of the mean size",
        signed=True,
    )


def _segments(result: Explanation, _: str, most: int) -> Figure:
    import plotly.graph_objects as go

    shown = [row["feature"] for row in result.drivers[:most]]
    says = {row["feature"]: row["says"] for row in result.drivers}
    figure = go.Figure()
    names = list(dict.fromkeys(row["segment"] for row in result.segments))
    for position, segment in enumerate(names):
        found = {r["feature"]: r for r in result.segments if r["segment"] == segment}
        figure.add_bar(
            name=f"{segment} ({found[shown[0]]['customers']:,})",
            x=[found[name]["mean_contribution"] for name in shown],
            y=[says[name] for name in shown],
            orientation="h",
            marker_color=COLOURS[position % len(COLOURS)],
        )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(title="mean size of the contribution")
    height = 160 + 14 * len(shown) * (len(names) + 1)
    return styled(figure, title=f"Drivers of {result.target} by segment", height=height)


def _beeswarm(result: Explanation, _: str, most: int) -> Figure:
    import plotly.graph_objects as go

    sample = result.sample
    rows = np.linspace(0, len(sample.values) - 1, min(DOTS, len(sample.values))).astype(int)
    shown = [row["feature"] for row in result.drivers[:most]]
    figure = go.Figure()
    for place, name in enumerate(shown):
        position = sample.feature_names.index(name)
        x = sample.contributions[rows, position]
        figure.add_scattergl(
            x=x,
            y=place + _spread(x),
            mode="markers",
            marker={
                "size": 4,
                "color": _ranks(sample.values[:, position])[rows],
                "colorscale": [[0, DOWN], [1, UP]],
                "cmin": 0,
                "cmax": 1,
                "showscale": place == 0,
                "colorbar": {"title": "value", "tickvals": [0, 1], "ticktext": ["low", "high"]},
            },
            customdata=sample.values[rows, position],
            hovertemplate=sample.says[name]
            + "<br>value %{customdata:,.2f}<br>%{x:+.3f}<extra></extra>",
            showlegend=False,
        )
    labels = [sample.says[name] for name in shown]
    figure.update_yaxes(
        tickvals=list(range(len(shown))), ticktext=labels, autorange="reversed", automargin=True
    )
    figure.update_xaxes(title=f"contribution to the {UNITS[result.target]}", zeroline=True)
    title = f"What moves single customers: {len(rows):,} of them"
    return styled(figure, title=title, height=160 + 30 * len(shown))


def _spread(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vertical offsets that keep dots of about the same place apart."""
    width = float(np.ptp(x)) or 1.0
    seen: dict[int, int] = {}
    offsets = np.zeros(len(x))
    for i, place in enumerate((x / width * 120).astype(int)):
        number = seen.get(int(place), 0)
        seen[int(place)] = number + 1
        offsets[i] = (1 if number % 2 else -1) * min((number + 1) // 2 * 0.05, 0.4)
    return offsets


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the place of each value among all, from 0 to 1, NaN where it is not known."""
    known = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    present = np.sort(values[known])
    if present.size:
        ranks[known] = np.searchsorted(present, values[known], side="right") / present.size
    return ranks


def _dependence(result: Explanation, feature: str, _: int) -> Figure:
    import plotly.graph_objects as go

    table = result.dependence(feature)
    known = table[table["value"].notna()]
    sample = result.sample
    position = sample.feature_names.index(feature)
    rows = np.linspace(0, len(sample.values) - 1, min(DOTS * 2, len(sample.values))).astype(int)
    figure = go.Figure()
    figure.add_scattergl(
        x=sample.values[rows, position],
        y=sample.contributions[rows, position],
        mode="markers",
        marker={"size": 4, "color": "#999999", "opacity": 0.5},
        name="customers",
    )
    figure.add_scatter(
        x=known["value"],
        y=known["mean"],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": known["high"] - known["mean"],
            "arrayminus": known["mean"] - known["low"],
        },
        mode="lines+markers",
        line={"color": COLOURS[0]},
        name="mean, 10 % to 90 %",
    )
    top = float(np.nanquantile(sample.values[:, position], 0.99))
    low = float(np.nanquantile(sample.values[:, position], 0.01))
    if top > low:
        figure.update_xaxes(range=[low - (top - low) * 0.02, top + (top - low) * 0.02])
    figure.update_xaxes(title=sample.says[feature])
    figure.update_yaxes(title=f"contribution to the {UNITS[result.target]}")
    return styled(figure, title=f"What {feature} does", height=420)


KINDS = {
    "drivers": _drivers,
    "beeswarm": _beeswarm,
    "dependence": _dependence,
    "segments": _segments,
    "changes": _changes,
}
