"""Tables of DuckDB that are worked on in parts: what parts hold, and that they change no result."""

from __future__ import annotations

import itertools
import random
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import order_table
from churnkit.data.products import product_lines
from churnkit.data.sources import TableSpec, load_table
from churnkit.engines import DuckDBEngine
from churnkit.engines.duckdb_parts import part_conditions

DAY = 86_400_000_000
ZONE = "Europe/London"
FIRST_US = (date(2024, 3, 20) - date(1970, 1, 1)).days * DAY
ODD = ["", " ", "c'1", 'c"2', "ü", "\U0001f600", "customer-0001", "customer-0002", "7", "10"]


@pytest.fixture
def duck():
    """Give a function that opens an engine with parts of so many rows."""
    opened = []

    def make(part_rows=1_000_000):
        opened.append(DuckDBEngine(threads=2, part_rows=part_rows))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


def orders(*, seed=5, count=3000, customers=60):
    """Return a table of lines with orders over days, refunds, shared days, repeated and bad rows."""
    rng = random.Random(seed)
    names = ODD[2:] + [f"c{i:03d}" for i in range(customers)]
    rows = []
    while len(rows) < count:
        who, start = rng.choice(names), FIRST_US + rng.randrange(200) * DAY
        order = rng.choice([None, f"o{len(rows)}"])
        for _ in range(rng.choice([1, 1, 2, 5])):
            ts = start + rng.choice([0, 0, 0, 1, 9]) * DAY + rng.choice([0, 9, 9, 22]) * DAY // 24
            amount = rng.choice([0.0, -4.0, *(rng.randrange(1, 400) / 4 for _ in range(8))])
            row = (who, ts, amount, order, rng.choice([None, "p1", "p2", "p3"]), rng.choice([1, 2]))
            rows += [row] * rng.choice([1, 1, 1, 2])
            if rng.random() < 0.15:
                rows.append((who, ts + rng.choice([0, 1, 30]) * DAY, -amount, *row[3:]))
    rows += [(None, FIRST_US, 1.0, "x", "p1", 1), ("c001", None, 1.0, "y", "p1", 1)]
    rows += [("one", FIRST_US + i * DAY // 2, 2.5, f"z{i}", "p1", 1) for i in range(500)]
    rng.shuffle(rows)
    names = ("customer_id", "ts", "amount", "order_id", "product_id", "quantity")
    table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    return table.set_column(1, "ts", table["ts"].cast(pa.timestamp("us")))


def in_order(frame, *, engine):
    """Return the rows of a frame in an order that depends on their content only."""
    rows = engine.collect(frame).to_pylist()
    return sorted(rows, key=lambda row: [(v is None, v or 0) for v in row.values()])


def values_of(engine, frame):
    """Return the values of the column ``k`` of each part."""
    return [engine.collect(part)["k"].to_pylist() for part in engine.parts(frame)]


@pytest.mark.parametrize("duplicates", ["keep", "drop"])
def test_parts_change_no_result(duck, duplicates):
    """Report, rows, order table and lines are the same from many parts as from one."""
    found = []
    for engine in (duck(), duck(part_rows=400)):
        loaded = load_table(
            TableSpec(source=orders()),
            contract=CONTRACTS["orders"](),
            engine=engine,
            time_zone=ZONE,
            duplicates=duplicates,
        )
        made = {"columns": loaded.columns, "engine": engine}
        tables = [
            loaded.rows,
            order_table(loaded.rows, time_zone=ZONE, **made),
            # Of lines at the same instant either may be the earlier.
            product_lines(loaded.rows, **made).drop("amount"),
        ]
        parts = len(engine.parts(loaded.rows))
        found.append((parts, loaded.report, [in_order(t, engine=engine) for t in tables]))

    (one, *whole), (many, *apart) = found
    assert apart == whole
    assert one == 1
    assert many > 6


def test_parts_follow_each_other_in_the_kept_tables(duck):
    """Customers are in order over all parts, and the rows of each by time."""
    engine = duck(part_rows=400)
    loaded = load_table(
        TableSpec(source=orders()), contract=CONTRACTS["orders"](), engine=engine, time_zone=ZONE
    )

    table = order_table(loaded.rows, columns=loaded.columns, engine=engine, time_zone=ZONE)

    rows = engine.collect(table.select("customer_id", "ts_us")).to_pylist()
    keys = [(row["customer_id"], row["ts_us"]) for row in rows]
    assert keys == sorted(keys)


def test_parts_are_about_as_large_as_asked_for(duck):
    """A table that was gathered in order is cut evenly; rows of a value stay together."""
    engine = duck(part_rows=4000)
    numbers = engine.select(
        "SELECT lpad((range * 7919 % 5003)::text, 9, 'c') AS k FROM range(50030)"
    )

    gathered = engine.gather(numbers, by="k", rows=50030)
    parts = values_of(engine, gathered)

    assert max(map(len, parts)) <= 5000
    assert min(map(len, parts[:-1])) >= 3000
    assert sum(map(len, parts)) == 50030
    assert sum(len(set(part)) for part in parts) == 5003
    assert all(max(a) < min(b) for a, b in itertools.pairwise(parts))


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.sampled_from([None, *ODD]), max_size=40), part_rows=st.integers(1, 12))
def test_every_row_is_in_one_part(values, part_rows):
    """Rows without a value, empty text, quotes and other letters: none lost, none twice."""
    with DuckDBEngine(threads=1, part_rows=part_rows) as engine:
        view = engine.add_arrow(pa.table({"k": pa.array(values, pa.string())}))

        gathered = engine.gather(engine.select(f"SELECT * FROM {view}"), by="k", rows=1_000)
        parts = values_of(engine, gathered)

    seen = [value for part in parts for value in part]
    assert sorted(seen, key=str) == sorted(values, key=str)
    assert sum(len(set(part)) for part in parts) == len(set(values))


def test_a_table_in_no_order_is_cut_right():
    """Values decide what is in a part, wherever the rows lie."""
    blocks = [(0, "a", "z"), (1, "c", "k"), (2, "b", "x")]

    conditions = part_conditions(blocks * 4, by="k", part_rows=8)

    assert conditions == [
        'rowid BETWEEN 0 AND 2 AND ("k" < \'c\' OR "k" IS NULL)',
        "rowid BETWEEN 0 AND 2 AND \"k\" >= 'c'",
    ]


def test_one_value_of_most_rows_is_one_part(duck):
    """A customer of many parts' rows, the first or the last, is never cut."""
    engine = duck(part_rows=16)
    names = ["a"] * 100 + ["b", "c"] + ["d"] * 100
    view = engine.add_arrow(pa.table({"k": names}))

    gathered = engine.gather(engine.select(f"SELECT * FROM {view}"), by="k", rows=len(names))

    assert [sorted(set(part)) for part in values_of(engine, gathered)] == [["a", "b", "c"], ["d"]]


def test_other_frames_are_one_part(duck):
    """What was not gathered is worked on at once, and so is a gathered table once it is forgotten."""
    engine = duck(part_rows=2)
    frame = engine.select("SELECT range::text AS k FROM range(10)")

    gathered = engine.gather(frame, by="k", rows=10)

    assert len(engine.parts(gathered)) > 1
    assert len(engine.parts(gathered.head(5))) == 1
    assert len(engine.parts(engine.gather(frame, by="k", rows=5))) == 1
