"""Every row read is used or set aside with its reasons, and counted once per reason."""

from __future__ import annotations

import json
import math
import random
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.data.contracts import CONTRACTS
from churnkit.data.sources import TableSpec, load_table
from churnkit.engines import DuckDBEngine
from churnkit.errors import DataError

STAMP = datetime(2024, 1, 5, 10, 30)


def dirty(**columns):
    """Return seven sound orders as text, with the columns given in place of theirs."""
    rows = 7
    base = {
        "customer_id": [f"c{i}" for i in range(rows)],
        "ts": [f"2024-01-0{i + 1}" for i in range(rows)],
        "amount": [f"{i + 1}.50" for i in range(rows)],
        "order_id": [f"o{i}" for i in range(rows)],
    }
    return pa.table(base | columns)


@pytest.mark.parametrize(
    ("column", "values", "check", "count", "example"),
    [
        ("customer_id", ["a", None, "", "  ", "\t", "b", "c"], "customer_id_missing", 4, "order_id o1"),
        ("ts", ["2024-01-01", None, "", " ", "x", "2024-13-01", "1/2/24"], "ts_missing", 3, "customer_id c1"),
        ("ts", ["2024-01-01", None, "", " ", "x", "2024-13-01", "1/2/24"], "ts_unparsable", 3, "ts 1/2/24"),
        ("ts", ["2024-01-01"] * 5 + ["2099-01-01", "2025-01-03"], "ts_in_future", 2, "ts 2025-01-03"),
        ("ts", ["2024-01-01", "1901-01-01", "1900-12-31T23:59", "1900-01-01", "1753-01-01",
          "0001-01-01", "0000-01-01"],
         "ts_too_early", 5, "ts 0001-01-01"),
        ("amount", ["1", None, " ", "2", "3", "4", "5"], "amount_missing", 2, "customer_id c1"),
        ("amount", ["1", "1,50", "£3", "2", "3", "4", "5"], "amount_not_numeric", 2, "amount 1,50"),
        ("amount", ["1", "inf", "-inf", "nan", "1e999", "4", "5"], "amount_not_finite", 4, "amount -inf"),
        ("amount", ["1e15", "1.1e15", "-9e307", "1e308", "-1e15", "inf", "nan"],
         "amount_too_large", 3, "amount -9e307"),
        ("customer_id", ["1", '"1"', "1.0", "'1'", "x", "2", "3"],
         "customer_id_mixed_type", 3, "customer_id '1'"),
        ("order_id", ["1", '"1"', "1.00", "A1", None, "2", "3"], "order_id_mixed_type", 2, 'order_id "1"'),
    ],
)  # fmt: skip
def test_each_check_counts_its_rows_and_shows_them(read, column, values, check, count, example):
    """The count is exact, examples name rows that a person can find, the rest is used."""
    found = read(dirty(**{column: values}))

    assert found.broken[check] == count
    assert example in found.examples[check]
    assert len(found.examples[check]) == min(count, 5)
    assert found.report.rows_used == 7 - len(found.rejected)
    assert len(found.rows) == found.report.rows_used


def test_rows_set_aside_stand_as_in_the_source_with_reasons_in_words(read):
    """Every fault of a row is said, in sentences; the cells are untouched."""
    found = read(dirty(customer_id=[" "] + ["a"] * 6, amount=["1,50"] + ["2"] * 6))

    assert found.rejected == [
        {
            "customer_id": " ",
            "ts": "2024-01-01",
            "amount": "1,50",
            "order_id": "o0",
            "reason": "customer_id is null or blank; amount is not a number",
        }
    ]
    assert found.broken == {"customer_id_missing": 1, "amount_not_numeric": 1}


def test_numbers_that_cannot_be_meant_are_set_aside_before_they_are_added(read):
    """Three amounts near the largest double would sum to infinity: the total is that of the others."""
    amounts = ["9e307", "9e307", "9e307", "4", "5", "inf", "1e15"]

    found = read(dirty(amount=amounts, quantity=["1", "1", "1", "2e15", "1", "1", "1"]))

    assert found.broken == {"amount_too_large": 3, "amount_not_finite": 1, "quantity_too_large": 1}
    reasons = [row["reason"] for row in sorted(found.rejected, key=lambda row: row["customer_id"])]
    assert reasons == [
        *["amount is above 1e15 or below -1e15"] * 3,
        "quantity is above 1e15 or below -1e15",
        "amount is infinite or NaN",
    ]
    assert found.report.amount == 1e15 + 5


