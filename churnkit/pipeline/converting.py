"""Finds what a file holds in another form, and the SQL that converts it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from churnkit.data.windows import US_PER_DAY
from churnkit.engines import quoted
from churnkit.errors import DataError
from churnkit.pipeline.amounts import PRICES, cast, number
from churnkit.pipeline.spellings import forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.engines import DuckDBEngine

__all__ = ["DATES", "ConvertedTable", "File", "convert_table", "time_columns"]

# strptime pattern → how people say it.
TIME_FORMATS: Mapping[str, str] = {
    f"{day}{clock}": said
    for day, said in {
        **{f"%m/%d/%{year}": "month/day/year" for year in "Yy"},
        **{f"%d/%m/%{year}": "day/month/year" for year in "Yy"},
        **{f"%d.%m.%{year}": "day.month.year" for year in "Yy"},
        **{f"%d-%m-%{year}": "day-month-year" for year in "Yy"},
        **{f"%m-%d-%{year}": "month-day-year" for year in "Yy"},
        **{f"%d-%b-%{year}": "day-month name-year" for year in "Yy"},
        **{f"%d %{month} %Y": "day month name year" for month in "bB"},
        **{f"%{month} %d, %Y": "month name day, year" for month in "bB"},
        "%Y%m%d": "yearmonthday",
    }.items()
    for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M:%S %p", " %I:%M %p")
}
# How dates are told to be read that fit both ways → what stands first.
DATES: Mapping[str, str] = {"dmy": "day", "mdy": "month"}
# Seconds since 1970 of the years 1980 to 2100, and what a unit is divided by to become one.
EPOCH = (315_532_800, 4_102_444_800)
EPOCH_UNITS: Mapping[str, int] = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
WHOLE = frozenset({"INTEGER", "BIGINT", "UINTEGER", "UBIGINT", "HUGEINT"})
FRACTIONS = frozenset({"DOUBLE", "FLOAT"})
# Days as spreadsheets count them, of the same years.
SHEET_DAYS = (29_221, 73_051)
EARLIEST_YEAR = 1900  # a year of two digits is none of the first century
STRAY = 0.01  # share of rows that may be broken in any form: the contract counts them
LOOKED_AT = 10_000  # rows that show which forms a column can have at all
TIMES = frozenset(
    {
        *("ts", "since", "started_at", "ended_at", "payment_failed_at", "opened_at"),
        *("first_response_at", "resolved_at", "issued_at", "redeemed_at"),
    }
)
AMOUNTS = frozenset({"amount", "discount", "mrr", "value"})


@dataclass(frozen=True, kw_only=True)
class ConvertedTable:
    """How the file of a table becomes what its contract asks for.

    Attributes
    ----------
    columns : mapping of str to str
        Our column names, each with the file's own or a computed one.
    computed : mapping of str to str
        New columns, each an SQL expression on the file's own.
    numbers : tuple of str
        Of customers: attributes that are numbers.
    days : int or None
        From the first to the last ``ts``; None where there is none or no time can be read.
    notes : tuple of str
        Dates that could be read in another way too.
    """

    columns: Mapping[str, str]
    computed: Mapping[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    days: int | None = None
    notes: tuple[str, ...] = ()


def convert_table(
    view: str,
    *,
    table: str,
    source: str,
    columns: Mapping[str, str],
    engine: DuckDBEngine,
    dates: str | None = None,
) -> ConvertedTable:
    """Look at the values of a file: times, amounts, and prices of pieces.

    Parameters
    ----------
    view : str
        The file, as SQL names it.
    table, source : str
        The table and the file, as messages name them.
    columns : mapping of str to str
        Our column names, each with the file's own that looks like it.
    engine : DuckDBEngine
    dates : str or None
        Of :data:`DATES`: how to read dates where the day and the month could each be first.

    Raises
    ------
    DataError
        If values can be read in two ways, such as the 3rd of April and the 4th of March.
    """
    types = engine.column_types(view)
    where = f"data.{table}"
    file = File(view=view, where=where, source=source, types=types, engine=engine, dates=dates)
    computed = {}
    for ours, theirs in columns.items():
        if ours in TIMES and (time := _time(file, theirs)) is not None:
            computed[ours] = time
        if ours in AMOUNTS:
            amount = number(file, theirs)
            if ours == "amount" and "quantity" in columns and PRICES.intersection(forms(theirs)):
                amount = f"{cast(columns['quantity'])} * {amount or cast(theirs)}"
            if amount is not None:
                computed[ours] = amount
    names = {ours: f"{ours}_converted" for ours in computed}
    days = None
    if "ts" in columns:
        days = file.days(computed.get("ts", quoted(columns["ts"])))
    numbers: tuple[str, ...] = ()
    if table == "customers":
        free = {n: c for n, c in columns.items() if n not in {"customer_id", "since"}}
        numbers = tuple(n for n, c in free.items() if file.reads(c, cast(c)))
    return ConvertedTable(
        columns={**columns, **names},
        computed={names[ours]: sql for ours, sql in computed.items()},
        numbers=numbers,
        days=days,
        notes=tuple(file.notes),
    )


def time_columns(view: str, *, engine: DuckDBEngine) -> list[str]:
    """Return the columns of a file whose values are times, by its first rows.

    Times of day and whole numbers, which may be seconds since 1970 or ids, do not count.
    """
    first = f"(SELECT * FROM {view} LIMIT {LOOKED_AT})"
    types = engine.column_types(view)
    file = File(view=first, where="", source="", types=types, engine=engine)
    found = []
    for column, sql_type in types.items():
        if engine.is_text(sql_type):
            clock, _ = engine.clock_us(column, sql_type=sql_type)
            dates = [f"try_strptime({quoted(column)}, '{form}')" for form in TIME_FORMATS]
            if file.reading(column, [clock, *dates]):
                found.append(column)
        elif sql_type.startswith(("DATE", "TIMESTAMP")):
            found.append(column)
    return found


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that the engine can read."""

    view: str
    where: str
    source: str
    types: Mapping[str, str]
    engine: DuckDBEngine
    dates: str | None = None
    notes: list[str] = field(default_factory=list)

    def reads(self, column: str, expression: str) -> bool:
        """Return whether an expression has a value in nearly all rows that the column fills."""
        return bool(self.reading(column, [expression]))

    def reading(
        self, column: str, expressions: Sequence[str], *, least: float = 1.0 - STRAY
    ) -> list[str]:
        """Return the expressions with a value in this share of the rows that the column fills."""
        filled, *fine = self.counted(column, expressions)
        return [e for e, n in zip(expressions, fine, strict=True) if filled and n >= least * filled]

    def counted(self, column: str, expressions: Sequence[str]) -> list[int]:
        """Return how many rows a column fills, and in how many of them each expression has a value."""
        if not expressions:
            return [0]
        filled = f"nullif(trim(CAST({quoted(column)} AS VARCHAR)), '') IS NOT NULL"
        counts = ", ".join(f"count({_dated(e)}) AS n{i}" for i, e in enumerate(expressions))
        sql = f"SELECT count(*) AS filled, {counts} FROM {self.view} WHERE {filled}"
        row = self.engine.collect(self.engine.select(sql)).to_pylist()[0]
        return list(row.values())

    def only_way(self, column: str, ways: Mapping[str, str]) -> str | None:
        """Return the one expression that reads a column, None if none does."""
        first = replace(self, view=f"(SELECT * FROM {self.view} LIMIT {LOOKED_AT})")
        likely = first.reading(column, list(ways), least=0.5)
        fit = {ways[sql]: sql for sql in self.reading(column, likely)}
        if len(fit) > 1:
            return fit[self.chosen(column, sorted(fit))]
        return next(iter(fit.values()), None)

    def chosen(self, column: str, ways: Sequence[str]) -> str:
        """Return the one of several ways in words that was asked for, or ask for one."""
        by_first = {re.split(r"\W", said)[0]: said for said in ways}
        msg = f"{self.source}: column {column!r} can be read as {' and as '.join(ways)};"
        if by_first.keys() != set(DATES.values()) or len(ways) > len(DATES):
            msg += f" write the configuration by hand, with {self.where}.computed"
            raise DataError(msg)
        if self.dates is None:
            msg += " say which: churnkit init --dates dmy if the day is first, or --dates mdy"
            raise DataError(msg)
        said = by_first[DATES[self.dates]]
        other = next(way for way in ways if way != said)
        self.notes.append(
            f"{self.source}: column {column!r} is read as {said}, as was said; {other} would fit too"
        )
        return said

    def days(self, time: str) -> int | None:
        """Return the days from the first to the last time; None where none can be read."""
        view = f"(SELECT {time} AS t FROM {self.view})"
        clock, _ = self.engine.clock_us("t", sql_type=self.engine.column_types(view)["t"])
        sql = f"SELECT max(us) - min(us) AS span FROM (SELECT {clock} AS us FROM {view})"
        span = self.engine.collect(self.engine.select(sql)).to_pylist()[0]["span"]
        return None if span is None else int(span // US_PER_DAY)


def _time(file: File, column: str) -> str | None:
    """Return the SQL that makes a time of a column that is none, or None."""
    name, sql_type = quoted(column), file.types[column]
    if file.engine.is_text(sql_type):
        clock, _ = file.engine.clock_us(column, sql_type=sql_type)
        if file.reads(column, clock):
            return None
    elif sql_type not in WHOLE | FRACTIONS and not sql_type.startswith("DECIMAL"):
        return None
    text = name if file.engine.is_text(sql_type) else f"CAST({name} AS VARCHAR)"
    ways = {f"try_strptime({text}, '{form}')": said for form, said in TIME_FORMATS.items()}
    whole = f"TRY_CAST({name} AS BIGINT)"
    for unit, parts in EPOCH_UNITS.items():
        low, high = (edge * parts for edge in EPOCH)
        seconds = f"{whole} / {parts}" if parts > 1 else whole
        ways[f"CASE WHEN {whole} BETWEEN {low} AND {high} THEN to_timestamp({seconds}) END"] = (
            f"{unit} since 1970"
        )
    days = f"TRY_CAST({name} AS DOUBLE)"
    ways[
        f"CASE WHEN {days} BETWEEN {SHEET_DAYS[0]} AND {SHEET_DAYS[1]} THEN TIMESTAMP '1899-12-30'"
        f" + to_microseconds(CAST(round({days} * 86400) AS BIGINT) * 1000000) END"
    ] = "days of a spreadsheet"
    return file.only_way(column, ways)


def _dated(expression: str) -> str:
    """Return an expression that is null where a date is read with a year of two digits as written."""
    if not expression.startswith("try_strptime"):
        return expression
    return f"nullif(year({expression}) >= {EARLIEST_YEAR}, false)"
