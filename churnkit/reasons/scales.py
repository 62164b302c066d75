"""From the learner's log-odds to the probability of churning: every step, additive and exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.models.log_odds import logit, sigmoid
from churnkit.models.staying import StayForecast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.models.churn import ChurnModel
    from churnkit.models.staying import ChurnForecast

    Floats = NDArray[np.float64]

__all__ = [
    "PURCHASE_MODEL",
    "RETENTION_CURVE",
    "STEPS",
    "FinalSteps",
    "final_steps",
    "on_probability",
]

PURCHASE_MODEL, CALIBRATION = "(purchase model)", "(calibration)"
RETENTION_CURVE = "(retention curve)"
STEPS = {
    PURCHASE_MODEL: "the rhythm of orders, by the purchase model",
    RETENTION_CURVE: "the time subscribed, by the retention curve",
    CALIBRATION: "calibration of the probability",
}
"""What is added to the contributions of the features on the way to the probability, in words."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FinalSteps:
    """What lies between the learner's log-odds and the probability of customers, arrays (n,).

    For each customer, ``base + weight * (sum of the learner's contributions) + purchase_model +
    calibration`` is the log-odds of the churn probability, exactly.

    Attributes
    ----------
    weight : float
        Of the learner's log-odds in the blend with the purchase model or the retention curve.
    base : float
        Log-odds of a customer whose contributions, purchase model and calibration are average; the
        level of the portfolio is in it.
    purchase_model : ndarray of float64
        What the view of the customer by the purchase model or the retention curve adds, against
        that of the average customer.
    calibration : ndarray of float64
        What calibration adds, against the average.
    log_odds : ndarray of float64
        Of the churn probability.
    names : tuple of str
        Of the two steps, keys of :data:`STEPS`.
    """

    weight: float
    base: float
    purchase_model: Floats
    calibration: Floats
    log_odds: Floats
    names: tuple[str, str] = (PURCHASE_MODEL, CALIBRATION)

    def __getitem__(self, rows: NDArray[np.intp]) -> FinalSteps:
        """Return the steps of chosen customers."""
        return FinalSteps(
            names=self.names,
            weight=self.weight,
            base=self.base,
            purchase_model=self.purchase_model[rows],
            calibration=self.calibration[rows],
            log_odds=self.log_odds[rows],
        )

    @property
    def probability(self) -> Floats:
        """Churn probability of each customer."""
        return sigmoid(self.log_odds)

    def parts(self, contributions: Floats) -> Floats:
        """Return additive parts of the final log-odds, shape (n, n_features + 2).

        The features, scaled by the weight; then :attr:`names`.
        """
        return np.column_stack([self.weight * contributions, self.purchase_model, self.calibration])


def final_steps(
    model: ChurnModel,
    log_odds: Floats,
    *,
    learner_base: float,
    forecast: ChurnForecast | None,
    shift: float,
) -> FinalSteps:
    """Return the steps from the learner's log-odds of a whole population to its probabilities.

    Parameters
    ----------
    model : ChurnModel
    log_odds : ndarray of float64, shape (n,)
        The learner's.
    learner_base : float
        Base of the learner's contributions.
    forecast : ChurnForecast or None
        What the probabilities were blended with.
    shift : float
        Constant that set the level.
    """
    weight, theirs = 1.0, np.zeros(len(log_odds))
    if forecast is not None:
        weight = model.weight
        theirs = (1.0 - weight) * logit(forecast.churn_probability)
    blended = model.blend(log_odds, forecast=forecast)
    calibration = blended - (weight * log_odds + theirs)
    curve = isinstance(forecast, StayForecast)
    middle = float(theirs.mean()), float(calibration.mean())
    return FinalSteps(
        names=(RETENTION_CURVE if curve else PURCHASE_MODEL, CALIBRATION),
        weight=weight,
        base=weight * learner_base + sum(middle) + shift,
        purchase_model=theirs - middle[0],
        calibration=calibration - middle[1],
        log_odds=blended + shift,
    )


def on_probability(parts: Floats, *, base: float) -> Floats:
    r"""Return additive parts of log-odds as parts of the probability, which add up exactly.

    Parameters
    ----------
    parts : ndarray of float64, shape (n, k)
        Of the log-odds, beyond ``base``.
    base : float
        Log-odds.

    Notes
    -----
    The Aumann–Shapley value [1]_ of :math:`\sigma(b + \sum_i \phi_i)`: all parts grow from 0 to their
    size together, and each is charged with what it adds on the way,
    :math:`\phi_i \int_0^1 \sigma'(b + t \sum_j \phi_j) dt = \phi_i (\sigma(b + s) - \sigma(b)) / s`
    with :math:`s = \sum_j \phi_j`.

    References
    ----------
    .. [1] R. J. Aumann, L. S. Shapley (1974), "Values of Non-Atomic Games".

    Examples
    --------
    >>> shares = on_probability(np.array([[1.0, 1.0]]), base=-1.0)
    >>> bool(np.isclose(shares.sum(), sigmoid(np.array(1.0)) - sigmoid(np.array(-1.0))))
    True
    """
    total = parts.sum(axis=1)
    start = float(sigmoid(np.array(base)))
    # Near 0 the quotient is the slope.
    small = np.abs(total) < 1e-6
    slope = start * (1.0 - start)
    rate = np.where(small, slope, (sigmoid(base + total) - start) / np.where(small, 1.0, total))
    return np.asarray(parts * rate[:, None])
