"""Reading a table: mapping, types, times, filters, refusals, and rows from every kind of source."""

from __future__ import annotations

import gzip
import os
import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.data.origins import QuerySource, source_of
from churnkit.data.sources import TableSpec
from churnkit.data.windows import midnight_us
from churnkit.errors import ConfigError, DataError, ParameterError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAMP = datetime(2024, 1, 5, 10, 30)


def us(stamp):
    """Return microseconds since 1970 of a time in UTC."""
    return (stamp.replace(tzinfo=stamp.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def orders(**columns):
    """Return a small table of orders; columns given replace or add to it."""
    rows = len(next(iter(columns.values()))) if columns else 2
    base = {
        "customer_id": [f"c{i}" for i in range(rows)],
        "ts": [STAMP] * rows,
        "amount": [float(i + 1) for i in range(rows)],
    }
    return pa.table(base | columns)


# Files and frames


def test_every_kind_of_source_gives_the_same_rows(tmp_path, read):
    """CSV, compressed CSV, Parquet, pandas, Polars and Arrow of one table are read alike."""
    table = orders(order_id=["1", "2"], quantity=[1.0, None])
    frame = table.to_pandas()
    frame.to_csv(tmp_path / "x.csv", index=False)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress((tmp_path / "x.csv").read_bytes()))
    pq.write_table(table, tmp_path / "x.parquet")
    sources = [tmp_path / "x.csv", f"{tmp_path}/x.csv.gz", str(tmp_path / "x.parquet")]
    sources += [frame, frame.convert_dtypes(), pl.from_arrow(table), table]

    found = [read(source) for source in sources]

    expected = [
        {"customer_id": "c0", "ts_us": us(STAMP), "amount": 1.0, "order_id": "1", "quantity": 1.0},
        {"customer_id": "c1", "ts_us": us(STAMP), "amount": 2.0, "order_id": "2", "quantity": None},
    ]
    for result in found:
        assert sorted(result.rows, key=lambda r: r["customer_id"]) == expected
    assert len({result.report.fingerprint for result in found}) == 1


def test_a_glob_of_files_with_differing_types_is_one_table(tmp_path, read):
    """Ids as numbers, doubles and text, times as text, dates, naive and aware, in one glob."""
    aware = pa.array([datetime(2024, 7, 1, 9, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    files = [
        {"customer_id": [7], "ts": [datetime(2024, 7, 1, 10)], "amount": [1]},
        {"customer_id": [7.0], "ts": ["2024-07-01T10:00:00"], "amount": [1.5]},
        {"customer_id": ["7"], "ts": aware, "amount": ["2.5"]},
    ]
    for number, columns in enumerate(files):
        pq.write_table(pa.table(columns), tmp_path / f"{number}.parquet")

    found = read(f"{tmp_path}/*.parquet", time_zone="Europe/London")

    assert {r["customer_id"] for r in found.rows} == {"7"}
    assert {r["ts_us"] for r in found.rows} == {us(datetime(2024, 7, 1, 9))}
    assert sorted(r["amount"] for r in found.rows) == [1.0, 1.5, 2.5]
    assert len(found.report.files) == 3


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_category_and_string_columns_are_text(read, library):
    """Categories, enumerations and the string dtypes are ids and times like any text."""
    frame = orders(ts=["2024-01-05 10:30:00"] * 2, order_id=["x", None]).to_pandas()
    frame["customer_id"] = frame["customer_id"].astype("category")
    frame["order_id"] = frame["order_id"].astype("string").astype("category")
    frame["ts"] = frame["ts"].astype("category")
    if library == "polars":
        frame = pl.from_pandas(frame)

    found = read(frame)

    assert sorted(r["customer_id"] for r in found.rows) == ["c0", "c1"]
    assert {r["ts_us"] for r in found.rows} == {us(STAMP)}
    assert {r["order_id"] for r in found.rows} == {"x", None}


# Columns


def test_columns_are_mapped_and_else_looked_for_under_their_own_name(read):
    """A mapping names what is called otherwise; the rest is found by name; strangers are ignored."""
    table = pa.table({"KundenNr": ["a"], "ts": [STAMP], "net price": [3.0], "colour": ["red"]})

    found = read(table, columns={"customer_id": "KundenNr", "amount": "net price"})

    assert found.rows == [{"customer_id": "a", "ts_us": us(STAMP), "amount": 3.0}]
    assert found.loaded.columns == {"customer_id", "ts", "amount"}


def test_names_of_any_spelling_are_columns(read):
    """Quotes, blanks, keywords and dots in a name are part of it."""
    names = ['a "quoted" id', "select", "net.price"]
    table = pa.table(dict(zip(names, (["a"], [STAMP], [3.0]), strict=True)))
    mapping = dict(zip(("customer_id", "ts", "amount"), names, strict=True))

    assert read(table, columns=mapping).rows[0]["amount"] == 3.0


def test_a_missing_column_names_the_nearest(read):
    """The message has the table, the source, the role, a guess and the columns there are."""
    table = pa.table({"customer": ["a"], "ts": [STAMP]})
    message = (
        r"^orders: shop\.db has no column 'customer_id' for customer_id\. Did you mean 'customer'\?"
        r" Columns: customer, ts\.$"
    )
    with pytest.raises(DataError, match=message):
        read(table, label="shop.db")


def test_a_column_in_the_index_of_pandas_is_pointed_out(read):
    """What a group-by left in the index is a column to people who look at the frame."""
    frame = pd.DataFrame({"ts": ["2024-01-01"], "amount": [5.0]}, index=["a"])
    frame.index.name = "customer_id"

    with pytest.raises(
        DataError, match=r"for customer_id\. It is in the index: reset_index\(\)\. C"
    ):
        read(frame)

    assert read(frame.reset_index()).report.rows_used == 1


def test_a_mapped_optional_column_must_be_there(read):
    """What is asked for by name is not silently left out."""
    with pytest.raises(DataError, match=r"has no column 'invoice' for order_id\."):
        read(orders(), columns={"order_id": "invoice"})


def test_an_optional_column_that_is_not_there_is_not_looked_for(read):
    """A column that happens to have our name is no amount where that is said; the id is needed."""
    found = read(orders(order_id=["1", "2"]), not_there=["amount", "quantity"])

    assert found.loaded.columns == {"customer_id", "ts", "order_id"}
    assert set(found.rows[0]) == {"customer_id", "ts_us", "order_id"}


def test_a_mapping_of_an_unknown_role_is_refused(read):
    """A misspelt key of the mapping would otherwise be ignored."""
    message = (
        r"^orders: data\.orders\.columns: unknown key 'ammount'\. Did you mean 'amount'\? Known: "
    )
    with pytest.raises(ConfigError, match=message):
        read(orders(), columns={"ammount": "amount"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([13085.0, None]), {"13085"}),
        (pa.array([2**63 - 1, None], pa.int64()), {"9223372036854775807"}),
        (pa.array([2**64 - 1, None], pa.uint64()), {"18446744073709551615"}),
        (pa.array([None, "Zoë Ωmega 💡"]), {"Zoë Ωmega 💡"}),
        (pa.array(["  a b  ", "\ta b\u00a0\r\n"]), {"a b"}),
        (pa.array(["a  b", "a b"]), {"a  b", "a b"}),
        (pa.array([0.5, -3.0]), {"0.5", "-3"}),
        (pa.array([7.0, float("nan")], from_pandas=False), {"7"}),
        (pa.array([True, False]), {"true", "false"}),
        (pa.array(["007", "7"]), {"007", "7"}),
        (pa.array([10, 20], pa.decimal128(10, 2)), {"10", "20"}),
    ],
)
def test_ids_are_text(read, values, expected):
    """Long numbers keep their digits, floats lose their .0, blanks around an id go, in it they stay."""
    found = read(orders(customer_id=values))

    assert {row["customer_id"] for row in found.rows} == expected


@pytest.mark.parametrize("other_type", [None, pa.string()])
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_nan_in_a_parquet_file_is_no_amount_and_no_id(read, tmp_path, kind, other_type):
    """The statistics of a file leave NaN out: an engine that trusts them would keep such rows."""
    numbers = pa.array([float("nan"), 2.0, 3.0], kind)
    pq.write_table(orders(customer_id=numbers), tmp_path / "id1.parquet")
    pq.write_table(orders(amount=numbers), tmp_path / "amount1.parquet")
    if other_type:
        more = pa.array(["4", "5"], other_type)
        pq.write_table(orders(customer_id=more), tmp_path / "id2.parquet")
        pq.write_table(orders(amount=more), tmp_path / "amount2.parquet")

    ids = read(f"{tmp_path}/id*.parquet")
    amounts = read(f"{tmp_path}/amount*.parquet")

    expected = [2.0, 3.0, 4.0, 5.0] if other_type else [2.0, 3.0]
    assert sorted(float(row["customer_id"]) for row in ids.rows) == expected
    assert ids.broken == {"customer_id_missing": 1}
    assert sorted(row["amount"] for row in amounts.rows) == expected
    assert sum(amounts.broken.values()) == 1
    assert amounts.report.amount == sum(expected)


def test_numbers_beyond_whole_ones_are_spelled_by_the_engine(read, reader):
    """Ids that no double holds exactly are nobody's wish; each engine writes them in its way."""
    found = read(orders(customer_id=pa.array([1e20, float("inf")])))

    spelled = {"duckdb": {"1e+20", "inf"}, "spark": {"1.0E20", "Infinity"}}
    assert {row["customer_id"] for row in found.rows} == spelled[reader.kind]


def test_a_pandas_id_with_nulls_has_no_decimal_zero(read):
    """With pandas: it turns whole numbers with a gap into floats; '13085.0' would be another customer."""
    frame = orders(customer_id=["x", "y"]).to_pandas()
    frame["customer_id"] = pd.Series([13085, np.nan])

    found = read(frame)

    assert [row["customer_id"] for row in found.rows] == ["13085"]
    assert found.broken == {"customer_id_missing": 1}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.5", " 2 "], [1.5, 2.0]),
        (["1e3", "-0.25"], [1000.0, -0.25]),
        (pa.array([150, 25], pa.decimal128(10, 2)), [150.0, 25.0]),
        (pa.array([2**40, 1], pa.int64()), [float(2**40), 1.0]),
        (pa.array([0.5, 0.25], pa.float32()), [0.5, 0.25]),
    ],
)
def test_amounts_are_doubles(read, values, expected):
    """Numbers of every type, and numbers written as text."""
    found = read(orders(amount=values))

    assert [row["amount"] for row in sorted(found.rows, key=lambda r: r["customer_id"])] == expected


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("ts", pa.array([1], pa.int64()), r"^orders: column 'ts' must hold times .*; got BIGINT$"),
        (
            "ts",
            pa.array([1], pa.time64("us")),
            r"^orders: column 'ts' must hold times .*; got TIME(\(6\))?$",
        ),
        ("amount", [STAMP], r"^orders: column 'amount' must hold numbers; got TIMESTAMP(_NTZ)?$"),
        (
            "quantity",
            pa.array([[1]]),
            r"^orders: column 'quantity' must hold numbers; got (BIGINT\[\]|ARRAY<BIGINT>)$",
        ),
    ],
)
def test_a_column_of_another_kind_is_refused(read, column, values, message):
    """Numbers as times, times as numbers: the column, what it must hold, and the type it has."""
    with pytest.raises(DataError, match=message):
        read(orders(**{"customer_id": ["a"], column: values}))


