"""Files that appear whole or not at all, in the format of their suffix, with the declared columns."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnkit.data.sinks import SINKS, open_sink, replace_file, write_json, write_text
from churnkit.errors import DataError, ParameterError

SCHEMA = pa.schema([("customer_id", pa.string()), ("risk", pa.float64()), ("rank", pa.int64())])
ROWS = pa.table({"customer_id": ["a", "b"], "risk": [0.5, None], "rank": [1, 2]}, schema=SCHEMA)
MORE = pa.table({"customer_id": ["c"], "risk": [0.25], "rank": [3]}, schema=SCHEMA)


def write(path, *tables):
    """Write tables into one file."""
    with open_sink(path, schema=tables[0].schema) as sink:
        for table in tables:
            sink.write(table)


def names(folder):
    """Return what is in a folder, hidden files too."""
    return sorted(p.name for p in Path(folder).iterdir())


# Formats


@pytest.mark.parametrize("suffix", [".parquet", ".PARQUET"])
def test_parquet_holds_the_tables_one_after_the_other(tmp_path, suffix):
    """Rows, types and order are those written; the file is compressed."""
    path = tmp_path / f"x{suffix}"

    write(path, ROWS, MORE)

    assert pq.read_table(path).equals(pa.concat_tables([ROWS, MORE]))
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    assert names(tmp_path) == [path.name]


def test_csv_has_a_header_quotes_and_iso_times(tmp_path):
    """Any CSV reader gets the cells back; times are ISO 8601 with the offset of their zone."""
    table = pa.table(
        {
            "text": ['a,"b"\nc', None, ""],
            "at": pa.array(
                [datetime(2024, 7, 1, 9, tzinfo=UTC)] * 3, pa.timestamp("us", "Asia/Kolkata")
            ),
            "naive": pa.array([datetime(2024, 7, 1, 9, 0, 0, 250_000)] * 3, pa.timestamp("ms")),
            "day": [date(2024, 7, 1)] * 3,
            "share": [0.1, None, 1e-12],
            "flag": [True, False, None],
        }
    )

    write(tmp_path / "x.csv", table)

    with (tmp_path / "x.csv").open(newline="") as file:
        header, first, second, _ = csv.reader(file)
    assert header == table.column_names
    assert first == [
        'a,"b"\nc',
        "2024-07-01T14:30:00.000000+05:30",
        "2024-07-01T09:00:00.250",
        "2024-07-01",
        "0.1",
        "true",
    ]
    assert second[0] == second[4] == ""
    assert datetime.fromisoformat(first[1]) == datetime(2024, 7, 1, 9, tzinfo=UTC)


def test_a_file_without_rows_has_its_columns(tmp_path):
    """No rows is a result too."""
    for name in ("x.parquet", "x.csv"):
        with open_sink(tmp_path / name, schema=SCHEMA) as sink:
            pass
        assert sink.rows == 0

    assert pq.read_table(tmp_path / "x.parquet").schema == SCHEMA
    assert (tmp_path / "x.csv").read_text() == '"customer_id","risk","rank"\n'


def test_folders_are_made_and_rows_counted(tmp_path):
    """A path may lie in folders that do not exist yet."""
    with open_sink(f"{tmp_path}/a/b/x.parquet", schema=SCHEMA) as sink:
        sink.write(ROWS)
        sink.write(MORE)

    assert sink.rows == 3
    assert pq.read_table(tmp_path / "a" / "b" / "x.parquet").num_rows == 3


def test_the_suffixes_are_the_registered_sinks(tmp_path):
    """An unknown suffix is refused before anything is touched."""
    assert SINKS.names() == ("csv", "parquet")
    for name in ("x.txt", "x", "x.csv.gz"):
        message = (
            rf"^output must end in a known suffix; got '.*{name}'\. Known: \.csv, \.parquet\.$"
        )
        with (
            pytest.raises(ParameterError, match=message),
            open_sink(tmp_path / "new" / name, schema=SCHEMA),
        ):
            pytest.fail("opened")
    assert names(tmp_path) == []


# The schema


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ROWS.drop_columns(["rank"]), r"x\.parquet: no column 'rank'$"),
        (ROWS.rename_columns(["customer_id", "risk", "rnk"]),
         r"x\.parquet: no column 'rank'; column 'rnk' is not declared\. Did you mean 'rank'\?$"),
        (ROWS.append_column("spare", [[1, 2]]), r"x\.parquet: column 'spare' is not declared\.$"),
        (ROWS.select(["risk", "customer_id", "rank"]),
         r"x\.parquet: columns must be in the order customer_id, risk, rank; got risk, customer_id, rank$"),
        (ROWS.set_column(2, "rank", pa.array([1.0, 2.0])),
         r"x\.parquet: column 'rank' must be int64; got double$"),
    ],
)  # fmt: skip
def test_a_table_that_breaks_the_schema_leaves_nothing(tmp_path, table, message):
    """The column is named; the file of an earlier run stays as it was."""
    path = tmp_path / "x.parquet"
    write(path, MORE)
    before = path.read_bytes()

    with pytest.raises(DataError, match=message):
        write(path, ROWS, table)

    assert path.read_bytes() == before
    assert names(tmp_path) == ["x.parquet"]


def test_nulls_where_the_schema_allows_none_are_refused(tmp_path):
    """A promise of no nulls is held."""
    schema = SCHEMA.set(1, pa.field("risk", pa.float64(), nullable=False))

    with (
        pytest.raises(DataError, match=r"x\.csv: column 'risk' holds 1 nulls$"),
        open_sink(tmp_path / "x.csv", schema=schema) as sink,
    ):
        sink.write(ROWS)
    with open_sink(tmp_path / "x.csv", schema=schema) as sink:
        sink.write(MORE)

    assert sink.rows == 1


def test_a_type_that_the_format_does_not_know_is_refused(tmp_path):
    """A list has no place in a CSV file."""
    schema = pa.schema([("tags", pa.list_(pa.string()))])

    with (
        pytest.raises(DataError, match=r"x\.csv: cannot be written; Unsupported Type:list"),
        open_sink(tmp_path / "x.csv", schema=schema),
    ):
        pytest.fail("opened")
    assert names(tmp_path) == []


# Whole or not at all


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_a_repeated_run_replaces_its_output(tmp_path, name):
    """The second file is the second run's, with nothing of the first."""
    write(tmp_path / name, ROWS)
    once = (tmp_path / name).read_bytes()
    write(tmp_path / name, MORE)
    write(tmp_path / name, ROWS)

    assert (tmp_path / name).read_bytes() == once
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_error_in_the_middle_leaves_the_old_file(tmp_path, name, error):
    """The error comes through as it is; no part of the new file can be seen."""
    write(tmp_path / name, ROWS)
    before = (tmp_path / name).read_bytes()

    def fail():
        with open_sink(tmp_path / name, schema=SCHEMA) as sink:
            sink.write(MORE)
            raise error("half way")  # noqa: EM101

    with pytest.raises(error, match="half way"):
        fail()

    assert (tmp_path / name).read_bytes() == before
    assert names(tmp_path) == [name]


