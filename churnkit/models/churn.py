"""Churn risk from a learner and a classical model beside it, calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.base import stack
from churnkit.models.calibration import Calibrator, NoCalibrator, choose_calibrator
from churnkit.models.log_odds import (
    churn_level_shift,
    log_loss_of,
    logit,
    losses_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix, LabelledSnapshot
    from churnkit.models.learner import FittedLearner, Learner
    from churnkit.models.staying import ChurnForecast

    Floats = NDArray[np.float64]

__all__ = [
    "ROUNDS",
    "ChurnFit",
    "ChurnModel",
    "churn_validation_loss",
    "fit_churn",
    "learn_churn",
    "losses_beside",
    "split_for_validation",
]

ROUNDS = 60
WEIGHTS = tuple(step / 10 for step in range(11))
WITHOUT_VALIDATION = 0.5
SURE = 2.0
JUDGED = 4  # of subscribers, the newest snapshots on which weights are judged,
ENDINGS = 1_000  # or fewer, if so many are seen to leave at them
DOUBT = 1.0  # log of how much likelier the curve alone is than the learner alone, beforehand
FARTHEST = 15.0  # nobody's churn is certain: three in ten million


@dataclass(frozen=True, kw_only=True, eq=False)
class ChurnModel:
    """A learner of log-odds, its share beside the classical model, and a calibrator.

    The classical model is the purchase model or, of subscribers, the retention curve.

    Attributes
    ----------
    learner : FittedLearner
        Gives log-odds of churning.
    calibrator : Calibrator
        Monotone, so it moves no customer past another.
    weight : float
        Of the learner's log-odds in [0, 1]; those of the classical model have the rest.
    """

    learner: FittedLearner
    calibrator: Calibrator
    weight: float = 1.0

    def log_odds(self, features: FeatureMatrix) -> Floats:
        """Return the learner's log-odds of churning."""
        return self.learner.predict_raw(features)

    def blend(self, log_odds: Floats, *, forecast: ChurnForecast | None) -> Floats:
        """Return calibrated log-odds of learner and classical model, before the level is set."""
        calibrated = self.calibrator.log_odds(_blend(log_odds, forecast, weight=self.weight))
        return np.clip(calibrated, -FARTHEST, FARTHEST)


def _blend(log_odds: Floats, forecast: ChurnForecast | None, *, weight: float) -> Floats:
    if forecast is None or weight == 1.0:
        return log_odds
    return weight * log_odds + (1.0 - weight) * logit(forecast.churn_probability)


def split_for_validation(
    train: Sequence[LabelledSnapshot],
) -> tuple[list[LabelledSnapshot], LabelledSnapshot] | None:
    """Return the snapshots to fit on and the later one to validate on.

    The newest training snapshot validates; those whose label window reaches past its cutoff are
    left out, so that nothing fitted has seen a day of it. None if no snapshot is left to fit on.
    """
    newest = train[-1]
    earlier = [s for s in train[:-1] if s.snapshot.label_end <= newest.snapshot.cutoff]
    return (earlier, newest) if earlier else None


@dataclass(frozen=True, kw_only=True, eq=False)
class ChurnFit:
    """A fitted churn model with what was learnt on the way.

    Attributes
    ----------
    model : ChurnModel
        Fitted on all training snapshots.
    notes : dict
        ``rounds``, ``weight``, ``calibration`` and the log loss of each calibration tried.
    validation_log_odds : ndarray of float64 or None
        Blended, calibrated log-odds for the newest training snapshot from a model that was not
        fitted on it, at the level of what happened there.
    """

    model: ChurnModel
    notes: dict[str, Any]
    validation_log_odds: Floats | None


def fit_churn(
    train: Sequence[LabelledSnapshot],
    *,
    final: FittedLearner,
    first: FittedLearner | None,
    forecast: ChurnForecast | None,
    calibration: str = "auto",
    cautious: Learner | None = None,
    seed: int = 7,
) -> ChurnFit:
    """Choose the blend and the calibration of a learner on the newest snapshot.

    Parameters
    ----------
    train : sequence of LabelledSnapshot
        Oldest first.
    final : FittedLearner
        Fitted on all of them by :func:`learn_churn`: the one that is kept.
    first : FittedLearner or None
        Fitted on the earlier ones of :func:`split_for_validation`. It predicts the newest, where the
        weight of the learner beside the classical model and the calibration are chosen. None if there
        are no earlier ones.
    forecast : ChurnForecast or None
        The classical model's view of the newest snapshot's population; None blends nothing.
    calibration : str, default "auto"
        ``none``, ``beta``, ``isotonic``, or the one that does best on the newest snapshot.
    cautious : Learner, optional
        Where customers are few, the best of many is mostly luck. Take the mean of all weights, each
        as likely as it makes the newest snapshots, before which this is fitted, and a calibration only
        if it gains more than two standard errors.
    seed : int
        Of the folds on which calibrations are compared.
    """
    newest = train[-1]
    if first is None:
        # One usable snapshot: nothing later to choose on.
        weight = _weight_unseen(forecast, churned=newest.churned)
        model = ChurnModel(learner=final, calibrator=NoCalibrator(), weight=weight)
        notes = {"rounds": final.rounds, "weight": weight, "calibration": "none"}
        return ChurnFit(model=model, notes=notes, validation_log_odds=None)
    raw = first.predict_raw(newest.features)
    if cautious is None:
        weight = _best_weight(raw, forecast, churned=newest.churned)
    else:
        weight = _mean_weight(train, learner=cautious, raw=raw, forecast=forecast)
    blended = _at_own_level(_blend(raw, forecast, weight=weight), newest.churned)
    calibrator, losses = choose_calibrator(
        calibration,
        log_odds=blended,
        churned=newest.churned,
        seed=seed,
        standard_errors=0.0 if cautious is None else SURE,
    )
    notes = {
        "rounds": final.rounds,
        "weight": weight,
        "calibration": calibrator.kind,
        "validation_cutoff": str(newest.snapshot.cutoff),
        **{f"calibration_log_loss_{name}": loss for name, loss in losses.items()},
    }
    return ChurnFit(
        model=ChurnModel(learner=final, calibrator=calibrator, weight=weight),
        notes=notes,
        validation_log_odds=calibrator.log_odds(blended),
    )


