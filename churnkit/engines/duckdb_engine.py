"""DuckDB in this process: the engine that is always there."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.engines import duckdb_sql
from churnkit.engines.duckdb_parts import block_ends, part_conditions
from churnkit.engines.duckdb_reading import column_types, csv_query, parquet_query
from churnkit.engines.engine import ENGINE_SAYS, ENGINES, drawn, quoted
from churnkit.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

__all__ = ["DuckDBEngine"]

SORTED = "sorted"
ROWS_PER_THREAD = 500_000
# To sort a table first pays from so many parts on.
FEWEST_PARTS = 3


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
    part_rows : int, optional
        About how many rows of a gathered table are worked on at a time, by default half a
        million for each thread: sorts and groups of many more leave the caches, and then memory.

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
        part_rows: int | None = None,
    ) -> None:
        import duckdb

        self._error = duckdb.Error
        given = {
            "threads": threads,
            "memory_limit": memory_limit,
            "temp_directory": temp_directory,
        }
        settings = {name: str(value) for name, value in given.items() if value is not None}
        try:
            # Nothing is fetched from the network behind the user's back.
            self._connection = duckdb.connect(
                ":memory:",
                config={
                    "preserve_insertion_order": "false",
                    "autoinstall_known_extensions": "false",
                    **settings,
                },
            )
        except duckdb.Error as error:
            msg = f"engine: DuckDB does not start with {settings}; {_sentence(error)}"
            raise ParameterError(msg) from error
        # Sorted tables are kept for long, and compressed: a history takes a quarter of the memory,
        # and equal ids that follow each other are grouped without being compared.
        self._connection.execute(f"ATTACH ':memory:' AS {SORTED} (COMPRESS)")
        # Text is read as UTC, in the connections of streams too; the business zone is applied by
        # integer arithmetic (data/clock.py).
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
        # Progress is the caller's to show; DuckDB's own bar would land among the results. Where it
        # is off already it stays untouched: in Jupyter without ipywidgets, even SET … = false fails.
        shown = self._connection.execute("SELECT current_setting('enable_progress_bar')").fetchall()
        if shown != [(False,)]:
            self._connection.execute("SET enable_progress_bar = false")
        self._names = itertools.count(1)
        self._arrow: dict[str, pa.Table] = {}
        self._streams = 0
        if part_rows is None:
            (in_use,) = self._connection.execute("SELECT current_setting('threads')").fetchall()[0]
            part_rows = ROWS_PER_THREAD * int(in_use)
        self._part_rows = part_rows
        # By the query that reads a gathered table as it is, the conditions of its parts.
        self._parts: dict[str, list[str]] = {}

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_files(self, paths: Sequence[str], *, file_format: str, encoding: str = "utf-8") -> str:
        """Make a view of Parquet or CSV files; see :class:`Engine`."""
        name = self._next_name()
        with self._speaking():
            if file_format == "csv":
                query = csv_query(paths, encoding=encoding)
            else:
                query = parquet_query(self._connection, paths)
            self._connection.execute(f"CREATE VIEW {name} AS {query}")
        return name

    def add_arrow(self, table: pa.Table) -> str:
        """Make a view of an Arrow table; see :class:`Engine`."""
        name = self._next_name()
        with self._speaking():
            self._connection.register(name, table)
        self._arrow[name] = table
        return name

    def column_types(self, view: str) -> dict[str, str]:
        """Return the columns of a view with DuckDB's names of their types."""
        with self._speaking():
            return column_types(self._connection, f"FROM {view}")

    def select(self, sql: str) -> nw.LazyFrame[Any]:
        """Return the result of a ``SELECT`` as a lazy frame."""
        with self._speaking():
            return nw.from_native(self._connection.sql(sql)).lazy()

    def is_text(self, sql_type: str) -> bool:
        """Return whether a column of this type holds text; see :class:`Engine`."""
        return duckdb_sql.is_text(sql_type)

    def text(self, column: str, *, sql_type: str) -> str:
        """Return SQL for an id as text, without white space around it; see :class:`Engine`."""
        return duckdb_sql.text(column, sql_type=sql_type)

    def number(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as a double; see :class:`Engine`."""
        return duckdb_sql.number(column, sql_type=sql_type)

    def clock_us(self, column: str, *, sql_type: str) -> tuple[str, str]:
        """Return SQL for a time as written and for whether it knows its zone; see :class:`Engine`."""
        return duckdb_sql.clock_us(column, sql_type=sql_type)

    def materialize(
        self, frame: nw.LazyFrame[Any], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute a frame into a table of this connection; see :class:`Engine`."""
        return self.materialize_all([frame], sort_by=sort_by)

    def materialize_all(
        self, frames: Iterable[nw.LazyFrame[Any]], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute frames one by one into a table of this connection; see :class:`Engine`."""
        name = f"{SORTED}.{self._next_name()}" if sort_by else self._next_name()
        write = "create"
        for frame in frames:
            with self._speaking():
                rows = (frame.sort(*sort_by) if sort_by else frame).to_native()
                getattr(rows, write)(name)
                if sort_by:
                    self._compress()
            write = "insert_into"
        with self._speaking():
            return nw.from_native(self._connection.table(name)).lazy()

    def gather(self, frame: nw.LazyFrame[Any], *, by: str, rows: int) -> nw.LazyFrame[Any]:
        """Compute a frame into a table, sorted where it is large; see :class:`Engine`."""
        if rows < FEWEST_PARTS * self._part_rows:
            return self.materialize(frame)
        kept = self.materialize(frame, sort_by=(by,))
        query, wanted = kept.to_native().sql_query(), self._part_rows
        table = _table_of(query)
        with self._speaking():
            ends = self._connection.execute(block_ends(table, by=by, part_rows=wanted))
            conditions = part_conditions(ends.fetchall(), by=by, part_rows=wanted)
        self._parts[query] = [f"SELECT * FROM {table} WHERE {found}" for found in conditions]
        return kept

    def parts(self, frame: nw.LazyFrame[Any]) -> list[nw.LazyFrame[Any]]:
        """Return a gathered table in parts of ``part_rows`` rows; see :class:`Engine`."""
        queries = self._parts.get(frame.to_native().sql_query())
        return [frame] if queries is None else [self.select(query) for query in queries]

    def _compress(self) -> None:
        # With a stream open it is refused; the next sorted table then compresses this one.
        if not self._streams:
            self._connection.execute(f"CHECKPOINT {SORTED}")

    def forget(self, *frames: nw.LazyFrame[Any]) -> None:
        """Drop the tables that :meth:`materialize` made; see :class:`Engine`."""
        for frame in frames:
            with self._speaking():
                query = frame.to_native().sql_query()
                self._connection.execute(f"DROP TABLE {_table_of(query)}")
                self._parts.pop(query, None)

    def sample(
        self, frame: nw.LazyFrame[Any], *, by: str, share: float, seed: int
    ) -> nw.LazyFrame[Any]:
        """Return the rows of a share of the values of a text column; see :class:`Engine`."""
        with self._speaking():
            rows = frame.to_native().filter(drawn(by, share=share, seed=seed))
            kept: nw.LazyFrame[Any] = nw.from_native(rows).lazy()
            return kept

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        """Return all rows as an Arrow table."""
        with self._speaking():
            return frame.to_native().to_arrow_table()

    def batches(
        self, frame: nw.LazyFrame[Any], *, rows: int, sort_by: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows as a stream of Arrow batches of at most ``rows`` rows; see :class:`Engine`.

        A connection of DuckDB cannot answer while one of its results is open, so the stream has a
        connection of its own.
        """
        with self._speaking():
            order = f" ORDER BY {', '.join(map(quoted, sort_by))}" if sort_by else ""
            query = f"FROM ({frame.to_native().sql_query()}){order}"
            cursor = self._connection.cursor()
            for name, table in self._arrow.items():
                cursor.register(name, table)
            self._streams += 1
            try:
                yield from cursor.sql(query).to_arrow_reader(rows)
            finally:
                self._streams -= 1
                cursor.close()

    def close(self) -> None:
        """Close the connection; its tables and spilled files go with it."""
        self._connection.close()
        self._arrow.clear()

    def _next_name(self) -> str:
        return f"churnkit_{next(self._names)}"

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Turn the engine's own errors into one sentence."""
        try:
            yield
        except self._error as error:
            msg = f"{ENGINE_SAYS}{_sentence(error)}"
            raise DataError(msg) from error


def _table_of(query: str) -> str:
    """Return the table of a query that reads it as it is."""
    return query.partition(" FROM ")[2].split()[0]


def _sentence(error: BaseException) -> str:
    """Return what the engine says before its notes and the query."""
    said = " ".join(re.split(r"\n\n|\n\s*Possible ", str(error).strip())[0].split())
    return (said if len(said) <= 300 else f"{said[:299]}…") or type(error).__name__
