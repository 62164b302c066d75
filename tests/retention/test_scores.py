"""RFM scores, on every engine, against the definition and against its properties."""

from __future__ import annotations

import itertools

import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.retention.scores import SCORE_COLUMNS, rfm_scores


def customers(last, orders=None, revenue=None):
    """Return one row per customer; what is not given is alike."""
    n = len(last)
    return pa.table(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "last_order_us": pa.array(last, pa.int64()),
            "orders": pa.array(orders or [1] * n, pa.int64()),
            "net_revenue": pa.array(revenue or [1.0] * n, pa.float64()),
        }
    )


def scores_of(engine, frame, name):
    """Return the scores of one kind in the order of the customers."""
    rows = engine.collect(rfm_scores(frame)).to_pylist()
    return [row[name] for row in sorted(rows, key=lambda row: int(row["customer_id"][1:]))]


@pytest.mark.parametrize(
    ("values", "scores"),
    [
        ([10, 20, 30, 40, 50], [1, 2, 3, 4, 5]),
        ([50, 10, 40, 20, 30, 60, 70, 80, 90, 100], [3, 1, 2, 1, 2, 3, 4, 4, 5, 5]),
        ([7], [3]),
        ([7, 7, 7], [3, 3, 3]),
        ([1, 2], [1, 5]),
        ([1, 9, 9, 9, 9], [1, 5, 5, 5, 5]),
        ([1, 1, 1, 1, 9], [1, 1, 1, 1, 5]),
        ([1, 1, 1, 2, 3], [1, 1, 1, 4, 5]),
        ([], []),
    ],
)
def test_scores_by_hand(engine, load, values, scores):
    """Fifths without ties, equal values together, the best 5, all alike 3."""
    assert scores_of(engine, load(customers(values)), "r_score") == scores


def test_each_score_looks_at_its_own_column(engine, load):
    """Recency is the last order, frequency the orders, money the net revenue; more is better."""
    table = customers([1, 2], orders=[9, 3], revenue=[-5.0, -4.0])

    found = {name: scores_of(engine, load(table), name) for name in SCORE_COLUMNS}

    assert found == {"r_score": [1, 5], "f_score": [5, 1], "m_score": [1, 5]}


def test_customers_without_order_score_one_and_shift_nobody(engine, load):
    """Who has no order has 1 three times, even with the highest revenue; the others do not notice."""
    table = customers([None, 2, 3, None], orders=[0, 1, 2, 0], revenue=[1e9, 5.0, 6.0, -1.0])

    found = [scores_of(engine, load(table), name) for name in SCORE_COLUMNS]

    assert found == [[1, 1, 5, 1]] * 3


def test_revenue_that_differs_by_rounding_is_equal(engine, load):
    """0.1 + 0.2 and 0.3 are the same revenue."""
    table = customers([1, 1, 1], revenue=[0.1 + 0.2, 0.3, 0.4])

    assert scores_of(engine, load(table), "m_score") == [1, 1, 5]


@settings(deadline=None)
@given(values=st.lists(st.integers(0, 30), min_size=1, max_size=60))
def test_scores_are_monotone_share_ties_and_reach_the_ends(values):
    """Higher never scores lower, equal scores equal, extremes are 1 and 5, no class is over-full above."""
    frame = nw.from_native(pl.from_arrow(customers(values))).lazy()

    found = rfm_scores(frame).collect().to_native()["r_score"].to_list()

    pairs = sorted(zip(values, found, strict=True))
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(pairs))
    assert len(set(pairs)) == len(set(values))
    assert (pairs[0][1], pairs[-1][1]) == ((3, 3) if len(set(values)) == 1 else (1, 5))
    for value, score in pairs:
        worse = sum(other < value for other in values)
        if value != max(values):
            assert score - 1 <= 5 * worse / len(values) < score


@settings(deadline=None)
@given(n=st.integers(1, 40))
def test_without_ties_the_classes_are_fifths(n):
    """5 n different values fall into five classes of n."""
    frame = nw.from_native(pl.from_arrow(customers(list(range(5 * n))))).lazy()

    found = rfm_scores(frame).collect().to_native()["r_score"].value_counts()

    assert sorted(found.rows()) == [(score, n) for score in range(1, 6)]
