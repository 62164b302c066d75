"""Reads the configured tables beside the orders, each checked by its contract."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import churnkit.data.tables  # noqa: F401  # registers the contracts
from churnkit.config.tables import DATABASE
from churnkit.data.contracts import CONTRACTS
from churnkit.data.origins import PostgresSource, QuerySource, source_of
from churnkit.data.simulate import SIMULATED, simulated_table
from churnkit.data.sources import TableSpec, load_table
from churnkit.datasets import dataset_path
from churnkit.errors import DataError, ParameterError
from churnkit.features.history import span_of
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from churnkit.config import Retention, Table
    from churnkit.config.schema import Data
    from churnkit.data.contracts import TableContract
    from churnkit.data.sources import LoadedTable
    from churnkit.engines import Engine
    from churnkit.features.history import ReadHistory

__all__ = ["CUSTOMER_TABLES", "OTHER_TABLES", "history_of", "read_others", "specs_of"]

OTHER_TABLES = (
    "events",
    "subscriptions",
    "support_tickets",
    "surveys",
    "rewards",
    "customers",
    "marketing_costs",
)
"""Tables beside the orders that can be read."""

CUSTOMER_TABLES = tuple(name for name in OTHER_TABLES if name != "marketing_costs")
"""Those that have customers in them."""

DATASET = "dataset:"


def specs_of(data: Data, frames: Mapping[str, Any]) -> dict[str, TableSpec]:
    """Return what to read by table: the configured sources, frames in place of those given.

    Raises
    ------
    ParameterError
        If a frame is given for a table that there is not.
    """
    known = ("orders", *OTHER_TABLES)
    for name in frames:
        if name not in known:
            guess = did_you_mean(name, known)
            msg = f"tables: unknown table {name!r}.{guess} Known: {', '.join(known)}."
            raise ParameterError(msg)
    return {
        name: _spec(getattr(data, name), frame=frames.get(name), name=name)
        for name in known
        if getattr(data, name) is not None or name in frames
    }


def _spec(table: Table[Any] | None, *, frame: Any, name: str) -> TableSpec:
    columns = {} if table is None else table.column_mapping
    condition = None if table is None else table.filter
    kind = getattr(table, "kind", None)
    spec = TableSpec(
        source=frame,
        columns=columns,
        not_there=frozenset() if table is None else table.not_there,
        filter=condition,
        computed={} if table is None else table.computed,
        constants={} if kind is None else {"survey": kind},
    )
    if frame is not None or table is None:
        label = f"the {type(frame).__module__.split('.')[0]} frame given as {name}"
        return replace(spec, label=label)
    return _queried(_located(spec, table=table, name=name), table=table, name=name)


def _located(spec: TableSpec, *, table: Table[Any], name: str) -> TableSpec:
    """Return the spec with the source that the configuration names."""
    if table.source.startswith(DATASET):
        dataset = table.source.removeprefix(DATASET)
        if dataset in SIMULATED:
            return replace(spec, source=simulated_table(dataset, name), label=table.source)
        return replace(spec, source=str(dataset_path(dataset)), label=table.source)
    if table.source.startswith(DATABASE) and (query := table.asked) is not None:
        asked = PostgresSource(address=table.source, query=query)
        return replace(spec, source=asked, label=table.source)
    return replace(spec, source=table.source, encoding=table.encoding)


def _queried(spec: TableSpec, *, table: Table[Any], name: str) -> TableSpec:
    """Return the spec with what the query makes of its source, if there is one."""
    if table.query is None or isinstance(spec.source, PostgresSource):
        return spec
    source, *joined = (
        source_of(each, encoding=table.encoding) for each in (spec.source, *table.joined.values())
    )
    asked = QuerySource(
        source=source,
        joined=dict(zip(table.joined, joined, strict=True)),
        query=table.query,
        where=f"data.{name}.query",
    )
    return replace(spec, source=asked, label=table.source)


def read_others(
    specs: Mapping[str, TableSpec],
    *,
    wanted: Collection[str],
    engine: Engine,
    retention: Retention,
    **rules: Any,
) -> dict[str, LoadedTable]:
    """Read and check those of the wanted tables that are given.

    Parameters
    ----------
    specs : mapping of str to TableSpec
        See :func:`specs_of`.
    wanted : collection of str
        Of :data:`OTHER_TABLES`.
    engine : Engine
        Where the tables are kept.
    retention : Retention
        The scales of the surveys.
    **rules
        As for :func:`churnkit.data.sources.load_table`.

    Raises
    ------
    DataError
        If a table cannot be read, breaks its contract, or holds no valid row.
    """
    return {
        name: load_table(
            specs[name],
            contract=_contract(name, spec=specs[name], engine=engine, retention=retention),
            engine=engine,
            **rules,
        )
        for name in OTHER_TABLES
        if name in wanted and name in specs
    }


def _contract(name: str, *, spec: TableSpec, engine: Engine, retention: Retention) -> TableContract:
    if name == "surveys":
        return CONTRACTS[name](
            csat_options=retention.csat_options, ces_options=retention.ces_options
        )
    if name == "customers":
        return CONTRACTS[name](attributes=_attributes(spec, engine=engine))
    return CONTRACTS[name]()


def _attributes(spec: TableSpec, *, engine: Engine) -> tuple[str, ...]:
    """Return the attributes that are mapped, or all columns but the id where none is."""
    ours = {"customer_id", "since"}
    if named := tuple(name for name in spec.columns if name not in ours):
        return named
    types = engine.column_types(source_of(spec.source).view(engine, ids=frozenset()))
    return tuple(name for name in types if name not in ours | {spec.column(n) for n in ours})


def history_of(
    history: ReadHistory | None, others: Mapping[str, LoadedTable], needed: str | None = None
) -> tuple[date, date]:
    """Return the first business day with a customer in it, and the day after the last.

    Parameters
    ----------
    history : ReadHistory or None
        The orders.
    others : mapping of str to LoadedTable
        Tables beside them.
    needed : str, optional
        Take the days of this table alone.

    Raises
    ------
    DataError
        If no table of customers has a time.
    """
    spans = []
    if history is not None and needed in (None, "orders"):
        spans.append((history.first_day, history.end_day))
    # Costs before the first customer and after the last make no period of a customer's life.
    names = [name for name in others if name != "marketing_costs"] if needed is None else [needed]
    if (found := span_of(others[name] for name in names if name in others)) is not None:
        spans.append(found)
    if not spans:
        msg = "metrics: no table of customers has a time"
        raise DataError(msg)
    return min(first for first, _ in spans), max(after for _, after in spans)
