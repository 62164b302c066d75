"""The level of the totals: what was predicted in all beside what came, cutoff by cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.reporting.axes import Axes
from churnkit.reporting.charts import Chart, Line, line_chart
from churnkit.reporting.numbers import amount, count, nice_ticks, percent, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from churnkit.reporting.quality import TestOutcome

__all__ = ["LevelPoint", "level_charts", "level_rows"]

LEVEL_TOLERANCE = 0.10


@dataclass(frozen=True, kw_only=True)
class LevelPoint:
    """Totals at one cutoff: predicted, and what came; ``tested`` where training did not see it."""

    cutoff: str
    tested: bool
    customers: int
    expected_churners: float
    churners: int
    expected_spend: float
    future_spend: float


def level_rows(tests: Sequence[TestOutcome]) -> list[dict[str, Any]]:
    """Return what was predicted in total beside what happened, and whether it is 10 % off."""
    rows = []
    for test in tests:
        pairs = [
            (
                "customers lost",
                float(test.churn_probability.sum()),
                float(test.churned.sum()),
                count,
            ),
            ("spend", float(test.expected_spend.sum()), float(test.future_spend.sum()), amount),
        ]
        for what, predicted, actual, written in pairs:
            off = predicted / actual - 1.0 if actual > 0 else None
            rows.append(
                {
                    "cutoff": test.cutoff,
                    "what": what,
                    "predicted": written(predicted),
                    "actual": written(actual),
                    "off": "–" if off is None else ("+" if off > 0 else "") + percent(off, 1),
                    "warn": off is None or abs(off) > LEVEL_TOLERANCE,
                }
            )
    return rows


def level_charts(points: Sequence[LevelPoint]) -> list[Chart]:
    """Draw the share of customers lost and the total spend at each cutoff, as said and as it came."""
    if len(points) < 2:
        return []
    lost = [(p.expected_churners / p.customers, p.churners / p.customers) for p in points]
    spend = [(p.expected_spend, p.future_spend) for p in points]
    return [
        _level("Customers lost, cutoff by cutoff", points, pairs=lost, written=percent),
        _level("Spend, cutoff by cutoff", points, pairs=spend, written=short),
    ]


def _level(
    title: str,
    points: Sequence[LevelPoint],
    *,
    pairs: Sequence[tuple[float, float]],
    written: Callable[[float], str],
) -> Chart:
    said, came = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    # The scale begins at zero: a miss looks as large as it is.
    up = nice_ticks(min(0.0, *said, *came), max(*said, *came), most=4)
    every = max(1, -(-len(points) // 5))
    places = range(len(points) - 1, -1, -every)
    ticks = [(float(i), _month(points[i].cutoff)) for i in places][::-1]
    tested = [p.tested for p in points]
    x = np.arange(float(len(points)))
    new = np.where(tested, said, np.nan)
    off = [abs(a / b - 1.0) for a, b, t in zip(said, came, tested, strict=True) if t and b > 0]
    miss = f" At the test, {percent(max(off))} off at most." if off else ""
    return line_chart(
        title,
        says=f"What the model said and what came.{miss} The other cutoffs it has learned from.",
        lines=[
            Line(name="came", style="s0 solid", x=x, y=came, dots=True),
            Line(name="said of what was learned from", style="s1", x=x, y=said),
            Line(name="said at the test", style="s2", x=x, y=new, dots=True),
        ],
        axes=Axes(
            x=(-0.3, len(points) - 0.7),
            y=(up[0], up[-1]),
            y_format=written,
            x_ticks=ticks,
            height=230,
        ),
        columns=["cutoff", "said", "came", "", "customers"],
        rows=[
            [
                p.cutoff,
                written(float(a)),
                written(float(b)),
                "test" if p.tested else "training",
                count(p.customers),
            ]
            for p, a, b in zip(points, said, came, strict=True)
        ],
    )


def _month(day: str) -> str:
    return f"{date.fromisoformat(day):%b %y}"
