"""Which event types of a history no feature counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.features.engagement import Engagement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.engines import Engine
    from churnkit.features.build import FeatureBuilder

__all__ = ["uncounted_event_types"]


def uncounted_event_types(
    events: nw.LazyFrame[Any], *, builders: Sequence[FeatureBuilder], engine: Engine
) -> dict[str, int]:
    """Return the event types that no builder counts, with their rows, the most frequent first.

    Parameters
    ----------
    events : narwhals.LazyFrame
        ``event_type``.
    builders : sequence of FeatureBuilder
        Where none of them looks at events, nothing is missed and the result is empty.
    engine : Engine
        Where the events are.
    """
    engaged = [builder for builder in builders if isinstance(builder, Engagement)]
    if not engaged:
        return {}
    counted = sorted({kind for builder in engaged for kind in builder.counted_types})
    others = events.filter(~nw.col("event_type").is_in(counted))
    found = engine.collect(others.group_by("event_type").agg(rows=nw.len().cast(nw.Int64)))
    ordered = sorted(found.to_pylist(), key=lambda row: (-row["rows"], row["event_type"]))
    return {row["event_type"]: row["rows"] for row in ordered}
