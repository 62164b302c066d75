"""Expected spend in the horizon with an interval, and what it is worth today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.base import stack
from churnkit.models.churn import MOST_ROUNDS, split_for_validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from churnkit.models.base import FeatureMatrix, FittedLearner, LabelledSnapshot, Learner

    Floats = NDArray[np.float64]

__all__ = [
    "OBJECTIVES",
    "Judge",
    "SpendInterval",
    "SpendModel",
    "expected_ltv",
    "fit_interval",
    "fit_spend",
    "spend_factor",
]

# Name in a configuration → (objective of the learner, whether it is fitted on buyers only).
OBJECTIVES: Mapping[str, tuple[str, bool]] = {
    "tweedie_1.1": ("tweedie:1.1", False),
    "tweedie_1.3": ("tweedie:1.3", False),
    "tweedie_1.5": ("tweedie:1.5", False),
    "hurdle_gamma": ("gamma", True),
    "hurdle_lognormal": ("l2", True),
}


class Judge(Protocol):
    """Scores predictions: metric names to numbers (see :mod:`churnkit.evaluation.predictive`)."""

    def __call__(
        self, future_spend: ArrayLike, expected_spend: ArrayLike
    ) -> dict[str, float | None]:
        """Return the metrics."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SpendModel:
    """Expected net spend in the horizon.

    Attributes
    ----------
    objective : str
        A key of :data:`OBJECTIVES`.
    learner : FittedLearner
        Of spend, or, for a hurdle, of spend given an order.
    smearing : float
        Factor that takes the mean of a log-normal prediction back to currency (Duan 1983); 1 for
        the other objectives.
    """

    objective: str
    learner: FittedLearner
    smearing: float = 1.0

    @property
    def is_hurdle(self) -> bool:
        """Whether the learner predicts spend given an order."""
        return OBJECTIVES[self.objective][1]

    def value(self, features: FeatureMatrix) -> Floats:
        """Return the learner's own prediction in currency, >= 0: of spend, or of spend given an order."""
        predicted = self.learner.predict(features)
        if self.objective == "hurdle_lognormal":
            return np.asarray(np.expm1(np.clip(predicted, 0.0, 50.0)) * self.smearing)
        return predicted

    def expected_spend(self, value: Floats, *, order_probability: Floats) -> Floats:
        """Return expected spend before the level is set, >= 0, in the currency of the orders.

        Parameters
        ----------
        value : ndarray of float64, shape (n,)
            What :meth:`value` returned.
        order_probability : ndarray of float64, shape (n,)
            P(at least one order in the horizon); a hurdle multiplies by it.
        """
        return value * order_probability if self.is_hurdle else value


def fit_spend(
    train: Sequence[LabelledSnapshot],
    *,
    learner: Learner,
    judge: Judge,
    validation_order_probability: Floats | None,
    validation_total: float | None,
    objective: str = "auto",
) -> tuple[SpendModel, dict[str, Any]]:
    """Fit expected spend; with ``objective="auto"``, choose among all on the newest snapshot.

    The candidates are compared at the level that they will be used at: scaled to
    ``validation_total``. The choice has the lowest sum of ranks over normalised Gini, decile MAPE
    and RMSE.

    Parameters
    ----------
    train : sequence of LabelledSnapshot
        Oldest first.
    learner : Learner
        What to fit.
    judge : callable
        Gives ``spend.gini_normalized``, ``spend.decile_mape`` and ``spend.rmse``.
    validation_order_probability : ndarray or None
        P(order) of the newest snapshot's customers, from a model that has not seen it.
    validation_total : float or None
        Total that the level's source expects for them; None compares unscaled.
    objective : str
        A key of :data:`OBJECTIVES`, ``tweedie`` for all powers of it, or ``auto`` for all.

    Returns
    -------
    model : SpendModel
    notes : dict
        The objective, its rounds, and each candidate's metrics on the newest snapshot.
    """
    split = split_for_validation(train)
    notes: dict[str, Any] = {}
    rounds: dict[str, int] = {}
    if split is not None and validation_order_probability is not None:
        earlier, newest = split
        results = {}
        for name in _candidates(objective):
            candidate = _fit_one(name, earlier, learner=learner, validation=newest)
            predicted = candidate.expected_spend(
                candidate.value(newest.features), order_probability=validation_order_probability
            )
            predicted = predicted * spend_factor(predicted, total=validation_total)
            results[name] = judge(newest.future_spend, predicted)
            rounds[name] = candidate.learner.rounds
        objective = _best(results)
        for name, metrics in results.items():
            for metric, value in metrics.items():
                notes[f"validation.{name}.{metric}"] = value
    elif objective not in OBJECTIVES:
        objective = "tweedie_1.3"
    final = _fit_one(objective, train, learner=learner, rounds=max(rounds.get(objective, 100), 10))
    return final, {"objective": objective, "rounds": final.learner.rounds, **notes}


