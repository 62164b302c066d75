"""Fits churn risk and expected spend together, and predicts both at one level."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.base import MODELS
from churnkit.models.calibration import sigmoid
from churnkit.models.churn import (
    ChurnModel,
    churn_level_shift,
    fit_churn,
)
from churnkit.models.lifetime_value import (
    SpendInterval,
    SpendModel,
    fit_interval,
    fit_spend,
    spend_factor,
)
from churnkit.models.purchase import forecast_purchases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix, LabelledSnapshot
    from churnkit.models.lifetime_value import Judge
    from churnkit.models.purchase import PurchaseForecast

    Floats = NDArray[np.float64]

__all__ = ["Level", "ModelSettings", "Models", "Predictions", "fit_models"]


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What a configuration says about the models, as plain values.

    Attributes
    ----------
    churn_model, spend_model : str
        Registered learners.
    churn_params, spend_params : mapping
        Parameters of the learners that replace the defaults.
    calibration : str
        ``auto``, ``none``, ``beta`` or ``isotonic``.
    churn_level, spend_level : {"purchase_model", "none"}
        What sets the mean probability and the total spend of a portfolio.
    objective : str
        ``auto`` or a name of :data:`churnkit.models.lifetime_value.OBJECTIVES`.
    interval : float
        Nominal coverage of the spend interval.
    purchase_kind : str
        Purchase model that sets the level: ``bg_nbd``, ``mbg_nbd``.
    seed, threads : int
        Seed of everything random; 0 threads means all cores.
    """

    churn_model: str = "lightgbm"
    spend_model: str = "lightgbm"
    churn_params: Mapping[str, Any] = field(default_factory=dict)
    spend_params: Mapping[str, Any] = field(default_factory=dict)
    calibration: str = "auto"
    churn_level: str = "purchase_model"
    spend_level: str = "purchase_model"
    objective: str = "auto"
    interval: float = 0.8
    purchase_kind: str = "bg_nbd"
    seed: int = 7
    threads: int = 0


@dataclass(frozen=True, kw_only=True)
class Level:
    """What was done to the predictions of one portfolio to set their level.

    Attributes
    ----------
    log_odds_shift : float
        Constant added to the log-odds of churning; 0 leaves them.
    spend_factor : float
        Factor on expected spend; 1 leaves it.
    """

    log_odds_shift: float = 0.0
    spend_factor: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Predictions for the customers of one population, arrays of shape (n,)."""

    churn_probability: Floats
    expected_spend: Floats
    expected_spend_low: Floats | None
    expected_spend_high: Floats | None
    level: Level


@dataclass(frozen=True, kw_only=True, eq=False)
class Models:
    """The fitted models of a run."""

    churn: ChurnModel
    spend: SpendModel
    interval: SpendInterval | None
    settings: ModelSettings

    def at_level(
        self, log_odds: Floats, value: Floats, *, forecast: PurchaseForecast | None
    ) -> tuple[Floats, Floats, Level]:
        """Return churn probability and expected spend of a whole population at its level.

        Parameters
        ----------
        log_odds, value : ndarray of float64, shape (n,)
            What the churn and the spend model said of each customer.
        forecast : PurchaseForecast or None
            The purchase model's predictions for the same customers; None sets no level.
        """
        shift, factor = 0.0, 1.0
        if forecast is not None and self.settings.churn_level == "purchase_model":
            mean = float(np.mean(1.0 - forecast.order_probability))
            shift = churn_level_shift(log_odds, target_mean=mean)
        probability = sigmoid(log_odds + shift)
        # A hurdle multiplies by P(order), so the churn level comes first.
        spend = self.spend.expected_spend(value, order_probability=1.0 - probability)
        if forecast is not None and self.settings.spend_level == "purchase_model":
            factor = spend_factor(spend, total=float(forecast.expected_spend.sum()))
        return probability, spend * factor, Level(log_odds_shift=shift, spend_factor=factor)

    def predict(self, features: FeatureMatrix, *, forecast: PurchaseForecast | None) -> Predictions:
        """Return predictions for a whole population at once: the level is set over all of it."""
        probability, spend, level = self.at_level(
            self.churn.log_odds(features), self.spend.value(features), forecast=forecast
        )
        low = high = None
        if self.interval is not None:
            low, high = self.interval.bounds(features)
            low, high = np.minimum(low, spend), np.maximum(high, spend)
        return Predictions(
            churn_probability=probability,
            expected_spend=spend,
            expected_spend_low=low,
            expected_spend_high=high,
            level=level,
        )


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
        Metrics of expected spend, to choose the objective by.

    Returns
    -------
    models : Models
    notes : dict
        What was chosen and why, by ``churn.`` and ``spend.`` name, for the run's log.
    """
    churn_learner, spend_learner = (
        MODELS[name](params=params, seed=settings.seed, threads=settings.threads)
        for name, params in (
            (settings.churn_model, settings.churn_params),
            (settings.spend_model, settings.spend_params),
        )
    )
    churn = fit_churn(
        train, learner=churn_learner, calibration=settings.calibration, seed=settings.seed
    )
    probability = total = None
    if churn.validation_log_odds is not None:
        newest, log_odds = train[-1], churn.validation_log_odds
        forecast = forecast_purchases(newest.base, newest.snapshot, kind=settings.purchase_kind)
        shift = 0.0
        if forecast is not None:
            ours = forecast[newest.eligible]
            mean = float(np.mean(1.0 - ours.order_probability))
            shift = churn_level_shift(log_odds, target_mean=mean)
            total = float(ours.expected_spend.sum())
        probability = 1.0 - sigmoid(log_odds + shift)
    spend, spend_notes = fit_spend(
        train,
        learner=spend_learner,
        judge=judge,
        validation_order_probability=probability,
        validation_total=total if settings.spend_level == "purchase_model" else None,
        objective=settings.objective,
    )
    interval = fit_interval(train, learner=spend_learner, coverage=settings.interval)
    notes = {f"churn.{k}": v for k, v in churn.notes.items()}
    notes |= {f"spend.{k}": v for k, v in spend_notes.items()}
    models = Models(churn=churn.model, spend=spend, interval=interval, settings=settings)
    return models, notes
