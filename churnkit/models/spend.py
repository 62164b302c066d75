"""Expected spend in the horizon: learners of value and the purchase model, pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix
    from churnkit.models.learner import FittedLearner
    from churnkit.models.purchase_forecast import PurchaseForecast

    Floats = NDArray[np.float64]

__all__ = ["OBJECTIVES", "SMALLEST", "SpendModel", "factor_to", "spend_factor"]

# Name in a configuration → objectives of its learners, and whether they see buyers only.
OBJECTIVES: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "hurdle": (("gamma", "l2"), True),
    "hurdle_gamma": (("gamma",), True),
    "hurdle_lognormal": (("l2",), True),
    "tweedie_1.1": (("tweedie:1.1",), False),
    "tweedie_1.3": (("tweedie:1.3",), False),
    "tweedie_1.5": (("tweedie:1.5",), False),
}
SMALLEST = 1e-6


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
