"""Fixtures of the retention tests: an order table from a few lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from churnkit.data.orders import order_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import narwhals as nw

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IDS = ("customer_id", "order_id", "session_id", "subscription_id", "product_id")


def microseconds(text: str) -> int:
    """Return an ISO time in UTC as microseconds since 1970."""
    seconds = (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH).total_seconds()
    return round(seconds * 1e6)


@pytest.fixture
def us() -> Callable[[str], int]:
    """Give the function that turns an ISO time in UTC into microseconds since 1970."""
    return microseconds


@pytest.fixture
def make_orders(engine: Any, load: Callable[[pa.Table], nw.LazyFrame]) -> Callable[..., Any]:
    """Give a function that makes an order table of ``(customer, order, time, amount)`` lines."""

    def make(lines: Sequence[tuple[str, str, str | int, float]]) -> nw.LazyFrame:
        times = [t if isinstance(t, int) else microseconds(t) for _, _, t, _ in lines]
        table = pa.table(
            {
                "customer_id": pa.array([line[0] for line in lines], pa.string()),
                "order_id": pa.array([line[1] for line in lines], pa.string()),
                "ts_us": pa.array(times, pa.int64()),
                "amount": pa.array([line[3] for line in lines], pa.float64()),
            }
        )
        columns = frozenset({"customer_id", "order_id", "ts_us", "amount"})
        return order_table(load(table), columns=columns, engine=engine, time_zone="UTC")

    return make


def as_loaded(table: pa.Table) -> pa.Table:
    """Return a table with ids as text, numbers as doubles and times in µs under ``<name>_us``."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            columns[f"{name}_us"] = column.cast(pa.timestamp("us")).cast(pa.int64())
        elif name in IDS or pa.types.is_dictionary(column.type):
            columns[name] = column.cast(pa.string())
        elif pa.types.is_integer(column.type):
            columns[name] = column.cast(pa.float64())
        else:
            columns[name] = column
    return pa.table(columns)


@pytest.fixture
def in_engine(engine: Any, load: Callable[[pa.Table], nw.LazyFrame]) -> Callable[..., Any]:
    """Give a function that puts the tables of a shop into the engine as the product holds them."""

    def into_engine(tables: dict[str, pa.Table], *, time_zone: str = "UTC") -> dict[str, Any]:
        frames = {name: load(as_loaded(table)) for name, table in tables.items()}
        frames.pop("campaigns", None)
        if "orders" in frames:
            columns = frozenset({"customer_id", "order_id", "ts_us", "amount"})
            lines = frames["orders"].select(*sorted(columns))
            frames["orders"] = order_table(
                lines, columns=columns, engine=engine, time_zone=time_zone
            )
        return frames

    return into_engine
