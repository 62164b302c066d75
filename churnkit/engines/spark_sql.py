"""Spark's SQL for what a source's columns say: ids as text, numbers as doubles, times in µs."""

from __future__ import annotations

import re

from churnkit.engines.engine import AWARE, ISO_TIME, quoted
from churnkit.errors import DataError

__all__ = ["as_text", "clock_us", "is_text", "literal", "number", "text"]

NUMERIC = re.compile(r"(tinyint|smallint|int|bigint|float|double|decimal\(\d+,\d+\)|boolean)$")
TEXTS = re.compile(r"(string|void|varchar\(\d+\)|char\(\d+\))")

# What is trimmed of ids and numbers: white space and the no-break space.
PADDING = r"^[\s\x{a0}]+|[\s\x{a0}]+$"
# Spark would read "1d" and "1f" as numbers.
NUMBER = r"(?i)^\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)\s*$"
ZONE = r"(:[^A-Za-z+-]*?)\s*(UTC|Z|z|[+-][\d:]+)$"
OFFSET = r":.*([+-])(\d{2}):?(\d{2})?:?(\d{2})?$"


def literal(value: str) -> str:
    r"""Return a text as an SQL literal.

    Examples
    --------
    >>> literal("it's \\s")
    "'it''s \\\\s'"
    """
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def is_text(sql_type: str) -> bool:
    """Return whether a column of this type holds text; one without any value counts."""
    return TEXTS.fullmatch(sql_type) is not None


def text(column: str, *, sql_type: str) -> str:
    """Return SQL for an id as text, without white space around it; blanks are null."""
    written = as_text(column, sql_type=sql_type)
    if not is_text(sql_type):
        return written
    return f"nullif(regexp_replace({written}, {literal(PADDING)}, ''), '')"


def as_text(column: str, *, sql_type: str) -> str:
    """Return SQL for a cell as text; whole numbers lose their ``.0``."""
    name = quoted(column)
    if sql_type in {"double", "float"}:
        name = f"CASE WHEN NOT isnan({name}) THEN {name} END"
    if sql_type in {"double", "float"} or sql_type.startswith("decimal"):
        # Spark's floor is a whole number of 64 bits, and refuses larger ones.
        return (
            f"CASE WHEN NOT abs({name}) < 9e15 THEN CAST({name} AS STRING)"
            f" WHEN {name} = floor({name}) THEN CAST(CAST({name} AS BIGINT) AS STRING)"
            f" ELSE CAST({name} AS STRING) END"
        )
    if sql_type == "timestamp":
        return f"concat(CAST({name} AS STRING), '+00:00')"
    return f"CAST({name} AS STRING)"


def number(column: str, *, sql_type: str) -> str:
    """Return SQL for a column as a double; null where it is not a number.

    Raises
    ------
    DataError
        If the column cannot hold numbers.
    """
    name = quoted(column)
    if is_text(sql_type):
        return f"CASE WHEN {name} RLIKE {literal(NUMBER)} THEN try_cast({name} AS DOUBLE) END"
    if NUMERIC.fullmatch(sql_type):
        return f"CAST({name} AS DOUBLE)"
    msg = f"column {column!r} must hold numbers; got {sql_type.upper()}"
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
        return _text_clock_us(f"trim(CAST({name} AS STRING))")
    if sql_type == "timestamp":
        return f"unix_micros({name})", "true"
    if sql_type in {"timestamp_ntz", "date"}:
        # The session's zone is UTC, so that the clock is taken as it stands.
        return f"unix_micros(CAST({name} AS TIMESTAMP))", "false"
    msg = f"column {column!r} must hold times (timestamp, date or ISO 8601 text); got {sql_type.upper()}"
    raise DataError(msg)


def _text_clock_us(value: str) -> tuple[str, str]:
    """Read the clock and the offset apart: Spark knows fewer spellings of offsets."""
    clock = f"replace(regexp_replace({value}, {literal(ZONE)}, '$1'), '/', '-')"

    def part(position: int) -> str:
        found = f"regexp_extract({value}, {literal(OFFSET)}, {position})"
        return f"CAST(coalesce(nullif({found}, ''), '0') AS BIGINT)"

    sign = f"CASE WHEN regexp_extract({value}, {literal(OFFSET)}, 1) = '-' THEN -1 ELSE 1 END"
    offset = f"({sign}) * (({part(2)} * 60 + {part(3)}) * 60 + {part(4)}) * 1000000"
    micros = f"unix_micros(try_cast({clock} AS TIMESTAMP)) - {offset}"
    is_time = f"{value} RLIKE {literal(ISO_TIME)}"
    aware = f"coalesce({value} RLIKE {literal(AWARE)}, false)"
    return f"CASE WHEN {is_time} THEN {micros} END", aware
