"""Axes put values on the page, and draw a line for every number that they write."""

from __future__ import annotations

import pytest

from churnkit.reporting.axes import Axes, path_of

AXES = Axes(x=(0.0, 10.0), y=(-1.0, 1.0), y_name="change", x_ticks=[(0.0, "Jan"), (10.0, "Oct")])


@pytest.mark.parametrize(("share", "x", "y"), [(0.0, 60, 206), (0.5, 206, 109), (1.0, 352, 12)])
def test_values_lie_in_proportion_between_the_margins(share, x, y):
    """The low end is left and at the bottom, the high end right and at the top."""
    assert AXES.at_x(10.0 * share) == x
    assert AXES.at_y(2.0 * share - 1.0) == y


def test_every_number_of_y_has_its_line():
    """Lines go from margin to margin at their number; that of zero is the axis."""
    drawn = AXES.shapes()

    numbers = [s for s in drawn if s.attributes["class"] == "tick end"]
    lines = [s.attributes for s in drawn if s.tag == "line"]
    assert [a["y1"] for a in lines] == [a["y2"] for a in lines]
    assert {(a["x1"], a["x2"]) for a in lines} == {(60, 352)}
    assert [s.attributes["y"] - 4 for s in numbers] == [a["y1"] for a in lines]
    assert [a["y1"] for a in lines if a["class"] == "axis"] == [AXES.at_y(0.0)]


def test_ticks_and_names_are_written():
    """Ticks of x stand below their place, and only axes with a name have one."""
    said = {s.text: s.attributes for s in AXES.shapes() if s.tag == "text"}

    assert (said["Jan"]["x"], said["Oct"]["x"]) == (60, 352)
    assert "rotate" in said["change"]["transform"]
    assert not [s for s in Axes(x=(0, 1), y=(0, 1)).shapes() if "transform" in s.attributes]


def test_a_path_goes_through_its_points():
    """Move to the first, then a line to each."""
    assert path_of([1, 2.5], [3, 4]) == "M1,3L2.5,4"
