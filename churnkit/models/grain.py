"""How fine the trees are: the usual ones, or finer ones where these gain much and beyond doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.churn import SURE, learn_churn, losses_beside
from churnkit.models.learner import MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.learner import FittedLearner
    from churnkit.models.settings import ModelSettings
    from churnkit.models.staying import ChurnForecast

__all__ = ["finer_settings"]

LEAST_GAIN = 0.05  # of the log loss: less may be the luck of one season


def finer_settings(
    settings: ModelSettings,
    *,
    train: Sequence[LabelledSnapshot],
    split: tuple[Sequence[LabelledSnapshot], LabelledSnapshot],
    first: FittedLearner,
    forecast: ChurnForecast | None,
) -> ModelSettings | None:
    """Return settings with finer trees if the customers keep to a rhythm that needs them.

    Who orders every thirty days is late on the day after: an edge that large leaves and random
    thresholds blur. Elsewhere these guard against luck. So the finer trees of churn, beside the
    classical model, have to gain a twentieth of the log loss at the later snapshot, and more than
    two standard errors; those of spend follow them.

    Parameters
    ----------
    settings : ModelSettings
        What was asked for. Parameters that are set in it stay.
    train : sequence of LabelledSnapshot
        All there are, as many as the models will learn from.
    split : tuple
        The earlier ones, and the one to judge on; see
        :func:`churnkit.models.churn.split_for_validation`.
    first : FittedLearner
        The usual trees of churn, fitted on the earlier ones.
    forecast : ChurnForecast or None
        The classical model's view of the later one.

    Returns
    -------
    ModelSettings or None
        None where the usual trees stay: also where rows are many, or the learner knows no finer ones.
    """
    rows = sum(len(s.churned) for s in train)
    found = replace(
        settings,
        churn_params=_finer(settings.churn_params, model=settings.churn_model, rows=rows),
        spend_params=_finer(settings.spend_params, model=settings.spend_model, rows=rows),
    )
    if found.churn_params == settings.churn_params:
        return None
    earlier, newest = split
    learner = MODELS[found.churn_model](
        params=found.churn_params, seed=found.seed, threads=found.threads
    )
    usual, other = (
        losses_beside(fitted.predict_raw(newest.features), forecast, churned=newest.churned)
        for fitted in (first, learn_churn(earlier, learner=learner))
    )
    gain = usual - other
    doubt = SURE * float(np.std(gain)) / len(gain) ** 0.5
    sure = float(np.mean(gain)) > max(doubt, LEAST_GAIN * float(np.mean(usual)))
    return found if sure else None


def _finer(asked: Mapping[str, Any], *, model: str, rows: int) -> dict[str, Any]:
    learner = MODELS[model]
    finer = learner.finer_parameters(rows) if hasattr(learner, "finer_parameters") else {}
    return {**finer, **asked}
