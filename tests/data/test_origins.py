"""Where tables come from: files found, refused by name, read with the types they have."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnkit.data.contracts import SourceFile
from churnkit.data.origins import SOURCES, CatalogSource, FileSource, FrameSource, source_of
from churnkit.engines import DuckDBEngine
from churnkit.errors import ConfigError, DataError

ROWS = pa.table({"customer_id": ["a", "b"], "ts": ["2024-01-01", "2024-01-02"]})
CSV = "customer_id,ts\na,2024-01-01\nb,2024-01-02\n"


@pytest.fixture
def seen(reader):
    """Give a function that returns all rows of a source."""

    def rows(source):
        view = source_of(source).view(reader, ids=frozenset())
        return sorted(
            reader.collect(reader.select(f"SELECT * FROM {view}")).to_pylist(), key=lambda r: str(r)
        )

    return rows


def test_paths_are_files_and_everything_else_is_a_frame(tmp_path):
    """Text and path objects name files."""
    assert source_of("a.parquet") == source_of(Path("a.parquet")) == FileSource("a.parquet")
    assert source_of(ROWS) == FrameSource(ROWS)
    assert source_of("table:shop.orders") == CatalogSource("shop.orders")
    assert SOURCES.names() == ("files", "frame", "postgresql", "query", "table")


def test_a_table_of_a_catalog_needs_an_engine_that_has_one():
    """DuckDB is asked for no table of Spark's."""
    message = (
        r"^table:shop\.orders: engine\.kind must be 'spark', which has a catalog; got 'duckdb'$"
    )
    with DuckDBEngine(threads=1) as engine, pytest.raises(ConfigError, match=message):
        source_of("table:shop.orders").view(engine, ids=frozenset())


def test_parquet_csv_and_compressed_csv_hold_the_same(tmp_path, seen):
    """The suffix chooses the reader, in capitals too."""
    pq.write_table(ROWS, tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text(CSV)
    (tmp_path / "Y.CSV").write_text(CSV)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(CSV.encode()))

    for name in ("x.parquet", "x.csv", "Y.CSV", "x.csv.gz"):
        assert seen(tmp_path / name) == ROWS.to_pylist()


def test_csv_stays_text(tmp_path, seen):
    """Leading zeros, long numbers and quotes of a CSV file arrive as they stand."""
    text = 'customer_id,amount\n007,1e3\n12345678901234567890,"1,5"\n'
    (tmp_path / "x.csv").write_text(text)

    assert seen(tmp_path / "x.csv") == [
        {"customer_id": "007", "amount": "1e3"},
        {"customer_id": "12345678901234567890", "amount": "1,5"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace(",", "|"),
        CSV.replace("\n", "\r\n"),
        "\ufeff" + CSV,
        CSV.rstrip("\n"),
        CSV.replace("ts\n", "ts\n\n"),
        'customer_id,"ts"\n"a",2024-01-01\n"b","2024-01-02"\n',
        "customer_id , ts\na,2024-01-01\nb,2024-01-02\n",
    ],
)
def test_csv_as_programs_write_it(tmp_path, seen, text):
    """Other separators, line ends, a byte order mark, no last line end, blank lines, quotes."""
    (tmp_path / "x.csv").write_bytes(text.encode())

    assert seen(tmp_path / "x.csv") == ROWS.to_pylist()


def test_cells_keep_separators_quotes_and_line_breaks(tmp_path, seen):
    """What stands in quotes is one cell; the words NULL and NA are words."""
    lines = [
        "customer_id,ts",
        '"a,b;c","x\ny"',
        '"he said ""no""",NULL',
        "NA,",
        '5" pipe,1',
        "#7,2",
    ]
    (tmp_path / "x.csv").write_bytes("\n".join(lines).encode())

    assert {(r["customer_id"], r["ts"]) for r in seen(tmp_path / "x.csv")} == {
        ("a,b;c", "x\ny"),
        ('he said "no"', "NULL"),
        ("NA", None),
        ('5" pipe', "1"),
        ("#7", "2"),
    }


def test_csv_files_of_a_glob_each_have_their_own_header(tmp_path, seen):
    """Separator, order and number of columns may differ; columns are matched by name."""
    (tmp_path / "a.csv").write_text("customer_id,ts\na,1\n")
    (tmp_path / "b.csv").write_text("ts;customer_id\n2;b\n")
    (tmp_path / "c.csv").write_text("customer_id\nc\n")

    rows = seen(f"{tmp_path}/*.csv")

    assert [(r["customer_id"], r["ts"]) for r in rows] == [("a", "1"), ("b", "2"), ("c", None)]


@pytest.mark.parametrize("place", [1, 3, 30_000])
@pytest.mark.parametrize(("odd", "found"), [("b,2024-01-02,extra", 3), ("b", 1)])
def test_a_row_with_too_many_or_too_few_cells_is_an_error(
    tmp_path, seen, reader, place, odd, found
):
    """One odd row, early or late, never changes how the others are read: it is named."""
    lines = ["customer_id,ts", *["a,2024-01-01"] * 30_010]
    lines.insert(place, odd)
    (tmp_path / "x.csv").write_text("\n".join(lines))
    message = (
        rf"^engine: Invalid Input Error: CSV Error on Line: {place + 1} Original Line: {odd}"
        rf" Expected Number of Columns: 2 Found: {found}$"
    )
    if reader.kind == "spark":
        message = rf"^engine: \[MALFORMED_CSV_RECORD\] Malformed CSV record: {odd}$"
    with pytest.raises(DataError, match=message):
        seen(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            b"\ncustomer_id,ts\n",
            r"the first line is blank, where the names of the columns should be",
        ),
        (b"customer_id,ts,TS\n", r"two columns are named 'ts'"),
        (
            "Kunde,Größe\n".encode("latin-1"),
            r"the file is not UTF-8 text; .* at byte \d+; encoding can be latin-1",
        ),
        (
            "customer_id\n".encode("utf-16"),
            r"the file is not UTF-8 text; .* at byte 0; encoding can be utf-16",
        ),
    ],
)
def test_a_header_that_names_no_columns_is_refused(tmp_path, reader, content, why):
    """The path, and what is wrong with the first line."""
    (tmp_path / "x.csv").write_bytes(content)

    with pytest.raises(DataError, match=rf"x\.csv: cannot be read as CSV; {why}$"):
        source_of(tmp_path / "x.csv").view(reader, ids=frozenset())


