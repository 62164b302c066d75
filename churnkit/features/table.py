"""The features of every customer at a cutoff: its columns, and its rows in batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import narwhals as nw
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.engines import Engine

__all__ = [
    "BASE_COLUMNS",
    "SUBSCRIPTION_COLUMNS",
    "FeatureTable",
    "Finishing",
    "table_columns",
]

BASE_COLUMNS = (
    "customer_id",
    "orders",
    "order_days",
    "first_order_us",
    "last_order_us",
    "net_revenue",
    "order_amount",
    "horizon_orders",
    "horizon_amount",
)


SUBSCRIPTION_COLUMNS = (
    "customer_id",
    "subscriptions_running",
    "mrr",
    "subscribed_since_us",
    "log_stay",
)
"""Base columns where the customers are those of ``subscriptions``; those of orders follow them."""


@dataclass(frozen=True, kw_only=True)
class FeatureTable:
    """Features of every customer known at a cutoff: lazy in the engine until rows are asked for.

    Attributes
    ----------
    snapshot : Snapshot
        The cutoff.
    feature_names : tuple of str
        Columns a model sees, in order.
    joined : narwhals.LazyFrame
        One row per customer: what the group-bys of all tables gave.
    derived : tuple of narwhals.Expr
        What the engine makes of each of its rows alone.
    """

    snapshot: Snapshot
    feature_names: tuple[str, ...]
    joined: nw.LazyFrame[Any]
    derived: tuple[nw.Expr, ...]
    finishers: tuple[Callable[[pa.Table], Mapping[str, NDArray[np.float64]]], ...]
    engine: Engine
    base_columns: tuple[str, ...] = BASE_COLUMNS

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in order: the base ones, then the features that are not among them."""
        return table_columns(self.feature_names, base=self.base_columns)

    @property
    def frame(self) -> nw.LazyFrame[Any]:
        """Rows in no fixed order, before they are finished."""
        return self.joined.select(*self.derived)

    def to_arrow(self) -> pa.Table:
        """Return all rows, ordered by customer."""
        return self._finish(self.engine.collect(self.frame)).sort_by("customer_id")

    def batches(self, *, rows: int) -> Iterator[pa.Table]:
        """Return the rows as a stream of Arrow tables of about ``rows`` rows, ordered by customer.

        At least one comes, if need be an empty one.
        """
        import pyarrow as pa

        finished: Future[pa.Table] | None = None
        # While a thread of ours finishes one batch, the engine makes the next.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="features") as pool:
            # Fewer columns are sorted than are made of them, and an engine keeps the order of rows.
            frame = self.joined.sort("customer_id").select(*self.derived)
            for batch in self.engine.batches(frame, rows=rows):
                earlier = finished
                finished = pool.submit(self._finish, pa.Table.from_batches([batch]))
                if earlier is not None:
                    yield earlier.result()
        yield self.to_arrow() if finished is None else finished.result()

    @property
    def finishing(self) -> Finishing:
        """What turns rows of :attr:`frame` into rows of :attr:`columns`, wherever they are."""
        return Finishing(columns=self.columns, finishers=self.finishers)

    def _finish(self, table: pa.Table) -> pa.Table:
        return self.finishing(table)


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """Adds to Arrow rows of a feature frame what no query engine can compute."""

    columns: tuple[str, ...]
    finishers: tuple[Callable[[pa.Table], Mapping[str, NDArray[np.float64]]], ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the rows with all columns, in order."""
        import pyarrow as pa

        for finish in self.finishers:
            for name, values in finish(table).items():
                if name in table.column_names:
                    msg = f"features: two builders make the column(s) {name}"
                    raise DataError(msg)
                column = pa.array(values, pa.float64(), from_pandas=True)
                table = table.append_column(name, column)
        if missing := [name for name in self.columns if name not in table.column_names]:
            msg = f"features: a builder promised {', '.join(missing)} and does not build it"
            raise DataError(msg)
        return table.select(list(self.columns))


def table_columns(feature_names: Sequence[str], *, base: Sequence[str]) -> tuple[str, ...]:
    """Return the base columns, then the features that are not among them."""
    return (*base, *(name for name in feature_names if name not in base))