# Times


TEXT_TIMES = {
    "2024-07-01": "2024-06-30T23:00",
    "2024-07-01 10:00": "2024-07-01T09:00",
    "2024-07-01T10:00:00": "2024-07-01T09:00",
    "  2024-07-01T10:00:00.250  ": "2024-07-01T09:00:00.250",
    "2024-07-01T10:00:00.123456789": "2024-07-01T09:00:00.123456",
    "2024-07-01T10:00Z": "2024-07-01T10:00",
    "2024-07-01T10:00:00z": "2024-07-01T10:00",
    "2024-07-01 10:00:00 UTC": "2024-07-01T10:00",
    "2024-07-01 10:00:00+02:00": "2024-07-01T08:00",
    "2024-07-01 10:00:00 +0200": "2024-07-01T08:00",
    "2024-07-01 10:00:00-05": "2024-07-01T15:00",
    "2024-01-01 10:00:00": "2024-01-01T10:00",
    "2024-03-31 01:30:00": "2024-03-31T01:30",  # the clock jumped over it
    "2024-10-27 01:30:00": "2024-10-27T00:30",  # the first of two
    "2024-10-27 01:30:00+00:00": "2024-10-27T01:30",
}


def test_text_times(read):
    """Naive text is in the business zone, text with an offset is where it says."""
    found = read(orders(ts=list(TEXT_TIMES)), time_zone="Europe/London")

    instants = {row["customer_id"]: row["ts_us"] for row in found.rows}
    for number, (text, utc) in enumerate(TEXT_TIMES.items()):
        assert instants[f"c{number}"] == us(datetime.fromisoformat(utc)), text