def test_a_column_without_a_name_gets_its_number(tmp_path, seen):
    """Pandas writes its index without a name; a trailing separator makes an empty column."""
    (tmp_path / "x.csv").write_text(",customer_id,\n0,a,\n")

    assert seen(tmp_path / "x.csv") == [{"column0": "0", "customer_id": "a", "column2": None}]


def test_a_glob_reads_every_match_by_column_name(tmp_path, seen):
    """Columns in another order, or missing in one file, are matched by name."""
    pq.write_table(ROWS, tmp_path / "a.parquet")
    pq.write_table(pa.table({"ts": ["2024-01-03"], "customer_id": ["c"]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"customer_id": ["d"]}), tmp_path / "c.parquet")

    rows = seen(f"{tmp_path}/*.parquet")

    assert [(r["customer_id"], r["ts"]) for r in rows] == [
        ("a", "2024-01-01"),
        ("b", "2024-01-02"),
        ("c", "2024-01-03"),
        ("d", None),
    ]


def test_a_double_star_looks_into_folders(tmp_path, seen):
    """Folders that match a pattern are not files."""
    (tmp_path / "2024" / "x.parquet").mkdir(parents=True)
    pq.write_table(ROWS, tmp_path / "2024" / "x.parquet" / "part.parquet")

    assert seen(f"{tmp_path}/**/*.parquet") == ROWS.to_pylist()


def test_differing_types_become_text_without_loss(tmp_path, seen):
    """A long id beside a file of doubles keeps every digit; whole doubles get no decimal zero."""
    long = 9_007_199_254_740_993  # 2**53 + 1: no double holds it
    files = {
        "a": pa.array([long], pa.int64()),
        "b": pa.array([13085.0], pa.float64()),
        "c": pa.array(["x7"], pa.string()),
        "d": pa.array([5], pa.int32()),
    }
    for name, values in files.items():
        pq.write_table(pa.table({"customer_id": values}), tmp_path / f"{name}.parquet")

    rows = seen(f"{tmp_path}/*.parquet")

    assert {r["customer_id"] for r in rows} == {str(long), "13085", "x7", "5"}


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(tmp_path, seen):
    """An existing file is meant literally, whatever is in its name and whatever lies beside it."""
    for name in ("a1.parquet", "a'bc.parquet"):
        pq.write_table(ROWS, tmp_path / name)
    for name in ("a[1].parquet", "a'b*.parquet", "naïve ü.parquet"):
        pq.write_table(ROWS, tmp_path / name)

        assert seen(tmp_path / name) == ROWS.to_pylist()


def test_files_are_listed_with_their_sizes(tmp_path):
    """What was read can be compared with what is there."""
    (tmp_path / "b.csv").write_text(CSV)
    (tmp_path / "a.csv").write_text(CSV * 2)

    assert FileSource(f"{tmp_path}/*.csv").files == (
        SourceFile(path=f"{tmp_path}/a.csv", bytes=2 * len(CSV)),
        SourceFile(path=f"{tmp_path}/b.csv", bytes=len(CSV)),
    )
    assert FrameSource(ROWS).files == ()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("qqq", r"qqq: no such file\.$"),
        ("order.csv", r"order\.csv: no such file\. Did you mean 'orders\.csv'\?$"),
        ("none/x.csv", r"none/x\.csv: no such file\.$"),
        ("*.json", r"\*\.json: no such file\.$"),
        ("empty.parquet", r"empty\.parquet: the file is empty$"),
        ("", r" is a folder; name its files, such as .*\*\.parquet$"),
        ("orders.*", r"orders\.\*: matches both CSV and Parquet files; name one kind$"),
        (
            "text.parquet",
            r"text\.parquet: cannot be read as Parquet; .*[Mm]agic bytes",
        ),
        ("picture.csv.gz", r"picture\.csv\.gz: cannot be read as CSV; .*gz"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, reader, path, message):
    """The path, and what is wrong with it."""
    (tmp_path / "orders.csv").write_text(CSV)
    pq.write_table(ROWS, tmp_path / "orders.parquet")
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "text.parquet").write_text(CSV)
    (tmp_path / "picture.csv.gz").write_bytes(b"\x89PNG not gzip at all")

    with pytest.raises(DataError, match=message) as caught:
        source_of(f"{tmp_path}/{path}").view(reader, ids=frozenset())

    assert "\n" not in str(caught.value)


def test_a_cut_parquet_file_is_refused(tmp_path, reader):
    """Half a file, as a broken download leaves it."""
    pq.write_table(ROWS, tmp_path / "x.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match=r"x\.parquet: cannot be read as Parquet; "):
        source_of(tmp_path / "x.parquet").view(reader, ids=frozenset())
