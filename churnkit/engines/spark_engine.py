"""Spark: the engine for histories that one machine cannot hold."""

from __future__ import annotations

import itertools
import secrets
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.engines import spark_sql
from churnkit.engines.engine import ENGINE_SAYS, ENGINES, drawn
from churnkit.engines.spark_barrier import run_together
from churnkit.engines.spark_errors import GONE, sentence
from churnkit.engines.spark_files import address, aside, files_of, remove, replacing
from churnkit.engines.spark_reading import in_types_of_spark, read_csv, read_parquet
from churnkit.engines.spark_session import is_local, open_spark
from churnkit.engines.spark_workers import map_on_workers
from churnkit.errors import ChurnkitError, ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from churnkit.engines.engine import Peers

__all__ = ["SparkEngine"]


@ENGINES.register("spark")
class SparkEngine:
    """Spark, in this process or on a cluster.

    Intermediate tables are Parquet files in a folder that every worker can read and write: what a
    lost worker had computed is still there, and plans stay short.

    Parameters
    ----------
    master : str, optional
        Address of the cluster, such as ``"spark://host:7077"``; by default the Spark that runs in
        this process, or else a local one with ``threads`` threads.
    conf : mapping, optional
        Settings of the session, by Spark's names.
    threads : int, optional
        Number of threads of a local Spark; by default all cores.
    memory_limit : str, optional
        Such as ``"4GB"``: of the process of a local Spark, of each executor of a cluster.
    temp_directory : str, optional
        Folder or address for intermediate tables. A cluster needs one that all its machines share;
        by default the folder of this machine for temporary files.
    """

    kind = "spark"

    def __init__(
        self,
        *,
        master: str | None = None,
        conf: Mapping[str, Any] | None = None,
        threads: int | None = None,
        memory_limit: str | None = None,
        temp_directory: str | None = None,
    ) -> None:
        _check_shared(temp_directory, master=master)
        self._spark, self._started = open_spark(
            master=master, threads=threads, memory_limit=memory_limit, conf=conf or {}
        )
        from py4j.protocol import Py4JError, Py4JNetworkError
        from pyspark.errors import PySparkException

        self._error = (PySparkException, Py4JError)
        self._gone = (Py4JNetworkError, ConnectionError)
        if not self._started:
            _check_shared(temp_directory, master=str(self._spark.sparkContext.master))
        parent = address(temp_directory or tempfile.gettempdir())
        self.folder = f"{parent}/churnkit-{secrets.token_hex(8)}"
        self._names = itertools.count(1)
        self._open = True

    def __enter__(self) -> SparkEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_files(self, paths: Sequence[str], *, file_format: str, encoding: str = "utf-8") -> str:
        """Make a view of Parquet or CSV files; see :class:`Engine`."""
        with self._speaking():
            if file_format == "csv":
                return self._view(read_csv(self._spark, paths, encoding=encoding))
            return self._view(read_parquet(self._spark, paths))

    def add_arrow(self, table: pa.Table) -> str:
        """Make a view of an Arrow table; see :class:`Engine`."""
        from pyspark.sql.pandas.types import from_arrow_schema

        plain = in_types_of_spark(table)
        with self._speaking():
            schema = from_arrow_schema(plain.schema, prefer_timestamp_ntz=True)
            return self._view(self._spark.createDataFrame(plain, schema))

    def add_table(self, name: str) -> str:
        """Make a view of a table or view of Spark's catalog; see :class:`ClusterEngine`."""
        with self._speaking():
            return self._view(self._spark.table(name))

    def column_types(self, view: str) -> dict[str, str]:
        """Return the columns of a view with Spark's names of their types."""
        with self._speaking():
            return dict(self._spark.sql(f"SELECT * FROM {view}").dtypes)

    def select(self, sql: str) -> nw.LazyFrame[Any]:
        """Return the result of a ``SELECT`` as a lazy frame."""
        with self._speaking():
            rows: nw.LazyFrame[Any] = nw.from_native(self._spark.sql(sql)).lazy()
            return rows

    def is_text(self, sql_type: str) -> bool:
        """Return whether a column of this type holds text; see :class:`Engine`."""
        return spark_sql.is_text(sql_type)

    def text(self, column: str, *, sql_type: str) -> str:
        """Return SQL for an id as text, without white space around it; see :class:`Engine`."""
        return spark_sql.text(column, sql_type=sql_type)

    def number(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as a double; see :class:`Engine`."""
        return spark_sql.number(column, sql_type=sql_type)

    def clock_us(self, column: str, *, sql_type: str) -> tuple[str, str]:
        """Return SQL for a time as written and for whether it knows its zone; see :class:`Engine`."""
        return spark_sql.clock_us(column, sql_type=sql_type)

    def materialize(
        self, frame: nw.LazyFrame[Any], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute a frame into Parquet files; see :class:`Engine`.

        Rows that agree in the first column of ``sort_by`` lie in one file, each file is sorted.
        """
        rows = frame.to_native()
        with self._speaking():
            if sort_by:
                rows = rows.repartition(sort_by[0]).sortWithinPartitions(*sort_by)
            kept: nw.LazyFrame[Any] = nw.from_native(self._written(rows)).lazy()
            return kept

    def materialize_all(
        self, frames: Iterable[nw.LazyFrame[Any]], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute frames one by one into Parquet files; see :class:`Engine`."""
        kept = [self.materialize(frame, sort_by=sort_by) for frame in frames]
        return kept[0] if len(kept) == 1 else nw.concat(kept)

    def gather(self, frame: nw.LazyFrame[Any], *, by: str, rows: int) -> nw.LazyFrame[Any]:
        """Compute a frame into Parquet files: Spark brings rows together where it needs them."""
        del by, rows
        return self.materialize(frame)

    def parts(self, frame: nw.LazyFrame[Any]) -> list[nw.LazyFrame[Any]]:
        """Return the frame: Spark works on many parts itself."""
        return [frame]

    def sample(
        self, frame: nw.LazyFrame[Any], *, by: str, share: float, seed: int
    ) -> nw.LazyFrame[Any]:
        """Return the rows of a share of the values of a text column; see :class:`Engine`."""
        with self._speaking():
            rows = frame.to_native().filter(drawn(by, share=share, seed=seed))
            kept: nw.LazyFrame[Any] = nw.from_native(rows).lazy()
            return kept

    def forget(self, *frames: nw.LazyFrame[Any]) -> None:
        """Remove the files of frames that :meth:`materialize` returned; see :class:`Engine`."""
        for frame in frames:
            with self._speaking():
                folders = {file.rpartition("/")[0] for file in files_of(frame.to_native())}
                for folder in folders:
                    remove(self._spark, folder)

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        """Return all rows as an Arrow table."""
        import pyarrow as pa

        with self._speaking():
            table = frame.to_native().toArrow()
        # What Spark knows never to be null it marks so; the same query kept in a file is not marked.
        return table.cast(pa.schema(field.with_nullable(True) for field in table.schema))

    def batches(
        self, frame: nw.LazyFrame[Any], *, rows: int, sort_by: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows as a stream of Arrow batches of at most ``rows`` rows.

        They are computed into files of as many rows, of which one at a time comes to this process.
        """
        with self._speaking():
            ordered = frame.to_native().orderBy(*sort_by) if sort_by else frame.to_native()
            kept = self._written(ordered, rows_per_file=rows)
            for path in sorted(files_of(kept)):
                table = self._spark.read.schema(kept.schema).parquet(path).toArrow()
                yield from table.to_batches(max_chunksize=rows)

    def map_batches(
        self,
        frame: nw.LazyFrame[Any],
        function: Callable[[Iterator[pa.Table]], Iterator[pa.Table]],
        *,
        schema: pa.Schema,
    ) -> nw.LazyFrame[Any]:
        """Return what a function makes of the rows, on the workers; see :class:`ClusterEngine`."""
        with self._speaking():
            made = map_on_workers(self._spark, frame.to_native(), function, schema=schema)
            rows: nw.LazyFrame[Any] = nw.from_native(made).lazy()
            return rows

    def run_together(
        self,
        frame: nw.LazyFrame[Any],
        function: Callable[[Iterator[pa.Table], Peers], pa.Table],
        *,
        tasks: int,
        by: str,
        schema: pa.Schema,
    ) -> pa.Table:
        """Return what tasks make of the rows that know each other; see :class:`ClusterEngine`."""
        with self._speaking():
            return run_together(
                self._spark, frame.to_native(), function, tasks=tasks, by=by, schema=schema
            )

    @contextmanager
    def writing(
        self, frame: nw.LazyFrame[Any], folder: str, *, part: str
    ) -> Iterator[nw.LazyFrame[Any]]:
        """Write rows as one part of a Parquet table; see :class:`ClusterEngine`."""
        rows = frame.to_native()
        with replacing(self._spark, address(folder), part=part) as temporary:
            with self._speaking():
                rows.write.parquet(temporary)
                written = self._spark.read.schema(rows.schema).parquet(temporary)
            yield nw.from_native(written).lazy()

    def close(self) -> None:
        """Remove the intermediate tables, and end Spark if this engine started it."""
        if not self._open:
            return
        self._open = False
        with self._speaking():
            remove(self._spark, self.folder)
        if self._started:
            aside(self._spark.stop)

    def _view(self, rows: Any) -> str:
        name = self._next_name()
        rows.createOrReplaceTempView(name)
        return name

    def _next_name(self) -> str:
        return f"churnkit_{next(self._names)}"

    def _written(self, rows: Any, *, rows_per_file: int = 0) -> Any:
        path = f"{self.folder}/{self._next_name()}"
        rows.write.option("maxRecordsPerFile", rows_per_file).parquet(path)
        return self._spark.read.schema(rows.schema).parquet(path)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Turn Spark's own errors into one sentence; what is stopped here stops on the cluster too."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if self._started:
                aside(self._spark.sparkContext.cancelAllJobs)
            raise
        except self._gone as error:
            raise ChurnkitError(GONE) from error
        except self._error as error:
            msg = f"{ENGINE_SAYS}{sentence(error)}"
            raise DataError(msg) from error


def _check_shared(temp_directory: str | None, *, master: str | None) -> None:
    """Refuse a cluster without a folder that its machines share."""
    if temp_directory is None and not is_local(master):
        rule = f"temp_directory must name a folder that every machine of {master} shares"
        msg = f"engine: {rule}; got null"
        raise ConfigError(msg)
