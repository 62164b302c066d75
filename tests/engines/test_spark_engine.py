"""The Spark engine: settings, the session it joins, files, streams, what workers run, errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnkit.data.contracts import CONTRACTS
from churnkit.data.sources import TableSpec, load_table
from churnkit.engines import ENGINES, ClusterEngine, DuckDBEngine, SparkEngine, quoted
from churnkit.engines import spark_session as sessions
from churnkit.errors import ConfigError, DataError, ParameterError

pytestmark = pytest.mark.spark
ALONE = {"spark.sql.shuffle.partitions": "1", "spark.sql.adaptive.enabled": "false"}


@pytest.fixture
def spark(spark_running):
    """Give an engine in the Spark that the tests share."""
    with SparkEngine(conf=ALONE) as engine:
        yield engine


def test_it_is_found_by_name_and_knows_clusters(spark):
    """The configuration's kind names the class; DuckDB is no cluster."""
    assert ENGINES["spark"] is SparkEngine
    assert isinstance(spark, ClusterEngine)
    with DuckDBEngine(threads=1) as duck:
        assert not isinstance(duck, ClusterEngine)


def test_a_second_engine_joins_and_does_not_end_what_it_has_not_begun(spark):
    """Views and tables are apart; the older engine works on after the younger has closed."""
    with SparkEngine(conf=ALONE) as other:
        view = other.add_arrow(pa.table({"x": [1]}))
        with pytest.raises(DataError, match=rf"^engine: \[TABLE_OR_VIEW_NOT_FOUND\].*{view}"):
            spark.select(f"SELECT * FROM {view}")

    assert spark.collect(spark.select("SELECT 1 AS x")).to_pylist() == [{"x": 1}]


def test_a_table_of_the_catalog_is_a_source(spark):
    """Named as Spark names it, with the types that it has; one that there is not is a sentence."""
    rows = "SELECT 'a' AS customer_id, TIMESTAMP '2024-01-05 10:00:00' AS at, 2.50BD AS paid"
    contract = CONTRACTS["orders"]()
    columns = {"ts": "at", "amount": "paid"}
    spark.select(rows).to_native().write.saveAsTable("shop_orders")
    try:
        spec = TableSpec(source="table:default.shop_orders", columns=columns)

        found = load_table(spec, contract=contract, engine=spark, time_zone="UTC")

        assert spark.collect(found.rows).to_pylist() == [
            {"customer_id": "a", "ts_us": 1_704_448_800_000_000, "amount": 2.5}
        ]
        assert found.report.source == "table:default.shop_orders"
    finally:
        spark.select("DROP TABLE shop_orders")
    with pytest.raises(DataError, match=r"^orders: \[TABLE_OR_VIEW_NOT_FOUND\].*shop_orders"):
        load_table(spec, contract=contract, engine=spark, time_zone="UTC")


def test_another_master_than_the_running_one_is_refused(spark, tmp_path):
    """One process has one Spark."""
    with pytest.raises(
        ParameterError, match=r"runs already on master 'local\[2\]'; got master 'sp"
    ):
        SparkEngine(master="spark://127.0.0.1:1", temp_directory=str(tmp_path))


def test_a_size_that_is_none_is_refused():
    """Spark's own spelling has no room for doubt."""
    with pytest.raises(ParameterError, match=r"^engine: memory_limit must be a size.*got 'lots'$"):
        sessions._spark_size("lots")


@pytest.mark.parametrize("name", ['a "b"', "select", "a;b", "ü", "a\\b", "'", "x.y", "a`b"])
def test_any_name_can_be_quoted(spark, name):
    """A name becomes an identifier, whatever is in it."""
    view = spark.add_arrow(pa.table({name: [1]}))

    assert spark.collect(spark.select(f"SELECT {quoted(name)} FROM {view}")).column_names == [name]
    assert spark.column_types(view) == {name: "bigint"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nothing FROM range(3)", r"^engine: \[UNRESOLVED_COLUMN.*`nothing` cannot be res"),
        ("SELEC 1", r"^engine: \[PARSE_SYNTAX_ERROR\] Syntax error at or near 'SELEC'\.$"),
    ],
)
def test_errors_of_the_engine_are_one_sentence(spark, query, message):
    """No query, no caret, no plan, no trace: what Spark says of it."""
    with pytest.raises(DataError, match=message) as caught:
        spark.select(query)

    assert "\n" not in str(caught.value)


def test_an_error_while_rows_are_computed_is_a_data_error(spark):
    """What only a row can show comes as the same kind of error."""
    frame = spark.select("SELECT CAST(x AS INT) AS x FROM VALUES ('1'), ('one') AS t(x)")

    for compute in (spark.collect, spark.materialize, lambda f: list(spark.batches(f, rows=1))):
        with pytest.raises(DataError, match=r"^engine: \[CAST_INVALID_INPUT\] .*'one'"):
            compute(frame)


def test_materialize_keeps_and_sorts(spark):
    """The result is computed once, rows of one key lie together in order."""
    frame = spark.select("SELECT id % 7 AS k, (7919 * id) % 1009 AS x FROM range(1009)")

    kept = spark.materialize(frame, sort_by=("k", "x"))

    rows = spark.collect(kept).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["k"], row["x"]))
    assert len(rows) == 1009


