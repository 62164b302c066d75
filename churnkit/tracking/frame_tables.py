"""Tables handed to a logged model: one frame of orders, several frames, or all stacked in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import narwhals as nw

import churnkit.data.tables  # noqa: F401  # registers the contracts
from churnkit.data.contracts import CONTRACTS
from churnkit.data.sources import TableSpec, load_table
from churnkit.errors import ModelGuardError, ParameterError
from churnkit.features.history import read_history, with_others
from churnkit.labels import make_label

if TYPE_CHECKING:
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.features.history import ReadHistory
    from churnkit.models.bundle import Bundle

__all__ = ["TABLE", "customers_beside_orders", "input_columns", "read_frames"]

TABLE = "table"
"""Column of a stacked frame that says to which table a row belongs."""


def input_columns(bundle: Bundle) -> tuple[str, ...]:
    """Return the columns of the frame that a model takes: of the orders, or of all tables stacked."""
    tables = bundle.data["tables"]
    if set(tables) <= {"orders"}:
        return tuple(bundle.data["columns"])
    return (TABLE, *dict.fromkeys(name for columns in tables.values() for name in columns))


def _frames(given: Any, *, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the frame of each table.

    Raises
    ------
    ModelGuardError
        If a table that the model was trained with is missing.
    ParameterError
        If a stacked frame does not say to which table its rows belong.
    """
    if isinstance(given, Mapping):
        frames = dict(given)
    elif set(tables) <= {"orders"}:
        frames = {"orders": given}
    else:
        stacked = nw.from_native(given, eager_only=True)
        if TABLE not in stacked.columns:
            msg = (
                f"model input: rows must say in the column {TABLE!r} to which of"
                f" {', '.join(sorted(tables))} they belong; the column is missing"
            )
            raise ParameterError(msg)
        frames = {}
        for name, columns in tables.items():
            kept = [column for column in columns if column in stacked.columns]
            mine = stacked.filter(nw.col(TABLE) == name).select(*kept)
            if len(mine):
                frames[name] = mine.to_native()
    if missing := sorted(set(tables) - set(frames)):
        msg = (
            f"model input: the model was trained with {', '.join(missing)}; no such table is given"
        )
        raise ModelGuardError(msg)
    return {name: frames[name] for name in tables}


def read_frames(given: Any, bundle: Bundle, *, engine: Engine, as_of_us: int | None) -> ReadHistory:
    """Read and check what a model is given, as its bundle says.

    Parameters
    ----------
    given : dataframe or mapping of str to dataframe
        The orders; the tables by name; or all of them stacked, with a column ``table``.
    bundle : Bundle
        The model.
    engine : Engine
        Where the tables are kept.
    as_of_us : int or None
        First instant that is not known.
    """
    data, tables = bundle.data, bundle.data["tables"]
    rules = {
        "engine": engine,
        "time_zone": data["time_zone"],
        "as_of_us": as_of_us,
        "refunds": data["refunds"],
        "duplicates": data["duplicates"],
    }
    specs = {
        name: TableSpec(source=frame, label=f"the {name.replace('_', ' ')} given")
        for name, frame in _frames(given, tables=tables).items()
    }
    history = None
    if "orders" in specs:
        columns = frozenset(data["columns"])
        history = read_history({"orders": specs["orders"]}, order_columns=columns, **rules)
    others = {}
    for name in (name for name in specs if name != "orders"):
        options: dict[str, Any] = dict(data["scales"]) if name == "surveys" else {}
        if name == "customers":
            options = {"attributes": [c for c in tables[name] if c not in {"customer_id", "since"}]}
        others[name] = load_table(specs[name], contract=CONTRACTS[name](**options), **rules)
    return with_others(history, others, stays=make_label(bundle.label).stays, engine=engine)


def customers_beside_orders(read: ReadHistory) -> pa.Table:
    """Return ``customer_id`` of those without a valid order: all set aside, or subscribers only."""
    import pyarrow as pa

    rejected = read.customers_without_valid_rows()
    if read.history.stays is None:
        return rejected
    ids = read.history.tables["subscriptions"].select("customer_id").unique()
    if "orders" in read.loaded:
        ordered = read.loaded["orders"].rows.select("customer_id").unique()
        ids = ids.join(ordered, on="customer_id", how="anti")
    found = read.history.engine.collect(ids).cast(rejected.schema)
    both = pa.concat_tables([rejected, found])
    return both.group_by("customer_id").aggregate([]).sort_by("customer_id")
