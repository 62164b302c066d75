"""DuckDB's SQL that reads Parquet and CSV files, however their columns differ."""

from __future__ import annotations

from glob import escape
from typing import TYPE_CHECKING

from churnkit.engines.csv_layout import CsvLayout, csv_layout
from churnkit.engines.duckdb_sql import as_text
from churnkit.engines.engine import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

__all__ = ["column_types", "csv_query", "parquet_query"]

FRACTIONAL = frozenset({"DOUBLE", "FLOAT"})


def column_types(connection: DuckDBPyConnection, query: str) -> dict[str, str]:
    """Return the columns of a query with DuckDB's names of their types."""
    rows = connection.execute(f"DESCRIBE {query}").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def csv_query(paths: Sequence[str], *, encoding: str) -> str:
    """Return SQL that reads CSV files as text, each by its own header."""
    groups: dict[CsvLayout, list[str]] = {}
    for path in paths:
        groups.setdefault(csv_layout(path, encoding=encoding), []).append(path)
    queries = []
    for layout, members in groups.items():
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in layout.columns)
        queries.append(
            f"SELECT * FROM read_csv({_listed(members)}, columns = {{{columns}}},"
            f" delim = {literal(layout.delimiter)}, quote = '\"', escape = '\"',"
            f" header = true, auto_detect = false, encoding = {literal(encoding)})"
        )
    return " UNION ALL BY NAME ".join(queries)


def parquet_query(connection: DuckDBPyConnection, paths: Sequence[str]) -> str:
    """Return SQL that reads Parquet files; columns whose types differ between files as text.

    DuckDB would widen whole numbers to doubles, and lose the last digits of long ids.
    """
    types = {p: column_types(connection, f"FROM read_parquet({_listed([p])})") for p in paths}
    seen: dict[str, set[str]] = {}
    for columns in types.values():
        for column, sql_type in columns.items():
            seen.setdefault(column, set()).add(sql_type)
    differing = {column for column, found in seen.items() if len(found) > 1}
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for path, columns in types.items():
        key = tuple((c, t) for c, t in sorted(columns.items()) if c in differing)
        groups.setdefault(key, []).append(path)
    queries = []
    for key, members in groups.items():
        texts = ", ".join(f"{as_text(c, sql_type=t)} AS {quoted(c)}" for c, t in key)
        columns_of = f"SELECT * REPLACE ({texts})" if key else "SELECT *"
        fractional = {c for p in members for c, t in types[p].items() if t in FRACTIONAL}
        queries.append(f"{columns_of} FROM ({_with_nan(members, columns=sorted(fractional))})")
    return " UNION ALL BY NAME ".join(queries)


def _with_nan(paths: Sequence[str], *, columns: Sequence[str]) -> str:
    """Return SQL that reads files of Parquet with the NaN in them.

    A file's smallest and largest value leave NaN out, and DuckDB believes them: without the detour
    ``isnan(amount)`` becomes false before a row is read.
    """
    kept = ", ".join(f"CASE WHEN {c} IS NOT NULL THEN {c} END AS {c}" for c in map(quoted, columns))
    what = f"* REPLACE ({kept})" if kept else "*"
    return f"SELECT {what} FROM read_parquet({_listed(paths)}, union_by_name = true)"


def _listed(paths: Sequence[str]) -> str:
    # DuckDB reads patterns in names; these names have already been found.
    return "[" + ", ".join(literal(escape(path)) for path in paths) + "]"