def test_batches_have_at_most_the_rows_asked_for(spark):
    """Every row comes once, and queries run while the stream is open."""
    batches = []
    for batch in spark.batches(spark.select("SELECT id AS x FROM range(1000)"), rows=300):
        batches.append(batch)
        assert spark.collect(spark.select("SELECT 1 AS n"))["n"].to_pylist() == [1]

    assert max(batch.num_rows for batch in batches) <= 300
    assert sorted(x for batch in batches for x in batch["x"].to_pylist()) == list(range(1000))


def test_workers_run_a_function_on_parts_of_the_rows(spark):
    """What it needs goes with it; what it refuses comes back in its own words."""
    frame = spark.select("SELECT id AS x FROM range(10)")
    schema, factor = pa.schema([("y", pa.int64())]), 3

    def times(tables):
        for table in tables:
            yield pa.table({"y": [factor * x for x in table["x"].to_pylist()]}, schema=schema)

    def refuse(tables):
        msg = "nothing goes"
        raise DataError(msg)
        yield from tables

    made = spark.collect(spark.map_batches(frame, times, schema=schema))

    assert sorted(made["y"].to_pylist()) == [3 * x for x in range(10)]
    with pytest.raises(DataError, match=r"^engine: nothing goes$"):
        spark.collect(spark.map_batches(frame, refuse, schema=schema))


def test_what_is_written_appears_whole_or_not_at_all(spark, tmp_path):
    """An error in the block leaves the older part; without one the new part takes its place."""
    folder = str(tmp_path / "table")
    old, new = (spark.select(f"SELECT {x} AS x") for x in (1, 2))
    with spark.writing(old, folder, part="day=1") as written:
        assert not Path(folder, "day=1").exists()
        assert spark.collect(written).to_pylist() == [{"x": 1}]

    with pytest.raises(ValueError, match="no"), spark.writing(new, folder, part="day=1"):
        raise ValueError("no")  # noqa: EM101 - what the block raises is its own affair
    before = pq.read_table(f"{folder}/day=1")["x"].to_pylist()
    with spark.writing(new, folder, part="day=1"):
        pass

    assert before == [1]
    assert pq.read_table(f"{folder}/day=1")["x"].to_pylist() == [2]
    assert os.listdir(folder) == ["day=1"]


def test_the_end_leaves_no_files(spark_running, tmp_path):
    """Intermediate tables are removed with their folder; closing twice is fine."""
    engine = SparkEngine(conf=ALONE, temp_directory=str(tmp_path))
    kept = engine.materialize(engine.select("SELECT 1 AS x"))
    there = os.listdir(tmp_path)

    engine.close()
    engine.close()

    assert len(there) == 1
    assert os.listdir(tmp_path) == []
    with pytest.raises(DataError, match=r"^engine: "):
        engine.collect(kept.select(nw.col("x").sum()))


def test_without_pyspark_the_extra_is_named(monkeypatch):
    """One sentence says what to install."""
    monkeypatch.setitem(sys.modules, "pyspark", None)

    with pytest.raises(ConfigError, match=r"^engine: kind 'spark' needs PySpark; install the ext"):
        SparkEngine()


@pytest.mark.parametrize("master", ["spark://127.0.0.1:7077", "yarn", "local-cluster[1,1,512]"])
def test_a_cluster_needs_a_folder_that_its_machines_share(master):
    """Refused before anything is started."""
    with pytest.raises(ConfigError, match=r"^engine: temp_directory must name a folder that every"):
        SparkEngine(master=master)


ENDED = """
from churnkit.engines import SparkEngine
from churnkit.errors import ChurnkitError

try:
    with SparkEngine(master="local[1]") as engine:
        row = engine.select("SELECT 1 AS a")
        java = engine._spark.sparkContext._gateway.proc
        java.kill()
        java.wait()
        engine.collect(row)
except ChurnkitError as error:
    print(error.exit_code, error)
"""


@pytest.mark.slow
def test_spark_that_dies_is_said_in_a_sentence(tmp_path):
    """Java out of memory, or killed: what happened, not which socket is closed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    done = subprocess.run(
        [sys.executable, "-c", ENDED],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )

    assert done.stdout.startswith("1 engine: Spark's process ended before its work was done; it")


STOPPED = """
import os, signal, threading
from churnkit.engines import SparkEngine

signal.signal(signal.{name}, lambda number, _: exit(128 + number))
with SparkEngine(master="local[1]", temp_directory=os.getcwd()) as engine:
    engine.materialize(engine.select("SELECT 1 AS a"))
    print(len(os.listdir()), "folder")
    threading.Timer(3.0, os.kill, (os.getpid(), signal.{name})).start()
    ages = "SELECT sum(sqrt(a.id * b.id)) AS a FROM range(10000000) a, range(10000000) b"
    try:
        with engine.writing(engine.select(ages), os.getcwd(), part="day=1"):
            pass
    except SystemExit:
        print(os.listdir()[0].split("-")[0], "only")
        raise
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_what_is_stopped_stops_and_leaves_no_files(tmp_path, name, code):
    """Java's answer to the question that was cut off is not taken for that to the clean-up."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    done = subprocess.run(
        [sys.executable, "-c", STOPPED.format(name=name)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.stdout.splitlines() == ["1 folder", "churnkit only"]
    assert done.returncode == code
    assert not list(tmp_path.iterdir())
