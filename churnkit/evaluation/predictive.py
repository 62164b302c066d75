"""All metrics of churn and spend predictions, by the names under which every run records them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.errors import ParameterError
from churnkit.evaluation.calibration import ece, ece_interval, interval_coverage
from churnkit.evaluation.checks import finite_vector
from churnkit.evaluation.churn import (
    auc,
    average_precision,
    base_rate,
    brier,
    log_loss,
    top_decile_lift,
)
from churnkit.evaluation.profit import empc
from churnkit.evaluation.spend import (
    decile_mape,
    gini_normalized,
    mae,
    rmse,
    spearman,
    top_decile_capture,
    total_bias,
)
from churnkit.evaluation.tables import decile_table, lift_table, reliability_table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "auc",
    "average_precision",
    "base_rate",
    "brier",
    "churn_metrics",
    "decile_mape",
    "decile_table",
    "ece",
    "ece_interval",
    "empc",
    "gini_normalized",
    "interval_coverage",
    "lift_table",
    "log_loss",
    "mae",
    "reliability_table",
    "rmse",
    "spearman",
    "spend_metrics",
    "top_decile_capture",
    "top_decile_lift",
    "total_bias",
]


def churn_metrics(churned: ArrayLike, probability: ArrayLike) -> dict[str, float | None]:
    """Every metric of churn probabilities, by the name under which it is recorded.

    Parameters
    ----------
    churned : array-like of bool or of 0 and 1, shape (n_customers,)
        True where the customer churned.
    probability : array-like of float, shape (n_customers,)
        Predicted probability of churning.

    Returns
    -------
    dict of str to float or None
        ``churn.auc``, ``churn.average_precision``, ``churn.log_loss``, ``churn.brier``,
        ``churn.ece``, ``churn.top_decile_lift``, ``churn.empc``, ``churn.base_rate``: the functions
        of the same names in this module. None where the labels leave a metric undefined: the AUC
        when all churned or none did, average precision and lift when none did.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing value or one outside its range, or the lengths differ.

    Examples
    --------
    >>> churn_metrics([1, 0, 0, 1], [0.9, 0.1, 0.4, 0.3])["churn.auc"]
    0.75
    >>> churn_metrics([0, 0], [0.2, 0.4])["churn.auc"] is None
    True
    """
    return {
        "churn.auc": auc(churned, probability),
        "churn.average_precision": average_precision(churned, probability),
        "churn.log_loss": log_loss(churned, probability),
        "churn.brier": brier(churned, probability),
        "churn.ece": ece(churned, probability),
        "churn.top_decile_lift": top_decile_lift(churned, probability),
        "churn.empc": empc(churned, probability),
        "churn.base_rate": base_rate(churned, probability),
    }


def spend_metrics(
    future_spend: ArrayLike,
    expected_spend: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    stated: ArrayLike | None = None,
) -> dict[str, float | None]:
    """Every metric of expected spend, by the name under which it is recorded.

    Parameters
    ----------
    future_spend : array-like of float, shape (n_customers,)
        Net spend in the horizon, in currency. Negative where refunds outweigh purchases.
    expected_spend : array-like of float, shape (n_customers,)
        The prediction, in the same currency.
    low, high : array-like of float, shape (n_customers,), optional
        Ends of the prediction intervals; both or neither.
    stated : array-like of float, shape (n_customers,), optional
        With what probability each interval says to hold the spend. It is above the nominal coverage
        where an interval has to hold 0 and 0 alone is likelier than that.

    Returns
    -------
    dict of str to float or None
        ``spend.gini_normalized``, ``spend.spearman``, ``spend.decile_mape``, ``spend.total_bias``,
        ``spend.rmse``, ``spend.mae``, ``spend.top_decile_capture``, ``spend.interval_coverage``,
        ``spend.interval_stated_coverage`` (the mean of ``stated``): the functions of the same names
        in this module. None where undefined: Gini and Spearman
        without differences, decile MAPE, bias and capture without positive spend, coverage (actual
        and stated) without intervals.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing or infinite value, if the lengths differ, if only one
        end of the intervals is given, or a ``low`` exceeds its ``high``.

    Examples
    --------
    >>> spend_metrics([0.0, 10.0, 30.0], [10.0, 10.0, 30.0])["spend.total_bias"]
    0.25
    """
    if (low is None) != (high is None):
        given = "high" if low is None else "low"
        msg = f"low and high must be given together; got only {given}"
        raise ParameterError(msg)
    coverage = None
    if low is not None and high is not None:
        coverage = interval_coverage(future_spend, low=low, high=high)
    return {
        "spend.gini_normalized": gini_normalized(future_spend, expected_spend),
        "spend.spearman": spearman(future_spend, expected_spend),
        "spend.decile_mape": decile_mape(future_spend, expected_spend),
        "spend.total_bias": total_bias(future_spend, expected_spend),
        "spend.rmse": rmse(future_spend, expected_spend),
        "spend.mae": mae(future_spend, expected_spend),
        "spend.top_decile_capture": top_decile_capture(future_spend, expected_spend),
        "spend.interval_coverage": coverage,
        "spend.interval_stated_coverage": None
        if stated is None
        else float(finite_vector("stated", stated).mean()),
    }
