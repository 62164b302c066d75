"""Expected spend in the horizon: learners of value and the purchase model, pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.base import stack
from churnkit.models.churn import ROUNDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from churnkit.models.base import FeatureMatrix, LabelledSnapshot
    from churnkit.models.learner import FittedLearner, Learner
    from churnkit.models.purchase_forecast import PurchaseForecast

    Floats = NDArray[np.float64]

__all__ = [
    "OBJECTIVES",
    "SMALLEST",
    "Judge",
    "SpendFit",
    "SpendModel",
    "factor_to",
    "fit_spend",
    "learn_spend",
    "spend_factor",
    "spend_target",
    "spend_validation_loss",
]

# Name in a configuration → objectives of its learners, and whether they see buyers only.
OBJECTIVES: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "hurdle": (("gamma", "l2"), True),
    "hurdle_gamma": (("gamma",), True),
    "hurdle_lognormal": (("l2",), True),
    "tweedie_1.1": (("tweedie:1.1",), False),
    "tweedie_1.3": (("tweedie:1.3",), False),
    "tweedie_1.5": (("tweedie:1.5",), False),
}
WITH_TYPICAL = frozenset({"hurdle"})
ALIASES = {"auto": "hurdle", "tweedie": "tweedie_1.3"}
# Fixed on purpose: the best weights on one later snapshot were worse on the next, see benchmarks.
WEIGHT = 0.5
TYPICAL_SHARE = 0.2
# Of the median spend of those who spend: what log(1 + spend) takes for one.
UNIT_SHARE = 0.003
SMALLEST = 1e-6


class Judge(Protocol):
    """Scores predictions: metric names to numbers (see :mod:`churnkit.evaluation.predictive`)."""

    def __call__(
        self, future_spend: ArrayLike, expected_spend: ArrayLike
    ) -> dict[str, float | None]:
        """Return the metrics."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SpendModel:
    """Expected net spend in the horizon: a geometric mean of views, at one total.

    Attributes
    ----------
    objective : str
        A key of :data:`OBJECTIVES`.
    learners : tuple of FittedLearner
        One for each objective of it; their predictions are averaged in logs. A hurdle's learners
        see buyers only and predict spend given an order.
    typical : FittedLearner or None
        Of log(1 + spend) of everybody: it knows best who will spend more than whom.
    weight : float
        Of the learners' log value in [0, 1]; the purchase model's has the rest.
    typical_share : float
        Of the typical spend's logs in the result, in [0, 1).
    unit : float
        Currency a learner's 1 stands for, > 0: taken from the training spend, so that predictions
        in another currency are the same customers in the same order.
    """

    objective: str
    learners: tuple[FittedLearner, ...]
    typical: FittedLearner | None = None
    weight: float = 1.0
    typical_share: float = 0.0
    unit: float = 1.0

    @property
    def is_hurdle(self) -> bool:
        """Whether the learners predict spend given an order."""
        return OBJECTIVES[self.objective][1]

    def value(self, features: FeatureMatrix) -> Floats:
        """Return what the learners say, in currency, > 0.

        Returns
        -------
        ndarray of float64, shape (n, 1) or (n, 2)
            Spend given an order (of a hurdle) or spend, then the typical spend if there is one.
        """
        kinds = OBJECTIVES[self.objective][0]
        logs = [
            np.log(np.maximum(_in_units(learner.predict(features), kind=kind), SMALLEST))
            for kind, learner in zip(kinds, self.learners, strict=True)
        ]
        columns = [np.exp(np.mean(logs, axis=0))]
        if self.typical is not None:
            columns.append(_in_units(self.typical.predict(features), kind="l2"))
        return np.asarray(np.maximum(np.column_stack(columns), SMALLEST) * self.unit)

    def given_order(
        self, value: Floats, *, order_probability: Floats, forecast: PurchaseForecast | None
    ) -> Floats:
        """Return spend given an order of a whole population, > 0, before the level is set.

        Parameters
        ----------
        value : ndarray of float64, shape (n, 1) or (n, 2)
            What :meth:`value` returned.
        order_probability : ndarray of float64, shape (n,)
            P(at least one order in the horizon).
        forecast : PurchaseForecast or None
            The purchase model's view of the same customers; None blends nothing.
        """
        own, pooled = self.views(value, order_probability=order_probability, forecast=forecast)
        if self.typical_share == 0.0:
            return own
        p = np.maximum(order_probability, SMALLEST)
        return np.asarray(pooled * spend_factor(p * pooled, total=float(np.sum(p * own))))

    def views(
        self, value: Floats, *, order_probability: Floats, forecast: PurchaseForecast | None
    ) -> tuple[Floats, Floats]:
        """Return spend given an order without and with the typical spend, the latter at no total.

        Parameters are those of :meth:`given_order`; neither depends on who else is scored.
        """
        p = np.maximum(order_probability, SMALLEST)
        own = value[:, 0] if self.is_hurdle else value[:, 0] / p
        own = _blend(own, forecast, weight=self.weight)
        if self.typical_share == 0.0:
            return own, own
        # Spend is p times what is returned, so the typical spend is divided by p as well. It lies
        # far below the mean: only its shape is used, the total stays.
        return own, own ** (1.0 - self.typical_share) * (value[:, 1] / p) ** self.typical_share


