"""PurchaseHistory and its grouping: what merges, what is refused, and with which words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.btyd import PurchaseHistory, group_customers
from churnkit.errors import ParameterError

CUSTOMER = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(2, 4))


@given(st.lists(CUSTOMER, min_size=1, max_size=30))
def test_grouping_counts_equal_customers(customers):
    """Groups and counts equal those of a dictionary of tuples, in ascending order."""
    customers = [(x, t_x if x else 0, total) for x, t_x, total in customers]
    expected = {c: customers.count(c) for c in sorted(set(customers))}

    columns = np.array(customers, dtype=float).T
    grouped = group_customers(repeat_orders=columns[0], recency=columns[1], tenure=columns[2])

    groups = list(zip(grouped.repeat_orders, grouped.recency, grouped.tenure, strict=True))
    assert dict(zip(groups, grouped.count, strict=True)) == expected
    assert groups == list(expected)
    assert grouped.n_customers == len(customers)


def test_grouping_adds_up_counts_that_were_there():
    """Groups of groups keep every customer, fractions of weight included."""
    grouped = group_customers(
        repeat_orders=[1, 0, 1], recency=[2, 0, 2], tenure=[5, 5, 5], count=[2.5, 7, 1]
    )

    assert grouped.count.tolist() == [7.0, 3.5]


def test_one_count_serves_all_positions():
    """Without counts every position is one customer."""
    history = PurchaseHistory(
        repeat_orders=np.array([0, 1]), recency=np.array([0, 3]), tenure=np.array([4, 4])
    )

    assert history.count.tolist() == [1.0, 1.0]
    assert history.n_customers == 2.0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"repeat_orders": [0, 1.5]}, r"repeat_orders must be whole numbers >= 0; got 1.5 at pos"),
        ({"repeat_orders": [0, -1]}, r"repeat_orders must be whole numbers >= 0; got -1 at posi"),
        ({"recency": [0, -1]}, r"recency must not be negative; got -1 at position 1"),
        ({"recency": [2, 1]}, r"recency must be 0 without repeat orders; got 2 at position 0"),
        ({"recency": [0, 8]}, r"recency must not exceed tenure; got 8 at position 1"),
        ({"tenure": [np.nan, 7]}, r"tenure must be finite; got nan at position 0"),
        ({"tenure": [5, 6, 7]}, r"repeat_orders, .* must have one length; got shapes \(2,\), "),
        ({"count": [1, 0]}, r"count must be positive; got 0 at position 1"),
    ],
)
def test_impossible_customers_are_refused_by_name_and_position(changed, message):
    """The message names the argument, its rule, the value and where it stands."""
    arguments = {"repeat_orders": [0, 2], "recency": [0, 1], "tenure": [6, 7], "count": [1, 1]}

    with pytest.raises(ParameterError, match=message):
        group_customers(**(arguments | changed))


def test_a_history_of_nobody_is_refused():
    """No customers is an error of the caller, said before any fit."""
    with pytest.raises(ParameterError, match=r"PurchaseHistory: repeat_orders must hold at least"):
        group_customers(repeat_orders=[], recency=[], tenure=[])


def test_a_history_is_a_list_of_customers():
    """Tables are refused: their second dimension would mean nothing."""
    square = np.ones((2, 2))

    with pytest.raises(ParameterError, match=r"repeat_orders must be one-dimensional; got 2 dim"):
        PurchaseHistory(repeat_orders=square, recency=square, tenure=square)
