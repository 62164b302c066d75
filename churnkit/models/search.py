"""Searches the parameters of the learners over folds that go forward in time."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.errors import ParameterError
from churnkit.models.churn import churn_validation_loss, split_for_validation
from churnkit.models.learner import MODELS
from churnkit.models.spend_fit import spend_validation_loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.learner import Learner
    from churnkit.models.training import ModelSettings

    Fold = tuple[list[LabelledSnapshot], LabelledSnapshot]
    Loss = Callable[[Fold, Learner], float | None]

__all__ = ["Search", "Trial", "search_parameters"]

# A gain smaller than a thousandth does not survive the months between the snapshots.
LEAST_GAIN = 1e-3


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of parameters.

    Attributes
    ----------
    params : dict
        What was tried.
    loss : float
        Mean over the folds of the loss over that of the defaults: below 1 is better than they are.
    losses : tuple of float or None
        Loss at each fold, oldest first; None where nobody bought, which cannot judge spend.
    """

    params: Mapping[str, Any]
    loss: float
    losses: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search tried and found.

    Attributes
    ----------
    target : str
        ``churn`` or ``lifetime_value``.
    cutoffs : tuple of str
        Of the snapshots that the trials were judged on, oldest first.
    trials : tuple of Trial
        In the order they were tried; the first is the defaults.
    found : dict
        Parameters of the best trial; empty where none beats the defaults by a thousandth.
    """

    target: str
    cutoffs: tuple[str, ...]
    trials: tuple[Trial, ...]
    found: Mapping[str, Any]

    @property
    def best(self) -> Trial:
        """The trial with the lowest loss, the earliest of equals."""
        return min(self.trials, key=lambda trial: trial.loss)

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON: all but the trials."""
        return {
            "target": self.target,
            "cutoffs": list(self.cutoffs),
            "trials": len(self.trials),
            "best": asdict(self.best),
            "found": dict(self.found),
        }


def search_parameters(
    train: Sequence[LabelledSnapshot],
    *,
    settings: ModelSettings,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[ModelSettings, tuple[Search, ...]]:
    """Search parameters for the learners of churn and of spend.

    Every trial is fitted once for each of the newest training snapshots, on the snapshots whose
    labels had ended by then, and judged there. Nothing later than the training snapshots is seen.
    The first trial is the defaults, and they stay where no other beats them.

    Parameters
    ----------
    train : sequence of LabelledSnapshot
        The training snapshots, oldest first.
    settings : ModelSettings
        ``search_trials`` for each learner (0 searches nothing) and ``search_folds``. Parameters
        that are set in it are not searched.
    progress : callable
        Told each trial.

    Returns
    -------
    settings : ModelSettings
        With the parameters found.
    searches : tuple of Search
        Empty where nothing was searched: no trials, or no snapshot with a matured one before it.

    Raises
    ------
    ParameterError
        If optuna is not installed, or the learner has no parameters to search.
    """
    folds = _folds(train, most=settings.search_folds)
    if not settings.search_trials or not folds:
        return settings, ()
    churn = _search(
        "churn",
        folds,
        model=settings.churn_model,
        fixed=settings.churn_params,
        settings=settings,
        loss=lambda fold, learner: churn_validation_loss(*fold, learner=learner),
        progress=progress,
    )
    if train[-1].contracts is not None:
        # What subscribers spend follows from what they pay: there is no learner of it.
        return replace(settings, churn_params={**settings.churn_params, **churn.found}), (churn,)
    spend = _search(
        "lifetime_value",
        folds,
        model=settings.spend_model,
        fixed=settings.spend_params,
        settings=settings,
        loss=lambda fold, learner: spend_validation_loss(
            *fold, learner=learner, objective=settings.objective
        ),
        progress=progress,
    )
    found = replace(
        settings,
        churn_params={**settings.churn_params, **churn.found},
        spend_params={**settings.spend_params, **spend.found},
    )
    return found, (churn, spend)


def _folds(train: Sequence[LabelledSnapshot], *, most: int) -> list[Fold]:
    """Return what to fit on and what to judge on, for the newest snapshots that allow it."""
    splits = (split_for_validation(train[: end + 1]) for end in range(len(train)))
    return [split for split in splits if split is not None][-most:]


def _search(
    target: str,
    folds: Sequence[Fold],
    *,
    model: str,
    fixed: Mapping[str, Any],
    settings: ModelSettings,
    loss: Loss,
    progress: Callable[[str], None],
) -> Search:
    learner = MODELS[model]
    if not hasattr(learner, "search_space"):
        msg = f"search.trials: the model {model!r} has no parameters to search; set it to 0"
        raise ParameterError(msg)
    rows = sum(len(s.churned) for s in folds[-1][0])
    space = {k: v for k, v in learner.search_space(rows).items() if k not in fixed}
    trials: list[Trial] = []

    def judge(tried: Mapping[str, Any]) -> float:
        params = {**tried, **fixed}
        made = learner(params=params, seed=settings.seed, threads=settings.threads)
        losses = tuple(loss(fold, made) for fold in folds)
        against = trials[0].losses if trials else losses
        judged = [
            ours / theirs
            for ours, theirs in zip(losses, against, strict=True)
            if ours is not None and theirs is not None
        ]
        ratio = float(np.mean(judged)) if judged else 1.0
        trials.append(Trial(params=dict(tried), loss=ratio, losses=losses))
        progress(
            f"search {target}: trial {len(trials)} of {settings.search_trials},"
            f" loss {ratio:.4f} of the defaults'"
        )
        return ratio

    judge({})
    _optimise(judge, space=space, trials=settings.search_trials - 1, seed=settings.seed)
    best = min(trials, key=lambda trial: trial.loss)
    return Search(
        target=target,
        cutoffs=tuple(str(newest.snapshot.cutoff) for _, newest in folds),
        trials=tuple(trials),
        found=dict(best.params) if best.loss < 1.0 - LEAST_GAIN else {},
    )


def _optimise(
    judge: Callable[[Mapping[str, Any]], float],
    *,
    space: Mapping[str, tuple[float, float, bool]],
    trials: int,
    seed: int,
) -> None:
    """Try parameters by a tree-structured Parzen estimator, the same ones for the same seed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        msg = "search.trials: a search needs optuna: pip install 'churnkit-ml[search]'"
        raise ParameterError(msg) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for _ in range(trials):
        trial = study.ask()
        tried = {
            name: trial.suggest_int(name, int(low), int(high), log=log)
            if isinstance(low, int)
            else trial.suggest_float(name, low, high, log=log)
            for name, (low, high, log) in space.items()
        }
        study.tell(trial, judge(tried))
