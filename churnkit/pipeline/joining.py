"""Trains the boosters of a run on everybody, over the tasks of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.engines import ClusterEngine
from churnkit.evaluation.training_rows import TrainingRows
from churnkit.models.joint import fit_joined, joint_learners
from churnkit.pipeline.configured import model_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.data.windows import Snapshot
    from churnkit.features.build import FeatureBuilder
    from churnkit.models.training import Models
    from churnkit.pipeline.session import Session

__all__ = ["JointTraining", "joint_training"]


@dataclass(frozen=True, kw_only=True, eq=False)
class JointTraining:
    """Gives models that were fitted on a sample learners that have seen everybody."""

    session: Session
    rows: TrainingRows
    tasks: int

    def __call__(
        self, models: Models, snapshots: Sequence[Snapshot]
    ) -> tuple[Models, dict[str, Any]]:
        """Return the models trained on all rows of the snapshots, and notes: tasks and rows."""
        rows = self.rows(snapshots)
        tasks = f"{self.tasks} task{'s' if self.tasks > 1 else ''}"
        self.session.progress(f"training on the rows of everybody, in {tasks} at once")
        models, notes = fit_joined(
            models,
            rows,
            engine=self.rows.engine,
            tasks=self.tasks,
            feature_names=self.rows.feature_names,
            categories=self.rows.categories,
        )
        self.session.progress(f"trained on {notes['rows']:,} rows of everybody in {tasks}")
        return models, notes


def joint_training(session: Session, builders: Sequence[FeatureBuilder]) -> JointTraining | None:
    """Return what trains on everybody, None where the configuration asks for no such training.

    Raises
    ------
    ConfigError
        If a configured model cannot be trained in several tasks.
    """
    tasks, engine = session.config.engine.training_tasks, session.engine
    if tasks is None or not isinstance(engine, ClusterEngine):
        return None
    joint_learners(model_settings(session.config))
    if session.config.snapshots.customers_share == 1.0:
        session.progress(
            "the rows of everybody come to this process as well; a snapshots.customers_share below 1"
            " leaves it a sample"
        )
    rows = TrainingRows(load=session.loader(builders), engine=engine)
    return JointTraining(session=session, rows=rows, tasks=tasks)
