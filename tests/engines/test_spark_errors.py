"""What Spark says in many lines, in one."""

from __future__ import annotations

import pytest

from churnkit.engines.spark_errors import sentence

WORKER = """An error occurred while calling o129.getResult.
: org.apache.spark.SparkException: Exception thrown in awaitResult:
Caused by: org.apache.spark.SparkException: Job aborted due to stage failure: Stage 2 failed 4 times
org.apache.spark.api.python.PythonException: [PYTHON_EXCEPTION] An exception was thrown from the \
Python worker: Traceback (most recent call last):
  File "worker.py", line 42, in call
    found = rows[name]
            ^^^^^^^^^^
{raised}
 SQLSTATE: 38000
\tat org.apache.spark.scheduler.Task.run(Task.scala:147)
"""
JAVA = """An error occurred while calling o1.collect.
: org.apache.spark.SparkException: Job aborted due to stage failure
Caused by: java.lang.RuntimeException: the disk is full
\tat java.base/java.lang.Thread.run(Thread.java:840)
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (WORKER.format(raised="KeyError: 'orders'"), "KeyError: 'orders'"),
        (
            WORKER.format(raised="churnkit.errors.ModelGuardError: lightgbm: no rows"),
            "lightgbm: no rows",
        ),
        (JAVA, "the disk is full"),
        (
            "[TABLE_OR_VIEW_NOT_FOUND] no such table. SQLSTATE: 42P01\n'Project",
            "[TABLE_OR_VIEW_NOT_FOUND] no such table.",
        ),
        ("", "RuntimeError"),
    ],
)
def test_the_cause_is_said_without_traces(said, expected):
    """Of an error on a worker its last line, of one in Java its cause, of a query its own words."""
    assert sentence(RuntimeError(said)) == expected
