"""The DuckDB engine: settings, reading, streams, tables that spill, errors in one sentence."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import known_at, order_table
from churnkit.data.sources import TableSpec, load_table
from churnkit.engines import ENGINES, DuckDBEngine, quoted
from churnkit.errors import DataError, ParameterError, UnknownNameError

DAY = 86_400_000_000


@pytest.fixture
def duck():
    """Give an open DuckDB engine."""
    with DuckDBEngine(threads=2) as engine:
        yield engine


def test_engines_are_found_by_name():
    """The configuration's kind names the class."""
    assert ENGINES["duckdb"] is DuckDBEngine
    with pytest.raises(
        UnknownNameError, match=r"^unknown engine 'duckbd'\. Did you mean 'duckdb'\?"
    ):
        ENGINES["duckbd"]


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("threads", 0, "at least 1 thread"),
        ("threads", -2, "at least 1 thread"),
        ("memory_limit", "lots", "must have a number"),
    ],
)
def test_settings_that_duckdb_refuses_are_named(setting, value, why):
    """The message has the setting, its value, and DuckDB's reason."""
    with pytest.raises(
        ParameterError, match=rf"^engine: DuckDB .* \{{'{setting}': '{value}'\}}; .*{why}"
    ):
        DuckDBEngine(**{setting: value})


def test_settings_are_those_asked_for(tmp_path):
    """Threads, memory and folder reach DuckDB; nothing is fetched from the network."""
    with DuckDBEngine(threads=1, memory_limit="1GiB", temp_directory=str(tmp_path)) as engine:
        names = (
            "threads",
            "memory_limit",
            "temp_directory",
            "autoinstall_known_extensions",
            "TimeZone",
        )
        query = "SELECT " + ", ".join(f"current_setting('{n}') AS {n}" for n in names)
        found = engine.collect(engine.select(query)).to_pylist()[0]

    assert found == {
        "threads": 1,
        "memory_limit": "1.0 GiB",
        "temp_directory": str(tmp_path),
        "autoinstall_known_extensions": False,
        "TimeZone": "UTC",
    }


@pytest.mark.parametrize("name", ['a "b"', "select", "a;b", "ü", "a\\b", "'"])
def test_any_name_can_be_quoted(duck, name):
    """A name becomes an identifier, whatever is in it."""
    view = duck.add_arrow(pa.table({name: [1]}))

    assert duck.collect(duck.select(f"SELECT {quoted(name)} FROM {view}")).column_names == [name]
    assert duck.column_types(view) == {name: "BIGINT"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT nothing FROM range(3)",
            r'^engine: Binder Error: Referenced column "nothing" not found',
        ),
        ("SELEC 1", r"^engine: Parser Error: syntax error at or near \"SELEC\"$"),
        (
            "SELECT * FROM missing",
            r"^engine: Catalog Error: Table with name missing does not exist!",
        ),
    ],
)
def test_errors_of_the_engine_are_one_sentence(duck, query, message):
    """No query, no caret, no trace: what DuckDB says of it."""
    with pytest.raises(DataError, match=message) as caught:
        duck.select(query)

    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None


def test_text_is_not_compared_with_numbers(duck):
    """DuckDB refuses what would depend on a cast that nobody asked for."""
    view = duck.add_arrow(pa.table({"customer_id": ["a"]}))

    with pytest.raises(DataError, match="Cannot compare values of type VARCHAR and type INTEGER"):
        duck.select(f"SELECT * FROM {view} WHERE customer_id > 3")


def test_an_error_while_rows_are_computed_is_a_data_error(duck):
    """What only a row can show comes as the same kind of error."""
    frame = duck.select("SELECT CAST(x AS INT) AS x FROM (VALUES ('1'), ('one')) AS t(x)")

    for compute in (duck.collect, duck.materialize, lambda f: list(duck.batches(f, rows=1))):
        with pytest.raises(DataError, match=r"^engine: Conversion Error: .*'one'"):
            compute(frame)