def test_typed_cells_are_written_as_text(read):
    """Times and numbers of a Parquet file are shown as their text; ids lose a decimal zero."""
    table = pa.table(
        {
            "customer_id": [13085.0, 7.0],
            "ts": [STAMP, STAMP],
            "amount": [float("inf"), 2.5],
            "quantity": [1, 2],
        }
    )

    found = read(table)

    assert found.rejected == [
        {
            "customer_id": "13085",
            "ts": "2024-01-05 10:30:00",
            "amount": "inf",
            "quantity": "1",
            "reason": "amount is infinite or NaN",
        }
    ]


def test_examples_are_five_different_ones_and_always_the_same(read):
    """Repeated cells are shown once, long ones shortened, in an order that does not change."""
    amounts = ["x" * 500, *(f"bad {i:02d}" for i in range(20)), *["bad 00"] * 20]
    table = pa.table(
        {"customer_id": ["a"] * 42, "ts": ["2024-01-01"] * 42, "amount": [*amounts, "1"]}
    )

    shown = read(table).examples["amount_not_numeric"]

    assert shown == (
        "amount bad 00",
        "amount bad 01",
        "amount bad 02",
        "amount bad 03",
        "amount bad 04",
    )


def test_a_long_cell_is_shortened(read):
    """An example is one line of a message."""
    shown = read(dirty(amount=["x" * 500] + ["1"] * 6)).examples["amount_not_numeric"]

    assert shown == (f"amount {'x' * 80}",)


def test_a_blank_row_is_shown_by_whatever_it_has(read):
    """A row without id and order is shown by its time; one without anything is only counted."""
    table = pa.table(
        {"customer_id": [None, None, "a"], "ts": ["2024-01-01", None, "2024-01-01"]},
        schema=pa.schema([("customer_id", pa.string()), ("ts", pa.string())]),
    )  # fmt: skip

    found = read(table)

    assert found.broken["customer_id_missing"] == 2
    assert found.examples["customer_id_missing"] == ("ts 2024-01-01",)


# Raise


def test_raise_stops_with_every_fault_in_one_sentence(read):
    """The message has each rule, its count, examples, and how to go on."""
    table = dirty(customer_id=[None, *"abcdef"], amount=["1", "x", "2", "y", "3", "4", "5"])
    message = (
        r"^orders: customer_id is null or blank in 1 of 7 rows \(e\.g\. order_id o0\);"
        r" amount is not a number in 2 of 7 rows \(e\.g\. amount x, amount y\);"
        r" set data\.on_invalid: quarantine to go on without them$"
    )
    with pytest.raises(DataError, match=message):
        read(table, on_invalid="raise")


def test_raise_lets_a_sound_table_pass(read):
    """Nothing to raise; repeated rows are reported and are no fault."""
    found = read(pa.concat_tables([dirty(), dirty()]), on_invalid="raise")

    assert found.report.rows_used == 14
    assert found.broken == {"exact_duplicates": 7}


# Mixed types


def test_numbers_spelled_alike_throughout_are_no_mixture(read):
    """A file whose ids are all written '7.0' or all in quotes has one type."""
    for spelled in ("{}.0", '"{}"', "'{}'"):
        found = read(dirty(customer_id=[spelled.format(i) for i in range(7)]))

        assert found.broken == {}
        assert len(found.rows) == 7
        assert found.rejected == []


def test_the_number_one_and_the_text_one_of_pandas_are_told_apart(read):
    """The rarer type of an object column is set aside, whichever it is."""
    frame = dirty().to_pandas()

    texts = read(frame.assign(customer_id=pd.Series([1, 2, 3, 4, 5, "6", "x"], dtype=object)))
    numbers = read(
        frame.assign(customer_id=pd.Series(["1", "2", "3", "4", 5, 6, "x"], dtype=object))
    )

    assert texts.examples["customer_id_mixed_type"] == ('customer_id "6"',)
    assert numbers.examples["customer_id_mixed_type"] == (
        "customer_id 5 (number)",
        "customer_id 6 (number)",
    )
    assert "x" in {row["customer_id"] for row in texts.rows}
    assert texts.report.rows_used == 6
    assert numbers.report.rows_used == 5