def learn_churn(snapshots: Sequence[LabelledSnapshot], *, learner: Learner) -> FittedLearner:
    """Return a learner of churn, fitted on stacked snapshots."""
    churned = np.concatenate([s.churned for s in snapshots]).astype(np.float64)
    return learner.fit(stack(snapshots), churned, objective="binary", rounds=ROUNDS)


def churn_validation_loss(
    earlier: Sequence[LabelledSnapshot], newest: LabelledSnapshot, *, learner: Learner
) -> float:
    """Return the log loss of a learner of earlier snapshots at a later one, at its own level.

    The level is set by other means, so that it is not judged.
    """
    raw = learn_churn(earlier, learner=learner).predict_raw(newest.features)
    return log_loss_of(_at_own_level(raw, newest.churned), newest.churned)


def losses_beside(
    raw: Floats, forecast: ChurnForecast | None, *, churned: NDArray[np.bool_]
) -> Floats:
    """Return each customer's loss of log-odds beside the classical model, at the best weight."""
    blended = _blend(raw, forecast, weight=_best_weight(raw, forecast, churned=churned))
    return losses_of(_at_own_level(blended, churned), churned)


def _best_weight(
    raw: Floats, forecast: ChurnForecast | None, *, churned: NDArray[np.bool_]
) -> float:
    """Return the weight with the lowest log loss at the level of what happened."""
    if forecast is None:
        return 1.0
    if churned.all() or not churned.any():
        return WITHOUT_VALIDATION
    return WEIGHTS[int(np.argmin(_losses(raw, forecast, churned=churned)))]


def _weight_unseen(forecast: ChurnForecast | None, *, churned: NDArray[np.bool_]) -> float:
    """Return the weight of a learner that has seen all labels, so that it cannot be judged on them.

    The classical model has not seen them: where it is beyond doubt worse than their mean, it has no
    share. A purchase model of gifts that come once a year is.
    """
    if forecast is None:
        return 1.0
    if churned.all() or not churned.any():
        return WITHOUT_VALIDATION
    theirs, constant = (
        losses_of(_at_own_level(log_odds, churned), churned)
        for log_odds in (logit(forecast.churn_probability), np.zeros(len(churned)))
    )
    lost = theirs - constant
    doubt = SURE * float(lost.std()) / len(lost) ** 0.5
    return 1.0 if float(lost.mean()) > doubt else WITHOUT_VALIDATION


def _losses(raw: Floats, forecast: ChurnForecast, *, churned: NDArray[np.bool_]) -> Floats:
    """Return the log loss of each weight at the level of what happened."""
    blends = (_blend(raw, forecast, weight=weight) for weight in WEIGHTS)
    return np.array([log_loss_of(_at_own_level(blend, churned), churned) for blend in blends])


def _mean_weight(
    train: Sequence[LabelledSnapshot],
    *,
    learner: Learner,
    raw: Floats,
    forecast: ChurnForecast | None,
) -> float:
    """Return the mean of all weights, each as likely as it makes the newest snapshots.

    Each snapshot is predicted from earlier ones, the newest by ``raw`` and ``forecast``. A handful of
    endings would say little, and a learner that adds nothing is noise: before they are seen, the
    smaller weights are the likelier ones. Where horizons overlap, the same endings count once.
    """
    if forecast is None:
        return 1.0
    judged = [(train[-1], raw, forecast)]
    for newer in range(1, JUDGED):
        if sum(int(s.churned.sum()) for s, _, _ in judged) >= ENDINGS:
            break
        split = split_for_validation(train[:-newer]) if newer < len(train) else None
        if split is None or split[1].staying is None or not _can_learn(split[0]):
            break
        fitted = learn_churn(split[0], learner=learner)
        judged.append((split[1], fitted.predict_raw(split[1].features), split[1].staying))
    loss, days, seen = np.zeros(len(WEIGHTS)), 0, set[int]()
    for snapshot, mine, theirs in judged:
        if snapshot.churned.any() and not snapshot.churned.all():
            loss += len(snapshot.churned) * _losses(mine, theirs, churned=snapshot.churned)
            horizon = range(
                snapshot.snapshot.cutoff.toordinal(), snapshot.snapshot.label_end.toordinal()
            )
            days, seen = days + len(horizon), seen | set(horizon)
    if not days:
        return WITHOUT_VALIDATION
    weights = np.array(WEIGHTS)
    log_likely = -loss * (len(seen) / days) - DOUBT * weights
    likely = np.exp(log_likely - log_likely.max())
    return float(weights @ likely / likely.sum())


def _can_learn(snapshots: Sequence[LabelledSnapshot]) -> bool:
    churned = np.concatenate([s.churned for s in snapshots])
    return bool(churned.any() and not churned.all())


def _at_own_level(log_odds: Floats, churned: NDArray[np.bool_]) -> Floats:
    """Return log-odds moved to the share that churned: shape is judged apart from level."""
    return log_odds + churn_level_shift(log_odds, target_mean=float(churned.mean()))
