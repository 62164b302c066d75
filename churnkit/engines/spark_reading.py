"""Reads Parquet and CSV files and Arrow tables into Spark, with columns of types that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.engines.csv_layout import CsvLayout, csv_layout
from churnkit.engines.engine import ENGINE_SAYS, quoted
from churnkit.engines.spark_files import address, literally
from churnkit.engines.spark_sql import as_text
from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["in_types_of_spark", "read_csv", "read_parquet"]

NAMES = {"utf-8": "UTF-8", "latin-1": "ISO-8859-1", "utf-16": "UTF-16"}


def read_csv(spark: Any, paths: Sequence[str], *, encoding: str) -> Any:
    """Return CSV files as text, each by its own header."""
    groups: dict[CsvLayout, list[str]] = {}
    for path in paths:
        groups.setdefault(csv_layout(path, encoding=encoding), []).append(path)
    parts = [
        spark.read.schema(", ".join(f"`{_escaped(c)}` STRING" for c in layout.columns))
        .options(sep=layout.delimiter, header=True, quote='"', escape='"', mode="FAILFAST")
        .options(multiLine=True, encoding=NAMES[encoding])
        .csv([literally(address(path)) for path in members])
        for layout, members in groups.items()
    ]
    return _together(parts)


def read_parquet(spark: Any, paths: Sequence[str]) -> Any:
    """Return Parquet files; columns whose types differ between files as text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schemas = {path: pq.read_schema(path) for path in paths}
    except (pa.ArrowException, OSError) as error:
        raise DataError(ENGINE_SAYS + " ".join(str(error).split())[:300]) from error
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for path, schema in schemas.items():
        key = tuple(sorted((field.name, str(field.type)) for field in schema))
        groups.setdefault(key, []).append(path)
    parts = []
    for key, members in groups.items():
        rows = spark.read.parquet(*(literally(address(path)) for path in members))
        nanos = {name for name, kind in key if kind.startswith("timestamp[ns")}
        aware = {name for name, kind in key if name in nanos and "tz=" in kind}
        parts.append(_read_nanoseconds(rows, nanos=nanos, aware=aware))
    seen: dict[str, set[str]] = {}
    for part in parts:
        for column, sql_type in part.dtypes:
            seen.setdefault(column, set()).add(sql_type)
    differing = {column for column, found in seen.items() if len(found) > 1}
    return _together([_text_of(part, differing) for part in parts])


def in_types_of_spark(table: pa.Table) -> pa.Table:
    """Return an Arrow table of types that Spark has."""
    import pyarrow as pa

    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if pa.types.is_null(kind) or pa.types.is_string_view(kind):
            kind = pa.string()
        elif pa.types.is_unsigned_integer(kind):
            kind = pa.decimal128(20, 0) if kind.bit_width == 64 else pa.int64()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        elif pa.types.is_date64(kind):
            kind = pa.date32()
        fields.append(pa.field(field.name, kind))
    return table.cast(pa.schema(fields), safe=False)


def _escaped(name: str) -> str:
    return name.replace("`", "``")


def _together(parts: Sequence[Any]) -> Any:
    first, *others = parts
    for other in others:
        first = first.unionByName(other, allowMissingColumns=True)
    return first


def _read_nanoseconds(rows: Any, *, nanos: set[str], aware: set[str]) -> Any:
    """Return times that were read as a count of nanoseconds as times, cut to microseconds."""
    if not nanos:
        return rows
    columns = []
    for name in rows.columns:
        moment = f"timestamp_micros({quoted(name)} div 1000)"
        kind = "TIMESTAMP" if name in aware else "TIMESTAMP_NTZ"
        given = f"CAST({moment} AS {kind}) AS {quoted(name)}"
        columns.append(given if name in nanos else quoted(name))
    return rows.selectExpr(*columns)


def _text_of(rows: Any, names: set[str]) -> Any:
    """Return the rows with some columns as text, as the source says them."""
    types = dict(rows.dtypes)
    return rows.selectExpr(
        *(
            f"{as_text(c, sql_type=types[c])} AS {quoted(c)}" if c in names else quoted(c)
            for c in rows.columns
        )
    )
