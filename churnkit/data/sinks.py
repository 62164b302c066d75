"""Writes result tables and JSON files whole or not at all: a reader never meets half a file."""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import contextmanager, suppress
from errno import EISDIR
from glob import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from churnkit.errors import DataError, ParameterError
from churnkit.registry import Registry, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

__all__ = [
    "SINKS",
    "Sink",
    "open_sink",
    "refuse_suffix",
    "replace_file",
    "write_json",
    "write_text",
]


class Sink(Protocol):
    """Takes Arrow tables of one schema and writes them into an open file, in the order given."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what the format ends with; the file stays open."""
        ...


SINKS: Registry[Sink] = Registry("sink")


@SINKS.register("parquet")
class ParquetSink:
    """A Parquet file, compressed with zstd."""

    def __init__(self, file: IO[bytes], *, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(file, schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        """Append rows; see :class:`Sink`."""
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer; see :class:`Sink`."""
        self._writer.close()


@SINKS.register("csv")
class CsvSink:
    """A CSV file with a header: RFC 4180 quoting, ISO 8601 times, nothing for null."""

    def __init__(self, file: IO[bytes], *, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.csv

        self._times = [field for field in schema if pa.types.is_timestamp(field.type)]
        names = {field.name for field in self._times}
        written = [pa.field(f.name, pa.string() if f.name in names else f.type) for f in schema]
        self._writer = pyarrow.csv.CSVWriter(file, pa.schema(written))

    def write(self, table: pa.Table) -> None:
        """Append rows; see :class:`Sink`."""
        import pyarrow.compute as pc

        for field in self._times:
            form = "%Y-%m-%dT%H:%M:%S" + ("%Ez" if field.type.tz else "")
            text = pc.strftime(table[field.name], format=form)
            table = table.set_column(table.column_names.index(field.name), field.name, text)
        self._writer.write_table(table)

    def close(self) -> None:
        """Flush; see :class:`Sink`."""
        self._writer.close()


class CheckedSink:
    """Passes tables on to a sink when their columns are those declared.

    Attributes
    ----------
    rows : int
        Rows written so far.
    """

    def __init__(self, sink: Sink, *, schema: pa.Schema, path: Path) -> None:
        self._sink, self._schema, self._path = sink, schema, path
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Append rows.

        Raises
        ------
        DataError
            If a column is missing, not declared, in another place, of another type, or null where
            the schema allows none.
        """
        wanted, got = self._schema.names, table.column_names
        faults = [f"no column {name!r}" for name in wanted if name not in got]
        faults += [
            f"column {name!r} is not declared.{did_you_mean(name, wanted)}"
            for name in got
            if name not in wanted
        ]
        if not faults and got != wanted:
            faults.append(f"columns must be in the order {', '.join(wanted)}; got {', '.join(got)}")
        for field in self._schema if not faults else ():
            column = table[field.name]
            if column.type != field.type:
                faults.append(f"column {field.name!r} must be {field.type}; got {column.type}")
            elif column.null_count and not field.nullable:
                faults.append(f"column {field.name!r} holds {column.null_count:,} nulls")
        if faults:
            msg = f"{self._path}: {'; '.join(faults)}"
            raise DataError(msg)
        with _telling(self._path):
            self._sink.write(table.cast(self._schema))
        self.rows += table.num_rows


@contextmanager
def open_sink(path: str | os.PathLike[str], *, schema: pa.Schema) -> Iterator[CheckedSink]:
    """Open a table for writing; it appears under its name when the block ends without an error.

    Parameters
    ----------
    path : str or path
        The suffix chooses the format: ``.parquet`` or ``.csv``. Folders are created.
    schema : pyarrow.Schema
        Columns and types of every table that will be written.

    Raises
    ------
    ParameterError
        If the suffix names no format.
    DataError
        If the file cannot be written, or a table breaks the schema.

    Examples
    --------
    >>> import pyarrow as pa, tempfile
    >>> rows = pa.table({"customer_id": ["c1"], "churn_probability": [0.25]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_sink(f"{folder}/scores.csv", schema=rows.schema) as sink:
    ...         sink.write(rows)
    ...     print(Path(folder, "scores.csv").read_text())
    "customer_id","churn_probability"
    "c1",0.25
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in SINKS:
        known = ", ".join(f".{name}" for name in SINKS.names())
        msg = f"output must end in a known suffix; got {str(target)!r}. Known: {known}."
        raise ParameterError(msg)
    with replace_file(target) as file:
        with _telling(target):
            sink = SINKS[kind](file, schema=schema)
        try:
            yield CheckedSink(sink, schema=schema, path=target)
        finally:
            with _telling(target):
                sink.close()


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Write plain values as indented JSON; the file appears whole or not at all.

    Raises
    ------
    ParameterError
        If ``obj`` holds what JSON has no word for: NaN, infinity, or objects.
    DataError
        If the file cannot be written.
    """
    try:
        text = json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"{os.fspath(path)}: obj must hold plain JSON values; {error}"
        raise ParameterError(msg) from error
    write_text(path, f"{text}\n")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text in UTF-8; the file appears whole, or not at all with a ``DataError``."""
    with replace_file(path) as file, _telling(path):
        file.write(text.encode())


def refuse_suffix(path: str | os.PathLike[str], *suffixes: str) -> None:
    """Refuse a file whose name would say that it holds something else.

    Raises
    ------
    ParameterError
        If the name ends in none of the suffixes.
    """
    if Path(path).suffix.lower() not in suffixes:
        msg = f"output must end in {' or '.join(suffixes)}; got {os.fspath(path)!r}"
        raise ParameterError(msg)


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes the place of ``path`` when the block ends without an error.

    The bytes go to a temporary file in the same folder, reach the disk, and then the name changes
    hands in one step. An error removes the temporary file; what a killed process left behind is
    removed by the next writer of the same path.

    Raises
    ------
    DataError
        If the folder or the file cannot be written.
    """
    target = Path(path).resolve()
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    with _telling(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        for left in target.parent.glob(f".{escape(target.name)}.{'?' * 8}.tmp"):
            _remove_abandoned(left)
        file = temporary.open("xb")
    try:
        try:
            # Where the file system has no locks, what a killed process leaves is not recognised.
            with suppress(OSError):
                _lock(file)
            yield file
            with _telling(path):
                file.flush()
                os.fsync(file.fileno())
        finally:
            with _telling(path):  # a full disk fails once more here
                file.close()
        with _telling(path):
            temporary.replace(target)
            _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _telling(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an error of the disk or of Arrow into one sentence about the file."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        why = getattr(error, "strerror", None) or str(error)
        msg = f"{os.fspath(path)}: cannot be written; {why}"
        raise DataError(msg) from error


def _lock(file: IO[bytes]) -> None:
    """Show other writers that this temporary file is in use; the lock dies with the process."""
    if sys.platform != "win32":  # Windows itself keeps an open file from being removed
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_abandoned(left: Path) -> None:
    """Remove a temporary file unless a living writer holds it."""
    with suppress(OSError):
        with left.open("rb") as file:
            _lock(file)
        left.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the change of name last; Windows cannot, and needs not."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
