"""Opens the engine that runs the queries and hands out narwhals LazyFrames.

An engine reads files into views, gives the few SQL expressions in which engines differ (reading
times, numbers and text from a source's own types), keeps intermediate tables, and returns rows as
Arrow. Everything between is narwhals and the same on every engine.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.errors import DataError, ParameterError
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

__all__ = ["ENGINES", "DuckDBEngine", "Engine", "quoted"]

AWARE_SUFFIX = r":\d{2}(\.\d+)? ?(Z|[+-]\d{2}(:?\d{2})?)$"


class Engine(Protocol):
    """What sources, features and sinks need of an engine."""

    kind: str

    def add_files(self, paths: Sequence[str], *, file_format: str) -> str:
        """Make a view of Parquet or CSV files (``parquet``, ``csv``) and return its name."""
        ...

    def add_arrow(self, table: pa.Table) -> str:
        """Make a view of an Arrow table and return its name."""
        ...

    def column_types(self, view: str) -> dict[str, str]:
        """Return the columns of a view with the engine's names of their types."""
        ...

    def select(self, sql: str) -> nw.LazyFrame[Any]:
        """Return the result of a ``SELECT`` as a lazy frame."""
        ...

    def text(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as text; whole numbers in a float column lose their ``.0``."""
        ...

    def number(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as a double; null where it is not a number."""
        ...

    def clock_us(self, column: str, *, sql_type: str) -> tuple[str, str]:
        """Return SQL for a time in µs since 1970 as written, and SQL for whether it knows its zone."""
        ...

    def materialize(
        self, frame: nw.LazyFrame[Any], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute a frame once, sorted, and return a frame that reads the result."""
        ...

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        """Return all rows as an Arrow table."""
        ...

    def batches(self, frame: nw.LazyFrame[Any], *, rows: int) -> Iterator[pa.RecordBatch]:
        """Return the rows as a stream of Arrow batches."""
        ...

    def close(self) -> None:
        """Release memory, temporary tables and files."""
        ...


ENGINES: Registry[Engine] = Registry("engine")


def quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier.

    Examples
    --------
    >>> quoted("unit price")
    '"unit price"'
    """
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@ENGINES.register("duckdb")
class DuckDBEngine:
    """DuckDB in this process.

    Parameters
    ----------
    threads : int, optional
        Number of threads; by default all cores.
    memory_limit : str, optional
        Such as ``"4GB"``; past it, sorts, joins and tables spill to ``temp_directory``.
    temp_directory : str, optional
        Folder for spilled data; by default DuckDB's own choice, ``.tmp`` in the working directory.

    Examples
    --------
    >>> import pyarrow as pa
    >>> with DuckDBEngine() as engine:
    ...     view = engine.add_arrow(pa.table({"a": [3, 4]}))
    ...     engine.collect(engine.select(f"SELECT sum(a)::INT AS a FROM {view}")).to_pylist()
    [{'a': 7}]
    """

    kind = "duckdb"

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_limit: str | None = None,
        temp_directory: str | None = None,
    ) -> None:
        import duckdb

        self._error = duckdb.Error
        settings: dict[str, str | int] = {"preserve_insertion_order": "false"}
        if threads is not None:
            settings["threads"] = threads
        if memory_limit is not None:
            settings["memory_limit"] = memory_limit
        if temp_directory is not None:
            settings["temp_directory"] = temp_directory
        try:
            self._connection = duckdb.connect(":memory:", config=settings)
        except duckdb.Error as error:
            msg = f"engine: DuckDB does not start with {settings}; {_first_line(error)}"
            raise ParameterError(msg) from error
        # Text is read as UTC; the business zone is applied by integer arithmetic (data/clock.py).
        self._connection.execute("SET TimeZone = 'UTC'")
        self._views = 0

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_files(self, paths: Sequence[str], *, file_format: str) -> str:
        """Make a view of Parquet or CSV files; see :class:`Engine`."""
        listed = "[" + ", ".join(_literal(p) for p in paths) + "]"
        reader = {
            "parquet": f"read_parquet({listed}, union_by_name = true)",
            "csv": f"read_csv({listed}, union_by_name = true, all_varchar = true, header = true)",
        }[file_format]
        name = self._next_name()
        with self._reading(", ".join(paths)):
            self._connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {reader}")
        return name

    def add_arrow(self, table: pa.Table) -> str:
        """Make a view of an Arrow table; see :class:`Engine`."""
        name = self._next_name()
        self._connection.register(name, table)
        return name

    def column_types(self, view: str) -> dict[str, str]:
        """Return the columns of a view with DuckDB's names of their types."""
        rows = self._connection.execute(f"DESCRIBE {view}").fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    def select(self, sql: str) -> nw.LazyFrame[Any]:
        """Return the result of a ``SELECT`` as a lazy frame."""
        with self._reading("query"):
            return nw.from_native(self._connection.sql(sql)).lazy()

    def text(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as text; see :class:`Engine`."""
        name = quoted(column)
        if sql_type in {"DOUBLE", "FLOAT"}:
            whole = f"isfinite({name}) AND {name} = floor({name}) AND abs({name}) < 9e15"
            return (
                f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR)"
                f" ELSE CAST({name} AS VARCHAR) END"
            )
        return f"CAST({name} AS VARCHAR)"

    def number(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as a double; see :class:`Engine`."""
        name = quoted(column)
        return f"TRY_CAST({name} AS DOUBLE)" if sql_type == "VARCHAR" else f"CAST({name} AS DOUBLE)"

    def clock_us(self, column: str, *, sql_type: str) -> tuple[str, str]:
        """Return SQL for a time as written and for whether it knows its zone; see :class:`Engine`."""
        name = quoted(column)
        if sql_type == "VARCHAR":
            aware = f"coalesce(regexp_matches(trim({name}), {_literal(AWARE_SUFFIX)}), false)"
            return f"epoch_us(TRY_CAST(trim({name}) AS TIMESTAMPTZ))", aware
        if sql_type == "TIMESTAMP WITH TIME ZONE":
            return f"epoch_us({name})", "true"
        if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
            return f"epoch_us(CAST({name} AS TIMESTAMP))", "false"
        msg = (
            f"column {column!r} must hold times (timestamp, date or ISO 8601 text); got {sql_type}"
        )
        raise DataError(msg)

    def materialize(
        self, frame: nw.LazyFrame[Any], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute a frame into a table of this connection; see :class:`Engine`."""
        name = self._next_name()
        with self._reading("query"):
            (frame.sort(*sort_by) if sort_by else frame).to_native().create(name)
        return nw.from_native(self._connection.table(name)).lazy()

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        """Return all rows as an Arrow table."""
        with self._reading("query"):
            return frame.to_native().to_arrow_table()

    def batches(self, frame: nw.LazyFrame[Any], *, rows: int) -> Iterator[pa.RecordBatch]:
        """Return the rows as a stream of Arrow batches of about ``rows`` rows."""
        with self._reading("query"):
            yield from frame.to_native().to_arrow_reader(rows)

    def close(self) -> None:
        """Close the connection; its tables and spilled files go with it."""
        self._connection.close()

    def _next_name(self) -> str:
        self._views += 1
        return f"churnkit_{self._views}"

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Turn the engine's own errors into one sentence."""
        try:
            yield
        except self._error as error:
            msg = f"{what}: the data cannot be read; {_first_line(error)}"
            raise DataError(msg) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
