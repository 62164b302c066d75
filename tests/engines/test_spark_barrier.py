"""Tasks of Spark that run at the same time: what they know of each other, and how they fail."""

from __future__ import annotations

import json
import os
import time

import pyarrow as pa
import pytest

from churnkit.engines import SparkEngine
from churnkit.errors import DataError, ModelGuardError, ParameterError

pytestmark = pytest.mark.spark
SCHEMA = pa.schema([("rank", pa.int64()), ("rows", pa.string()), ("heard", pa.string())])


@pytest.fixture
def spark(spark_running):
    """Give an engine in the Spark that the tests share: local, two threads."""
    with SparkEngine(conf={"spark.sql.shuffle.partitions": "1"}) as engine:
        yield engine


def frame(engine, customers, values):
    """Return rows of customers in the engine."""
    table = pa.table({"customer_id": customers, "x": values})
    return engine.select(f"SELECT * FROM {engine.add_arrow(table)}")


def tell(tables, peers):
    """Return this task's rows and what it heard of the others."""
    rows = [row for table in tables for row in table.to_pylist()]
    heard = peers.gather(f"{peers.rank} has {len(rows)} at {peers.host} with {peers.threads}")
    said = {"rank": peers.rank, "rows": json.dumps(rows), "heard": json.dumps(heard)}
    return pa.Table.from_pylist([said], schema=SCHEMA)


def run(engine, rows, function, *, tasks=2):
    """Return what two tasks make of the rows, by rank."""
    made = engine.run_together(rows, function, tasks=tasks, by="customer_id", schema=SCHEMA)
    return sorted(made.to_pylist(), key=lambda one: one["rank"])


def test_every_task_has_its_customers_and_hears_all(spark):
    """Rows of a customer stay together, sorted; each task hears every other, by rank."""
    customers = [f"c{i % 20}" for i in range(200)]
    rows = frame(spark, customers, [float((i * 37) % 200) for i in range(200)])

    first, second = run(spark, rows, tell)

    parts = [json.loads(one["rows"]) for one in (first, second)]
    assert all(len(part) > 0 for part in parts)
    assert sum(len(part) for part in parts) == 200
    assert not {r["customer_id"] for r in parts[0]} & {r["customer_id"] for r in parts[1]}
    for part in parts:
        assert part == sorted(part, key=lambda row: (row["customer_id"], row["x"]))
    heard = [f"{i} has {len(part)} at 127.0.0.1 with 1" for i, part in enumerate(parts)]
    assert [json.loads(one["heard"]) for one in (first, second)] == [heard, heard]


def test_a_task_without_rows_takes_part(spark):
    """One customer's rows lie in one task; the other is there all the same."""
    rows = frame(spark, ["a", "a"], [1.0, 2.0])

    made = run(spark, rows, tell)

    assert sorted(len(json.loads(one["rows"])) for one in made) == [0, 2]
    assert made[0]["heard"] == made[1]["heard"]


@pytest.mark.slow
def test_an_error_in_one_task_is_its_sentence(spark):
    """The others are ended, whatever they wait for; what the one said is said, without the trace."""

    def fail(tables, peers):
        if peers.rank == 1:
            msg = "lightgbm: task 1 cannot go on"
            raise ModelGuardError(msg)
        time.sleep(3600)
        return tell(tables, peers)

    rows = frame(spark, ["a", "b", "c"], [1.0, 2.0, 3.0])

    with pytest.raises(DataError, match=r"^engine: lightgbm: task 1 cannot go on$"):
        run(spark, rows, fail)


def test_tasks_that_are_lost_begin_again(spark, tmp_path):
    """A process that dies takes its rows with it; all tasks start once more and give every row."""
    died = tmp_path / "died"

    def die_once(tables, peers):
        peers.gather("here")
        if peers.rank == 0 and not died.exists():
            died.touch()
            os._exit(1)
        return tell(tables, peers)

    rows = frame(spark, [f"c{i}" for i in range(50)], [float(i) for i in range(50)])

    made = run(spark, rows, die_once)

    assert died.exists()
    assert sum(len(json.loads(one["rows"])) for one in made) == 50


def test_more_tasks_than_threads_are_refused(spark):
    """They would wait for each other for ever."""
    rows = frame(spark, ["a"], [1.0])

    with pytest.raises(
        ParameterError, match=r"^engine: training_tasks must be at most the 2 threads.*; got 3$"
    ):
        run(spark, rows, tell, tasks=3)
