"""Finds the columns of a contract in a source, and selects them in the contract's types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import local_to_utc_us
from churnkit.engines import ENGINE_SAYS, quoted
from churnkit.errors import ConfigError, DataError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.data.contracts import TableContract
    from churnkit.data.sources import TableSpec
    from churnkit.engines import Engine

__all__ = [
    "filter_clause",
    "mapped_columns",
    "select_typed",
    "with_computed",
    "with_constants",
    "with_utc",
]


def with_constants(spec: TableSpec, *, view: str, types: Mapping[str, str]) -> str:
    """Return the view with a column for each constant."""
    for name in spec.constants:
        if name in types:
            msg = (
                f"{spec.described} has a column {name!r}: it cannot also be the same for all rows;"
                f" got {spec.constants[name]!r}"
            )
            raise DataError(msg)
    added = ", ".join(
        f"'{value.replace(chr(39), 2 * chr(39))}' AS {quoted(name)}"
        for name, value in spec.constants.items()
    )
    return f"(SELECT *, {added} FROM {view})"


def with_computed(
    spec: TableSpec, *, table: str, view: str, types: Mapping[str, str], engine: Engine
) -> str:
    """Return the view with the computed columns added, or say what is wrong with one."""
    for name, expression in spec.computed.items():
        where = f"data.{table}.computed.{name}"
        if name in types:
            msg = f"{where} must be a new name; {spec.described} has a column {name!r}"
            raise ConfigError(msg)
        # The brackets keep it one expression, the line breaks end a comment.
        added = f"(SELECT *, (\n{expression}\n) AS {quoted(name)} FROM {view})"
        try:
            engine.column_types(added)
        except DataError as error:
            msg = (
                f"{where} must be an SQL expression on the columns of {spec.described};"
                f" got {expression!r}; {str(error).removeprefix(ENGINE_SAYS)}"
            )
            raise ConfigError(msg) from error
        view = added
    return view


def mapped_columns(
    spec: TableSpec, *, contract: TableContract, types: Mapping[str, str]
) -> dict[str, str]:
    """Return contract name → source column, for the columns that the source has.

    What of the optional ones is said not to be there is not looked for.
    """
    known = [column.name for column in contract.columns]
    for name in spec.columns:
        if name not in known:
            msg = (
                f"{contract.name}: data.{contract.name}.columns: unknown key {name!r}."
                f"{did_you_mean(name, known)} Known: {', '.join(known)}."
            )
            raise ConfigError(msg)
    found = {}
    for column in contract.columns:
        name = spec.column(column.name)
        if column.name in spec.not_there and column.name not in spec.constants:
            continue
        if name in types:
            found[column.name] = name
        elif column.required or column.name in spec.columns:
            index = getattr(getattr(spec.source, "index", None), "names", ())  # of pandas
            hint = " It is in the index: reset_index()." if name in index else ""
            msg = (
                f"{spec.described} has no column {name!r} for {column.name}."
                f"{hint or did_you_mean(name, types)} Columns: {', '.join(types)}."
            )
            raise DataError(msg)
    return found


def select_typed(
    view: str,
    *,
    contract: TableContract,
    mapping: Mapping[str, str],
    types: Mapping[str, str],
    engine: Engine,
) -> str:
    """Return SQL that selects each mapped column as it stands (``raw_``) and in its contract's type."""
    parts = []
    for column in contract.columns:
        if column.name not in mapping:
            continue
        name = mapping[column.name]
        sql_type = types[name]
        parts.append(f"{quoted(name)} AS {quoted('raw_' + column.name)}")
        if column.kind == "time":
            clock, aware = engine.clock_us(name, sql_type=sql_type)
            parts.append(f"{clock} AS {quoted(column.field_name)}")
            parts.append(f"{aware} AS {quoted('aware_' + column.name)}")
        elif column.kind == "number":
            parts.append(f"{engine.number(name, sql_type=sql_type)} AS {quoted(column.name)}")
        else:
            parts.append(f"{engine.text(name, sql_type=sql_type)} AS {quoted(column.name)}")
    return f"SELECT {', '.join(parts)} FROM {view}"


def filter_clause(spec: TableSpec, *, view: str, contract: TableContract, engine: Engine) -> str:
    """Return the filter as a WHERE clause, or say what is wrong with it."""
    if spec.filter is None:
        return ""
    # The brackets keep it one condition, "true AND" refuses a blank, the line break ends a comment.
    where = f" WHERE (true AND {spec.filter}\n)"
    try:
        engine.select(f"SELECT 1 FROM {view}{where}")
    except DataError as error:
        msg = (
            f"data.{contract.name}.filter must be an SQL condition on the columns of"
            f" {spec.described}; got {spec.filter!r}; {str(error).removeprefix(ENGINE_SAYS)}"
        )
        raise ConfigError(msg) from error
    return where


def with_utc(
    typed: nw.LazyFrame[Any],
    *,
    contract: TableContract,
    mapping: Mapping[str, str],
    time_zone: str,
) -> nw.LazyFrame[Any]:
    """Apply the business zone to naive times."""
    for column in contract.columns:
        if column.kind == "time" and column.name in mapping:
            time_us, aware = nw.col(column.field_name), nw.col(f"aware_{column.name}")
            naive = local_to_utc_us(time_us, time_zone=time_zone)
            utc = nw.when(aware).then(time_us).otherwise(naive)
            typed = typed.with_columns(utc.alias(column.field_name)).drop(f"aware_{column.name}")
    return typed