def _candidates(objective: str) -> list[str]:
    if objective in OBJECTIVES:
        return [objective]
    return [name for name in OBJECTIVES if objective == "auto" or name.startswith(objective)]


def _fit_one(
    name: str,
    snapshots: Sequence[LabelledSnapshot],
    *,
    learner: Learner,
    validation: LabelledSnapshot | None = None,
    rounds: int = MOST_ROUNDS,
) -> SpendModel:
    objective, buyers_only = OBJECTIVES[name]
    features, spend = stack(snapshots), np.concatenate([s.future_spend for s in snapshots])
    features, target = _target(name, features, spend)
    if not len(target) or target.max() <= 0.0:
        msg = "expected spend: no customer spends anything in any training horizon"
        raise ModelGuardError(msg)
    watched = None
    if validation is not None:
        watched = _target(name, validation.features, validation.future_spend)
        watched = watched if len(watched[1]) else None
    fitted = learner.fit(features, target, objective=objective, rounds=rounds, validation=watched)
    smearing = 1.0
    if buyers_only and objective == "l2":
        predicted = np.expm1(np.clip(fitted.predict(features), 0.0, 50.0))
        smearing = float(np.expm1(target).sum() / predicted.sum())
    return SpendModel(objective=name, learner=fitted, smearing=smearing)


def _target(name: str, features: FeatureMatrix, spend: Floats) -> tuple[FeatureMatrix, Floats]:
    """Return rows and target of an objective; a net return counts as no spend."""
    objective, buyers_only = OBJECTIVES[name]
    if buyers_only:
        bought = spend > 0.0
        features, spend = features[bought], spend[bought]
    target = np.maximum(spend, 0.0)
    return features, np.log1p(target) if objective == "l2" else target


def _best(results: Mapping[str, Mapping[str, float | None]]) -> str:
    names = list(results)
    total = np.zeros(len(names))
    for metric, sign in (("gini_normalized", -1.0), ("decile_mape", 1.0), ("rmse", 1.0)):
        values = [results[n][f"spend.{metric}"] for n in names]
        numbers = np.array([np.inf if v is None else sign * v for v in values])
        total += np.argsort(np.argsort(numbers, kind="stable"), kind="stable")
    return names[int(np.argmin(total))]


def spend_factor(expected: Floats, *, total: float | None) -> float:
    """Return what predictions are multiplied by so that they add up to ``total``.

    1 where there is no total, or where it or the sum of the predictions is not positive.

    Examples
    --------
    >>> spend_factor(np.array([10.0, 30.0]), total=60.0)
    1.5
    """
    current = float(expected.sum())
    if total is None or total <= 0.0 or current <= 0.0:
        return 1.0
    return total / current


