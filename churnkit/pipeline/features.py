"""The verb ``build_features``: the features of every customer at a date, as a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.data.windows import Snapshot, as_day
from churnkit.features.build import build_features as build_in_engine
from churnkit.features.named import make_builders
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.learning import learned_features
from churnkit.pipeline.session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from churnkit.config import Config

__all__ = ["CustomerFeatures", "build_features"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CustomerFeatures:
    """Features of every customer with an order in the observation interval.

    Attributes
    ----------
    cutoff : date
        First business day that is not known.
    feature_names : tuple of str
        Columns that a model sees, in order.
    table : pyarrow.Table
        ``customer_id``, the base columns and the features, sorted by customer.
    """

    cutoff: date
    feature_names: tuple[str, ...] = field(repr=False)
    table: pa.Table = field(repr=False)

    def to_arrow(self) -> pa.Table:
        """Return the Arrow table."""
        return self.table

    def to_pandas(self) -> Any:
        """Return ``customer_id`` as index and the features as columns."""
        frame = self.table.select(["customer_id", *self.feature_names]).to_pandas()
        return frame.set_index("customer_id")


def build_features(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    as_of: date | str | None = None,
    tables: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
) -> CustomerFeatures:
    """Build the configured features as they were known at the beginning of a day.

    Parameters
    ----------
    config : Config, mapping or path
    as_of : date or ISO text, optional
        First business day that is not known; by default the day after the last in the data.
    tables : mapping of str to frame, optional
        Frames in place of configured sources: ``{"orders": frame}``.
    progress : callable, optional
        Told what is being done.
    """
    config = as_config(config)
    with open_session(config, tables=tables, progress=progress) as session:
        snapshot = Snapshot(
            cutoff=as_day(as_of, time_zone=config.data.time_zone) or session.as_of,
            observation_days=config.snapshots.observation_days,
            horizon_days=config.snapshots.horizon_days,
            gap_days=config.snapshots.gap_days,
            time_zone=config.data.time_zone,
        )
        made = build_in_engine(
            session.read.history,
            snapshot,
            builders=make_builders(learned_features(session, snapshot)),
        )
        return CustomerFeatures(
            cutoff=snapshot.cutoff, feature_names=made.feature_names, table=made.to_arrow()
        )
