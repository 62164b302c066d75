"""Several counts in one sum, against a count of its own for each."""

import duckdb
import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.features.tally import Count, tallied

DAYS = (0, 3, 5, 9, 12, 15, 18)


def _counts():
    return {
        f"{mark}_{day}": Count(mark=mark, where=nw.col("day") >= day)
        for mark in ("is_order", "is_order_day")
        for day in DAYS
    }


def _tallied(rows, *, most_rows):
    sums, found = tallied(_counts(), most_rows=most_rows)
    return rows.group_by("customer_id").agg(**sums).select("customer_id", **found), len(sums)


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 20), st.integers(0, 1), st.integers(0, 1)),
        min_size=1,
        max_size=60,
    ),
    beyond=st.integers(0, 70),
)
def test_counts_that_share_a_sum_are_those_of_their_own_sums(rows, beyond):
    """For any rows, and any bound that they keep."""
    names = ("customer_id", "day", "is_order", "is_order_day")
    table = pl.DataFrame(dict(zip(names, zip(*rows, strict=True), strict=True)))
    most_rows = table.group_by("customer_id").len()["len"].max() + beyond
    found, _ = _tallied(nw.from_native(table), most_rows=most_rows)
    for row in found.iter_rows(named=True):
        own = table.filter(pl.col("customer_id") == row["customer_id"])
        for mark in ("is_order", "is_order_day"):
            for day in DAYS:
                assert row[f"{mark}_{day}"] == own.filter(pl.col("day") >= day)[mark].sum()


@pytest.mark.parametrize(
    ("most_rows", "sums"),
    [(0, 2), (1, 2), (127, 2), (128, 4), (2**26 - 1, 8), (2**26, 14), (2**60, 14)],
)
def test_a_sum_holds_as_many_counts_as_are_exact(most_rows, sums):
    """A double has 53 binary digits; the wider a count may get, the fewer fit."""
    rows = nw.from_native(
        pl.DataFrame({"customer_id": [1], "day": [9], "is_order": [1], "is_order_day": [0]})
    )
    found, used = _tallied(rows, most_rows=most_rows)
    assert used == sums
    assert [found[f"is_order_{day}"][0] for day in DAYS] == [1, 1, 1, 1, 0, 0, 0]
    assert [found[f"is_order_day_{day}"][0] for day in DAYS] == [0] * 7


def test_a_customer_with_the_most_rows_that_there_are_fills_every_digit():
    """Nothing is carried from one count into the next."""
    n = 2**17 - 1
    table = pl.DataFrame({"customer_id": np.ones(n), "day": 19, "is_order": 1, "is_order_day": 1})
    rows = nw.from_native(duckdb.from_arrow(table.to_arrow()))
    found, used = _tallied(rows, most_rows=n)
    assert used == 6
    assert set(found.to_native().fetchall()[0]) == {1.0, float(n)}
