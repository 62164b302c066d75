"""Trains as of a cutoff and compares the models and every baseline on what then happened."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.evaluation.contract import mrr_metrics
from churnkit.evaluation.guards import churn_skill
from churnkit.evaluation.predictive import (
    churn_metrics,
    ece,
    ece_interval,
    reliability_table,
    spend_metrics,
)
from churnkit.evaluation.skill import contract_skill, snapshot_gains
from churnkit.evaluation.snapshot_result import Metrics, SnapshotResult
from churnkit.models.baselines import BASELINES
from churnkit.models.search import search_parameters
from churnkit.models.training import fit_models

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot, SnapshotPlan
    from churnkit.evaluation.skill import ContractSkill
    from churnkit.evaluation.snapshots import SnapshotLoader
    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.training import Models, ModelSettings, Predictions

    Floats = NDArray[np.float64]
    Refit = Callable[[Models, Sequence[Snapshot]], tuple[Models, Any]]

__all__ = [
    "Backtest",
    "backtest",
    "evaluate_snapshot",
    "mean_metrics",
    "predict_snapshot",
    "said_of",
]

logger = logging.getLogger("churnkit")


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """Results of a rolling-origin test."""

    name: str
    snapshots: tuple[SnapshotResult, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: ``{"name", "snapshots": [...], "skill"}``."""
        skill = self.contract_skill
        return {
            "name": self.name,
            "snapshots": [s.to_dict() for s in self.snapshots],
            "skill": None if skill is None else skill.to_dict(),
        }

    @property
    def contract_skill(self) -> ContractSkill | None:
        """What all cutoffs together say of the skill of a model of subscribers; None of others."""
        gains = {s.cutoff: s.gains for s in self.snapshots if s.gains is not None}
        return contract_skill(gains) if gains else None

    @property
    def no_skill(self) -> tuple[str, ...]:
        """What the model is no better than, a sentence each; empty if it has skill.

        Of customers who order: a sentence for each cutoff at which it is no better than the base
        rate. Of subscribers one for all cutoffs: no better than the base rate, or than the base rate
        by time subscribed.
        """
        found = [s.no_skill for s in self.snapshots]
        skill = self.contract_skill
        return tuple(one for one in (*found, skill and skill.statement) if one)

    def mean(self) -> dict[str, Metrics]:
        """Return each model's metrics averaged over the cutoffs; None where any is undefined."""
        names = list(dict.fromkeys(n for s in self.snapshots for n in s.models))
        return {
            name: mean_metrics([s.models.get(name, {}) for s in self.snapshots]) for name in names
        }

    def hindsight(self) -> str | None:
        """Say by how much the formula and the model missed what was then spent in total.

        Returns
        -------
        str or None
            A sentence of the mean ``spend.total_bias``; None where one of both has none.

        Examples
        --------
        >>> missed = {"formula": {"spend.total_bias": 1.37}, "model": {"spend.total_bias": -0.02}}
        >>> at = SnapshotResult(cutoff="2011-09-11", horizon_days=90, customers=5000,
        ...                     train_rows=20000, models=missed)
        >>> Backtest(name="shop", snapshots=(at,)).hindsight()
        'The formula overshoots actual spend by 137 %, the model undershoots it by 2 %.'
        """
        means = self.mean()
        formula, model = (means.get(n, {}).get("spend.total_bias") for n in ("formula", "model"))
        if formula is None or model is None:
            return None
        first, second = (
            f"{'under' if bias < 0 else 'over'}shoots {{}} by {abs(bias):.0%}".replace("%", " %")
            for bias in (formula, model)
        )
        return f"The formula {first.format('actual spend')}, the model {second.format('it')}."

    def to_pandas(self) -> Any:
        """Return one row per cutoff and model, one column per metric."""
        import pandas as pd

        rows = [
            {"cutoff": s.cutoff, "model": name, "customers": s.customers, **metrics}
            for s in self.snapshots
            for name, metrics in s.models.items()
        ]
        return pd.DataFrame(rows)


def mean_metrics(rows: Sequence[Metrics]) -> Metrics:
    """Return the mean of each metric over test snapshots, None where any of them has none."""
    means: Metrics = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(key) for row in rows]
        known = [v for v in values if v is not None]
        means[key] = float(np.mean(known)) if len(known) == len(values) else None
    return means