def test_amounts_of_mixed_types_are_all_numbers(read):
    """In a column of numbers, a number written as text is read, not set aside."""
    frame = (
        dirty().to_pandas().assign(amount=pd.Series([1, "2.5", 3.0, "4", 5, 6, 7], dtype=object))
    )

    assert sum(row["amount"] for row in read(frame).rows) == 28.5


# The future


def test_rows_at_or_after_as_of_are_in_the_future_of_the_run(read):
    """The cutoff itself is not known; the microsecond before it is."""
    as_of = datetime(2024, 1, 5, tzinfo=UTC)
    table = dirty(ts=["2024-01-04T23:59:59.999999", "2024-01-05", *["2024-01-01"] * 5])

    found = read(table, as_of_us=int(as_of.timestamp()) * 1_000_000)

    assert found.broken == {"ts_in_future": 1}
    assert found.rejected[0]["reason"] == "ts is in the future (not before as_of)"


def test_without_as_of_a_row_a_day_past_now_is_in_the_future(read):
    """One row of the year 2099 must not become the clock of the run."""
    now = datetime(2024, 1, 5, 12, tzinfo=UTC)
    stamps = [
        "2024-01-06T11:59:59.999999",
        "2024-01-06T12:00:00",
        "2099-01-01",
        *["2024-01-01"] * 4,
    ]

    found = read(dirty(ts=stamps), now_us=int(now.timestamp()) * 1_000_000)

    assert found.broken == {"ts_in_future": 2}
    assert found.report.last_at == "2024-01-06T11:59:59+00:00"
    assert found.rejected[0]["reason"] == "ts is in the future (more than a day after now)"


def test_now_is_the_clock_of_the_machine(reader):
    """By default a row of yesterday is used and one of next week is not."""
    day = timedelta(days=1)
    now = datetime.fromtimestamp(time.time(), tz=UTC).replace(tzinfo=None)
    table = pa.table({"customer_id": ["a", "b"], "ts": [now - day, now + 7 * day]})

    loaded = load_table(
        TableSpec(source=table), contract=CONTRACTS["orders"](), engine=reader, time_zone="UTC"
    )

    assert [row["customer_id"] for row in reader.collect(loaded.rows).to_pylist()] == ["a"]


# Refunds


def test_refunds_net_keeps_negative_amounts(read):
    """By default a return is a row like any other."""
    found = read(dirty(amount=["-5"] + ["1"] * 6))

    assert found.report.amount == 1.0
    assert found.broken == {}


@pytest.mark.parametrize("on_invalid", ["quarantine", "raise"])
def test_refunds_drop_sets_negative_amounts_aside(read, on_invalid):
    """What the configuration drops itself is counted and stops nothing."""
    found = read(
        dirty(amount=["-5", "0", "-0.01"] + ["1"] * 4), refunds="drop", on_invalid=on_invalid
    )

    assert found.broken == {"refund_dropped": 2}
    assert found.report.amount == 4.0
    assert {row["reason"] for row in found.rejected} == {
        "amount is negative and data.refunds is 'drop'"
    }


@pytest.mark.parametrize("on_invalid", ["quarantine", "raise"])
def test_refunds_raise_stops(read, on_invalid):
    """Negative amounts stop the run, whatever happens to other faults."""
    message = (
        r"^orders: amount is negative and data\.refunds is 'raise' in 1 of 7 rows"
        r" \(e\.g\. amount -5\); set data\.refunds: net or drop to go on$"
    )
    with pytest.raises(DataError, match=message):
        read(dirty(amount=["-5"] + ["1"] * 6), refunds="raise", on_invalid=on_invalid)


# Duplicates


def test_repeated_rows_are_counted_and_kept(read):
    """A row that is there three times repeats twice; rows that differ in one cell do not."""
    table = pa.concat_tables(
        [dirty(), dirty().slice(2, 1), dirty().slice(2, 1), dirty(order_id=["z"] * 7)]
    )

    found = read(table)

    assert found.broken == {"exact_duplicates": 2}
    assert found.examples["exact_duplicates"] == ("customer_id c2",)
    assert found.report.rows_used == len(found.rows) == 16
    assert not next(c for c in found.report.checks if c.name == "exact_duplicates").set_aside