def test_text_that_is_no_iso_time_is_set_aside(read):
    """Names of zones are ambiguous (BST is Bangladesh to some); words and other orders are no times."""
    texts = [
        "yesterday", "01/02/2024", "2024-02-30", "20240701", "1719828000", "2024-07-01 10:00 PM",
        "2024-07-01 10:00:00 BST", "2024-07-01 10:00:00 Europe/Berlin", "infinity", "epoch", "now",
        "2024-07-01T25:00", "12:30", "44-03-15 (BC)", "1/2/24", "24-01-05", "0024-1-1x", "2024-07",
    ]  # fmt: skip

    found = read(orders(ts=["2024-07-01", *texts]))

    assert found.broken == {"ts_unparsable": len(texts)}
    assert sorted(row["ts"] for row in found.rejected) == sorted(texts)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York"])
def test_typed_times_naive_and_aware(read, unit, zone):
    """A naive timestamp is in the business zone; an aware one is the instant that it is."""
    local = datetime(2024, 7, 1, 10)
    naive = pa.array([local], pa.timestamp(unit))
    aware = pa.array([local.replace(tzinfo=UTC)], pa.timestamp(unit, "Asia/Kolkata"))

    from_naive = read(orders(ts=naive), time_zone=zone).rows[0]["ts_us"]
    from_aware = read(orders(ts=aware), time_zone=zone).rows[0]["ts_us"]

    assert from_naive == us(local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))
    assert from_aware == us(local)


