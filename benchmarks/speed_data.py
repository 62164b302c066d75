"""Makes the seeded files of orders and events that speed is measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["END_DAY", "FIRST_DAY", "event_file", "order_file"]

FIRST_DAY, END_DAY = "2022-01-01", "2025-01-01"
DAYS = 1096
CHUNK = 1_000_000
EVENTS = {
    "visit": 0.40,
    "product_view": 0.28,
    "cart_add": 0.06,
    "favourite": 0.02,
    "checkout": 0.02,
    "email_sent": 0.10,
    "email_opened": 0.04,
    "email_clicked": 0.01,
    "push_sent": 0.05,
    "push_opened": 0.02,
}


def order_file(folder: Path, *, orders: int, customers: int, seed: int = 7) -> Path:
    """Return a Parquet file of orders in no order, made once.

    Customers arrive over three years, stay for an exponential time and order at gamma rates; order
    values are log-normal around a personal level, 3 % are refunds. One line is one order:
    ``customer_id``, ``ts``, ``amount``, ``order_id``, ``product_id``, ``quantity``.
    """
    rng = np.random.default_rng(seed)
    acts = _customers(rng, customers)
    level = rng.lognormal(3.5, 0.6, customers)

    def chunk(first: int, n: int) -> dict[str, Any]:
        who, day = acts(n)
        amount = np.round(level[who] * rng.lognormal(0, 0.5, n), 2)
        return {
            "customer_id": _named("c", who, 8),
            "ts": _at(day),
            "amount": np.where(rng.random(n) < 0.03, -amount, amount),
            "order_id": _named("o", np.arange(first, first + n), 9),
            "product_id": _product(rng, n),
            "quantity": rng.integers(1, 5, n).astype(np.float64),
        }

    return _written(folder, "orders", rows=orders, customers=customers, seed=seed, chunk=chunk)


def event_file(folder: Path, *, events: int, customers: int, seed: int = 7) -> Path:
    """Return a Parquet file of events in no order, made once.

    The customers are those of :func:`order_file` with the same seed; the more often they act, the
    more events they have. A session is a customer's day. Columns: ``customer_id``, ``ts``,
    ``event_type``, ``session_id``, ``product_id``.
    """
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    acts = _customers(rng, customers)
    kinds, chances = list(EVENTS), np.cumsum(list(EVENTS.values()))

    def chunk(_: int, n: int) -> dict[str, Any]:
        who, day = acts(n)
        kind = np.searchsorted(chances, rng.random(n) * chances[-1]).clip(0, len(kinds) - 1)
        return {
            "customer_id": _named("c", who, 8),
            "ts": _at(day),
            "event_type": pa.DictionaryArray.from_arrays(kind.astype(np.int32), kinds),
            "session_id": pa.array(who * DAYS + day.astype(np.int64)),
            "product_id": _product(rng, n),
        }

    return _written(folder, "events", rows=events, customers=customers, seed=seed, chunk=chunk)


def _customers(
    rng: np.random.Generator, customers: int
) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Draw customers; return what draws who acts, and on which day after the first."""
    start = rng.integers(0, DAYS - 30, customers)
    end = np.minimum(start + rng.exponential(500, customers) + 1, DAYS)
    share = np.cumsum(rng.gamma(0.8, 1.0, customers) * (end - start) + 1e-3)

    def acts(n: int) -> tuple[np.ndarray, np.ndarray]:
        who = np.searchsorted(share, rng.random(n) * share[-1]).clip(0, customers - 1)
        return who, start[who] + rng.random(n) * (end[who] - start[who])

    return acts


def _written(
    folder: Path,
    kind: str,
    *,
    rows: int,
    customers: int,
    seed: int,
    chunk: Callable[[int, int], dict[str, Any]],
) -> Path:
    """Return the file, made of chunks unless it is there; it appears whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{kind}_{rows // 1_000_000}m_{customers // 1_000}k_{seed}.parquet"
    if path.exists():
        return path
    temporary = path.with_suffix(".tmp")
    writer = None
    for first in range(0, rows, CHUNK):
        table = pa.table(chunk(first, min(CHUNK, rows - first)))
        writer = writer or pq.ParquetWriter(temporary, table.schema)
        writer.write_table(table, row_group_size=250_000)
    if writer is not None:
        writer.close()
    temporary.rename(path)
    return path


def _product(rng: np.random.Generator, n: int) -> Any:
    """Return products, some of them bought more than others."""
    return _named("p", (rng.random(n) ** 2 * 5_000).astype(np.int64), 4)


def _at(day: np.ndarray) -> Any:
    """Return times from days after the first."""
    import pyarrow as pa

    zero = np.datetime64(FIRST_DAY, "us").astype(np.int64)
    return pa.array(zero + (day * 86_400).astype(np.int64) * 1_000_000).cast(pa.timestamp("us"))


def _named(letter: str, numbers: np.ndarray, width: int) -> Any:
    """Return identifiers such as ``c00000017``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(letter, text, "")