def test_long_messages_are_cut(duck):
    """A list of candidates fits a line."""
    with pytest.raises(DataError, match=r"^engine: Binder Error: ") as caught:
        duck.select(f"SELECT {'x' * 2000} FROM range(3)")

    assert len(str(caught.value)) <= 310
    assert str(caught.value).endswith("…")


def test_an_arrow_type_that_duckdb_lacks_is_refused(duck):
    """Half floats have no place in DuckDB."""
    table = pa.table({"x": pa.array([np.float16(1)], pa.float16())})

    with pytest.raises(DataError, match=r"^engine: .*(?i:unsupported)"):
        duck.column_types(duck.add_arrow(table))


def test_materialize_sorts_and_keeps(duck):
    """The result is computed once, in the order asked for, and read as often as wanted."""
    frame = duck.select("SELECT (7919 * range) % 10007 AS x, range AS y FROM range(10007)")

    kept = duck.materialize(frame, sort_by=("x",))

    assert duck.collect(kept)["x"].to_pylist() == list(range(10007))
    assert duck.collect(kept.select(nw.col("y").sum().cast(nw.Int64)))["y"].to_pylist() == [
        50_065_021
    ]


def test_batches_have_at_most_the_rows_asked_for(duck):
    """Every row comes once."""
    batches = list(duck.batches(duck.select("SELECT range AS x FROM range(10000)"), rows=3000))

    assert max(b.num_rows for b in batches) <= 3000
    assert sorted(x for b in batches for x in b["x"].to_pylist()) == list(range(10000))


def test_queries_run_while_a_stream_is_open(duck):
    """A batch can be worked on with other queries before the next is taken."""
    frame = duck.select("SELECT range AS x FROM range(10000)")
    seen = 0

    for batch, other in zip(
        duck.batches(frame, rows=2048), duck.batches(frame, rows=2048), strict=True
    ):
        seen += duck.collect(duck.select(f"SELECT {batch.num_rows} AS n"))["n"].to_pylist()[0]
        duck.materialize(frame)
        assert batch.num_rows == other.num_rows

    assert seen == 10000


def test_a_stream_outlives_what_it_reads(duck):
    """A sorted table can be kept, and the one that is streamed forgotten, before the last batch."""
    kept = duck.materialize(duck.select("SELECT range AS x FROM range(300000)"), sort_by=("x",))
    stream = duck.batches(kept, rows=1000)
    seen = next(stream).num_rows

    again = duck.materialize(kept, sort_by=("x",))
    duck.forget(kept)
    seen += sum(batch.num_rows for batch in stream)

    assert seen == duck.collect(again).num_rows == 300_000


def test_a_stream_reads_arrow_tables(duck):
    """A table handed over is seen by streams, as files are."""
    view = duck.add_arrow(pa.table({"x": [3, 1, 2]}))

    batches = duck.batches(duck.select(f"SELECT x FROM {view}"), rows=2, sort_by=("x",))

    assert [x for batch in batches for x in batch["x"].to_pylist()] == [1, 2, 3]


def test_a_stream_reads_text_as_utc_wherever_the_machine_is():
    """Rows that are streamed are those that would be collected."""
    code = (
        "from churnkit.engines import DuckDBEngine\n"
        "with DuckDBEngine(threads=1) as engine:\n"
        "    text = \"CAST('2024-01-01 00:00:00' AS TIMESTAMPTZ)\"\n"
        "    frame = engine.select(f'SELECT epoch_us({text}) AS us')\n"
        "    batches = engine.batches(frame, rows=1)\n"
        "    streamed = [us for batch in batches for us in batch['us'].to_pylist()]\n"
        "    print(streamed, engine.collect(frame)['us'].to_pylist())\n"
    )
    away = {**os.environ, "TZ": "America/New_York"}

    said = subprocess.run(
        [sys.executable, "-c", code], env=away, capture_output=True, text=True, check=True
    )

    assert said.stdout == "[1704067200000000] [1704067200000000]\n"


def test_a_stream_of_nothing_has_no_rows(duck):
    """An empty result ends at once."""
    assert (
        sum(b.num_rows for b in duck.batches(duck.select("SELECT 1 AS x WHERE false"), rows=5)) == 0
    )


