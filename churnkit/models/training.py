"""Fits churn risk and expected spend together on training snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.bins import shared_bins
from churnkit.models.churn import fit_churn, learn_churn, split_for_validation
from churnkit.models.contract import ContractValue, fit_contract_value
from churnkit.models.fitted import Models
from churnkit.models.grain import finer_settings
from churnkit.models.interval import fit_interval
from churnkit.models.learner import MODELS
from churnkit.models.level import fit_level
from churnkit.models.log_odds import sigmoid
from churnkit.models.settings import Level, ModelSettings, Predictions
from churnkit.models.spend_fit import fit_spend, learn_spend
from churnkit.models.total import fit_total_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.learner import FittedLearner, Learner
    from churnkit.models.spend import SpendModel
    from churnkit.models.spend_fit import Judge
    from churnkit.models.staying import ChurnForecast

__all__ = ["Level", "ModelSettings", "Models", "Predictions", "fit_models"]


@shared_bins()
def fit_models(
    train: Sequence[LabelledSnapshot], *, settings: ModelSettings, judge: Judge
) -> tuple[Models, dict[str, Any]]:
    """Fit everything on training snapshots, oldest first.

    Parameters
    ----------
    train : sequence of LabelledSnapshot
        No label window may reach past the first instant that the run is tested on.
    settings : ModelSettings
        What to fit.
    judge : callable
        Metrics of expected spend, for the notes.

    Returns
    -------
    models : Models
    notes : dict
        What was chosen and why, by ``churn.``, ``spend.`` and ``level.`` name, for the run's log.
    """
    value = fit_contract_value(train)
    if value is not None:
        return _fit_contracts(train, value=value, settings=settings)
    split = split_for_validation(train)
    no_order = all(np.array_equal(s.churned, s.future_orders == 0) for s in train)
    newest = train[-1]
    forecast = newest.forecast(settings.purchase_kind)
    first: tuple[FittedLearner | None, SpendModel | None] = (None, None)
    asked = settings
    if split is not None:
        beside = forecast if no_order else None
        first, settings = _judged(train, split=split, forecast=beside, settings=settings)
    final = _learn(train, settings=settings)
    churn = fit_churn(
        train,
        final=final[0],
        first=first[0],
        forecast=forecast if no_order else None,
        calibration=settings.calibration,
        seed=settings.seed,
    )
    ordering = None
    if churn.validation_log_odds is not None:
        ordering = 1.0 - sigmoid(churn.validation_log_odds)
        if not no_order and forecast is not None:
            ordering = forecast.order_probability
    spend = fit_spend(
        newest,
        final=final[1],
        first=first[1],
        judge=judge,
        validation_order_probability=ordering,
        forecast=forecast,
    )
    interval = None
    if spend.validation_value is not None:
        interval = fit_interval(
            value=spend.validation_value,
            future_spend=newest.future_spend,
            coverage=settings.interval,
        )
    level = fit_level(train, kind=settings.purchase_kind)
    total = None
    if settings.spend_level != "none":
        total = fit_total_band(
            level, train, coverage=settings.interval, corrected=settings.spend_level == "auto"
        )
    models = Models(
        churn=churn.model,
        spend=spend.model,
        interval=interval,
        settings=settings,
        level=level,
        churn_is_no_order=no_order,
        total=total,
    )
    notes = {f"churn.{k}": v for k, v in churn.notes.items()} | {
        "churn.trees": "usual" if settings is asked else "finer"
    }
    notes |= {f"spend.{k}": v for k, v in spend.notes.items()}
    notes |= {"level.churn": settings.churn_level, "level.spend": settings.spend_level}
    for point in level.points:
        notes[f"level.missed_log_spend.{point.cutoff}"] = point.log_spend
        notes[f"level.missed_log_odds.{point.cutoff}"] = point.log_odds
    return models, notes


def _judged(
    train: Sequence[LabelledSnapshot],
    *,
    split: tuple[Sequence[LabelledSnapshot], LabelledSnapshot],
    forecast: ChurnForecast | None,
    settings: ModelSettings,
) -> tuple[tuple[FittedLearner, SpendModel], ModelSettings]:
    """Return what the earlier snapshots teach, to be judged on the later, and with which settings."""
    first = _learn(split[0], settings=settings)
    finer = finer_settings(settings, train=train, split=split, first=first[0], forecast=forecast)
    return (first, settings) if finer is None else (_learn(split[0], settings=finer), finer)


def _learners(settings: ModelSettings) -> tuple[Learner, Learner]:
    """Return the learners of churn and of spend."""
    churn, spend = (
        MODELS[name](params=params, seed=settings.seed, threads=settings.threads)
        for name, params in (
            (settings.churn_model, settings.churn_params),
            (settings.spend_model, settings.spend_params),
        )
    )
    return churn, spend


def _learn(
    snapshots: Sequence[LabelledSnapshot], *, settings: ModelSettings
) -> tuple[FittedLearner, SpendModel]:
    """Fit all that is learned of the same rows in turn, so that only their bins are in memory."""
    churn, spend = _learners(settings)
    return (
        learn_churn(snapshots, learner=churn),
        learn_spend(snapshots, learner=spend, objective=settings.objective),
    )


def _fit_contracts(
    train: Sequence[LabelledSnapshot],
    *,
    value: ContractValue,
    settings: ModelSettings,
) -> tuple[Models, dict[str, Any]]:
    """Fit the churn of subscribers; what they pay follows from what they pay now."""
    learner, _ = _learners(settings)
    split = split_for_validation(train)
    churn = fit_churn(
        train,
        final=learn_churn(train, learner=learner),
        first=None if split is None else learn_churn(split[0], learner=learner),
        forecast=train[-1].staying,
        calibration=settings.calibration,
        cautious=learner,
        seed=settings.seed,
    )
    level = fit_level(train, kind=settings.purchase_kind)
    models = Models(
        churn=churn.model,
        spend=None,
        interval=None,
        settings=settings,
        level=level,
        churn_is_no_order=False,
        contract=value,
    )
    notes = {f"churn.{k}": v for k, v in churn.notes.items()} | {
        "level.churn": settings.churn_level
    }
    for point in level.points:
        notes[f"level.missed_log_odds.{point.cutoff}"] = point.log_odds
    return models, notes | {f"contract.{k}": v for k, v in value.to_dict().items()}