def test_pandas_times(read):
    """The times of pandas, naive and aware, at its coarsest and finest unit."""
    frame = pd.DataFrame({"customer_id": ["a"], "amount": [1.0]})
    stamp = pd.Timestamp("2024-07-01 10:00:00")

    for unit in ("s", "ns"):
        naive = frame.assign(ts=pd.Series([stamp]).dt.as_unit(unit))
        aware = naive.assign(ts=naive["ts"].dt.tz_localize("America/New_York"))

        assert read(naive, time_zone="Europe/London").rows[0]["ts_us"] == us(
            datetime(2024, 7, 1, 9)
        )
        assert read(aware, time_zone="Europe/London").rows[0]["ts_us"] == us(
            datetime(2024, 7, 1, 14)
        )


def test_dates_begin_at_business_midnight(read):
    """A date is the first instant of the business day."""
    found = read(orders(ts=pa.array([date(2024, 7, 1)])), time_zone="America/New_York")

    assert found.rows[0]["ts_us"] == midnight_us(date(2024, 7, 1), time_zone="America/New_York")


@st.composite
def written_times(draw):
    """Return ISO text as Python writes it, naive or with an offset, and the time it was made from."""
    local = draw(st.datetimes(datetime(1971, 1, 1), datetime(2024, 12, 30)))
    quarters = draw(st.one_of(st.none(), st.integers(-14 * 4, 14 * 4)))
    zone = None if quarters is None else timezone(timedelta(minutes=15 * quarters))
    stamp = local.replace(tzinfo=zone)
    return stamp.isoformat(sep=draw(st.sampled_from("T "))), stamp


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    times=st.lists(written_times(), min_size=1, max_size=100),
    zone=st.sampled_from(["Europe/London", "America/New_York", "Africa/Casablanca"]),
)
def test_iso_text_is_read_as_the_instant_it_was_written_from(read, times, zone):
    """With an offset the instant is its own, without one it is the business zone's."""
    found = read(orders(ts=[text for text, _ in times]), time_zone=zone)

    instants = {row["customer_id"]: row["ts_us"] for row in found.rows}
    for number, (text, stamp) in enumerate(times):
        aware = stamp if stamp.tzinfo else stamp.replace(tzinfo=ZoneInfo(zone))
        assert instants[f"c{number}"] == us(aware.astimezone(UTC)), text


