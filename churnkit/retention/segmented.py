"""The segments of a report: who is in which, and which of them get rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.retention.customer import customer_metrics
from churnkit.retention.order_counts import UNKNOWN
from churnkit.retention.report import ALL
from churnkit.retention.segments import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from churnkit.engines import Engine
    from churnkit.retention.prepare import Prepared
    from churnkit.retention.scope import Scope

__all__ = ["RFM", "segmented"]

RFM = "rfm_segment"


def segmented(
    tables: Mapping[str, nw.LazyFrame[Any]], prepared: Prepared, *, by: str | None, scope: Scope
) -> Iterator[Scope]:
    """Yield the scopes of the segments: one for an attribute, one per period for RFM.

    Parameters
    ----------
    tables : mapping of str to narwhals.LazyFrame
        Those of the report.
    prepared : Prepared
        What was read from them.
    by : str or None
        A column of ``customers``, ``rfm_segment``, or None for no segments at all.
    scope : Scope
        Of everybody.
    """
    if by is None:
        return
    people = tables["customers" if by != RFM else "orders"].select("customer_id").unique()
    unknown = {UNKNOWN} if _has_strangers(tables, prepared, people, scope.engine) else set()
    for positions, named in _named(tables, people, by=by, scope=scope):
        segments = scope.engine.materialize(named)
        names = scope.engine.collect(segments.select(nw.col("segment").fill_null(UNKNOWN)).unique())
        yield replace(
            scope,
            positions=positions,
            segments=segments,
            names=frozenset(names["segment"].to_pylist()) | unknown,
        )


def _named(
    tables: Mapping[str, nw.LazyFrame[Any]],
    people: nw.LazyFrame[Any],
    *,
    by: str,
    scope: Scope,
) -> Iterator[tuple[tuple[int, ...], nw.LazyFrame[Any]]]:
    """Yield positions of periods, and ``customer_id`` with ``segment`` in them."""
    if by != RFM:
        value = nw.col(by).cast(nw.String)
        # An attribute may well have the value that stands for everybody.
        segment = nw.when(value == ALL).then(nw.lit(f"{by}={ALL}")).otherwise(value)
        yield scope.positions, tables["customers"].select("customer_id", segment=segment)
        return
    for position in scope.positions:
        scored = customer_metrics(
            tables["orders"],
            as_of_us=scope.period(position).start_us,
            segments=scope.definitions.segments,
        ).select("customer_id", segment=nw.col(RFM))
        known = people.join(scored, on="customer_id", how="left")
        yield (position,), known.with_columns(nw.col("segment").fill_null(ABSENT))


def _has_strangers(
    tables: Mapping[str, nw.LazyFrame[Any]],
    prepared: Prepared,
    people: nw.LazyFrame[Any],
    engine: Engine,
) -> bool:
    """Return whether any table has a customer of whom the segment is not known."""
    read = (prepared.buckets, prepared.states, prepared.days)
    others = (tables.get(name) for name in ("support_tickets", "surveys", "rewards"))
    for frame in (*read, *others):
        if frame is not None:
            strangers = frame.select("customer_id").join(people, on="customer_id", how="anti")
            if engine.collect(strangers.head(1)).num_rows:
                return True
    return False
