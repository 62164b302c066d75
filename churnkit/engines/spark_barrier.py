"""Runs one function in several tasks of Spark at the same time, which know and reach each other."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from churnkit.engines.spark_session import is_local
from churnkit.engines.spark_workers import broadcast, mapping_in_arrow
from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from churnkit.engines.engine import Peers

    Together = Callable[[Iterator[pa.Table], Peers], pa.Table]

__all__ = ["run_together"]


def run_together(
    spark: Any, rows: Any, function: Together, *, tasks: int, by: str, schema: Any
) -> pa.Table:
    """Return what the tasks return, one below the other; see ``ClusterEngine.run_together``.

    Raises
    ------
    ParameterError
        If a local Spark has fewer threads than there are tasks.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    context = spark.sparkContext
    if is_local(str(context.master)) and tasks > context.defaultParallelism:
        rule = f"training_tasks must be at most the {context.defaultParallelism} threads of Spark"
        msg = f"engine: {rule}, since all tasks run at once; got {tasks}"
        raise ParameterError(msg)
    sent = broadcast(spark, function)
    # Sorted, so that the rows of a task come in one order however the network brings them.
    parts = rows.repartition(tasks, by).sortWithinPartitions(*rows.columns)
    with mapping_in_arrow():
        made = parts.mapInArrow(_on_member(sent), from_arrow_schema(schema), barrier=True)
        # Spark begins again with tasks whose machine is lost, but not where they are the last step.
        return made.repartition(1).toArrow()


class _Barrier:
    """The tasks of a barrier stage as one of them sees them; see :class:`.engine.Peers`."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.rank: int = context.partitionId()
        self.threads: int = context.cpus()
        # Where Spark itself reaches this machine.
        name = context.getTaskInfos()[self.rank].address.rpartition(":")[0]
        self.host = socket.gethostbyname(name)

    def gather(self, said: str) -> list[str]:
        """Return what all tasks say here, by rank; see :class:`.engine.Peers`."""
        return list(self._context.allGather(said))


def _on_member(sent: Any) -> Callable[[Any], Iterator[Any]]:
    """Return what each task calls on its part of the rows."""

    def call(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pickle

        import pyarrow as pa
        from pyspark import BarrierTaskContext

        function = pickle.loads(sent.value)  # noqa: S301 - sent by this engine's own driver
        tables = (pa.Table.from_batches([batch]) for batch in batches)
        made = function(tables, _Barrier(BarrierTaskContext.get()))
        yield from made.combine_chunks().to_batches()

    return call