def predict_snapshot(models: Models, test: LabelledSnapshot) -> Predictions:
    """Return the models' predictions for the population of a snapshot."""
    forecast = test.forecast(models.settings.purchase_kind)
    return models.predict(
        test.features, forecast=forecast, base=test.eligible_base, staying=test.staying
    )


def evaluate_snapshot(
    models: Models, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
) -> SnapshotResult:
    """Return the metrics of fitted models and of every baseline at one test cutoff."""
    predicted = predict_snapshot(models, test)
    results = {
        "model": {
            **churn_metrics(test.churned, predicted.churn_probability),
            **spend_metrics(
                test.future_spend,
                predicted.expected_spend,
                low=predicted.expected_spend_low,
                high=predicted.expected_spend_high,
                stated=predicted.stated_coverage,
            ),
            **_mrr_metrics(models, test, predicted.churn_probability),
        }
    }
    for name in BASELINES.names():
        baseline = BASELINES[name]().predict(train, test)
        if baseline is not None:
            results[name] = {
                **churn_metrics(test.churned, baseline.churn_probability),
                **spend_metrics(test.future_spend, baseline.expected_spend),
                **_mrr_metrics(models, test, baseline.churn_probability),
            }
    result = SnapshotResult(
        cutoff=str(test.snapshot.cutoff),
        horizon_days=test.snapshot.horizon_days,
        customers=len(test.churned),
        train_rows=sum(len(s.churned) for s in train),
        models=results,
        skill=churn_skill(test.churned, predicted.churn_probability),
        calibration=_calibration(predicted, test),
        gains=snapshot_gains(test, predicted.churn_probability),
    )
    for warning in result.warnings:
        logger.warning(warning)
    return result


def _calibration(predicted: Predictions, test: LabelledSnapshot) -> dict[str, Any]:
    """Return how well probabilities and the total came true, as plain values."""
    low, high = ece_interval(test.churned, predicted.churn_probability)
    table = reliability_table(test.churned, predicted.churn_probability)
    total = None
    if predicted.total is not None:
        total = {**asdict(predicted.total), "actual": float(test.future_spend.sum())}
    return {
        "ece": ece(test.churned, predicted.churn_probability),
        "ece_low": low,
        "ece_high": high,
        "reliability": {name: column.tolist() for name, column in table.items()},
        "spend_total": total,
    }


def _mrr_metrics(models: Models, test: LabelledSnapshot, probability: Floats) -> Metrics:
    """Return what is said of monthly revenue, nothing where the customers are no subscribers."""
    contracts = test.contracts
    if contracts is None or models.contract is None:
        return {}
    return mrr_metrics(
        contracts.mrr,
        future_mrr=contracts.future_mrr,
        churned=test.churned,
        expected_mrr_retained=models.contract.retained(contracts.mrr, probability),
        mrr_at_risk=models.contract.at_risk(contracts.mrr, probability),
    )


def backtest(
    plans: Sequence[SnapshotPlan],
    *,
    name: str,
    load: SnapshotLoader,
    settings: ModelSettings,
    refit: Refit | None = None,
) -> Backtest:
    """Train as of each test cutoff and test there.

    Parameters
    ----------
    plans : sequence of SnapshotPlan
        One per origin, each with one test snapshot.
    name : str
        Of the run.
    load : SnapshotLoader
        Makes the snapshots.
    settings : ModelSettings
        What to fit at every origin.
    refit : callable, optional
        Given the fitted models and the training snapshots, returns models and notes; see
        :func:`churnkit.models.joint.fit_joined`.
    """
    results = []
    for plan in plans:
        train = [load(s) for s in plan.train]
        test = load(plan.test[-1])
        load.progress(f"training for the test at {test.snapshot.cutoff}")
        found, _ = search_parameters(train, settings=settings, progress=load.progress)
        models, _ = fit_models(train, settings=found, judge=spend_metrics)
        if refit is not None:
            models, _ = refit(models, plan.train)
        results.append(evaluate_snapshot(models, train, test))
    return said_of(results, name=name)


def said_of(results: Sequence[SnapshotResult], *, name: str) -> Backtest:
    """Return the results of all test cutoffs, and warn of what only all of them together show."""
    tested = Backtest(name=name, snapshots=tuple(results))
    skill = tested.contract_skill
    if skill is not None and skill.statement is not None:
        logger.warning(skill.statement)
    return tested