def test_repeated_rows_are_dropped_where_configured(read):
    """One of each stays; the others are set aside like any row, with their cells and the reason."""
    table = pa.concat_tables(
        [dirty(), dirty().slice(2, 1), dirty().slice(2, 1), dirty(order_id=["z"] * 7)]
    )

    found = read(table, duplicates="drop", on_invalid="raise")

    assert found.report.rows_used == len(found.rows) == 14
    assert (
        found.rejected
        == [
            {
                "customer_id": "c2",
                "ts": "2024-01-03",
                "amount": "3.50",
                "order_id": "o2",
                "reason": "the row repeats another in every mapped column",
            }
        ]
        * 2
    )
    assert found.examples["exact_duplicates"] == ("customer_id c2",)


def test_nulls_repeat_nulls(read):
    """Two rows without an order id can be one and the same."""
    table = pa.concat_tables([dirty(order_id=[None] * 7).cast(dirty().schema)] * 2)

    assert read(table).broken == {"exact_duplicates": 7}
    assert read(table, duplicates="drop").report.rows_used == 7


def test_a_bad_row_does_not_take_the_place_of_a_good_one(read):
    """Where a bad cell becomes null, a good row with null there is not its repetition."""
    table = pa.table(
        {
            "customer_id": ["a"] * 3,
            "ts": ["2024-01-01"] * 3,
            "quantity": ["x", None, "y"],
        }
    )

    found = read(table, duplicates="drop")

    assert len(found.rows) == 1
    assert found.broken == {"quantity_not_numeric": 2}


# The account


CELLS = {
    "customer_id": st.sampled_from([None, "", " ", "a", "b", " a", "1", '"1"', "1.0", "Zoë", "2"]),
    "ts": st.sampled_from(
        [
            None,
            "",
            "x",
            "2024-01-01",
            "2024-01-01T10:00+02:00",
            "2099-01-01",
            "2024-02-30",
            "infinity",
        ]
    ),
    "amount": st.sampled_from([None, "", "x", "nan", "inf", "-5", "0", "1.5", "1e400"]),
    "order_id": st.sampled_from([None, "", "7", "7.0", "o1"]),
}
# Long tables rather than many: to read one takes an engine longer than its rows.
TABLES = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=100)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=TABLES,
    refunds=st.sampled_from(["net", "drop"]),
    duplicates=st.sampled_from(["keep", "drop"]),
)
def test_every_row_is_used_or_set_aside(read, rows, refunds, duplicates):
    """rows_read = rows_used + rows_set_aside, as counted and as handed out, whatever the dirt."""
    types = pa.schema([(name, pa.string()) for name in CELLS])
    table = pa.Table.from_pylist(
        [*rows, {"customer_id": "ok", "ts": "2024-01-01", "amount": "1"}], types
    )

    found = read(table, refunds=refunds, duplicates=duplicates)

    report = found.report
    assert report.rows_read == len(rows) + 1 == report.rows_used + report.rows_set_aside
    assert len(found.rows) == report.rows_used
    assert len(found.rejected) == report.rows_set_aside
    assert all(row["reason"] for row in found.rejected)
    set_aside = [c for c in report.checks if c.set_aside]
    assert sum(c.rows for c in set_aside) >= report.rows_set_aside
    assert sum(row["reason"].count("; ") + 1 for row in found.rejected) == sum(
        c.rows for c in set_aside
    )
    for row in found.rows:
        assert row["customer_id"].strip() == row["customer_id"] != ""
        assert isinstance(row["ts_us"], int)
        assert math.isfinite(row["amount"])
        assert refunds == "net" or row["amount"] >= 0


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=TABLES)
def test_what_becomes_of_a_row_agrees_with_plain_python(read, rows):
    """The same rules written without a query engine set the same rows aside."""
    types = pa.schema([(name, pa.string()) for name in CELLS])
    rows = [*rows, {"customer_id": "ok", "ts": "2024-01-01", "amount": "1", "order_id": None}]
    plain_ids = {(row["customer_id"] or "").strip() for row in rows} & {"1", "2"}
    plain_orders = {row["order_id"] for row in rows} & {"7"}

    def is_good(row):
        spelled = (row["customer_id"] or "").strip()
        return (
            spelled != ""
            and not (spelled in {'"1"', "1.0"} and plain_ids)
            and not (row["order_id"] == "7.0" and plain_orders)
            and row["ts"] in {"2024-01-01", "2024-01-01T10:00+02:00"}
            and row["amount"] in {"-5", "0", "1.5", "1"}
        )

    found = read(pa.Table.from_pylist(rows, types))

    expected = sorted((r["customer_id"].strip(), float(r["amount"])) for r in rows if is_good(r))
    assert sorted((r["customer_id"], r["amount"]) for r in found.rows) == expected


