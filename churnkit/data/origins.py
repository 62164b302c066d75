"""Where a table can come from: files, a catalog, a database, a frame, or a query that joins some."""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from churnkit.data.contracts import SourceFile
from churnkit.data.frames import frame_to_arrow
from churnkit.engines import ENGINE_SAYS, ClusterEngine, csv_encoding, quoted
from churnkit.errors import ConfigError, DataError
from churnkit.registry import Registry, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.engines import Engine

__all__ = [
    "SOURCES",
    "CatalogSource",
    "FileSource",
    "FrameSource",
    "PostgresSource",
    "QuerySource",
    "Source",
    "encoding_of",
    "source_of",
]

CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
CATALOG = "table:"


class Source(Protocol):
    """Where a table comes from."""

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files behind the source, none for a frame in memory."""
        ...

    def view(self, engine: Engine, *, ids: frozenset[str]) -> str:
        """Make the source readable by the engine and return the view's name; ``ids`` are id columns."""
        ...


SOURCES: Registry[Source] = Registry("source")


@SOURCES.register("files")
@dataclass(frozen=True)
class FileSource:
    """Parquet or CSV files: one path or a glob; ``.csv``, ``.tsv`` and ``.txt`` are read as text."""

    path: str
    encoding: str = "utf-8"

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files with their sizes; see :class:`Source`."""
        if Path(self.path).is_dir():
            msg = (
                f"{self.path} is a folder; name its files, such as {Path(self.path) / '*.parquet'}"
            )
            raise DataError(msg)
        is_pattern = has_magic(self.path) and not Path(self.path).is_file()
        found = sorted(glob(self.path, recursive=True)) if is_pattern else [self.path]
        paths = [p for p in found if Path(p).is_file()]
        if not paths:
            folder = Path(self.path).parent
            beside = [p.name for p in folder.iterdir()] if folder.is_dir() else []
            msg = f"{self.path}: no such file.{did_you_mean(Path(self.path).name, beside)}"
            raise DataError(msg)
        return tuple(SourceFile(path=p, bytes=Path(p).stat().st_size) for p in paths)

    def view(self, engine: Engine, *, ids: frozenset[str] = frozenset()) -> str:  # noqa: ARG002 - files hold one type a column
        """Make the files readable by the engine; see :class:`Source`."""
        files = self.files
        if empty := [f.path for f in files if not f.bytes]:
            msg = f"{empty[0]}: the file is empty"
            raise DataError(msg)
        kinds = {"csv" if f.path.lower().endswith(CSV_SUFFIXES) else "parquet" for f in files}
        if len(kinds) > 1:
            msg = f"{self.path}: matches both CSV and Parquet files; name one kind"
            raise DataError(msg)
        kind = kinds.pop()
        try:
            paths = [f.path for f in files]
            return engine.add_files(paths, file_format=kind, encoding=self.encoding)
        except DataError as error:
            label = {"csv": "CSV", "parquet": "Parquet"}[kind]
            msg = f"{self.path}: cannot be read as {label}; {str(error).removeprefix(ENGINE_SAYS)}"
            raise DataError(msg) from error


@SOURCES.register("frame")
@dataclass(frozen=True)
class FrameSource:
    """A pandas, Polars or Arrow frame in memory."""

    frame: Any

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """None; see :class:`Source`."""
        return ()

    def view(self, engine: Engine, *, ids: frozenset[str] = frozenset()) -> str:
        """Hand the frame to the engine as Arrow; see :class:`Source`."""
        return engine.add_arrow(frame_to_arrow(self.frame, ids=ids))


@SOURCES.register("table")
@dataclass(frozen=True)
class CatalogSource:
    """A table or view of Spark's catalog, named as Spark names it: ``table:warehouse.orders``."""

    name: str

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """None that are ours to count; see :class:`Source`."""
        return ()

    def view(self, engine: Engine, *, ids: frozenset[str] = frozenset()) -> str:  # noqa: ARG002 - tables hold one type a column
        """Find the table; see :class:`Source`.

        Raises
        ------
        ConfigError
            If the engine has no catalog.
        """
        if not isinstance(engine, ClusterEngine):
            rule = "engine.kind must be 'spark', which has a catalog"
            msg = f"{CATALOG}{self.name}: {rule}; got {engine.kind!r}"
            raise ConfigError(msg)
        return engine.add_table(self.name)


