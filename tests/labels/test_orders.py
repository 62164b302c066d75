"""Labels and horizon advice against plain Python over the same orders, on every engine."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta

import pyarrow as pa
import pytest

from churnkit.data.orders import order_table
from churnkit.data.windows import US_PER_DAY, Snapshot, midnight_us
from churnkit.errors import ParameterError, UnknownNameError
from churnkit.labels import LABELS, horizon_advice

START = date(2023, 1, 1)
SNAPSHOT = Snapshot(cutoff=START + timedelta(days=200), observation_days=730, horizon_days=60)


def order(customer, day, amount=10.0, order_id=None):
    """Return one line at noon of a day of the history."""
    return {
        "customer_id": customer,
        "ts_us": midnight_us(START, time_zone="UTC") + day * US_PER_DAY + US_PER_DAY // 2,
        "amount": amount,
        "order_id": order_id or f"{customer}/{day}/{amount}",
    }


def random_orders(seed, *, customers=30):
    """Return orders of customers with rhythms of their own, some of whom stop."""
    rng = random.Random(seed)
    lines = []
    for number in range(customers):
        gap, end = rng.choice([5, 20, 60]), rng.choice([120, 250, 400])
        days = sorted({rng.randrange(0, end) for _ in range(max(end // gap, 1))})
        lines += [order(f"c{number:02d}", d, rng.randrange(1, 50)) for d in days]
    return lines


@pytest.fixture
def orders_of(engine, load):
    """Give a function from lines to the order table in the engine under test."""

    def make(lines):
        table = pa.Table.from_pylist(lines)
        columns = frozenset({"customer_id", "ts_us", "amount", "order_id"})
        return order_table(load(table), columns=columns, engine=engine, time_zone="UTC")

    return make


def rows_of(engine, frame):
    """Return the rows of a label by customer."""
    return {row.pop("customer_id"): row for row in engine.collect(frame).to_pylist()}


def test_no_order_counts_the_horizon_half_open(engine, orders_of):
    """The first day of the horizon counts, the day after its last does not, nor the past."""
    lines = [order("a", d) for d in (199, 200, 259, 260)] + [order("b", 199), order("b", 260)]

    found = rows_of(engine, LABELS["no_order"]().build(orders_of(lines), SNAPSHOT))

    assert found == {"a": {"future_orders": 2.0, "future_spend": 20.0}}


def test_an_order_refunded_in_the_horizon_does_not_count(engine, orders_of):
    """Its money is gone too; a return of an earlier order is negative spend and no order."""
    lines = [
        order("a", 210, 10.0, "x"),
        order("a", 220, -10.0, "x"),
        order("b", 100, 30.0, "y"),
        order("b", 230, -5.0, "y"),
    ]

    found = rows_of(engine, LABELS["no_order"]().build(orders_of(lines), SNAPSHOT))

    assert found["a"] == {"future_orders": 0.0, "future_spend": 0.0}
    assert found["b"] == {"future_orders": 0.0, "future_spend": -5.0}


@pytest.mark.parametrize("seed", range(3))
def test_own_gap_follows_its_rule(engine, orders_of, seed):
    """Churned: no order in the horizon, and silent at its end for longer than the own gap."""
    lines = random_orders(seed)
    label = LABELS["own_gap"](quantile=0.8, prior_gaps=3.0)

    found = rows_of(engine, label.build(orders_of(lines), SNAPSHOT))

    start = midnight_us(START, time_zone="UTC")
    days = {}
    for x in lines:
        days.setdefault(x["customer_id"], set()).add((x["ts_us"] - start) // US_PER_DAY)
    before = {c: sorted(d for d in ds if d < 200) for c, ds in days.items()}
    before = {c: ds for c, ds in before.items() if ds}
    gaps = sum(len(ds) - 1 for ds in before.values())
    mean = sum(ds[-1] - ds[0] for ds in before.values()) / gaps
    expected = {}
    for c, ds in before.items():
        own = (ds[-1] - ds[0] + 3.0 * mean) / (len(ds) - 1 + 3.0) * -math.log(0.2)
        ordered = any(200 <= d < 260 for d in days[c])
        expected[c] = float(not ordered and 260 - ds[-1] - 0.5 > own)
    assert {c: row["churned"] for c, row in found.items()} == expected
    assert 0.0 < sum(expected.values()) < len(expected)


def test_own_gap_without_any_repeat_is_no_order(engine, orders_of):
    """If nobody ordered twice, every silent customer has churned."""
    lines = [order("a", 10), order("b", 190), order("b", 210)]

    found = rows_of(engine, LABELS["own_gap"]().build(orders_of(lines), SNAPSHOT))

    assert {c: row["churned"] for c, row in found.items()} == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quantile": 1.0}, "quantile must lie strictly between 0 and 1; got 1.0"),
        ({"prior_gaps": 0.0}, "prior_gaps must be positive and finite; got 0.0"),
    ],
)
def test_own_gap_refuses_impossible_parameters(options, said):
    """The message names the parameter."""
    with pytest.raises(ParameterError, match=said):
        LABELS["own_gap"](**options)


def test_an_unknown_label_is_refused_with_a_guess():
    """The nearest name is offered."""
    with pytest.raises(UnknownNameError, match="Did you mean 'own_gap'"):
        LABELS["own_gaps"]


@pytest.mark.parametrize("seed", range(2))
def test_advice_counts_who_returns(engine, orders_of, seed):
    """Every number of the grid equals a count over the orders in plain Python."""
    lines = random_orders(seed)
    start = midnight_us(START, time_zone="UTC")
    days = {}
    for x in lines:
        days.setdefault(x["customer_id"], set()).add((x["ts_us"] - start) // US_PER_DAY)
    end = max(max(ds) for ds in days.values()) + 1

    found = horizon_advice(
        orders_of(lines), engine=engine, horizons_days=(30, 90, 400), active_within_days=150
    )

    assert [o.horizon_days for o in found.outcomes] == [30, 90]
    for o in found.outcomes:
        cutoff, middle = end - 2 * o.horizon_days, end - o.horizon_days
        active = [ds for ds in days.values() if any(cutoff - 150 <= d < cutoff for d in ds)]
        gone = [ds for ds in active if not any(cutoff <= d < middle for d in ds)]
        stayed = [ds for ds in active if ds not in gone]
        assert (o.customers, o.churned) == (len(active), len(gone))
        assert o.returning_rate == pytest.approx(
            sum(any(d >= middle for d in ds) for ds in gone) / len(gone)
        )
        assert o.never_returning_rate == pytest.approx(
            sum(not any(d >= middle for d in ds) for ds in stayed) / len(stayed)
        )


def test_the_smallest_good_horizon_is_suggested(engine, orders_of):
    """Monthly buyers: after 20 days nearly all return, after 40 nobody who was silent does."""
    lines = [order(f"c{i}", d) for i in range(20) for d in range(i % 30, 300, 30)]
    lines += [order(f"gone{i}", i) for i in range(100, 140)]

    found = horizon_advice(orders_of(lines), engine=engine, horizons_days=(20, 40, 60))

    assert found.suggested_days == 40
    assert found.outcomes[0].returning_rate > 0.10


def test_nothing_is_suggested_where_nobody_ordered_again(engine, orders_of):
    """One order a customer, as where ids name orders: no horizon is long enough for that."""
    once = [order(f"o{d}", d) for d in range(200)]

    found = horizon_advice(orders_of(once), engine=engine, horizons_days=(20, 40))
    one_more = horizon_advice(
        orders_of([*once, order("o150", 195)]), engine=engine, horizons_days=(20, 40)
    )

    assert (found.nobody_returned, found.suggested_days) == (True, None)
    assert (one_more.nobody_returned, one_more.suggested_days) == (False, 20)


def test_a_history_too_short_or_empty_gets_no_advice(engine, orders_of):
    """No horizon fits twice, or nobody ordered at all."""
    short = horizon_advice(orders_of([order("a", 1), order("a", 5)]), engine=engine)
    empty = horizon_advice(orders_of([order("a", 1, -3.0)]), engine=engine)

    assert (short.outcomes, short.suggested_days) == ((), None)
    assert (empty.outcomes, empty.suggested_days) == ((), None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"horizons_days": (0,)}, r"horizons_days must hold lengths >= 1; got \(0,\)"),
        ({"accepted_returning_rate": 1.5}, r"accepted_returning_rate must lie in \[0, 1\]"),
    ],
)
def test_advice_refuses_impossible_arguments(engine, orders_of, options, said):
    """The message names the argument."""
    with pytest.raises(ParameterError, match=said):
        horizon_advice(orders_of([order("a", 1)]), engine=engine, **options)
