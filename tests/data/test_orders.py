"""The order table and what was known of it at a cutoff, against a reading in plain Python."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.data.orders import ORDER_COLUMNS, known_at, order_span, order_table
from churnkit.data.windows import midnight_us
from churnkit.errors import DataError

ZONE = "Europe/London"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(2024, 3, 27)  # the clocks go forward on 31 March
HOUR = 3_600_000_000
TYPES = {
    "customer_id": pa.string(),
    "ts_us": pa.int64(),
    "amount": pa.float64(),
    "order_id": pa.string(),
    "quantity": pa.float64(),
    "discount": pa.float64(),
}
ALL = frozenset(TYPES) - {"ts_us"} | {"ts"}


def midnight(days):
    """Return the first instant of the business day that many days after the first."""
    return midnight_us(FIRST_DAY + timedelta(days=days), time_zone=ZONE)


def line(customer="a", day=0, hour=12.0, amount=10.0, order_id=None, quantity=1.0, discount=0.0):
    """Return one line at an hour after the midnight of a business day."""
    return {
        "customer_id": customer,
        "ts_us": midnight(day) + round(hour * HOUR),
        "amount": amount,
        "order_id": order_id,
        "quantity": quantity,
        "discount": discount,
    }


def day_of(ts_us):
    """Return the business day of an instant, as days since 1970."""
    local = (EPOCH + timedelta(microseconds=ts_us)).astimezone(ZoneInfo(ZONE)).date()
    return (local - date(1970, 1, 1)).days


def total(members, name):
    """Return the sum of what is there."""
    return sum(m[name] for m in members if m[name] is not None)


def plain_orders(lines, *, with_ids=True):
    """Return the order table by its definition, one order after the other."""

    def key(x):
        has_id = with_ids and x["order_id"] is not None
        return x["customer_id"], x["order_id"] if has_id else f"day {day_of(x['ts_us'])}"

    rows = []
    for (customer, order), group in groupby(sorted(lines, key=key), key=key):
        by_day = sorted(group, key=lambda x: day_of(x["ts_us"]))
        net, placed, refunded, mine = 0.0, False, None, []
        for day, same in groupby(by_day, key=lambda x: day_of(x["ts_us"])):
            members = list(same)
            amounts = [m["amount"] for m in members]
            row = {
                "customer_id": customer,
                "ts_us": min(m["ts_us"] for m in members),
                "day": day,
                "amount": sum(amounts),
                "gross_amount": sum(a for a in amounts if a > 0),
                "refund_amount": -sum(a for a in amounts if a < 0),
                "discount": total(members, "discount"),
                "quantity": total(members, "quantity"),
                "lines": len(members),
                "is_order": int(sum(amounts) > 0 and not placed),
                "order": order,
            }
            placed |= row["is_order"] == 1
            net += row["amount"]
            if placed and net <= 0 and refunded is None:
                refunded = row["ts_us"]
            mine.append(row)
        rows += [row | {"refunded_at_us": refunded} for row in mine]
    for row in rows:
        row |= {"is_order_day": 0, "previous_order_us": None, "next_order_us": None}
    by_time = sorted(rows, key=lambda r: (r["customer_id"], r["ts_us"], r["order"]))
    for _, group in groupby(by_time, key=lambda r: r["customer_id"]):
        before = None
        for row in group:
            if row["is_order"] and (before is None or before["day"] != row["day"]):
                row["is_order_day"] = 1
                if before is not None:
                    row["previous_order_us"] = before["ts_us"]
                    before["next_order_us"] = row["ts_us"]
                before = row
    return [{name: row[name] for name in ORDER_COLUMNS} for row in rows]


def plain_known(lines, *, start_us, cutoff_us):
    """Return what was known at the cutoff: the order table of the past, and its ends marked."""
    past = plain_orders([x for x in lines if x["ts_us"] < cutoff_us])
    seen = [row for row in past if row["ts_us"] >= start_us]
    for row in seen:
        refunded_at = row.pop("refunded_at_us")
        after = row.pop("next_order_us")
        before = row["previous_order_us"]
        if before is not None and before < start_us:
            row["previous_order_us"] = before = None
        row["is_order"] *= int(refunded_at is None)
        row["is_first_order_day"] = int(row["is_order_day"] == 1 and before is None)
        row["is_last_order_day"] = int(row["is_order_day"] == 1 and after is None)
    return seen


def in_order(rows):
    """Return rows in an order that depends on their content only."""
    return sorted(rows, key=lambda row: [(v is None, v or 0) for v in row.values()])


@pytest.fixture
def orders_of(engine, load):
    """Give a function that makes the order table of lines on the engine under test."""

    def make(lines, *, columns=ALL):
        table = pa.table(
            {
                name: pa.array([x[name] for x in lines], kind)
                for name, kind in TYPES.items()
                if name in columns | {"ts_us"}
            }
        )
        return order_table(load(table), columns=columns, engine=engine, time_zone=ZONE)

    return make


@pytest.fixture
def rows_of(engine):
    """Give a function that returns the rows of a frame as dictionaries in a fixed order."""

    def collect(frame):
        rows = engine.collect(frame).to_pylist()
        names = sorted(rows[0]) if rows else []
        return in_order([{name: row[name] for name in names} for row in rows])

    return collect


def same(rows):
    """Return expected rows in the order in which the engine's are compared."""
    return in_order([dict(sorted(row.items())) for row in rows])


