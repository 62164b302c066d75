"""How well expected spend ranks customers by what they really spent, and meets its level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.evaluation.checks import spend_arrays
from churnkit.evaluation.ranking import rank
from churnkit.evaluation.tables import decile_table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from churnkit.evaluation.checks import FloatArray

__all__ = [
    "decile_mape",
    "gini_normalized",
    "mae",
    "rmse",
    "spearman",
    "top_decile_capture",
    "total_bias",
]


def gini_normalized(future_spend: ArrayLike, expected_spend: ArrayLike) -> float | None:
    r"""Gini index of actual spend ordered by the prediction, over that of spend ordered by itself.

    With customers from the highest prediction down, the cumulative spend is compared with that of
    a random order; the area between, divided by the same area for the perfect order, is the
    normalised Gini coefficient [1]_. It is the Gini correlation
    :math:`\mathrm{cov}(y, R_{\hat y}) / \mathrm{cov}(y, R_y)` with ranks :math:`R` [2]_: the total
    cancels, so negative spend (net refunds) needs no cutting and adding a constant to all changes
    nothing. Customers with tied predictions share their places.

    Parameters
    ----------
    future_spend : array-like of float, shape (n_customers,)
        Net spend in the horizon, in currency. Negative where refunds outweigh purchases.
    expected_spend : array-like of float, shape (n_customers,)
        The prediction, in the same currency.

    Returns
    -------
    float or None
        In [-1, 1]: 1 for the perfect order, 0 for a random one. None when all spent alike.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing or infinite value, or the lengths differ.

    References
    ----------
    .. [1] X. Wang, T. Liu, J. Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value
       Prediction", arXiv:1912.07753.
    .. [2] E. Schechtman, S. Yitzhaki (1987), "A Measure of Association Based on Gini's Mean
       Difference", Communications in Statistics - Theory and Methods 16(1), 207-231,
       doi:10.1080/03610928708829359.

    Examples
    --------
    >>> gini_normalized([0.0, 10.0, 30.0], [2.0, 9.0, 25.0])
    1.0
    >>> gini_normalized([0.0, 10.0, 30.0], [2.0, 25.0, 9.0])
    0.3333...
    """
    actual, predicted = spend_arrays(future_spend, expected_spend)
    if actual.min() == actual.max():
        return None
    # Centred first: the areas are then differences to the random order, free of cancellation.
    centred = actual - actual.mean()
    ratio = _area(centred, by=predicted) / _area(centred, by=actual)
    return min(1.0, max(-1.0, ratio))  # outside by rounding only


def _area(values: FloatArray, *, by: FloatArray) -> float:
    ranking = rank(by)
    cumulative = ranking.cumulative(values)
    return float(np.sum(np.diff(ranking.ends) * (cumulative[1:] + cumulative[:-1])))


def spearman(future_spend: ArrayLike, expected_spend: ArrayLike) -> float | None:
    """Correlation of the ranks of actual and expected spend, ties at their mean rank [1]_.

    Parameters
    ----------
    future_spend, expected_spend
        As in :func:`gini_normalized`.

    Returns
    -------
    float or None
        In [-1, 1]. None when all actual or all expected values are equal.

    Raises
    ------
    ParameterError
        As in :func:`gini_normalized`.

    References
    ----------
    .. [1] C. Spearman (1904), "The Proof and Measurement of Association between Two Things",
       American Journal of Psychology 15(1), 72-101, doi:10.2307/1412159.

    Examples
    --------
    >>> round(spearman([0.0, 10.0, 30.0], [2.0, 25.0, 9.0]), 4)
    0.5
    """
    from scipy.stats import rankdata

    actual, predicted = spend_arrays(future_spend, expected_spend)
    if actual.min() == actual.max() or predicted.min() == predicted.max():
        return None
    return float(np.corrcoef(rankdata(actual), rankdata(predicted))[0, 1])


def decile_mape(future_spend: ArrayLike, expected_spend: ArrayLike) -> float | None:
    """Mean absolute percentage error of the spend totals of the ten prediction deciles.

    Is the level right for good and for poor customers alike [1]_? A decile in which nothing was
    spent has no percentage and is left out: look at :func:`decile_table` for how many (its NaN),
    and at :func:`total_bias` for what was expected of them.

    Parameters
    ----------
    future_spend, expected_spend
        As in :func:`gini_normalized`.

    Returns
    -------
    float or None
        As a fraction, 0 or more: 0.2 is twenty percent. None when no decile spent anything.

    Raises
    ------
    ParameterError
        As in :func:`gini_normalized`.

    References
    ----------
    .. [1] X. Wang, T. Liu, J. Miao (2019), "A Deep Probabilistic Model for Customer Lifetime Value
       Prediction", arXiv:1912.07753.

    Examples
    --------
    >>> round(decile_mape(np.arange(20.0), np.arange(20.0) * 1.1), 4)
    0.1
    """
    error = decile_table(future_spend, expected_spend)["absolute_percentage_error"]
    counted = error[~np.isnan(error)]
    return float(counted.mean()) if counted.size else None


def total_bias(future_spend: ArrayLike, expected_spend: ArrayLike) -> float | None:
    """Total expected spend over total actual spend, minus 1.

    Parameters
    ----------
    future_spend, expected_spend
        As in :func:`gini_normalized`.

    Returns
    -------
    float or None
        As a fraction: -0.38 is a forecast 38 % too low. None when the actual total is 0 or less.

    Raises
    ------
    ParameterError
        As in :func:`gini_normalized`.

    Examples
    --------
    >>> total_bias([0.0, 10.0, 30.0], [10.0, 10.0, 30.0])
    0.25
    """
    actual, predicted = spend_arrays(future_spend, expected_spend)
    total = float(actual.sum())
    return float(predicted.sum()) / total - 1.0 if total > 0.0 else None


def rmse(future_spend: ArrayLike, expected_spend: ArrayLike) -> float:
    """Root of the mean squared difference of expected and actual spend.

    Parameters
    ----------
    future_spend, expected_spend
        As in :func:`gini_normalized`.

    Returns
    -------
    float
        In currency, 0 or more. Least for the conditional mean; ruled by the largest spenders.

    Raises
    ------
    ParameterError
        As in :func:`gini_normalized`.

    Examples
    --------
    >>> rmse([0.0, 10.0], [3.0, 14.0])
    3.5355...
    """
    actual, predicted = spend_arrays(future_spend, expected_spend)
    return float(np.sqrt(np.square(predicted - actual).mean()))


def mae(future_spend: ArrayLike, expected_spend: ArrayLike) -> float:
    """Mean absolute difference of expected and actual spend.

    Least for the conditional *median*, which is 0 where most customers buy nothing [1]_: a model
    that wins here usually forecasts too little revenue. Read it beside :func:`total_bias`.

    Parameters
    ----------
    future_spend, expected_spend
        As in :func:`gini_normalized`.

    Returns
    -------
    float
        In currency, 0 or more.

    Raises
    ------
    ParameterError
        As in :func:`gini_normalized`.

    References
    ----------
    .. [1] T. Gneiting (2011), "Making and Evaluating Point Forecasts", Journal of the American
       Statistical Association 106(494), 746-762, doi:10.1198/jasa.2011.r10138.

    Examples
    --------
    >>> mae([0.0, 10.0], [3.0, 14.0])
    3.5
    """
    actual, predicted = spend_arrays(future_spend, expected_spend)
    return float(np.abs(predicted - actual).mean())


def top_decile_capture(future_spend: ArrayLike, expected_spend: ArrayLike) -> float | None:
    """Share of all spend that comes from the tenth of customers with the highest prediction.

    Tied customers share their places: see :class:`churnkit.evaluation.ranking.Ranking`.

    Parameters
    ----------
    future_spend, expected_spend
        As in :func:`gini_normalized`.

    Returns
    -------
    float or None
        Usually in [0, 1]; above 1 when the others' refunds outweigh their purchases. None when the
        actual total is 0 or less.

    Raises
    ------
    ParameterError
        As in :func:`gini_normalized`.

    Examples
    --------
    >>> top_decile_capture([60.0, *[5.0] * 8, 0.0], [50.0, *[4.0] * 9])
    0.6
    """
    actual, predicted = spend_arrays(future_spend, expected_spend)
    total = float(actual.sum())
    return rank(predicted).top_decile(actual) / total if total > 0.0 else None