# Filters


def test_a_filter_chooses_rows_by_the_sources_own_columns(read):
    """Rows that do not pass are not read at all: they are in no count."""
    table = orders(customer_id=["a", "b", "c"]).append_column("Country", [["UK", "FR", "UK"]])

    found = read(table, filter="Country = 'UK' OR amount > 100 -- mine")

    assert sorted(r["customer_id"] for r in found.rows) == ["a", "c"]
    assert found.report.rows_read == 2


WRONG_FILTERS = {
    "amont > 0": ('Binder Error: Referenced column "amont" not found', "[UNRESOLVED_COLUMN"),
    "amount >": ("Parser Error: ", "[PARSE_SYNTAX_ERROR]"),
    "amount > 0; DROP TABLE x": ("Parser Error: ", "[PARSE_SYNTAX_ERROR]"),
    " ": ("Parser Error: ", "[PARSE_SYNTAX_ERROR]"),
    "sum(amount) > 3": (
        "Binder Error: WHERE clause cannot contain aggregates",
        "[INVALID_WHERE_CONDITION]",
    ),
}


@pytest.mark.parametrize("condition", WRONG_FILTERS)
def test_a_wrong_filter_is_one_sentence_that_names_it(read, reader, condition):
    """The key of the configuration, the condition as written, and what the engine says."""
    why = WRONG_FILTERS[condition][reader.kind == "spark"]
    rule = "data.orders.filter must be an SQL condition on the columns of shop"
    message = re.escape(f"{rule}; got {condition!r}; {why}")

    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        read(orders(), filter=condition, label="shop")

    assert "\n" not in str(caught.value)


def test_a_filter_that_fails_on_a_row_is_named(read):
    """A cast that some row cannot take is only known when the rows are read."""
    message = r"^orders: shop: .*'ten'.* \(data\.orders\.filter is 'CAST\(.*> 0'\)$"

    with pytest.raises(DataError, match=message):
        read(orders(amount=["1", "ten"]), filter="CAST(amount AS INT) > 0", label="shop")


def test_a_filter_that_lets_nothing_pass_is_named(read):
    """An empty result is an error, and says which filter emptied it."""
    message = r"^orders: shop holds no row \(data\.orders\.filter is 'amount > 99'\)$"
    with pytest.raises(DataError, match=message):
        read(orders(), filter="amount > 99", label="shop")


# Computed columns


def test_a_constant_is_a_column_of_every_row(read):
    """What no column says may be said once for all rows."""
    table = orders(customer_id=["a", "b"])

    found = read(table, constants={"product_id": "it's one"})

    assert {r["product_id"] for r in found.rows} == {"it's one"}


def test_a_computed_column_is_mapped_and_filtered_like_any_other(read):
    """Quantity times price is no column of many files; SQL on the file's own columns makes it one."""
    table = pa.table(
        {
            "customer_id": ["a", "b", "c"],
            "ts": ["2024-01-01", "2024-01-02", "2024-01-03"],
            "pieces": ["2", "3", "x"],
            "price": ["1.5", "2.0", "9"],
        }
    )

    found = read(
        table,
        computed={"total": "TRY_CAST(pieces AS DOUBLE) * TRY_CAST(price AS DOUBLE) -- each"},
        columns={"amount": "total"},
        filter="total > 3 OR total IS NULL",
    )

    assert [(r["customer_id"], r["amount"]) for r in found.rows] == [("b", 6.0)]
    assert found.report.rows_read == 2
    assert [r["reason"] for r in found.rejected] == ["amount is null or blank"]


