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
