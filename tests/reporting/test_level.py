"""The level on the page: totals judged, and drawn over the cutoffs with the test told apart."""

from __future__ import annotations

import pytest

from churnkit.reporting import LevelPoint
from churnkit.reporting.level import level_charts, level_rows


def point(month, **changes):
    """Return the totals of a cutoff in 2011 at which 40 of 100 were expected to leave, and 50 left."""
    values = {
        "cutoff": f"2011-{month:02d}-01",
        "tested": False,
        "customers": 100,
        "expected_churners": 40.0,
        "churners": 50,
        "expected_spend": 900.0,
        "future_spend": 1000.0,
    }
    return LevelPoint(**values | changes)


@pytest.mark.parametrize(
    ("factor", "warned"), [(1.09, False), (1.11, True), (0.91, False), (0.89, True)]
)
def test_level_warns_beyond_ten_percent(outcome, factor, warned):
    """A total more than 10 % above or below what happened is flagged."""
    test = outcome()
    exact = test.expected_spend * (test.future_spend.sum() / test.expected_spend.sum())
    test = type(test)(**{**vars(test), "expected_spend": exact * factor})

    rows = level_rows([test])

    assert [row["what"] for row in rows] == ["customers lost", "spend"]
    assert rows[1]["warn"] is warned


def test_level_over_time_tells_the_test_from_what_was_learned():
    """Shares and money are drawn at every cutoff; the miss that is told is that of the test."""
    points = [point(1), point(2), point(3, tested=True, expected_churners=30.0)]

    lost, spend = level_charts(points)

    assert [row[:4] for row in lost.rows] == [
        ["2011-01-01", "40\xa0%", "50\xa0%", "training"],
        ["2011-02-01", "40\xa0%", "50\xa0%", "training"],
        ["2011-03-01", "30\xa0%", "50\xa0%", "test"],
    ]
    assert "At the test, 40\xa0% off" in lost.says
    assert "At the test, 10\xa0% off" in spend.says
    dots = [s for s in lost.shapes if s.attributes.get("class") == "dot s2"]
    assert [s.tooltip for s in dots] == ["said at the test: Mar 11, 30\xa0%"]


def test_level_over_time_needs_two_cutoffs():
    """One cutoff makes no line."""
    assert level_charts([point(1)]) == []