LINES = st.lists(
    st.builds(
        line,
        customer=st.sampled_from("abcdef"),
        day=st.integers(0, 7),
        hour=st.sampled_from([0.0, 0.5, 9.0, 9.0, 22.5]),
        amount=st.sampled_from([-10.0, -5.0, -2.5, 0.0, 2.5, 5.0, 10.0]),
        order_id=st.sampled_from([None, "1", "2", "day 1"]),
        quantity=st.sampled_from([None, 1.0, -2.0]),
        discount=st.sampled_from([None, 0.5]),
    ),
    max_size=60,
)
FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FEW
@given(lines=LINES)
def test_agrees_with_the_definition(orders_of, rows_of, lines):
    """Every column of every row equals the one-order-at-a-time reading."""
    assert rows_of(orders_of(lines)) == same(plain_orders(lines))


@FEW
@given(lines=LINES, start=st.integers(-1, 5), length=st.integers(1, 9))
def test_the_future_makes_no_difference(orders_of, rows_of, lines, start, length):
    """No leak: what is known at a cutoff is what the table of the earlier lines says."""
    cut = {"start_us": midnight(start), "cutoff_us": midnight(start + length)}
    past = [x for x in lines if x["ts_us"] < cut["cutoff_us"]]

    with_future = rows_of(known_at(orders_of(lines), **cut))
    without = rows_of(known_at(orders_of(past), **cut))

    assert with_future == without
    assert without == same(plain_known(lines, **cut))


def random_lines(seed, *, count=3000, customers=150, days=120):
    """Return lines with returns, free lines, shared days, orders over days and lines without id."""
    rng = random.Random(seed)
    lines = []
    while len(lines) < count:
        placed, order = rng.randrange(days), rng.choice([None, f"o{len(lines)}"])
        who = f"c{rng.randrange(customers):03d}"
        for _ in range(rng.choice([1, 1, 2, 5])):
            day, hour = placed + rng.choice([0, 0, 0, 1, 9]), rng.choice([0.0, 8.25, 12.0, 22.9])
            amount = rng.choice([0.0, -4.0, *(rng.randrange(1, 400) / 4 for _ in range(8))])
            lines.append(line(who, day, hour, amount, order, rng.choice([None, 1.0, 3.0])))
            if rng.random() < 0.15:
                lines.append(line(who, day + rng.choice([0, 1, 30]), hour, -amount, order))
    return lines


