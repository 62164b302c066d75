"""Makes labelled snapshots of a history, to train and to test on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from churnkit.features.build import build_features
from churnkit.features.learned import category_names
from churnkit.models.base import label_snapshot, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from churnkit.data.windows import Snapshot
    from churnkit.features.build import FeatureBuilder, History
    from churnkit.labels import Label
    from churnkit.models.base import LabelledSnapshot

__all__ = ["SnapshotLoader"]

BATCH_ROWS = 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotLoader:
    """Makes labelled snapshots of one history, each once.

    Parameters
    ----------
    history : History
    builders : sequence of FeatureBuilder
    label : Label
    active_within_days, min_orders : int
        The population.
    progress : callable, optional
        Told the cutoff that is being built.
    """

    history: History
    builders: Sequence[FeatureBuilder]
    label: Label
    active_within_days: int
    min_orders: int
    progress: Callable[[str], None] = field(default=lambda _: None)
    _made: dict[Snapshot, LabelledSnapshot] = field(default_factory=dict, init=False)

    def __call__(self, snapshot: Snapshot) -> LabelledSnapshot:
        """Return the features and labels of a snapshot."""
        if snapshot not in self._made:
            self.progress(f"features and labels at {snapshot.cutoff}")
            table = build_features(self.history, snapshot, builders=self.builders)
            labels = self.label.build(self.history.tables[self.label.table], snapshot)
            stays = self.history.stays_at(snapshot)
            self._made[snapshot] = label_snapshot(
                table.batches(rows=BATCH_ROWS),
                self.history.engine.collect(labels),
                snapshot=snapshot,
                feature_names=table.feature_names,
                active_within_days=self.active_within_days,
                min_orders=self.min_orders,
                category_names=category_names(self.builders),
                stays=None if stays is None else self.history.engine.collect(stays),
            )
        return self._made[snapshot]

    def together(self, snapshots: Sequence[Snapshot]) -> list[LabelledSnapshot]:
        """Return several snapshots whose features lie in one matrix: no fit has to copy them."""
        for snapshot in snapshots:
            self(snapshot)
        # If they stayed here, all would be in memory twice.
        made = side_by_side([self._made.pop(snapshot) for snapshot in snapshots])
        self._made.update({one.snapshot: one for one in made})
        return made
