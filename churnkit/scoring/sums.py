"""Sums and counts over customers on the workers of a cluster, as they come back to this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.scoring.spread_tables import scored_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.engines import ClusterEngine
    from churnkit.models.portfolio import Scored
    from churnkit.scoring.spread_tables import Classical

    Floats = NDArray[np.float64]
    Tables = Iterator[pa.Table]

__all__ = ["OnCluster", "total"]

# Log-odds are counted in cells this narrow around their mean: what sets the level differs from a
# count of single values by less than 1e-7.
CELLS_PER_UNIT = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class OnCluster:
    """A portfolio on the workers of a cluster; see :class:`churnkit.models.portfolio.Portfolio`.

    Attributes
    ----------
    frame : narwhals.LazyFrame
        Rows of :func:`~.spread_tables.forecast_schema`.
    engine : ClusterEngine
    classical : Classical
        Which classical models there is a forecast of.
    """

    frame: nw.LazyFrame[Any]
    engine: ClusterEngine
    classical: Classical

    @property
    def cutoff(self) -> date | None:
        """The day of the forecast; see :class:`churnkit.models.portfolio.Portfolio`."""
        return self.classical.purchases or self.classical.stays

    def sums(self, measure: Callable[[Scored], Floats]) -> Floats:
        """Return sums over all customers, added up over the workers."""
        found = total(self.frame, partial(_measured, measure, self.classical), engine=self.engine)
        return np.zeros(2) if found is None else found

    def distribution(self, measure: Callable[[Scored], Floats]) -> tuple[Floats, Floats]:
        """Return means of narrow cells of what is measured, and the customers in each."""
        import pyarrow as pa

        classical = self.classical

        def single(tables: Tables) -> Tables:
            for table in tables:
                yield pa.table({"value": pa.array(measure(scored_of(table, classical=classical)))})

        each = self.engine.map_batches(
            self.frame, single, schema=pa.schema([("value", pa.float64())])
        )
        cell = (nw.col("value") * CELLS_PER_UNIT).floor()
        cells = self.engine.collect(
            each.with_columns(cell=cell)
            .group_by("cell")
            .agg(nw.col("value").mean(), customers=nw.len())
        ).sort_by("cell")
        value, customers = (cells.column(name).to_numpy() for name in ("value", "customers"))
        return np.asarray(value, np.float64), np.asarray(customers, np.float64)


def _measured(measure: Callable[[Scored], Floats], classical: Classical, table: pa.Table) -> Floats:
    return measure(scored_of(table, classical=classical))


def total(
    frame: nw.LazyFrame[Any], measure: Callable[[Any], Floats], *, engine: ClusterEngine
) -> Floats | None:
    """Return the sums over all rows of what is measured of tables; one row comes from each part.

    Parameters
    ----------
    frame : narwhals.LazyFrame
        The rows.
    measure : callable
        Takes an Arrow table of n rows and returns an array of shape (m, k).

    Returns
    -------
    ndarray of float64, shape (k,), or None
        None where there are no rows.
    """
    import pyarrow as pa

    schema = pa.schema([("sums", pa.list_(pa.float64()))])

    def added(tables: Tables) -> Tables:
        found = [measure(table).sum(axis=0) for table in tables if table.num_rows]
        if found:
            yield pa.table({"sums": [np.sum(found, axis=0).tolist()]}, schema=schema)

    parts = engine.collect(engine.map_batches(frame, added, schema=schema)).column("sums")
    return np.sum(np.array(parts.to_pylist(), dtype=np.float64), axis=0) if len(parts) else None
