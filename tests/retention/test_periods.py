"""Periods of a report: cut at calendar boundaries in the business zone, without gap or overlap."""

from __future__ import annotations

from datetime import date, timedelta

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.data.windows import midnight_us
from churnkit.errors import ParameterError
from churnkit.retention.periods import last_boundary, report_periods, steps_reached

DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2030, 1, 1))


@given(start=DAYS, length=st.integers(1, 2000), every=st.sampled_from(["month", "quarter", "year"]))
@settings(max_examples=60, deadline=None)
def test_periods_follow_each_other_from_start_to_end(start, length, every):
    """Inner boundaries are first days of a month, quarter or year, and none is left out."""
    end = start + timedelta(days=length)

    found = report_periods(start=start, end=end, every=every, time_zone="Europe/London").boundaries

    assert (found[0], found[-1]) == (start, end)
    starts = {
        "month": range(1, 13), "quarter": (1, 4, 7, 10), "year": (1,),
    }[every]  # fmt: skip
    inside = [
        day
        for day in (start + timedelta(days=d) for d in range(1, length))
        if day.day == 1 and day.month in starts
    ]
    assert list(found[1:-1]) == inside


def test_without_every_there_is_one_period():
    """The instants are midnights of the business zone."""
    (period,) = report_periods(
        start=date(2024, 6, 1), end=date(2024, 7, 1), every=None, time_zone="Europe/Berlin"
    ).each

    assert period.days == 30
    assert period.start_us == midnight_us(date(2024, 6, 1), time_zone="Europe/Berlin")


@pytest.mark.parametrize("count", [0, 1, 2, 5, 25])
def test_steps_are_counted_as_bisect_does(count, load, engine):
    """The tree of comparisons returns the number of steps at or below each value, 0 for null."""
    steps = [3 * i for i in range(count)]
    values = [-1, 0, 1, 2, 3, 36, 72, 73, None]

    table = load(pa.table({"i": list(range(9)), "v": pa.array(values, pa.int64())}))
    found = engine.collect(table.select("i", k=steps_reached(nw.col("v"), steps))).to_pylist()

    expected = [0 if v is None else sum(s <= v for s in steps) for v in values]
    assert [row["k"] for row in sorted(found, key=lambda row: row["i"])] == expected


def test_the_last_boundary_is_at_or_before_the_day():
    """The first of a quarter is its own boundary."""
    assert last_boundary(date(2024, 4, 1), every="quarter") == date(2024, 4, 1)
    assert last_boundary(date(2024, 3, 31), every="quarter") == date(2024, 1, 1)
    with pytest.raises(ParameterError, match=r"got 'weak'. Known: month, quarter, year"):
        last_boundary(date(2024, 3, 31), every="weak")
