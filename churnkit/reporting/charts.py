"""Charts as plain shapes in a coordinate system, which a template draws as SVG.

Nothing but geometry and words is made here: colours come from the page's style, so that a chart
follows the light or dark scheme, prints, and needs no script. Every chart carries its numbers as a
table, for readers who cannot see it or want to copy them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from churnkit.reporting.axes import HEIGHT, WIDTH, Axes, Shape, path_of
from churnkit.reporting.numbers import nice_ticks, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

__all__ = ["Bars", "Chart", "Line", "bar_chart", "line_chart", "spark_path"]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart with what it says in words and its numbers as a table.

    Parameters
    ----------
    title, says : str
        Heading, and one sentence that a screen reader hears and everybody reads.
    shapes : sequence of Shape
        In the order in which they are drawn.
    legend : sequence of (str, str)
        Style class and name.
    columns, rows
        The numbers.
    width, height : int
        Of the coordinate system.
    """

    title: str
    says: str
    shapes: Sequence[Shape]
    legend: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """A line, or points joined by one; where y is NaN the line is broken.

    ``low`` and ``high`` draw a band around it, ``dots`` mark its points.
    """

    name: str
    style: str
    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    dots: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Bars:
    """Bars of one colour, one for each place on the axis."""

    name: str
    style: str
    y: ArrayLike


def _runs(known: np.ndarray) -> list[np.ndarray]:
    """Return the positions of each unbroken run of known points."""
    places = np.flatnonzero(known)
    return [
        np.array([p for _, p in run])
        for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])
    ]


def _line_shapes(line: Line, axes: Axes) -> list[Shape]:
    x, y = (np.asarray(v, dtype=np.float64) for v in (line.x, line.y))
    drawn = []
    if line.low is not None and line.high is not None:
        low, high = (np.asarray(v, dtype=np.float64) for v in (line.low, line.high))
        for run in _runs(np.isfinite(low) & np.isfinite(high)):
            around = [(axes.at_x(x[i]), axes.at_y(high[i])) for i in run]
            around += [(axes.at_x(x[i]), axes.at_y(low[i])) for i in run[::-1]]
            path = path_of([p[0] for p in around], [p[1] for p in around]) + "Z"
            drawn.append(Shape(tag="path", attributes={"class": f"band {line.style}", "d": path}))
    for run in _runs(np.isfinite(y)):
        path = path_of([axes.at_x(x[i]) for i in run], [axes.at_y(y[i]) for i in run])
        drawn.append(Shape(tag="path", attributes={"class": f"line {line.style}", "d": path}))
    if line.dots:
        names = dict(axes.x_ticks)
        drawn += [
            Shape(
                tag="circle",
                attributes={
                    "class": f"dot {line.style}",
                    "cx": axes.at_x(a),
                    "cy": axes.at_y(b),
                    "r": 3.2,
                },
                tooltip=f"{line.name}: {names.get(float(a), short(a))}, {axes.y_format(b)}",
            )
            for a, b in zip(x, y, strict=True)
            if np.isfinite(b)
        ]
    return drawn


def line_chart(
    title: str,
    *,
    says: str,
    lines: Sequence[Line],
    axes: Axes,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
) -> Chart:
    """Draw lines over a common pair of axes."""
    shapes = axes.shapes()
    for line in lines:
        shapes += _line_shapes(line, axes)
    legend = [(line.style, line.name) for line in lines] if len(lines) > 1 else []
    return Chart(
        title=title,
        says=says,
        shapes=shapes,
        legend=legend,
        columns=columns,
        rows=rows,
        height=axes.height,
    )


def bar_chart(
    title: str,
    *,
    says: str,
    places: Sequence[str],
    bars: Sequence[Bars],
    x_name: str,
    y_name: str = "",
    y_format: Callable[[float], str] = short,
    level: tuple[float, str] | None = None,
) -> Chart:
    """Draw groups of bars from zero, one group for each place; ``level`` draws a dashed line."""
    heights = np.array([np.asarray(b.y, dtype=np.float64) for b in bars])
    found = nice_ticks(min(0.0, float(np.nanmin(heights))), max(0.0, float(np.nanmax(heights))))
    axes = Axes(
        x=(-0.6, len(places) - 0.4),
        y=(found[0], found[-1]),
        x_name=x_name,
        y_name=y_name,
        y_format=y_format,
        x_ticks=[(float(i), name) for i, name in enumerate(places)],
    )
    shapes = axes.shapes()
    step = 0.76 / len(bars)
    for number, group in enumerate(bars):
        for i, value in enumerate(heights[number]):
            if not np.isfinite(value):
                continue
            left, right = (axes.at_x(i - 0.38 + step * n) for n in (number, number + 1))
            top, bottom = sorted((axes.at_y(value), axes.at_y(0.0)))
            shapes.append(
                Shape(
                    tag="rect",
                    attributes={
                        "class": f"bar {group.style}",
                        "x": left + 0.5,
                        "y": top,
                        "width": round(right - left - 1, 1),
                        "height": max(round(bottom - top, 1), 0.6),
                    },
                    tooltip=f"{group.name}, {places[i]}: {y_format(float(value))}",
                )
            )
    legend = [(b.style, b.name) for b in bars] if len(bars) > 1 else []
    if level is not None:
        shapes.append(axes.across("reference", level[0]))
        legend = [*([(b.style, b.name) for b in bars]), ("reference", level[1])]
    rows = [
        [name, *(y_format(float(heights[n][i])) for n in range(len(bars)))]
        for i, name in enumerate(places)
    ]
    return Chart(
        title=title,
        says=says,
        shapes=shapes,
        legend=legend,
        columns=[x_name, *(b.name for b in bars)],
        rows=rows,
    )


def spark_path(values: Sequence[float | None], *, width: int = 96, height: int = 22) -> str:
    """Return the path of a small line without axes; empty with fewer than two values.

    Examples
    --------
    >>> spark_path([1.0, 3.0, 2.0], width=20, height=10)
    'M2,8L10,2L18,5'
    """
    known = [(i, v) for i, v in enumerate(values) if v is not None and np.isfinite(v)]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    if low == high:
        low, high = low - 1.0, high + 1.0
    span, last = high - low, len(values) - 1
    xs = [round(2 + i / last * (width - 4), 1) for i, _ in known]
    ys = [round(2 + (high - v) / span * (height - 4), 1) for _, v in known]
    return path_of(xs, ys)