def _in_units(predicted: Floats, *, kind: str) -> Floats:
    return np.asarray(np.expm1(np.clip(predicted, 0.0, 50.0))) if kind == "l2" else predicted


def _blend(own: Floats, forecast: PurchaseForecast | None, *, weight: float) -> Floats:
    """Return the geometric mean with the purchase model's value of a customer who orders."""
    if forecast is None or weight == 1.0:
        return own
    theirs = forecast.expected_spend / np.maximum(forecast.order_probability, SMALLEST)
    logs = weight * np.log(np.maximum(own, SMALLEST)) + (1.0 - weight) * np.log(
        np.maximum(theirs, SMALLEST)
    )
    return np.asarray(np.exp(logs))


@dataclass(frozen=True, kw_only=True, eq=False)
class SpendFit:
    """A fitted spend model with what was learnt on the way.

    Attributes
    ----------
    model : SpendModel
        Fitted on all training snapshots.
    notes : dict
        The objective, its rounds, the weight and how it did on the newest snapshot.
    validation_value : ndarray of float64 or None
        Spend given an order of the newest training snapshot's population, from learners that have
        not seen it, at the level of what happened there.
    """

    model: SpendModel
    notes: dict[str, Any]
    validation_value: Floats | None


def fit_spend(
    newest: LabelledSnapshot,
    *,
    final: SpendModel,
    first: SpendModel | None,
    judge: Judge,
    validation_order_probability: Floats | None,
    forecast: PurchaseForecast | None,
) -> SpendFit:
    """Pool expected spend with the purchase model, and judge it on the newest snapshot.

    Parameters
    ----------
    newest : LabelledSnapshot
        Of those that are trained on.
    final : SpendModel
        Fitted on all of them by :func:`learn_spend`: the one that is kept.
    first : SpendModel or None
        Fitted on the earlier ones of :func:`churnkit.models.churn.split_for_validation`; None if there
        are none.
    judge : callable
        Metrics of the choice, for the notes.
    validation_order_probability : ndarray or None
        P(order) of the newest snapshot's customers, from a model that has not seen it.
    forecast : PurchaseForecast or None
        The purchase model's view of the same customers; None blends nothing.

    Notes
    -----
    Logs are averaged with fixed weights: half the learners', half the purchase model's, then a
    fifth of the typical spend's. On rolling origins, weights chosen on the newest snapshot had a
    higher decile error and no better ranking than these, and the hurdle beat Tweedie in ranking and
    total; see ``benchmarks/README.md``.
    """
    model = final
    if forecast is not None:
        model = replace(model, weight=WEIGHT)
    notes: dict[str, Any] = {"objective": model.objective, "rounds": model.learners[0].rounds}
    value = None
    if first is not None and validation_order_probability is not None:
        first = replace(first, weight=model.weight)
        p, spend = validation_order_probability, newest.future_spend
        value = first.given_order(
            first.value(newest.features), order_probability=p, forecast=forecast
        )
        value = value * spend_factor(p * value, total=float(spend.sum()))
        notes |= {f"validation.{k}": v for k, v in judge(spend, p * value).items()}
    notes |= {"weight": model.weight, "typical_share": model.typical_share}
    return SpendFit(model=model, notes=notes, validation_value=value)