@SOURCES.register("postgresql")
@dataclass(frozen=True)
class PostgresSource:
    """What a PostgreSQL database answers to a query; the rows come into this process as Arrow.

    Attributes
    ----------
    address : str
        ``postgresql://user@host:port/database``. A password is looked for where PostgreSQL's own
        programs look: in the variable ``PGPASSWORD``, or in ``~/.pgpass``.
    query : str
        One ``SELECT``. Types that Arrow lacks come as text: ``numeric`` with all its digits, ``uuid``.
    """

    address: str
    query: str

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """None; see :class:`Source`."""
        return ()

    def view(self, engine: Engine, *, ids: frozenset[str] = frozenset()) -> str:  # noqa: ARG002 - a query has one type a column
        """Ask the database and hand the answer to the engine; see :class:`Source`.

        Raises
        ------
        ConfigError
            If the driver is not installed.
        DataError
            If the database cannot be reached or refuses the query.
        """
        try:
            from adbc_driver_manager import Error
            from adbc_driver_postgresql import dbapi
        except ImportError as error:
            msg = (
                f"{self.address}: needs PostgreSQL's driver for Arrow; install the extra:"
                " pip install 'churnkit-ml[postgres]'"
            )
            raise ConfigError(msg) from error
        # Within brackets nothing but a SELECT is understood.
        asked = f"({self.query.strip().rstrip(';')}\n) AS asked"
        try:
            with dbapi.connect(self.address) as connection, connection.cursor() as cursor:
                schema = cursor.adbc_execute_schema(f"SELECT * FROM {asked}")
                columns = ", ".join(
                    f"{quoted(f.name)}::text" if _is_foreign(f.type) else quoted(f.name)
                    for f in schema
                )
                cursor.execute(f"SELECT {columns} FROM {asked}")
                table = cursor.fetch_arrow_table()
        except Error as error:
            said = " ".join(str(error).partition("\nLINE ")[0].split())
            msg = f"{self.address}: {said[:300]}"
            raise DataError(msg) from error
        return engine.add_arrow(table.replace_schema_metadata(None))


@SOURCES.register("query")
@dataclass(frozen=True)
class QuerySource:
    """What a query makes of a source and others beside it, in the engine's SQL.

    Attributes
    ----------
    source : Source
        The query names it ``source``.
    joined : mapping of str to Source
        Others, by the names that the query gives them.
    query : str
        One ``SELECT``.
    where : str
        The query's place in the configuration, for messages.
    """

    source: Source
    joined: Mapping[str, Source]
    query: str
    where: str

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files of all sources; see :class:`Source`."""
        return (*self.source.files, *(f for other in self.joined.values() for f in other.files))

    def view(self, engine: Engine, *, ids: frozenset[str] = frozenset()) -> str:
        """Return the query in brackets, which engines read as they read a view.

        Raises
        ------
        ConfigError
            If it is not a ``SELECT`` on these sources.
        """
        views = {
            name: source.view(engine, ids=ids)
            for name, source in {"source": self.source, **self.joined}.items()
        }
        named = ", ".join(f"{quoted(n)} AS (SELECT * FROM {view})" for n, view in views.items())
        # Within brackets nothing but a SELECT is understood.
        asked = f"(WITH {named} SELECT * FROM (\n{self.query.strip().rstrip(';')}\n) AS asked)"
        try:
            engine.column_types(asked)
        except DataError as error:
            msg = (
                f"{self.where} must be a SELECT on {' and '.join(views)}; got {self.query!r};"
                f" {str(error).removeprefix(ENGINE_SAYS)}"
            )
            raise ConfigError(msg) from error
        return asked


def _is_foreign(kind: Any) -> bool:
    """Return whether a type is one of the database's own, which engines need not know."""
    import pyarrow as pa

    return (
        isinstance(kind, pa.BaseExtensionType)
        or pa.types.is_nested(kind)
        or pa.types.is_interval(kind)
    )


def source_of(spec: str | os.PathLike[str] | object, *, encoding: str = "utf-8") -> Source:
    """Return the source for a path, a glob, ``table:NAME``, a query or a frame.

    ``encoding`` is that of the text of CSV files.
    """
    if isinstance(spec, (PostgresSource, QuerySource)):
        return spec
    if isinstance(spec, str) and spec.startswith(CATALOG):
        return SOURCES["table"](spec.removeprefix(CATALOG))
    if isinstance(spec, (str, os.PathLike)):
        return SOURCES["files"](os.fspath(spec), encoding=encoding)
    return SOURCES["frame"](spec)


def encoding_of(*paths: str) -> str:
    """Return the encoding in which the CSV files of paths or globs can be read; all of them are looked at.

    Raises
    ------
    DataError
        If a file cannot be opened, or some need another encoding than others.
    """
    files = (file.path for path in paths for file in FileSource(path).files)
    csv = [file for file in files if file.lower().endswith(CSV_SUFFIXES)]
    needed = {csv_encoding(file) for file in csv} - {"ascii"}
    if len(needed) > 1:
        kinds = ", ".join(sorted(needed))
        msg = f"{', '.join(paths)}: text of several encodings ({kinds}); write all of it in one"
        raise DataError(msg)
    return needed.pop() if needed else "utf-8"
