"""Makes the seeded order files that speed is measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["END_DAY", "FIRST_DAY", "order_file"]

FIRST_DAY, END_DAY = "2022-01-01", "2025-01-01"
DAYS = 1096
CHUNK = 1_000_000


def order_file(folder: Path, *, orders: int, customers: int, seed: int = 7) -> Path:
    """Return a Parquet file of orders in no order, made once.

    Customers arrive over three years, stay for an exponential time and order at gamma rates; order
    values are log-normal around a personal level, 3 % are refunds. One line is one order:
    ``customer_id``, ``ts``, ``amount``, ``order_id``, ``product_id``, ``quantity``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = folder / f"orders_{orders // 1_000_000}m_{customers // 1_000}k_{seed}.parquet"
    if path.exists():
        return path
    rng = np.random.default_rng(seed)
    start = rng.integers(0, DAYS - 30, customers)
    end = np.minimum(start + rng.exponential(500, customers) + 1, DAYS)
    share = np.cumsum(rng.gamma(0.8, 1.0, customers) * (end - start) + 1e-3)
    level = rng.lognormal(3.5, 0.6, customers)
    zero = np.datetime64(FIRST_DAY, "us").astype(np.int64)

    def named(letter: str, numbers: np.ndarray, width: int) -> pa.Array:
        text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
        return pc.binary_join_element_wise(letter, text, "")

    temporary = path.with_suffix(".tmp")
    writer = None
    for first in range(0, orders, CHUNK):
        n = min(CHUNK, orders - first)
        who = np.searchsorted(share, rng.random(n) * share[-1]).clip(0, customers - 1)
        day = start[who] + rng.random(n) * (end[who] - start[who])
        amount = np.round(level[who] * rng.lognormal(0, 0.5, n), 2)
        instant = zero + (day * 86_400).astype(np.int64) * 1_000_000
        table = pa.table(
            {
                "customer_id": named("c", who, 8),
                "ts": pa.array(instant).cast(pa.timestamp("us")),
                "amount": np.where(rng.random(n) < 0.03, -amount, amount),
                "order_id": named("o", np.arange(first, first + n), 9),
                "product_id": named("p", (rng.random(n) ** 2 * 5_000).astype(np.int64), 4),
                "quantity": rng.integers(1, 5, n).astype(np.float64),
            }
        )
        writer = writer or pq.ParquetWriter(temporary, table.schema)
        writer.write_table(table, row_group_size=250_000)
    if writer is not None:
        writer.close()
    temporary.rename(path)
    return path
