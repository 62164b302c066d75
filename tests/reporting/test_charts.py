"""Charts put values where their axes say, leave gaps, and carry their numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.reporting.axes import Axes
from churnkit.reporting.charts import Bars, Line, bar_chart, line_chart, spark_path
from churnkit.reporting.numbers import nice_ticks

AXES = Axes(x=(0.0, 10.0), y=(0.0, 1.0))


def shapes(chart, style):
    """Return the shapes that carry a class."""
    return [s for s in chart.shapes if style in str(s.attributes.get("class", "")).split()]


def test_missing_value_breaks_the_line():
    """A line with a gap is two paths, and the missing point has no dot."""
    line = Line(name="a", style="s1", x=[0, 1, 2, 3, 4], y=[0.1, 0.2, np.nan, 0.4, 0.5], dots=True)

    chart = line_chart("t", says="", lines=[line], axes=AXES)

    assert len(shapes(chart, "line")) == 2
    assert len(shapes(chart, "dot")) == 4


def test_bars_rise_from_zero_in_proportion():
    """A bar twice as high in value is twice as high on the page; a negative one hangs below zero."""
    chart = bar_chart(
        "t",
        says="",
        places=["a", "b", "c"],
        bars=[Bars(name="n", style="s1", y=[1, 2, -1])],
        x_name="x",
    )

    one, two, below = (s.attributes for s in shapes(chart, "bar"))

    assert two["height"] == pytest.approx(2 * one["height"], abs=0.2)
    assert below["y"] == pytest.approx(one["y"] + one["height"], abs=0.2)
    assert list(chart.rows) == [["a", "1"], ["b", "2"], ["c", "−1"]]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_cover_the_range_in_even_steps(low, span):
    """Ticks begin at or below the low end, end at or above the high end, and are not too many."""
    high = low + span
    ticks = nice_ticks(low, high)

    slack = 1e-6 * max(span, abs(low) * 1e-6, 1e-3)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 8


def test_small_line_needs_two_values():
    """One value draws nothing; a constant draws a level line."""
    assert spark_path([1.0, None]) == ""
    assert spark_path([2.0, 2.0], width=10, height=10) == "M2,5L8,5"
