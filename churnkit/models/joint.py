"""Fits the learners of a run once more on rows that lie spread over the machines of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from churnkit.errors import ConfigError, DataError
from churnkit.models.base import FeatureMatrix
from churnkit.models.bins import shared_bins
from churnkit.models.churn import ROUNDS
from churnkit.models.learner import MODELS, JoinedLearner
from churnkit.models.spend import OBJECTIVES
from churnkit.models.spend_fit import spend_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    import narwhals as nw
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.engines import ClusterEngine, Peers
    from churnkit.models.fitted import Models
    from churnkit.models.learner import FittedLearner
    from churnkit.models.settings import ModelSettings

    Floats = NDArray[np.float64]

__all__ = ["CHURNED", "SPEND", "fit_joined", "joint_learners"]

CHURNED, SPEND = "churned", "future_spend"
CHURN, TYPICAL = "churn", "typical"


class Target(NamedTuple):
    """What one learner of a run is taught.

    Attributes
    ----------
    name : str
        Of the learner within the run.
    learner : JoinedLearner
    objective : str
    of_spend, buyers_only : bool
        Whether it learns spend instead of churn, and whether only of those who spend.
    """

    name: str
    learner: JoinedLearner
    objective: str
    of_spend: bool = False
    buyers_only: bool = False


def fit_joined(
    models: Models,
    rows: nw.LazyFrame[Any],
    *,
    engine: ClusterEngine,
    tasks: int,
    feature_names: tuple[str, ...],
    categories: tuple[str, ...] = (),
) -> tuple[Models, dict[str, Any]]:
    """Return models whose learners have seen all rows; what was chosen beside them stays.

    Weights, calibration, interval, level and the unit of spend are those of ``models``, which have
    seen a sample. The rows do not pass through this process: each task holds its part.

    Parameters
    ----------
    models : Models
        Fitted on a sample.
    rows : narwhals.LazyFrame
        ``customer_id``, :data:`CHURNED`, :data:`SPEND` and the features, of all who are eligible at
        all training cutoffs.
    engine : ClusterEngine
        Where they are.
    tasks : int
        How many train at the same time.
    feature_names, categories : tuple of str
        Columns of the matrix, in order, and those among them that hold positions of levels.

    Returns
    -------
    models : Models
    notes : dict
        ``tasks`` and ``rows``.

    Raises
    ------
    ConfigError
        If a learner cannot be fitted in several tasks.
    DataError
        If there are no rows.
    """
    targets = _targets(models)
    teach = Teach(
        targets=targets,
        unit=1.0 if models.spend is None else models.spend.unit,
        feature_names=feature_names,
        categories=categories,
    )
    made = engine.run_together(rows, teach, tasks=tasks, by="customer_id", schema=teach.schema)
    said = made.to_pylist()
    learnt_from = sum(one["rows"] for one in said if one["rows"] is not None)
    if not learnt_from:
        msg = "engine: nobody is in the population at any training cutoff; there is nothing to train on"
        raise DataError(msg)
    texts = {one["name"]: one["text"] for one in said if one["name"] is not None}
    fitted = {target.name: target.learner.load(texts[target.name]) for target in targets}
    return _with(models, fitted), {"tasks": tasks, "rows": learnt_from}


def joint_learners(settings: ModelSettings) -> tuple[JoinedLearner, JoinedLearner]:
    """Return the learners of churn and of spend.

    Raises
    ------
    ConfigError
        If one cannot be fitted in several tasks.
    """
    found = []
    for name, params in (
        (settings.churn_model, settings.churn_params),
        (settings.spend_model, settings.spend_params),
    ):
        learner = MODELS[name](params=params, seed=settings.seed)
        if not isinstance(learner, JoinedLearner):
            rule = "needs models that train in several tasks"
            msg = f"engine: training_tasks {rule}; got model {name!r}"
            raise ConfigError(msg)
        found.append(learner)
    return found[0], found[1]


@dataclass(frozen=True, kw_only=True)
class Teach:
    """What each task does with its part of the rows."""

    targets: tuple[Target, ...]
    unit: float
    feature_names: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """Columns of what is returned: models by name, and once for each task its rows."""
        import pyarrow as pa

        return pa.schema([("name", pa.string()), ("text", pa.string()), ("rows", pa.int64())])

    @shared_bins()
    def __call__(self, tables: Iterator[pa.Table], peers: Peers) -> pa.Table:
        """Fit every target together with the others, and return the models that fell to this task."""
        import pyarrow as pa

        everybody, churned, spend = self._part(tables)
        buys = spend > 0.0
        # A view, as whose bins are kept for the next target of the same rows.
        buyers = replace(everybody, values=everybody.values[buys][:])
        found: list[dict[str, Any]] = [{"rows": len(spend)}]
        for target in self.targets:
            mine, amount = (buyers, spend[buys]) if target.buyers_only else (everybody, spend)
            taught = churned
            if target.of_spend:
                taught = spend_target(amount, unit=self.unit, kind=target.objective)
            fitted = target.learner.fit_among(
                mine, taught, objective=target.objective, rounds=ROUNDS, peers=peers
            )
            if fitted is not None:
                found.append({"name": target.name, "text": fitted.to_text()})
        return pa.Table.from_pylist(found, schema=self.schema)

    def _part(self, tables: Iterator[pa.Table]) -> tuple[FeatureMatrix, Floats, Floats]:
        """Return features, churn and spend of this task's rows."""
        names = self.feature_names
        none = np.empty((0, len(names)), dtype=np.float32)
        parts, churned, spend = [none], [np.empty(0)], [np.empty(0)]
        for table in tables:
            parts.append(FeatureMatrix.from_arrow(table, names=names).values)
            churned.append(table.column(CHURNED).to_numpy())
            spend.append(table.column(SPEND).to_numpy())
        values = np.concatenate(parts)[:]
        matrix = FeatureMatrix(names=names, values=values, categories=self.categories)
        return matrix, np.concatenate(churned), np.concatenate(spend)


def _targets(models: Models) -> tuple[Target, ...]:
    """Return what the learners of fitted models were taught."""
    churn, spend = joint_learners(models.settings)
    targets = [Target(CHURN, churn, "binary")]
    if models.spend is None:
        return tuple(targets)
    if models.spend.typical is not None:
        # Next to churn, whose bins it shares.
        targets.append(Target(TYPICAL, spend, "l2", of_spend=True))
    kinds, buyers_only = OBJECTIVES[models.spend.objective]
    targets += [Target(k, spend, k, of_spend=True, buyers_only=buyers_only) for k in kinds]
    return tuple(targets)


def _with(models: Models, fitted: Mapping[str, FittedLearner]) -> Models:
    """Return the models with other learners."""
    churn = replace(models.churn, learner=fitted[CHURN])
    if models.spend is None:
        return replace(models, churn=churn)
    kinds, _ = OBJECTIVES[models.spend.objective]
    spend = replace(
        models.spend,
        learners=tuple(fitted[kind] for kind in kinds),
        typical=fitted.get(TYPICAL),
    )
    return replace(models, churn=churn, spend=spend)