def test_a_computed_time_reads_other_formats(read, reader):
    """Days and months in any order, by the engine's own function."""
    parse = (
        "to_timestamp({}, 'dd.MM.yyyy')" if reader.kind == "spark" else "strptime({}, '%d.%m.%Y')"
    )
    table = orders(customer_id=["a"], ts=["31.12.2024"])

    found = read(table, computed={"day": parse.format("ts")}, columns={"ts": "day"})

    assert found.report.first_at == "2024-12-31T00:00:00+00:00"


WRONG_COMPUTED = {
    "amont * 2": "must be an SQL expression on the columns of shop; got 'amont * 2'; ",
    "amount +": "must be an SQL expression on the columns of shop; got 'amount +'; ",
}


@pytest.mark.parametrize("expression", WRONG_COMPUTED)
def test_a_wrong_computed_column_is_one_sentence_that_names_it(read, expression):
    """The key of the configuration, the expression as written, and what the engine says."""
    message = re.escape(f"data.orders.computed.total {WRONG_COMPUTED[expression]}")

    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        read(orders(), computed={"total": expression}, label="shop")

    assert "\n" not in str(caught.value)


def test_a_computed_column_does_not_replace_one_of_the_source(read):
    """Two columns of one name would be a guess."""
    message = r"^data\.orders\.computed\.amount must be a new name; shop has a column 'amount'$"
    with pytest.raises(ConfigError, match=message):
        read(orders(), computed={"amount": "1"}, label="shop")


def test_values_in_another_form_are_told_how_to_be_converted(read):
    """Where no row can be read, the message names the key that helps."""
    message = (
        r"^orders: shop holds no valid row \(2 read\); ts is not a time \(ISO 8601 expected\) in 2;"
        r" data\.orders\.computed can convert it, see docs/config\.md$"
    )
    with pytest.raises(DataError, match=message):
        read(orders(customer_id=["a", "b"], ts=["1/31/2024", "2/1/2024"]), label="shop")


# Refusals


def test_a_table_without_rows_is_refused(tmp_path, read):
    """A header alone is no history."""
    (tmp_path / "x.csv").write_text("customer_id,ts\n")

    with pytest.raises(DataError, match=r"^orders: .*x\.csv holds no row$"):
        read(tmp_path / "x.csv")


def test_a_table_without_a_valid_row_is_refused_with_its_faults(read):
    """The message counts what is wrong, so that one run is enough to see it."""
    message = (
        r"^orders: shop holds no valid row \(2 read\); customer_id is null or blank in 2;"
        r" ts is not a time \(ISO 8601 expected\) in 1$"
    )
    with pytest.raises(DataError, match=message):
        read(orders(customer_id=[None, " "], ts=["x", "2024-01-01"]), label="shop")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"on_invalid": "rais"},
            r"^data\.on_invalid .* got 'rais'\. Did you mean 'raise'\? Known: quarantine, raise\.$",
        ),
        (
            {"refunds": "gross"},
            r"^data\.refunds is a choice; got 'gross'\. Known: net, drop, raise\.$",
        ),
        ({"duplicates": None}, r"^data\.duplicates is a choice; got None\. Known: keep, drop\.$"),
        ({"time_zone": "London"}, r"^data\.time_zone must be an IANA name .*; got 'London'\."),
    ],
)
def test_options_outside_their_choices_are_refused(read, options, message):
    """A misspelt option would otherwise mean its default."""
    with pytest.raises(ParameterError, match=message):
        read(orders(), **options)


def test_a_file_that_cannot_be_read_is_one_sentence_with_the_table(tmp_path, read):
    """The table, the path, and why."""
    (tmp_path / "x.parquet").write_text("not parquet, but long enough to hold a footer")

    with pytest.raises(DataError, match=r"^orders: .*x\.parquet: cannot be read as Parquet; .*"):
        read(tmp_path / "x.parquet")


