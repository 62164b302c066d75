"""Starts Spark, or joins the session that is there, with the settings that churnkit needs."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from churnkit.errors import ConfigError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["is_local", "open_spark"]

NEEDED = {
    # Text is read as UTC; the business zone is applied by integer arithmetic (data/clock.py).
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    # Nanoseconds are cut to microseconds by the engine; Spark itself refuses such files.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
# Tasks that must run at once wait two minutes for enough slots, not ten.
PATIENCE = {
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "5s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "24",
}
LOOPBACK = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT])i?[bB]?\s*")
MIB = {"k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2}


def is_local(master: str | None) -> bool:
    """Return whether a master is this process alone; null is, unless Spark runs already.

    Examples
    --------
    >>> is_local("local[2]"), is_local("local-cluster[2,1,1024]"), is_local("yarn")
    (True, False, False)
    """
    return master is None or re.fullmatch(r"local(\[.*\])?", master) is not None


def open_spark(
    *, master: str | None, threads: int | None, memory_limit: str | None, conf: Mapping[str, Any]
) -> tuple[Any, bool]:
    """Return a session of its own and whether Spark was started for it.

    A Spark that runs already in this process (a notebook, a job under ``spark-submit``) is used as
    it is: only settings of SQL can still be made.

    Raises
    ------
    ConfigError
        If PySpark is not installed.
    ParameterError
        If Spark does not start with these settings, or one runs already on another master.
    """
    try:
        with warnings.catch_warnings():
            # PySpark warns of pandas 3, of which nothing is used here.
            warnings.simplefilter("ignore", FutureWarning)
            import pyspark
            from py4j.protocol import Py4JError
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
    except ImportError as error:
        msg = "engine: kind 'spark' needs PySpark; install the extra: pip install 'churnkit-ml[spark]'"
        raise ConfigError(msg) from error
    # The exception that is raised says the same.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    # To ask in another way would start one.
    running = pyspark.SparkContext._active_spark_context
    if running is not None and master is not None and running.master != master:
        msg = f"engine: Spark runs already on master {running.master!r}; got master {master!r}"
        raise ParameterError(msg)
    if running is None and is_local(master):
        # Java would look the machine's name up; nothing is to be reached from outside.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = _settings(master=master, threads=threads, memory_limit=memory_limit, conf=conf)
    builder = SparkSession.builder.appName("churnkit")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        with warnings.catch_warnings(), _same_ctrl_c():
            warnings.simplefilter("ignore")
            first = SparkSession.builder.getOrCreate() if running else builder.getOrCreate()
        session = first.newSession()
        for key, value in settings.items():
            if key.startswith("spark.sql.") and session.conf.isModifiable(key):
                session.conf.set(key, value)
    except (PySparkException, Py4JError, RuntimeError, OSError) as error:
        why = " ".join(str(error).split())[:300]
        msg = f"engine: Spark does not start with {settings}; {why} (it needs Java 17)"
        raise ParameterError(msg) from error
    context = session.sparkContext
    if is_local(str(context.master)) and "PYSPARK_PYTHON" not in os.environ:
        # Workers on this machine are of the same Python; PySpark would take the first on the path.
        context.pythonExec = sys.executable
    return session, running is None


@contextmanager
def _same_ctrl_c() -> Iterator[None]:
    """Keep what Ctrl-C does: PySpark's way asks Java in the middle of the question that is open."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not before:
            signal.signal(signal.SIGINT, before)


def _settings(
    *, master: str | None, threads: int | None, memory_limit: str | None, conf: Mapping[str, Any]
) -> dict[str, str]:
    """Return what Spark is told: our needs last, the user's settings before our preferences."""
    where = master or f"local[{threads or '*'}]"
    chosen: dict[str, str] = {"spark.master": where, **QUIET, **PATIENCE}
    if is_local(where):
        chosen |= LOOPBACK
        chosen["spark.sql.shuffle.partitions"] = str(2 * (threads or os.cpu_count() or 2))
    if memory_limit is not None:
        part = "driver" if is_local(where) else "executor"
        chosen[f"spark.{part}.memory"] = _spark_size(memory_limit)
    return {**chosen, **{str(k): _spark_value(v) for k, v in conf.items()}, **NEEDED}


def _spark_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spark_size(limit: str) -> str:
    """Return a size such as ``4GB`` in Spark's spelling.

    Examples
    --------
    >>> _spark_size("1.5GB"), _spark_size("512MiB")
    ('1536m', '512m')
    """
    found = SIZE.fullmatch(limit)
    if found is None:
        msg = f"engine: memory_limit must be a size such as '4GB'; got {limit!r}"
        raise ParameterError(msg)
    return f"{round(float(found[1]) * MIB[found[2].lower()])}m"
