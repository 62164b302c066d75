"""The ladder of repurchase probabilities, on every engine."""

from __future__ import annotations

import pytest

from churnkit.datasets import load_cdnow
from churnkit.errors import ParameterError
from churnkit.retention.repurchase import repurchase_ladder

DAY_US = 86_400_000_000

LINES = [
    ("a", "1", "2024-01-01", 5.0),
    ("a", "2", "2024-01-11", 5.0),
    ("a", "3", "2024-03-01", 5.0),
    ("b", "4", "2024-01-01", 5.0),
    ("b", "5", "2024-01-01", 9.0),
    ("c", "6", "2024-01-05", 5.0),
    ("c", "7", "2024-01-15", 5.0),
    ("c", "7", "2024-01-20", -5.0),
    ("d", "8", "2024-03-20", 5.0),
    ("e", "9", "2024-01-05", -5.0),
]


def rungs(table):
    """Return ``(at risk, ordering again)`` by k."""
    return [(row.variant, row.denominator, row.numerator) for row in table.rows]


def test_the_ladder_by_hand(engine, make_orders, us):
    """Each rung divides those with one order more by those at risk; orders of one instant are two."""
    orders = make_orders(LINES)

    ladder = repurchase_ladder(orders, as_of_us=us("2024-04-01"), engine=engine)

    assert rungs(ladder) == [("k=1", 4, 2), ("k=2", 2, 1), ("k=3", 1, 0)]
    assert [row.value for row in ladder.rows] == [0.5, 0.5, 0.0]


def test_a_window_leaves_out_who_had_no_time_yet(engine, make_orders, us):
    """At risk are those whose days are over at the date, and the next order counts within them."""
    orders = make_orders(LINES)

    ladder = repurchase_ladder(orders, as_of_us=us("2024-04-01"), engine=engine, within_days=30)

    assert rungs(ladder) == [("k=1", 3, 2), ("k=2", 2, 0), ("k=3", 1, 0)]


@pytest.mark.parametrize(("within_days", "again"), [(10, 0), (11, 1)])
def test_the_window_is_half_open(engine, make_orders, us, within_days, again):
    """An order 10 days later is outside 10 days and inside 11."""
    orders = make_orders([line for line in LINES if line[0] == "a"])

    ladder = repurchase_ladder(
        orders, as_of_us=us("2024-04-01"), engine=engine, within_days=within_days
    )

    assert rungs(ladder)[0] == ("k=1", 1, again)


@pytest.mark.parametrize(("as_of", "at_risk"), [("2024-01-31", 1), ("2024-01-30", 0)])
def test_at_risk_from_the_day_on_which_the_window_is_over(engine, make_orders, us, as_of, at_risk):
    """The 30 days after 1 January end with the 30th: known from the 31st on."""
    orders = make_orders([line for line in LINES if line[0] == "a"])

    ladder = repurchase_ladder(orders, as_of_us=us(as_of), engine=engine, within_days=30)

    assert rungs(ladder) == [("k=1", at_risk, at_risk)]


def test_steps_end_the_ladder(engine, make_orders, us):
    """No rung is above the highest asked for, and the last one still sees the order after it."""
    ladder = repurchase_ladder(
        make_orders(LINES), as_of_us=us("2024-04-01"), engine=engine, steps=2
    )

    assert rungs(ladder) == [("k=1", 4, 2), ("k=2", 2, 1)]


def test_without_orders_there_is_one_empty_rung(engine, make_orders, us):
    """Nobody at risk gives a null value with its reason."""
    ladder = repurchase_ladder(make_orders(LINES), as_of_us=us("2000-01-01"), engine=engine)

    assert [(row.value, row.status) for row in ladder.rows] == [(None, "zero_denominator")]


def test_the_future_changes_nothing(engine, make_orders, us):
    """Orders and refunds at or after the date leave every rung as it is."""
    future = [("a", "1", "2024-02-01", -5.0), ("d", "10", "2024-02-01", 5.0)]
    past = [line for line in LINES if line[2] < "2024-02-01"]

    alone, with_future = (
        repurchase_ladder(make_orders(lines), as_of_us=us("2024-02-01"), engine=engine)
        for lines in (past, past + future)
    )

    assert with_future == alone


def test_the_ladder_of_the_cdnow_sample(engine, make_orders, us):
    """On the published sample each rung is what counting orders with pandas gives."""
    raw = load_cdnow(sample=True)
    lines = [
        (str(c), str(i), int(ts.value // 1000), float(a))
        for i, (c, ts, a) in enumerate(
            zip(raw["customer_id"], raw["timestamp"], raw["amount"], strict=True)
        )
    ]

    ladder = repurchase_ladder(make_orders(lines), as_of_us=us("1998-07-01"), engine=engine)

    made = raw[raw["amount"] > 0].groupby("customer_id").size()
    assert rungs(ladder) == [(f"k={k}", (made >= k).sum(), (made > k).sum()) for k in range(1, 11)]


@pytest.mark.parametrize("argument", ["steps", "within_days"])
def test_numbers_below_one_are_refused(engine, make_orders, argument):
    """A ladder has at least one step, and a window at least one day."""
    with pytest.raises(ParameterError, match=rf"{argument} must be >= 1; got 0"):
        repurchase_ladder(make_orders(LINES), as_of_us=0, engine=engine, **{argument: 0})