@dataclass(frozen=True, kw_only=True, eq=False)
class SpendInterval:
    """An interval for spend: two quantile learners, widened by tier until it covers what it says.

    Attributes
    ----------
    low, high : FittedLearner
        Of the lower and the upper quantile.
    edges : tuple of float
        Upper edges of the tiers of predicted upper quantile, ascending; the last tier is open.
    widen : tuple of float
        By tier: how much both ends move outwards (negative: inwards), in currency.
    coverage : float
        Nominal coverage.
    """

    low: FittedLearner
    high: FittedLearner
    edges: tuple[float, ...]
    widen: tuple[float, ...]
    coverage: float

    def bounds(self, features: FeatureMatrix) -> tuple[Floats, Floats]:
        """Return the ends of the interval, both >= 0, in currency."""
        low, high = self.low.predict(features), self.high.predict(features)
        margin = np.asarray(self.widen)[np.searchsorted(self.edges, high, side="right")]
        return np.maximum(low - margin, 0.0), np.maximum(high + margin, 0.0)


def fit_interval(
    train: Sequence[LabelledSnapshot], *, learner: Learner, coverage: float, tiers: int = 5
) -> SpendInterval | None:
    """Fit conformalised quantile regression, by tier of the predicted upper quantile [1]_.

    The learners are fitted on the earlier snapshots; the newest says by how much the ends must
    move so that the wanted share of its customers lies inside. None if there is no later snapshot.

    References
    ----------
    .. [1] Y. Romano, E. Patterson, E. J. Candès (2019), "Conformalized Quantile Regression",
       NeurIPS 32.
    """
    split = split_for_validation(train)
    if split is None:
        return None
    earlier, newest = split
    features, spend = stack(earlier), np.concatenate([s.future_spend for s in earlier])
    spend, actual = np.maximum(spend, 0.0), np.maximum(newest.future_spend, 0.0)
    tail = (1.0 - coverage) / 2.0
    low, high = (
        learner.fit(features, spend, objective="quantile", alpha=alpha, rounds=150)
        for alpha in (tail, 1.0 - tail)
    )
    lower, upper = low.predict(newest.features), high.predict(newest.features)
    # Equal edges would make empty tiers: keep the distinct ones.
    quantiles = np.quantile(upper, np.linspace(0.0, 1.0, tiers + 1)[1:-1])
    edges = tuple(float(e) for e in np.unique(quantiles))
    tier = np.searchsorted(edges, upper, side="right")
    misses = np.maximum(lower - actual, actual - upper)
    widen = tuple(_conformal(misses[tier == k], coverage=coverage) for k in range(len(edges) + 1))
    return SpendInterval(low=low, high=high, edges=edges, widen=widen, coverage=coverage)


def _conformal(misses: Floats, *, coverage: float) -> float:
    n = len(misses)
    if not n:
        return 0.0
    rank = min(int(np.ceil(coverage * (n + 1))), n)
    return float(np.partition(misses, rank - 1)[rank - 1])


def expected_ltv(
    expected_spend: ArrayLike,
    *,
    gross_margin: float,
    yearly_discount_rate: float,
    gap_days: int,
    horizon_days: int,
) -> Floats:
    r"""Return what the expected spend of the horizon is worth at the cutoff.

    Parameters
    ----------
    expected_spend : array-like of float
        Net spend expected in the horizon, in currency.
    gross_margin : float
        Share of spend that is margin: 1.0 leaves revenue.
    yearly_discount_rate : float
        As a fraction: 0.1 is ten percent a year.
    gap_days, horizon_days : int
        Money is taken to arrive evenly over ``[gap, gap + horizon)`` days after the cutoff.

    Notes
    -----
    With force of interest :math:`\delta = \ln(1 + r) / 365.25` per day, the discount factor is
    :math:`e^{-\delta g} (1 - e^{-\delta h}) / (\delta h)`.

    Examples
    --------
    >>> float(expected_ltv(100.0, gross_margin=0.4, yearly_discount_rate=0.0,
    ...                    gap_days=0, horizon_days=90))
    40.0
    """
    force = np.log1p(yearly_discount_rate) / 365.25
    factor = 1.0
    if force > 0.0:
        factor = (
            np.exp(-force * gap_days) * -np.expm1(-force * horizon_days) / (force * horizon_days)
        )
    return np.asarray(np.asarray(expected_spend, dtype=np.float64) * gross_margin * factor)