def test_a_csv_file_in_another_encoding_is_refused(tmp_path, read):
    """Latin-1 umlauts are no UTF-8: the sentence says so, with the path."""
    text = "customer_id,ts\n" + "Jörg,2024-01-01\n" * 3
    (tmp_path / "x.csv").write_bytes(text.encode("latin-1"))

    with pytest.raises(DataError, match=r"^orders: .*x\.csv: .*(?i:unicode|utf-8|encod)"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["x.csv", "x.txt.gz"])
def test_text_is_read_in_the_encoding_that_is_said(tmp_path, read, name, encoding):
    """Umlauts are letters of the id, in a plain and a packed file."""
    text = "Kunde;customer_id;ts\n" + "Müller;Jörg;2024-01-01\n" * 3
    opened = gzip.open if name.endswith(".gz") else open
    with opened(tmp_path / name, "wb") as file:
        file.write(text.encode(encoding))

    found = read(tmp_path / name, encoding=encoding)

    assert [row["customer_id"] for row in found.rows] == ["Jörg"] * 3


@pytest.mark.parametrize(
    ("content", "encoding", "why"),
    [
        (b"customer_id,ts\n", "utf-16", r"the file is not UTF-16 text; encoding can be utf-8"),
        ("Größe,ts\n".encode("latin-1"), "utf-16", r"not UTF-16 text; encoding can be latin-1"),
        (b"\xfe\xff\x00a\x00,", "utf-16", r"with the high byte first; write it as UTF-8"),
        (b"\xfe\xff\x00a\x00,", "utf-8", r"with the high byte first; write it as UTF-8"),
    ],
)
def test_text_in_another_encoding_than_said_is_refused(tmp_path, read, content, encoding, why):
    """One sentence, with the encoding that it can be read in."""
    (tmp_path / "x.csv").write_bytes(content)

    with pytest.raises(DataError, match=rf"^orders: .*x\.csv: cannot be read as CSV; .*{why}$"):
        read(tmp_path / "x.csv", encoding=encoding)


def test_a_query_joins_sources(tmp_path, read):
    """Rows are what the query makes of the files; all of them are accounted for as inputs."""
    pd.DataFrame({"id": ["1", "2"], "who": ["a", "b"], "day": "2024-01-01"}).to_csv(
        tmp_path / "heads.csv", index=False
    )
    pd.DataFrame({"id": ["1", "1", "3"], "amount": [1.0, 2.0, 4.0]}).to_csv(
        tmp_path / "items.csv", index=False
    )
    source = QuerySource(
        source=source_of(tmp_path / "heads.csv"),
        joined={"items": source_of(tmp_path / "items.csv")},
        query="SELECT who, day, amount FROM source FULL JOIN items USING (id);",
        where="data.orders.query",
    )

    found = read(source, columns={"customer_id": "who", "ts": "day"}, label="heads.csv")

    assert sorted((r["customer_id"], r["amount"]) for r in found.rows) == [("a", 1.0), ("a", 2.0)]
    assert found.report.rows_read == 4
    assert found.broken == {"customer_id_missing": 1, "ts_missing": 1, "amount_missing": 1}
    assert [os.path.basename(f.path) for f in source.files] == ["heads.csv", "items.csv"]


@pytest.mark.parametrize(
    "query", ["SELECT whom FROM source", "DROP TABLE source", "SELECT 1; SELECT 2"]
)
def test_a_query_that_is_no_select_on_the_sources_is_refused(tmp_path, reader, query):
    """The sentence names its place and the sources, with what the engine says."""
    (tmp_path / "heads.csv").write_text("who,day\na,2024-01-01\n")
    source = QuerySource(
        source=source_of(tmp_path / "heads.csv"), joined={}, query=query, where="data.orders.query"
    )

    with pytest.raises(
        ConfigError, match=r"^data\.orders\.query must be a SELECT on source; got '"
    ):
        source.view(reader)


def test_the_source_is_named_by_its_label_path_or_library():
    """Messages and reports say where rows came from."""
    assert TableSpec(source="a/b.csv").described == "a/b.csv"
    assert TableSpec(source=os.fspath("x")).described == "x"
    assert TableSpec(source=pd.DataFrame()).described == "DataFrame in memory"
    assert TableSpec(source="a/b.csv", label="dataset:cdnow").described == "dataset:cdnow"