@pytest.mark.parametrize("seed", [1, 2])
def test_the_future_makes_no_difference_to_many_customers(orders_of, rows_of, seed):
    """No leak at any of several cutoffs, with refunds, shared days and orders without id."""
    lines = random_lines(seed, count=2000)
    table = orders_of(lines)

    assert rows_of(table) == same(plain_orders(lines))
    for start, end in [(0, 10), (20, 61), (0, 200)]:
        cut = {"start_us": midnight(start), "cutoff_us": midnight(end)}
        past = orders_of([x for x in lines if x["ts_us"] < cut["cutoff_us"]])

        known = rows_of(known_at(table, **cut))

        assert known == rows_of(known_at(past, **cut))
        assert known == same(plain_known(lines, **cut))


def test_money_is_net_and_nothing_is_lost(orders_of, engine):
    """The amounts of the order table add up to those of the lines, and so do the lines."""
    lines = random_lines(3, count=500)

    rows = engine.collect(orders_of(lines)).to_pylist()

    assert sum(r["amount"] for r in rows) == sum(x["amount"] for x in lines)
    assert sum(r["lines"] for r in rows) == len(lines)
    assert all(r["amount"] == r["gross_amount"] - r["refund_amount"] for r in rows)
    assert min(r["refund_amount"] for r in rows) == 0


def test_rows_come_sorted_by_customer_and_time(orders_of, engine):
    """Later passes read each customer's rows together, oldest first."""
    rows = engine.collect(orders_of(random_lines(4, count=400))).to_pylist()

    keys = [(r["customer_id"], r["ts_us"]) for r in rows]
    assert keys == sorted(keys)
    assert tuple(rows[0]) == ORDER_COLUMNS


def test_lines_of_one_id_are_one_order(orders_of, rows_of):
    """Two lines of an order on a day are one row; another customer's order of that id is its own."""
    lines = [line(order_id="1"), line(order_id="1", hour=13), line("b", order_id="1")]

    rows = rows_of(orders_of(lines))

    assert [(r["customer_id"], r["lines"], r["is_order"]) for r in rows] == [
        ("b", 1, 1),
        ("a", 2, 1),
    ]


def test_without_ids_a_day_is_an_order(orders_of, rows_of):
    """With no order id at all, and for lines that lack one, the business day makes the order."""
    lines = [line(hour=1), line(hour=23.9), line(day=1, hour=0)]

    without_column = rows_of(orders_of(lines, columns=ALL - {"order_id"}))
    with_nulls = rows_of(orders_of(lines))

    assert [r["lines"] for r in without_column] == [1, 2]
    assert without_column == with_nulls


def test_an_order_over_midnight_is_placed_once(orders_of, rows_of):
    """The second day of an order is money, not another order."""
    lines = [line(day=0, hour=23.5, order_id="1"), line(day=1, hour=0.5, order_id="1")]

    first, second = sorted(rows_of(orders_of(lines)), key=lambda r: r["ts_us"])

    assert (first["is_order"], first["is_order_day"]) == (1, 1)
    assert (second["is_order"], second["is_order_day"], second["amount"]) == (0, 0, 10.0)


def test_a_refund_counts_from_the_day_it_happens(orders_of, engine):
    """An order stands until the day after its refund; its day stays an order day."""
    table = orders_of([line(order_id="1"), line(day=3, hour=0, amount=-10.0, order_id="1")])

    def standing(cutoff):
        cut = known_at(table, start_us=midnight(0), cutoff_us=midnight(cutoff))
        rows = engine.collect(cut).to_pylist()
        return [(r["is_order"], r["is_order_day"]) for r in rows if r["amount"] > 0]

    assert standing(3) == [(1, 1)]
    assert standing(4) == [(0, 1)]


@pytest.mark.parametrize(
    ("amounts", "refunded"),
    [
        ([10.0, -9.99], False),
        ([10.0, -10.0], True),
        ([10.0, -12.0], True),
        ([0.1, 0.2, -0.3], True),  # 0.1 + 0.2 - 0.3 is 5.6e-17 in doubles
        ([10.0, -10.0, 20.0], True),
    ],
)
def test_an_order_is_refunded_when_its_net_is_nothing(orders_of, engine, amounts, refunded):
    """A cent left keeps an order; a rounding error does not; a later charge does not revive it."""
    lines = [line(day=d, amount=a, order_id="1") for d, a in enumerate(amounts)]

    rows = engine.collect(orders_of(lines)).to_pylist()

    assert all((r["refunded_at_us"] is not None) == refunded for r in rows)


