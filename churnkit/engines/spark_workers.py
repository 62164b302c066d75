"""Sends functions to Spark's workers, and runs them there on parts of the rows."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    OnTables = Callable[[Iterator[pa.Table]], Iterator[pa.Table]]

__all__ = ["broadcast", "map_on_workers", "mapping_in_arrow"]


def map_on_workers(spark: Any, rows: Any, function: OnTables, *, schema: Any) -> Any:
    """Return what a function makes of the rows; see ``ClusterEngine.map_batches``."""
    from pyspark.sql.pandas.types import from_arrow_schema

    sent = broadcast(spark, function)
    with mapping_in_arrow():
        return rows.mapInArrow(_on_worker(sent), from_arrow_schema(schema))


def broadcast(spark: Any, function: Callable[..., Any]) -> Any:
    """Send a function, and with it all that it needs, so that each worker fetches it once."""
    from pyspark import cloudpickle

    # The standard pickle knows no function made within another.
    return spark.sparkContext.broadcast(cast("Any", cloudpickle).dumps(function))


@contextmanager
def mapping_in_arrow() -> Iterator[None]:
    """Leave out PySpark's warning of pandas 3, of which nothing is used here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _on_worker(sent: Any) -> Callable[[Any], Iterator[Any]]:
    """Return what a worker calls on its part of the rows."""

    def call(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pickle

        import pyarrow as pa

        function = pickle.loads(sent.value)  # noqa: S301 - sent by this engine's own driver
        for table in function(pa.Table.from_batches([batch]) for batch in batches):
            yield from table.combine_chunks().to_batches()

    return call
