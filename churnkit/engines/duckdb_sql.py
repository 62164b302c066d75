"""DuckDB's SQL for what a source's columns say: ids as text, numbers as doubles, times in µs."""

from __future__ import annotations

import re
import string

from churnkit.engines.engine import AWARE, ISO_TIME, literal, quoted
from churnkit.errors import DataError

__all__ = ["as_text", "clock_us", "is_text", "number", "text"]

NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$|DOUBLE$|FLOAT$|DECIMAL\(")

UTC_NAME = r"\s*(UTC|Z|z)$"
NO_SECONDS = r"^([^:]+:\d{2})([Z+-])"
BLANKS = f"{string.whitespace}\u00a0"
SPACED_OFFSET = r"\s+([+-]\d{2}(:?\d{2})?)$"


def is_text(sql_type: str) -> bool:
    """Return whether a column of this type holds text; one without any value counts."""
    return sql_type in {"VARCHAR", '"NULL"'} or sql_type.startswith("ENUM")


def text(column: str, *, sql_type: str) -> str:
    """Return SQL for an id as text, without white space around it; blanks are null."""
    written = as_text(column, sql_type=sql_type)
    if not is_text(sql_type):
        return written
    # To compare both ends with the blanks costs a tenth of trimming every row.
    padded = " OR ".join(
        f"{end} < '!' OR {end} BETWEEN '\u00a0' AND '\u00a0\U0010ffff'"
        for end in (written, f"reverse({written})")
    )
    bare = f"CASE WHEN {padded} THEN trim({written}, {literal(BLANKS)}) ELSE {written} END"
    return f"nullif({bare}, '')"


def as_text(column: str, *, sql_type: str) -> str:
    """Return SQL for a cell as text; whole numbers lose their ``.0``."""
    name = quoted(column)
    if sql_type in {"DOUBLE", "FLOAT"}:
        name = f"nullif({name}, 'NaN')"
    if sql_type in {"DOUBLE", "FLOAT"} or sql_type.startswith("DECIMAL"):
        return (
            f"CASE WHEN {name} = floor({name}) AND abs({name}) < 9e15"
            f" THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) ELSE CAST({name} AS VARCHAR) END"
        )
    return f"CAST({name} AS VARCHAR)"


def number(column: str, *, sql_type: str) -> str:
    """Return SQL for a column as a double; null where it is not a number.

    Raises
    ------
    DataError
        If the column cannot hold numbers.
    """
    name = quoted(column)
    if is_text(sql_type):
        return f"TRY_CAST({name} AS DOUBLE)"
    if sql_type == "BOOLEAN" or NUMERIC.match(sql_type):
        return f"CAST({name} AS DOUBLE)"
    msg = f"column {column!r} must hold numbers; got {sql_type}"
    raise DataError(msg)


def clock_us(column: str, *, sql_type: str) -> tuple[str, str]:
    """Return SQL for a time in µs as written, and SQL for whether it knows its zone.

    Raises
    ------
    DataError
        If the column cannot hold times.
    """
    name = quoted(column)
    if is_text(sql_type):
        return _text_clock_us(f"trim(CAST({name} AS VARCHAR))")
    if sql_type in {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}:
        return f"epoch_us(CAST({name} AS TIMESTAMPTZ))", "true"
    if sql_type in {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}:
        return f"epoch_us(CAST({name} AS TIMESTAMP))", "false"
    msg = f"column {column!r} must hold times (timestamp, date or ISO 8601 text); got {sql_type}"
    raise DataError(msg)


def _text_clock_us(value: str) -> tuple[str, str]:
    plain = f"regexp_replace({value}, {literal(UTC_NAME)}, 'Z')"
    for pattern, instead in ((SPACED_OFFSET, r"\1"), (NO_SECONDS, r"\1:00\2")):
        plain = f"regexp_replace({plain}, {literal(pattern)}, '{instead}')"
    parsed = f"coalesce(TRY_CAST({value} AS TIMESTAMPTZ), TRY_CAST({plain} AS TIMESTAMPTZ))"
    is_time = f"regexp_matches({value}, {literal(ISO_TIME)})"
    aware = f"coalesce(regexp_matches({value}, {literal(AWARE)}), false)"
    return f"CASE WHEN {is_time} THEN epoch_us({parsed}) END", aware