@pytest.mark.parametrize("days", [(0, 0, 0), (0, 0, 0, 1)])
@pytest.mark.parametrize("order_id", ["1", None])
def test_lines_that_cancel_each_other_on_a_day_are_no_order(orders_of, engine, days, order_id):
    """What rounding leaves of an order cancelled on its day is nothing, in whatever order it is added."""
    amounts = (0.1, 0.2, -0.3, 0.0)  # 0.1 + 0.2 - 0.3 is 5.6e-17 in doubles
    for turned in (1, -1):
        lines = [
            line(day=d, amount=a, order_id=order_id)
            for d, a in list(zip(days, amounts, strict=False))[::turned]
        ]

        rows = engine.collect(orders_of(lines)).to_pylist()

        assert [(r["is_order"], r["is_order_day"]) for r in rows] == [(0, 0)] * len(rows)


def test_free_and_returned_lines_are_rows_but_no_orders(orders_of, engine):
    """A free order and a return without a purchase are kept for their money and their customer."""
    rows = engine.collect(orders_of([line(amount=0.0), line("b", amount=-5.0)])).to_pylist()

    assert [(r["customer_id"], r["is_order"], r["is_order_day"]) for r in rows] == [
        ("a", 0, 0),
        ("b", 0, 0),
    ]


def test_without_amounts_every_line_counts_one(orders_of, engine):
    """A history without money still has orders."""
    table = orders_of([line(), line(), line(day=2)], columns=frozenset({"customer_id", "ts"}))

    rows = engine.collect(table).to_pylist()

    assert [(r["amount"], r["is_order"]) for r in rows] == [(2.0, 1), (1.0, 1)]
    assert all(r["quantity"] is None and r["discount"] is None for r in rows)


def test_the_ends_of_an_interval_are_marked_within_it(orders_of, engine):
    """An order day before the interval or after it takes no mark and gives no gap."""
    table = orders_of([line(day=d) for d in (0, 2, 4, 6)])

    cut = known_at(table, start_us=midnight(1), cutoff_us=midnight(5))

    rows = engine.collect(cut).to_pylist()
    assert [(r["is_first_order_day"], r["is_last_order_day"]) for r in rows] == [(1, 0), (0, 1)]
    assert [r["previous_order_us"] for r in rows] == [None, rows[0]["ts_us"]]


def test_span_is_from_the_first_order_to_the_day_after_the_last(orders_of, engine):
    """Refunds and free lines do not stretch the span; the days are business days."""
    lines = [line(day=-3, amount=0.0), line(day=0, hour=0), line(day=5, hour=23.9)]
    lines += [line(day=9, amount=-1.0)]

    span = order_span(orders_of(lines), engine=engine)

    assert span == (FIRST_DAY, FIRST_DAY + timedelta(days=6))


def test_span_of_a_range_looks_only_there(orders_of, engine):
    """The range is half-open."""
    table = orders_of([line(day=d) for d in (0, 2, 4)])

    span = order_span(table, engine=engine, start_us=midnight(1), end_us=midnight(4))

    assert span == (FIRST_DAY + timedelta(days=2), FIRST_DAY + timedelta(days=3))


def test_span_refuses_a_range_without_orders(orders_of, engine):
    """The message says where the orders are."""
    message = r"^orders: no order in the date range asked for; the orders are from 2024-03-27 to 2024-03-31$"
    with pytest.raises(DataError, match=message):
        order_span(
            orders_of([line(), line(day=4)]),
            engine=engine,
            start_us=midnight(1),
            end_us=midnight(4),
        )


def test_span_refuses_a_history_without_orders(orders_of, engine):
    """Refunds alone are no orders."""
    with pytest.raises(
        DataError, match=r"^orders: no row is an order; all amounts are zero or refunds$"
    ):
        order_span(orders_of([line(amount=-1.0)]), engine=engine)