def test_a_stream_left_open_does_not_disturb_the_end():
    """An engine can be closed before its streams are, and twice."""
    engine = DuckDBEngine(threads=1)
    stream = engine.batches(engine.select("SELECT range AS x FROM range(100000)"), rows=10)
    next(stream)

    engine.close()
    engine.close()
    stream.close()
    gc.collect()

    with pytest.raises(DataError, match=r"^engine: Connection Error: .*closed"):
        engine.select("SELECT 1")


def test_engines_do_not_share_tables():
    """Two runs in one process keep apart."""
    with DuckDBEngine(threads=1) as one, DuckDBEngine(threads=1) as two:
        view = one.add_arrow(pa.table({"x": [1]}))

        with pytest.raises(DataError, match=rf"Table with name {view} does not exist"):
            two.select(f"SELECT * FROM {view}")


def many_orders(path, *, rows):
    """Write orders in no order, with returns, long ids and times over two years."""
    rng = np.random.default_rng(11)
    order = rng.integers(0, rows // 2, rows)
    table = pa.table(
        {
            "customer_id": [f"customer number {o % 9973:020d}" for o in order],
            "ts": pa.array(1_600_000_000_000_000 + (order * 7919 % 730) * DAY, pa.int64()).cast(
                pa.timestamp("us", "UTC")
            ),
            "amount": np.where(rng.random(rows) < 0.05, -1, 1) * rng.integers(1, 400, rows) / 4,
            "order_id": [f"order number {o:020d}" for o in order],
        }
    )
    pq.write_table(table, path, row_group_size=20_000)
    return table.nbytes


def test_a_memory_limit_is_honoured_by_spilling(tmp_path):
    """With a fraction of the memory the same numbers come out, over the disk, and it is left clean."""
    spill = tmp_path / "spill"
    size = many_orders(tmp_path / "orders.parquet", rows=400_000)

    def run(**settings):
        with DuckDBEngine(threads=1, **settings) as engine:
            loaded = load_table(
                TableSpec(source=str(tmp_path / "orders.parquet")),
                contract=CONTRACTS["orders"](),
                engine=engine,
                time_zone="Europe/London",
            )
            table = order_table(
                loaded.rows, columns=loaded.columns, engine=engine, time_zone="Europe/London"
            )
            spilled = sum(f.stat().st_size for f in spill.glob("*")) if spill.exists() else 0
            known = known_at(table, start_us=0, cutoff_us=1_640_000_000_000_000)
            sums = known.select(
                *(nw.col(c).sum().cast(nw.Float64) for c in ("amount", "lines", "is_order")),
                nw.col("previous_order_us").mean(),
                rows=nw.len(),
            )
            return loaded.report, engine.collect(sums).to_pylist()[0], spilled

    report, sums, none_spilled = run()
    small_report, small_sums, spilled = run(memory_limit="64MB", temp_directory=str(spill))

    assert none_spilled == 0
    assert spilled > 0
    assert size > 32 * 2**20
    assert small_report == report
    assert small_sums == pytest.approx(sums, rel=1e-12)
    assert not spill.exists() or not os.listdir(spill)


def test_a_sorted_stream_comes_in_order(duck):
    """The same rows come in the same order every time, however many threads there are."""
    frame = duck.select("SELECT (7919 * range) % 300007 AS x FROM range(300007)")

    batches = duck.batches(frame, rows=50_000, sort_by=("x",))

    assert [x for b in batches for x in b["x"].to_pylist()] == list(range(300_007))


def test_what_is_forgotten_is_gone(duck):
    """A table that nothing reads any more leaves the engine, sorted or not; others stay."""
    frame = duck.select("SELECT range AS x FROM range(10)")
    kept, ordered, other = (duck.materialize(frame, sort_by=by) for by in ((), ("x",), ()))

    duck.forget(kept, ordered)

    assert duck.collect(other).num_rows == 10
    for gone in (kept, ordered):
        with pytest.raises(DataError, match="does not exist"):
            duck.collect(gone)