def test_nobody_sees_the_file_before_it_is_whole(tmp_path):
    """Until the block ends there is no file under the name, and none that a glob would find."""
    with open_sink(tmp_path / "x.parquet", schema=SCHEMA) as sink:
        sink.write(ROWS)
        assert not (tmp_path / "x.parquet").exists()
        assert list(tmp_path.glob("*.parquet")) == []

    assert (tmp_path / "x.parquet").exists()


HALF_WRITTEN = """
import sys, time
import pyarrow as pa
from churnkit.data.sinks import open_sink
rows = pa.table({"customer_id": ["x"] * 1000, "risk": [0.5] * 1000, "rank": [1] * 1000})
with open_sink(sys.argv[1], schema=rows.schema) as sink:
    for _ in range(50):
        sink.write(rows)
    print("half", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def half_written(tmp_path):
    """Give a function that starts a process which stops in the middle of writing a path."""
    running = []

    def start(path):
        process = subprocess.Popen(
            [sys.executable, "-c", HALF_WRITTEN, str(path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        running.append(process)
        assert process.stdout.readline() == b"half\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_a_killed_writer_leaves_the_old_file_and_the_next_one_cleans_up(
    tmp_path, half_written, name
):
    """After SIGKILL the old file is whole; the next write to the path removes what was left behind."""
    path = tmp_path / name
    write(path, ROWS)
    before = path.read_bytes()

    writer = half_written(path)
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    assert path.read_bytes() == before
    assert len(names(tmp_path)) == 2, "the killed process could not clean up"
    write(path, MORE)
    assert names(tmp_path) == [name]


def test_a_living_writer_of_the_same_path_is_left_alone(tmp_path, half_written):
    """Only what nobody holds is removed, and only of the same path."""
    path, other = tmp_path / "x.parquet", tmp_path / "x.parquet.csv"
    half_written(path)
    dead = half_written(other)
    dead.kill()
    dead.wait()

    write(path, MORE)

    left = [n for n in names(tmp_path) if n.endswith(".tmp")]
    assert len(left) == 2
    assert pq.read_table(path).equals(MORE)


def test_names_with_brackets_clean_up_after_themselves(tmp_path, half_written):
    """A path is not a pattern."""
    path = tmp_path / "x[1]*.csv"
    writer = half_written(path)
    writer.kill()
    writer.wait()

    write(path, MORE)

    assert names(tmp_path) == [path.name]


def test_a_link_keeps_pointing_to_the_file(tmp_path):
    """Writing through a link replaces what it points to, not the link."""
    (tmp_path / "real").mkdir()
    write(tmp_path / "real" / "x.csv", ROWS)
    (tmp_path / "x.csv").symlink_to(tmp_path / "real" / "x.csv")

    write(tmp_path / "x.csv", MORE)

    assert (tmp_path / "x.csv").is_symlink()
    assert '"c",0.25,3' in (tmp_path / "real" / "x.csv").read_text()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("folder.csv", r"folder\.csv: cannot be written; Is a directory$"),
        ("file/x.csv", r"file/x\.csv: cannot be written; (Not a directory|File exists)$"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path, path, message):
    """The path and the reason."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=message):
        write(tmp_path / path, ROWS)


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    """When the last bytes do not reach the disk, nothing has happened to the old file."""
    write(tmp_path / "x.csv", ROWS)
    before = (tmp_path / "x.csv").read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DataError, match=r"x\.csv: cannot be written; No space left on device$"):
        write(tmp_path / "x.csv", MORE)

    assert (tmp_path / "x.csv").read_bytes() == before
    assert names(tmp_path) == ["x.csv"]


