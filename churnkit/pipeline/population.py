"""One pass over a population: predictions, contributions of everybody, and what is kept of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.errors import DataError
from churnkit.features.build import build_features
from churnkit.features.named import make_builders
from churnkit.models.base import FeatureMatrix
from churnkit.models.population import base_numbers, eligible_customers
from churnkit.models.portfolio import InMemory, Scored
from churnkit.models.purchase import fit_purchases
from churnkit.models.staying import forecast_stays
from churnkit.pipeline.contribution_table import contribution_table
from churnkit.pipeline.reasoning import reasons_of
from churnkit.reasons import (
    Contributions,
    DriverSums,
    ExplainedSample,
    ReasonCohorts,
    Sampler,
    contributions,
    drivers_by_group,
    final_steps,
    group_sums,
    spend_contributions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase_forecast import FittedPurchases, PurchaseForecast
    from churnkit.models.training import Level, Predictions
    from churnkit.pipeline.session import Session
    from churnkit.reasons import FinalSteps, Reasons

    Floats = NDArray[np.float64]

__all__ = [
    "ExplainedPopulation",
    "Target",
    "explain_population",
]

Target = Literal["churn", "spend"]

BATCH_ROWS = 100_000
SAMPLE_ROWS = 5_000


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedPopulation:
    """Everybody in the population at a date: what was predicted, and why, in sums and in a sample.

    Attributes
    ----------
    snapshot : Snapshot
    rows : dict of str to int
        Position of each customer in the arrays of predictions.
    predictions : Predictions
    steps : FinalSteps
        From the learner's log-odds to the probabilities.
    fitted : FittedPurchases or None
        The purchase model of the portfolio.
    forecast : PurchaseForecast or None
        What it expects of each.
    level : Level
    reasons : Reasons
    sums : DriverSums
    groups : list of dict
        Drivers by group of features that are one reason; see :func:`churnkit.reasons.drivers_by_group`.
    sample : ExplainedSample
    method : str
        How contributions were computed.
    wanted : dict of str to FeatureMatrix
        One row for each customer asked for.
    lowest, highest : ndarray of float32, shape (n_features,)
        Range of each feature over the population, NaN where nobody's is known.
    cohorts : list of dict
        Customers by their strongest reason.
    """

    snapshot: Snapshot
    rows: dict[str, int]
    predictions: Predictions
    steps: FinalSteps
    fitted: FittedPurchases | None
    forecast: PurchaseForecast | None
    level: Level
    reasons: Reasons
    sums: DriverSums
    groups: list[dict[str, Any]]
    sample: ExplainedSample
    method: str
    wanted: dict[str, FeatureMatrix]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    cohorts: list[dict[str, Any]]


def explain_population(
    session: Session,
    bundle: Bundle,
    *,
    as_of: date,
    target: Target = "churn",
    wanted: Collection[str] = (),
    write: Callable[[pa.Table], None] | None = None,
) -> ExplainedPopulation:
    """Predict and explain everybody in the population at a date, batch by batch.

    Parameters
    ----------
    session, bundle
        Open tables and the model.
    as_of : date
        First day not known.
    target : {"churn", "spend"}
        What is explained.
    wanted : collection of str
        Customers whose features are kept.
    write : callable, optional
        Takes the contributions of each batch (see :mod:`.contribution_table`).

    Raises
    ------
    DataError
        If nobody is in the population.
    """
    snapshot = Snapshot(cutoff=as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot)
    built = build_features(session.read.history, snapshot, builders=make_builders(bundle.features))
    reasons = reasons_of(session.config, bundle)
    seen = _Pass(
        bundle=bundle,
        target=target,
        wanted=frozenset(wanted),
        reasons=reasons,
        sampler=Sampler(size=SAMPLE_ROWS, seed=session.config.seed),
        cohorts=ReasonCohorts(reasons=reasons, names=bundle.feature_names),
    )
    for batch in built.batches(rows=BATCH_ROWS):
        table = seen.see(batch, snapshot)
        session.progress(f"explained {seen.sums.customers:,} customers as of {as_of}")
        if write is not None:
            write(table)
    if not seen.sums.customers:
        msg = f"explain: nobody is in the population as of {as_of}"
        raise DataError(msg)
    return seen.finish(snapshot)


@dataclass(kw_only=True, eq=False)
class _Pass:
    """What is kept of the batches seen so far: a few numbers for each customer, sums and a sample."""

    bundle: Bundle
    target: Target
    wanted: frozenset[str]
    reasons: Reasons
    sampler: Sampler
    cohorts: ReasonCohorts
    sums: DriverSums = field(default_factory=DriverSums)
    of_groups: DriverSums = field(default_factory=DriverSums)
    base: float = 0.0
    methods: Counter[str] = field(default_factory=Counter)
    found: dict[str, FeatureMatrix] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    bases: list[dict[str, Floats]] = field(default_factory=list)
    eligible: list[NDArray[np.bool_]] = field(default_factory=list)
    log_odds: list[Floats] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)
    lowest: Any = np.inf
    highest: Any = -np.inf

    def see(self, batch: pa.Table, snapshot: Snapshot) -> pa.Table:
        """Predict and explain the eligible customers of a batch; return their contributions."""
        base = base_numbers(batch)
        eligible = eligible_customers(base, snapshot, **self.bundle.population)
        kept = batch.filter(eligible)
        learner = self.bundle.models.churn.learner
        matrix = FeatureMatrix.from_arrow(kept, names=self.bundle.feature_names)
        explained = self._explained(matrix)
        ids = kept.column("customer_id").to_pylist()
        self.bases.append(base)
        self.eligible.append(eligible)
        if ids:
            self.base = explained.base
            self.methods[explained.method] += len(ids)
            self.ids += ids
            self.sums.see(explained.values)
            grouped = self.reasons.groups_of(matrix.names)
            self.of_groups.see(group_sums(explained.values, grouped))
            self.sampler.see(ids, matrix.values, explained.values)
            self.log_odds.append(learner.predict_raw(matrix))
            mine = {name: values[eligible] for name, values in base.items()}
            self.value.append(self.bundle.models.value(matrix, base=mine))
            if self.target == "churn":
                self.cohorts.see(matrix, explained.values)
            self.lowest = np.fmin(self.lowest, np.fmin.reduce(matrix.values, axis=0))
            self.highest = np.fmax(self.highest, np.fmax.reduce(matrix.values, axis=0))
        for row, customer in enumerate(ids):
            if customer in self.wanted:
                self.found[customer] = matrix[np.array([row])]
        return contribution_table(ids, explained, feature_names=matrix.names)

    def _explained(self, matrix: FeatureMatrix) -> Contributions:
        models = self.bundle.models
        if self.target == "spend":
            return spend_contributions(models.spending, matrix)
        return contributions(models.churn.learner, matrix)

    def finish(self, snapshot: Snapshot) -> ExplainedPopulation:
        """Set the level over everybody, and put together what was kept."""
        models = self.bundle.models
        base = {n: np.concatenate([b[n] for b in self.bases]) for n in self.bases[0]}
        eligible = np.concatenate(self.eligible)
        fitted = fit_purchases(base, snapshot, kind=models.settings.purchase_kind)
        terms = {
            "value_days": self.bundle.value.get("horizon_days"),
            "yearly_discount_rate": self.bundle.value["yearly_discount_rate"],
        }
        forecast = None if fitted is None else fitted.forecast(base, **terms)[eligible]
        log_odds, value = np.concatenate(self.log_odds), np.concatenate(self.value)
        mine = {name: values[eligible] for name, values in base.items()}
        scored = Scored(
            log_odds=log_odds,
            value=value,
            forecast=forecast,
            staying=forecast_stays(mine, snapshot),
        )
        level = models.find_level(InMemory(rows=scored))
        predictions = models.apply_level(scored, level=level)
        rows = {name: row for row, name in enumerate(self.ids)}
        ids, (values, weights) = self.sampler.drawn()
        drawn = np.array([rows[name] for name in ids])
        learner_base = self.base
        if self.target == "spend":
            only = contributions(models.churn.learner, self._any_row())
            learner_base = only.base
        steps = final_steps(
            models.churn,
            log_odds,
            learner_base=learner_base,
            forecast=models.churn_forecast(scored),
            shift=level.log_odds_shift,
        )
        says = {name: phrase.label for name, phrase in self.reasons.phrases.items()}
        return ExplainedPopulation(
            snapshot=snapshot,
            rows=rows,
            predictions=predictions,
            steps=steps,
            fitted=fitted,
            forecast=forecast,
            level=level,
            reasons=self.reasons,
            sums=self.sums,
            groups=drivers_by_group(
                self.sums,
                self.of_groups,
                grouped=self.reasons.groups_of(self.bundle.feature_names),
                names=self.bundle.feature_names,
                says=says,
            ),
            sample=ExplainedSample(
                customer_ids=ids,
                feature_names=self.bundle.feature_names,
                says=says,
                values=values,
                contributions=weights,
                base=self.base,
                steps=steps[drawn] if self.target == "churn" else None,
            ),
            method="; ".join(
                f"{name}: {rows:,} customers" for name, rows in self.methods.most_common()
            ),
            wanted=self.found,
            lowest=self.lowest,
            highest=self.highest,
            cohorts=[] if self.target == "spend" else self.cohorts.rows(predictions),
        )

    def _any_row(self) -> FeatureMatrix:
        names = self.bundle.feature_names
        return FeatureMatrix(names=names, values=np.zeros((1, len(names)), np.float32))
