"""Contributions to expected spend, in logs: of what the spend model's learners say of a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.spend import OBJECTIVES, SMALLEST
from churnkit.reasons.contributions import TOLERANCE, Contributions, contributions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix
    from churnkit.models.spend import SpendModel

    Floats = NDArray[np.float64]

__all__ = ["spend_contributions"]


def spend_contributions(model: SpendModel, features: FeatureMatrix) -> Contributions:
    """Return contributions to the log of what the learners expect, checked to add up to it.

    Of a hurdle that is spend given an order, else spend. A learner of log(1 + spend) is carried over
    to log(spend) as :func:`.scales.on_probability` carries log-odds to probabilities. Purchase model,
    typical spend and level come after, and are the same for all features.

    Raises
    ------
    ModelGuardError
        If a row's contributions miss the log of its value by more than 1e-4.
    """
    kinds = OBJECTIVES[model.objective][0]
    found = [contributions(learner, features) for learner in model.learners]
    pairs = [_in_logs(one, kind=kind) for one, kind in zip(found, kinds, strict=True)]
    values = np.mean([values for values, _ in pairs], axis=0)
    base = float(np.mean([base for _, base in pairs]) + np.log(model.unit))
    if len(values):
        logs = np.log(model.value(features)[:, 0])
        error = float(np.max(np.abs(base + values.sum(axis=1) - logs)))
        if error > TOLERANCE * max(1.0, float(np.max(np.abs(logs)))):
            msg = f"explain: contributions must add up to the log of the spend; off by {error:.2g}"
            raise ModelGuardError(msg)
    return Contributions(
        feature_names=features.names, values=values, base=base, method=found[0].method
    )


def _in_logs(one: Contributions, *, kind: str) -> tuple[Floats, float]:
    if kind != "l2":
        return one.values, one.base
    total = one.values.sum(axis=1)
    start = float(_log_of(np.array([one.base]))[0])
    small = np.abs(total) < 1e-9
    end = _log_of(one.base + total)
    rate = np.where(small, 1.0, (end - start) / np.where(small, 1.0, total))
    return np.asarray(one.values * rate[:, None]), start


def _log_of(raw: Floats) -> Floats:
    """Return the log of the spend whose log(1 + spend) is given, as the model computes it."""
    spend = np.maximum(np.expm1(np.clip(raw, 0.0, 50.0)), SMALLEST)
    return np.asarray(np.log(spend))
