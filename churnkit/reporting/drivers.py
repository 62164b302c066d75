"""What drives churn: the strongest groups of features, how each moves the risk, and of whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.reporting.axes import Axes, Shape
from churnkit.reporting.charts import Bars, Chart, Line, bar_chart, line_chart
from churnkit.reporting.numbers import amount, chance, count, decimal, nice_ticks, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "DriverSample",
    "band_rows",
    "dependence_charts",
    "driver_rows",
    "reason_rows",
    "strip_chart",
]

MOST_ROWS = 15
MOST_STRIPS = 10
DOTS = 240
MOST_DEPENDENCE = 6
MOST_LEVELS = 12
MOST_BAND_ROWS = 8
LEAST_IN_BAND = 30
BANDS = ("high", "medium", "low")
ROW_HEIGHT = 30
WORDS_HEIGHT = 18


@dataclass(frozen=True, kw_only=True, eq=False)
class DriverSample:
    """Drivers of some customers and what each adds to the log-odds of churning.

    Attributes
    ----------
    names : tuple of str
        The strongest feature of each driver.
    phrases : mapping of str to str
        What each feature is, in words.
    values, contributions : ndarray, shape (n, n_drivers)
        Values of those features (NaN: not known), and contributions of the whole driver.
    others : tuple of tuple of str
        The features that move with the strongest and are one driver with it; empty: none.
    levels : mapping of str to sequence of str
        Of features said in words, what the values 0, 1, 2, … stand for.
    bands : sequence of str
        Risk band of each customer; empty: not told.
    """

    names: tuple[str, ...]
    phrases: Mapping[str, str]
    values: NDArray[Any]
    contributions: NDArray[np.float64]
    others: tuple[tuple[str, ...], ...] = ()
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    bands: Sequence[str] = ()

    @property
    def order(self) -> NDArray[np.intp]:
        """Positions of the features by mean |contribution|, the strongest first."""
        return np.argsort(-np.abs(self.contributions).mean(axis=0), kind="stable")


def driver_rows(sample: DriverSample) -> list[dict[str, Any]]:
    """Return the strongest drivers: words, mean |contribution| with interval, width of its bar."""
    sizes = np.abs(sample.contributions)
    mean = sizes.mean(axis=0)
    n = len(sizes)
    error = sizes.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(mean), np.nan)
    strongest = sample.order[:MOST_ROWS]
    top = float(mean[strongest[0]]) or 1.0
    return [
        {
            "feature": sample.names[i],
            "says": sample.phrases[sample.names[i]],
            "others": [sample.phrases[name] for name in sample.others[i]] if sample.others else [],
            "mean": decimal(float(mean[i]), 3),
            "error": "" if np.isnan(error[i]) else f"± {1.96 * float(error[i]):.1g}",
            "share": round(100.0 * float(mean[i]) / top, 1),
        }
        for i in strongest
    ]


def band_rows(sample: DriverSample) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the bands with their customers, and mean |contribution| by band with its interval."""
    labels = np.asarray(sample.bands, dtype=object).astype(str)
    bands = [band for band in BANDS if (labels == band).sum() >= LEAST_IN_BAND]
    if len(bands) < 2:
        return [], []
    rows = []
    for i in sample.order[:MOST_BAND_ROWS]:
        cells = []
        for band in bands:
            sizes = np.abs(sample.contributions[labels == band, i])
            error = 1.96 * sizes.std(ddof=1) / np.sqrt(len(sizes))
            cells.append(f"{decimal(float(sizes.mean()), 2)} ± {float(error):.1g}")
        rows.append({"says": sample.phrases[sample.names[i]], "cells": cells})
    return [f"{band} ({(labels == band).sum():,})" for band in bands], rows