def test_the_report_says_what_was_used(read, tmp_path):
    """Customers, money, first and last instant of the rows used, in the business zone, and the files."""
    path = tmp_path / "x.csv"
    lines = ["customer_id,ts,amount", "a,2024-07-01 00:30,1.10", "a,2024-07-02,2.20"]
    lines += ["b,2024-08-01T12:00Z,3.3", ",2020-01-01,99"]
    path.write_text("\n".join(lines))

    report = read(path, time_zone="Europe/London").report

    assert (report.rows_read, report.rows_used, report.rows_set_aside) == (4, 3, 1)
    assert (report.customers, report.amount) == (2, 6.6)
    assert report.first_at == "2024-07-01T00:30:00+01:00"
    assert report.last_at == "2024-08-01T13:00:00+01:00"
    assert [(f.path, f.bytes) for f in report.files] == [(str(path), path.stat().st_size)]


def test_the_report_is_plain_json(read):
    """A manifest can hold it; checks are found by name."""
    found = read(dirty(customer_id=[None, *"abcdef"]))

    plain = json.loads(json.dumps(found.report.to_dict()))

    assert plain["checks"]["customer_id_missing"] == {
        "sentence": "customer_id is null or blank",
        "rows": 1,
        "examples": ["order_id o0"],
        "set_aside": True,
    }
    assert plain["rows_used"] == 6
    assert plain["table"] == "orders"


def test_the_fingerprint_follows_the_rows_and_nothing_else(read):
    """Order of rows, bad rows and types do not move it; any change of a good row's cells does."""
    table = dirty()
    shuffled = table.take(random.Random(1).sample(range(7), 7))
    bad = pa.concat_tables([table, dirty(customer_id=[None] * 7).cast(table.schema)])
    typed = table.to_pandas().assign(
        ts=lambda d: pd.to_datetime(d["ts"]), amount=lambda d: d["amount"].astype(float)
    )
    same = {read(source).report.fingerprint for source in (table, shuffled, bad, typed)}

    other = {
        read(source).report.fingerprint
        for source in (
            table.slice(1),
            dirty(amount=["1.51"] + [f"{i + 1}.50" for i in range(1, 7)]),
            dirty(customer_id=["c1", *(f"c{i}" for i in range(1, 7))]),
            dirty(ts=["2024-01-01T00:00:01", *(f"2024-01-0{i + 1}" for i in range(1, 7))]),
        )
    }

    assert len(same) == 1
    assert len(other) == 4
    assert not same & other
    assert all(len(f) == 16 and int(f, 16) >= 0 for f in same | other)


def test_the_sum_of_many_cents_does_not_depend_on_threads(tmp_path):
    """Sums of doubles change with their order; those of the fingerprint do not."""
    rng = random.Random(5)
    frame = pd.DataFrame(
        {
            "customer_id": [str(rng.randrange(1000)) for _ in range(50_000)],
            "ts": [STAMP] * 50_000,
            "amount": [rng.randrange(10**7) / 100 for _ in range(50_000)],
        }
    )
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=1000)

    def fingerprint(threads):
        with DuckDBEngine(threads=threads) as engine:
            spec = TableSpec(source=str(tmp_path / "x.parquet"))
            table = load_table(spec, contract=CONTRACTS["orders"](), engine=engine, time_zone="UTC")
            return table.report.fingerprint

    assert len({fingerprint(threads) for threads in (1, 2, 2, 4)}) == 1


def test_customers_of_rows_set_aside_are_known(read, reader):
    """Rows with a sound id count, also when their time is broken; those of the future do not."""
    table = dirty(
        customer_id=["1", "2", '"1"', None, "5", "6", "7"],
        amount=["1", "x", "x", "x", "x", "1", "1"],
        ts=[*["2024-01-01"] * 4, "2099-01-01", "not a time", "2024-01-01"],
    )

    loaded = read(table).loaded

    assert sorted(
        row["customer_id"] for row in reader.collect(loaded.rejected_customers()).to_pylist()
    ) == ["2", "6"]
