"""Features and labels of everybody at the training cutoffs, kept where the engine keeps its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.features.build import build_features
from churnkit.features.learned import category_names
from churnkit.models.base import FeatureMatrix, outcomes
from churnkit.models.joint import CHURNED, SPEND
from churnkit.models.population import base_numbers, eligible_customers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from churnkit.data.windows import Snapshot
    from churnkit.engines import ClusterEngine
    from churnkit.evaluation.snapshots import SnapshotLoader
    from churnkit.features.table import Finishing

__all__ = ["TrainingRows"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRows:
    """Makes the rows of each training cutoff once, on a cluster.

    Parameters
    ----------
    load : SnapshotLoader
        Whose history, builders, label and population are meant.
    engine : ClusterEngine
        Where the history is.
    """

    load: SnapshotLoader
    engine: ClusterEngine
    _made: dict[Snapshot, nw.LazyFrame[Any]] = field(default_factory=dict, init=False)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns that a model sees, in order."""
        return tuple(name for builder in self.load.builders for name in builder.feature_names)

    @property
    def categories(self) -> tuple[str, ...]:
        """Features whose values are positions of levels."""
        return tuple(category_names(self.load.builders))

    def __call__(self, snapshots: Sequence[Snapshot]) -> nw.LazyFrame[Any]:
        """Return ``customer_id``, ``cutoff_us``, labels and features of all who are eligible."""
        return nw.concat([self._at(snapshot) for snapshot in snapshots])

    def _at(self, snapshot: Snapshot) -> nw.LazyFrame[Any]:
        if snapshot not in self._made:
            self.load.progress(f"features and labels of everybody at {snapshot.cutoff}")
            history, label = self.load.history, self.load.label
            table = build_features(history, snapshot, builders=self.load.builders)
            labels = label.build(history.tables[label.table], snapshot)
            renamed = {
                name: f"_label_{name}"
                for name in labels.collect_schema().names()
                if name != "customer_id"
            }
            stage = _Labelled(
                snapshot=snapshot,
                finishing=table.finishing,
                labels=renamed,
                feature_names=self.feature_names,
                active_within_days=self.load.active_within_days,
                min_orders=self.load.min_orders,
            )
            rows = table.frame.join(labels.rename(renamed), on="customer_id", how="left")
            self._made[snapshot] = self.engine.materialize(
                self.engine.map_batches(rows, stage, schema=stage.schema)
            )
        return self._made[snapshot]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Labelled:
    """From rows of features and labels: those of eligible customers, as a model is taught them."""

    snapshot: Snapshot
    finishing: Finishing
    labels: dict[str, str]
    feature_names: tuple[str, ...]
    active_within_days: int
    min_orders: int

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows returned; features are NaN where they are not known."""
        import pyarrow as pa

        features = ((name, pa.float32()) for name in self.feature_names)
        return pa.schema(
            [
                ("customer_id", pa.string()),
                ("cutoff_us", pa.int64()),
                (CHURNED, pa.float64()),
                (SPEND, pa.float64()),
                *features,
            ]
        )

    def __call__(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Return the rows of :attr:`schema`."""
        import numpy as np
        import pyarrow as pa

        for table in tables:
            finished = self.finishing(table)
            eligible = eligible_customers(
                base_numbers(finished),
                self.snapshot,
                active_within_days=self.active_within_days,
                min_orders=self.min_orders,
            )
            kept = finished.filter(eligible)
            labels = table.select(list(self.labels.values())).rename_columns(list(self.labels))
            churned, spend, _ = outcomes(labels.filter(eligible))
            features = FeatureMatrix.from_arrow(kept, names=self.feature_names).values
            columns = [
                kept.column("customer_id"),
                pa.array(np.full(kept.num_rows, self.snapshot.cutoff_us)),
                pa.array(churned.astype(np.float64)),
                pa.array(spend),
                *(pa.array(column) for column in features.T),
            ]
            yield pa.table(columns, schema=self.schema)