def reason_rows(cohorts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the customers by their main reason as the page shows them, the largest group first.

    Parameters
    ----------
    cohorts : sequence of mapping
        ``says``, ``customers``, ``share``, ``churn_probability`` (mean) and ``value_at_risk`` (sum).
    """
    return [
        {
            "says": row["says"],
            "customers": count(row["customers"]),
            "share": chance(row["share"]),
            "probability": chance(row["churn_probability"]),
            "at_risk": amount(row["value_at_risk"]),
        }
        for row in cohorts[:MOST_ROWS]
    ]


def strip_chart(sample: DriverSample, *, seed: int = 7) -> Chart:
    """Draw one dot per customer and feature: left lowers the risk, right raises it.

    The colour is the customer's place among the values of the feature. Dots are those of a sample
    of the sample, so that the page stays small.
    """
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(sample.values), min(DOTS, len(sample.values)), replace=False))
    strongest = sample.order[:MOST_STRIPS]
    weights = sample.contributions[np.ix_(chosen, strongest)]
    reach = float(np.quantile(np.abs(weights), 0.995)) or 1.0
    width, side, top = 640, 8, 4
    inside = width - 2 * side
    # The words stand above their dots, so that the drawing is as readable on a telephone.
    step = WORDS_HEIGHT + ROW_HEIGHT
    height = top + step * len(strongest) + 40
    middle = width / 2

    def at(weight: NDArray[np.float64]) -> NDArray[np.float64]:
        return middle + np.clip(weight / reach, -1.0, 1.0) * inside / 2

    shapes = [
        Shape(
            tag="line",
            attributes={"class": "axis", "x1": middle, "x2": middle, "y1": top, "y2": height - 36},
        )
    ]
    for row, feature in enumerate(strongest):
        centre = top + step * row + WORDS_HEIGHT + ROW_HEIGHT / 2
        name = sample.names[feature]
        words = sample.phrases[name]
        shapes.append(
            Shape(
                tag="text",
                attributes={"class": "tick", "x": 0, "y": top + step * row + WORDS_HEIGHT - 4},
                text=words,
                tooltip=f"{words} ({name})",
            )
        )
        xs = at(weights[:, row])
        shades = _shades(sample.values[:, feature])[chosen]
        for x, offset, shade in zip(xs, _swarm(xs), shades, strict=True):
            attributes = {"class": f"dot q{shade}", "cx": round(float(x), 1)}
            attributes |= {"cy": round(centre + float(offset), 1), "r": 2.3}
            shapes.append(Shape(tag="circle", attributes=attributes))
    for tick, place in (("lowers the risk", middle / 2), ("raises the risk", 1.5 * middle)):
        attributes = {"class": "tick middle", "x": place, "y": height - 8}
        shapes.append(Shape(tag="text", attributes=attributes, text=tick))
    return Chart(
        title="How the strongest drivers move single customers",
        says=f"Each dot is one of {len(chosen)} customers. Its colour says whether the customer's"
        " value of the feature named is low or high among all.",
        shapes=shapes,
        legend=[("q0", "low value"), ("q2", "middle"), ("q4", "high value"), ("qn", "not known")],
        width=width,
        height=height,
    )


def _shades(values: NDArray[Any]) -> list[str] | NDArray[Any]:
    """Return the fifth of each value among all, ``n`` where it is not known."""
    known = np.isfinite(values)
    shades = np.full(len(values), "n", dtype=object)
    if known.any():
        edges = np.quantile(values[known].astype(np.float64), [0.2, 0.4, 0.6, 0.8])
        shades[known] = [str(s) for s in np.searchsorted(edges, values[known])]
    return shades


def _swarm(xs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vertical offsets that spread dots of about the same place."""
    offsets = np.zeros(len(xs))
    seen: dict[int, int] = {}
    for i in np.argsort(xs, kind="stable"):
        place = int(xs[i] // 4)
        number = seen.get(place, 0)
        seen[place] = number + 1
        side = 1 if number % 2 else -1
        offsets[i] = side * min((number + 1) // 2 * 2.6, ROW_HEIGHT / 2 - 3)
    return offsets


def dependence_charts(sample: DriverSample) -> list[Chart]:
    """Draw, for the strongest features, the mean contribution over the feature's value."""
    charts: list[Chart] = []
    for feature in sample.order:
        if len(charts) == MOST_DEPENDENCE:
            break
        name = sample.names[feature]
        value = sample.values[:, feature].astype(np.float64)
        weight = sample.contributions[:, feature]
        known = np.isfinite(value)
        if np.unique(value[known]).size < 2:
            continue
        words = sample.phrases[name]
        if levels := sample.levels.get(name):
            charts.append(_by_level(words, value[known], weight[known], levels=levels))
        else:
            charts.append(_dependence(words, value[known], weight[known]))
    return charts


def _by_level(
    words: str, value: NDArray[Any], weight: NDArray[np.float64], *, levels: Sequence[str]
) -> Chart:
    """Draw a bar for each level of a category: the mean contribution of its customers."""
    kinds, counts = np.unique(value, return_counts=True)
    shown = np.sort(kinds[np.argsort(-counts, kind="stable")[:MOST_LEVELS]])
    mean = np.array([float(weight[value == kind].mean()) for kind in shown])
    names = [levels[int(kind)] for kind in shown]
    letters = 9 if len(names) <= 6 else 3
    return bar_chart(
        words,
        says=f"Lowest for {names[int(mean.argmin())]}, highest for {names[int(mean.argmax())]}.",
        places=[name[:letters] for name in names],
        bars=[Bars(name="mean", style="s1", y=mean)],
        x_name="",
        y_name="adds to log-odds",
        y_format=lambda v: decimal(v, 2),
    )


def _dependence(words: str, value: NDArray[Any], weight: NDArray[np.float64]) -> Chart:
    edges = np.unique(np.quantile(value, np.linspace(0.0, 1.0, 13)))
    place = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2)
    x, mean, low, high = ([] for _ in range(4))
    for part in range(len(edges) - 1):
        here = place == part
        if here.any():
            x.append(float(value[here].mean()))
            mean.append(float(weight[here].mean()))
            low.append(float(np.quantile(weight[here], 0.1)))
            high.append(float(np.quantile(weight[here], 0.9)))
    across = nice_ticks(x[0], x[-1], most=4)
    up = nice_ticks(min(low), max(high), most=4)
    return line_chart(
        words,
        says=f"From {decimal(mean[0], 2)} at the low end to {decimal(mean[-1], 2)} at the high end.",
        lines=[Line(name="mean", style="s1", x=x, y=mean, low=low, high=high, dots=True)],
        axes=Axes(
            x=(x[0] - 0.02 * (x[-1] - x[0]), x[-1] + 0.02 * (x[-1] - x[0])),
            y=(up[0], up[-1]),
            y_name="adds to log-odds",
            x_ticks=[(t, short(t)) for t in across if x[0] <= t <= x[-1]],
            height=215,
        ),
        columns=["value", "mean", "from (10 %)", "to (90 %)"],
        rows=[[decimal(v, 2) for v in row] for row in zip(x, mean, low, high, strict=True)],
    )
