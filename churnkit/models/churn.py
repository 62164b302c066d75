"""Churn risk: P(no order in the horizon), ranked by a learner, calibrated, its level set apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.base import stack
from churnkit.models.calibration import (
    Calibrator,
    NoCalibrator,
    choose_calibrator,
    level_shift,
    sigmoid,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix, FittedLearner, LabelledSnapshot, Learner

    Floats = NDArray[np.float64]

__all__ = [
    "MOST_ROUNDS",
    "ChurnFit",
    "ChurnModel",
    "churn_level_shift",
    "fit_churn",
    "split_for_validation",
]

MOST_ROUNDS = 600


@dataclass(frozen=True, kw_only=True, eq=False)
class ChurnModel:
    """A learner of log-odds and the calibrator that follows it.

    Attributes
    ----------
    learner : FittedLearner
        Gives log-odds of churning.
    calibrator : Calibrator
        Monotone, so it moves no customer past another.
    """

    learner: FittedLearner
    calibrator: Calibrator

    def log_odds(self, features: FeatureMatrix) -> Floats:
        """Return calibrated log-odds of churning, before the level is set."""
        return self.calibrator.log_odds(self.learner.predict_raw(features))

    def probability(self, features: FeatureMatrix, *, shift: float = 0.0) -> Floats:
        """Return P(no order in the horizon), the log-odds moved by ``shift``."""
        return sigmoid(self.log_odds(features) + shift)


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
        ``rounds``, ``calibration`` and the log loss of each calibration tried.
    validation_log_odds : ndarray of float64 or None
        Log-odds for the newest training snapshot from a model that was not fitted on it.
    """

    model: ChurnModel
    notes: dict[str, Any]
    validation_log_odds: Floats | None


def fit_churn(
    train: Sequence[LabelledSnapshot],
    *,
    learner: Learner,
    calibration: str = "auto",
    seed: int = 7,
) -> ChurnFit:
    """Fit on stacked snapshots, choose rounds and calibration on a later one.

    Parameters
    ----------
    train : sequence of LabelledSnapshot
        Oldest first. The newest chooses the number of rounds and the calibration, then the model is
        fitted again on all of them with that number of rounds.
    learner : Learner
        What to fit.
    calibration : str, default "auto"
        ``none``, ``beta``, ``isotonic``, or the one that does best on the newest snapshot.
    seed : int
        Of the folds on which calibrations are compared.
    """
    split = split_for_validation(train)
    features, churned = stack(train), np.concatenate([s.churned for s in train])
    if split is None:
        # One usable snapshot: nothing later to choose on, so a fixed modest number of rounds.
        fitted = learner.fit(features, churned.astype(np.float64), objective="binary", rounds=100)
        return ChurnFit(
            model=ChurnModel(learner=fitted, calibrator=NoCalibrator()),
            notes={"rounds": fitted.rounds, "calibration": "none"},
            validation_log_odds=None,
        )
    earlier, newest = split
    first = learner.fit(
        stack(earlier),
        np.concatenate([s.churned for s in earlier]).astype(np.float64),
        objective="binary",
        rounds=MOST_ROUNDS,
        validation=(newest.features, newest.churned.astype(np.float64)),
    )
    log_odds = first.predict_raw(newest.features)
    calibrator, losses = choose_calibrator(
        calibration, log_odds=log_odds, churned=newest.churned, seed=seed
    )
    final = learner.fit(
        features, churned.astype(np.float64), objective="binary", rounds=max(first.rounds, 10)
    )
    notes = {
        "rounds": final.rounds,
        "calibration": calibrator.kind,
        "validation_cutoff": str(newest.snapshot.cutoff),
        **{f"calibration_log_loss_{name}": loss for name, loss in losses.items()},
    }
    return ChurnFit(
        model=ChurnModel(learner=final, calibrator=calibrator),
        notes=notes,
        validation_log_odds=calibrator.log_odds(log_odds),
    )


def churn_level_shift(log_odds: Floats, *, target_mean: float | None) -> float:
    """Return the constant added to all log-odds so that their mean probability is the target's.

    None, or a target of exactly 0 or 1, sets no level.
    """
    if target_mean is None or not 0.0 < target_mean < 1.0 or not len(log_odds):
        return 0.0
    return level_shift(log_odds, target_mean=target_mean)