def spend_validation_loss(
    earlier: Sequence[LabelledSnapshot],
    newest: LabelledSnapshot,
    *,
    learner: Learner,
    objective: str,
) -> float | None:
    """Return the Tweedie deviance of learners of earlier snapshots at a later one, at its own total.

    A hurdle's learners are judged on those who bought. None where nobody did.
    """
    from sklearn.metrics import mean_tweedie_deviance

    model = learn_spend(earlier, learner=learner, objective=objective)
    spend = np.maximum(newest.future_spend, 0.0)
    judged = spend > 0.0 if model.is_hurdle else np.ones(len(spend), dtype=bool)
    if not spend[judged].any():
        return None
    value = model.value(newest.features[judged])[:, 0]
    value = value * spend_factor(value, total=float(spend[judged].sum()))
    return float(mean_tweedie_deviance(spend[judged], value, power=1.5))


def learn_spend(
    snapshots: Sequence[LabelledSnapshot], *, learner: Learner, objective: str = "auto"
) -> SpendModel:
    """Return learners of expected spend, fitted on stacked snapshots, with nothing beside them.

    Parameters
    ----------
    snapshots : sequence of LabelledSnapshot
    learner : Learner
        What to fit.
    objective : str
        A key of :data:`OBJECTIVES`; ``auto`` is ``hurdle``, ``tweedie`` is ``tweedie_1.3``.

    Raises
    ------
    ModelGuardError
        If nobody spends anything.
    """
    name = ALIASES.get(objective, objective)
    kinds, buyers_only = OBJECTIVES[name]
    bought = np.concatenate([s.future_spend > 0.0 for s in snapshots])
    if not bought.any():
        msg = "expected spend: no customer spends anything in any training horizon"
        raise ModelGuardError(msg)
    unit = UNIT_SHARE * float(np.median(_spend(snapshots)[bought]))
    features = stack(snapshots)
    typical = None
    if name in WITH_TYPICAL:
        # First, as it learns from the same rows as churn before it: their bins are still there.
        typical = learner.fit(
            features,
            spend_target(_spend(snapshots), unit=unit, kind="l2"),
            objective="l2",
            rounds=ROUNDS,
        )
    rows = bought if buyers_only else None
    learners = tuple(
        learner.fit(
            features,
            spend_target(_spend(snapshots, rows=rows), unit=unit, kind=kind),
            objective=kind,
            rounds=ROUNDS,
            rows=rows,
        )
        for kind in kinds
    )
    share = TYPICAL_SHARE if typical is not None else 0.0
    return SpendModel(
        objective=name, learners=learners, typical=typical, typical_share=share, unit=unit
    )


def _spend(
    snapshots: Sequence[LabelledSnapshot], *, rows: NDArray[np.bool_] | None = None
) -> Floats:
    """Return the spend of stacked snapshots: anew each time, as it would be kept while trees grow."""
    spend = np.concatenate([s.future_spend for s in snapshots])
    return spend if rows is None else spend[rows]


def spend_target(spend: Floats, *, unit: float, kind: str) -> Floats:
    """Return what a learner of one objective is taught; a net return counts as no spend."""
    amount = np.maximum(spend, 0.0) / unit
    return np.asarray(np.log1p(amount) if kind == "l2" else amount)


def spend_factor(expected: Floats, *, total: float | None) -> float:
    """Return what predictions are multiplied by so that they add up to ``total``.

    1 where there is no total, or where it or the sum of the predictions is not positive.

    Examples
    --------
    >>> spend_factor(np.array([10.0, 30.0]), total=60.0)
    1.5
    """
    return factor_to(total, current=float(expected.sum()))


def factor_to(total: float | None, *, current: float) -> float:
    """Return what a sum is multiplied by to become ``total``; 1 unless both are positive."""
    if total is None or total <= 0.0 or current <= 0.0:
        return 1.0
    return float(total / current)
