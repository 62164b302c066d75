"""What the models are told to be, and what they say: settings, level and predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from churnkit.models.total import TotalRange

    Floats = NDArray[np.float64]

__all__ = ["Level", "ModelSettings", "Predictions"]


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
    churn_level, spend_level : {"auto", "purchase_model", "none"}
        What sets the mean probability and the total spend of a portfolio: the purchase model
        (of subscribers, the retention curve) corrected by what it missed before, the purchase model
        alone, or the learners.
    objective : str
        ``auto``, ``tweedie`` or a name of :data:`churnkit.models.spend.OBJECTIVES`.
    interval : float
        Nominal coverage of the spend interval.
    purchase_kind : str
        Purchase model that sets the level: ``bg_nbd``, ``mbg_nbd``.
    seed, threads : int
        Seed of everything random; 0 threads means all cores.
    search_trials, search_folds : int
        See :func:`churnkit.models.search.search_parameters`.
    """

    churn_model: str = "lightgbm"
    spend_model: str = "lightgbm"
    churn_params: Mapping[str, Any] = field(default_factory=dict)
    spend_params: Mapping[str, Any] = field(default_factory=dict)
    calibration: str = "auto"
    churn_level: str = "auto"
    spend_level: str = "auto"
    objective: str = "auto"
    interval: float = 0.8
    purchase_kind: str = "bg_nbd"
    seed: int = 7
    threads: int = 0
    search_trials: int = 0
    search_folds: int = 3


@dataclass(frozen=True, kw_only=True)
class Level:
    """What is done to the predictions of one portfolio to set their level.

    Attributes
    ----------
    log_odds_shift : float
        Constant added to the log-odds of churning; 0 leaves them. It goes at most three times as far
        as the log-odds of the mean should: where hardly anybody is in doubt, the mean stays behind.
    spend_factor : float
        Factor on expected spend; 1 leaves it.
    churn_correction, spend_correction : float
        Part of the level that goes beyond the purchase model: added to the log-odds of its mean
        churn probability, and to the log of its total spend.
    pooling_factor : float
        Factor that keeps the total where the typical spend has a share in expected spend.
    """

    log_odds_shift: float = 0.0
    spend_factor: float = 1.0
    churn_correction: float = 0.0
    spend_correction: float = 0.0
    pooling_factor: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Predictions for the customers of one population, arrays of shape (n,).

    ``expected_spend`` is P(order) times spend given an order, with P(order) = 1 minus the churn
    probability (of the purchase model, where churn does not mean "no order in the horizon"). Of
    subscribers it is the revenue of the horizon.

    Attributes
    ----------
    order_probability : P(at least one order in the horizon); of subscribers, P(stays).
    stated_coverage : with what probability each interval says to hold the spend; None without one.
    level : what set the level.
    total : where the total of a whole portfolio should lie; see :meth:`Models.find_total`.
    expected_mrr_retained : monthly revenue of subscribers kept to the end of the horizon.
    mrr_at_risk : monthly revenue that leaving takes, times its probability.
    spend_at_risk : what leaving takes of the revenue of the horizon, times its probability.
    """

    churn_probability: Floats
    order_probability: Floats
    expected_spend: Floats
    expected_spend_low: Floats | None
    expected_spend_high: Floats | None
    stated_coverage: Floats | None
    level: Level
    total: TotalRange | None = None
    expected_mrr_retained: Floats | None = None
    mrr_at_risk: Floats | None = None
    spend_at_risk: Floats | None = None