@pytest.mark.usefixtures("no_space")
@pytest.mark.parametrize("length", [101, 100_000])
def test_a_text_that_finds_no_space_is_one_sentence(tmp_path, length):
    """Whether the disk refuses what is written, or what is left in the buffer when it is closed."""
    write_text(tmp_path / "page.html", "old")

    with pytest.raises(DataError, match=r"page\.html: cannot be written; File too large$"):
        write_text(tmp_path / "page.html", "x" * length)

    assert (tmp_path / "page.html").read_text() == "old"
    assert names(tmp_path) == ["page.html"]


def test_the_bytes_reach_the_disk_before_the_name_changes(tmp_path, monkeypatch):
    """A power cut after the write finds the whole file: sync first, rename second."""
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("sync"), sync(fd)))
    monkeypatch.setattr(Path, "replace", lambda *a: (done.append("rename"), replace(*a))[1])

    write(tmp_path / "x.csv", ROWS)

    assert done == ["sync", "rename", "sync"]


# JSON and any other file


def test_json_is_written_whole_and_readable(tmp_path):
    """Indented, UTF-8, keys in the order given, a line break at the end."""
    obj = {"b": [1, 2.5, None], "a": {"name": "Zoë", "ok": True}}

    write_json(tmp_path / "deep" / "x.json", obj)

    text = (tmp_path / "deep" / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == obj
    assert list(json.loads(text)) == ["b", "a"]
    assert "Zoë" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), date(2024, 1, 1), {1, 2}])
def test_json_refuses_what_it_has_no_word_for(tmp_path, value):
    """NaN would make a file that other programs cannot read; the old file stays."""
    write_json(tmp_path / "x.json", {"a": 1})

    with pytest.raises(ParameterError, match=r"x\.json: obj must hold plain JSON values; "):
        write_json(tmp_path / "x.json", {"a": value})

    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


def test_any_file_can_be_replaced(tmp_path):
    """The writer of bytes below the sinks serves reports too."""
    (tmp_path / "x.html").write_text("old")

    with replace_file(tmp_path / "x.html") as file:
        file.write(b"new")
        assert (tmp_path / "x.html").read_text() == "old"

    assert (tmp_path / "x.html").read_text() == "new"
    assert (tmp_path / "x.html").stat().st_mtime <= time.time() + 1
