"""Tables behind the charts: lift, reliability and spend deciles, as columns by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.evaluation.checks import bin_count, churn_arrays, open_fraction, spend_arrays
from churnkit.evaluation.ranking import rank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from churnkit.evaluation.checks import FloatArray

__all__ = ["decile_table", "lift_table", "reliability_table"]

# Refunds may cancel purchases in a decile up to the rounding of sums; that is no spend.
SMALLEST_SHARE_OF_SPEND = 1e-9


def lift_table(
    churned: ArrayLike, probability: ArrayLike, *, bins: int = 10
) -> dict[str, FloatArray]:
    """Churn caught in equal parts of the ranking, from the highest probability down.

    Tied customers share their places, so the counts may be fractions.

    Parameters
    ----------
    churned : array-like of bool or of 0 and 1, shape (n_customers,)
        True where the customer churned.
    probability : array-like of float, shape (n_customers,)
        Predicted probability of churning.
    bins : int, default 10
        Number of equal parts.

    Returns
    -------
    dict of str to ndarray of float64, shape (bins,)
        Columns ``bin`` (1 has the highest probabilities), ``customers``, ``churners``,
        ``churn_rate``, ``lift`` (churn rate over base rate), ``share_of_customers``,
        ``share_of_churners`` and ``cumulative_lift`` (the last three from the top to the end of the
        part). With no churner at all, lifts and share of churners are NaN.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing value or one outside its range, if the lengths differ,
        or if ``bins`` is below 1.

    Examples
    --------
    >>> table = lift_table([1, 1, 0, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.1], bins=3)
    >>> table["churners"], table["lift"].round(2)
    (array([2., 0., 1.]), array([2., 0., 1.]))
    """
    y, p = churn_arrays(churned, probability)
    churners = rank(p).binned(y, bins=bin_count(bins))
    customers = np.full(bins, y.size / bins)
    total = y.sum() or np.nan
    share_of_customers = np.arange(1, bins + 1) / bins
    share_of_churners = np.cumsum(churners) / total
    return {
        "bin": np.arange(1.0, bins + 1),
        "customers": customers,
        "churners": churners,
        "churn_rate": churners / customers,
        "lift": churners / total * bins,
        "share_of_customers": share_of_customers,
        "share_of_churners": share_of_churners,
        "cumulative_lift": share_of_churners / share_of_customers,
    }


def reliability_table(
    churned: ArrayLike, probability: ArrayLike, *, bins: int = 10, confidence: float = 0.95
) -> dict[str, FloatArray]:
    """Mean probability beside churn rate in bins of equally many customers.

    What a reliability diagram draws, and :func:`churnkit.evaluation.calibration.ece` averages. Tied
    customers share their places, so the number of customers in a bin may be a fraction.

    Parameters
    ----------
    churned, probability, bins
        As in :func:`lift_table`.
    confidence : float, default 0.95
        Level of the Wilson score interval [1]_ of each churn rate, in (0, 1).

    Returns
    -------
    dict of str to ndarray of float64, shape (bins,)
        Columns ``bin`` (1 has the lowest probabilities), ``customers``, ``mean_probability``,
        ``churn_rate``, ``churn_rate_low``, ``churn_rate_high``.

    Raises
    ------
    ParameterError
        As in :func:`lift_table`, or if ``confidence`` is not inside (0, 1).

    References
    ----------
    .. [1] E. B. Wilson (1927), "Probable Inference, the Law of Succession, and Statistical
       Inference", Journal of the American Statistical Association 22(158), 209-212,
       doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> table = reliability_table([1, 1, 0, 0], [0.9, 0.7, 0.2, 0.2], bins=2)
    >>> table["mean_probability"].round(2), table["churn_rate"]
    (array([0.2, 0.8]), array([0., 1.]))
    """
    y, p = churn_arrays(churned, probability)
    ranking = rank(p)
    customers = np.full(bin_count(bins), y.size / bins)
    rate = (ranking.binned(y, bins=bins)[::-1] / customers).clip(0.0, 1.0)
    low, high = _wilson(rate, customers, confidence=open_fraction("confidence", confidence))
    return {
        "bin": np.arange(1.0, bins + 1),
        "customers": customers,
        "mean_probability": ranking.binned(p, bins=bins)[::-1] / customers,
        "churn_rate": rate,
        "churn_rate_low": low,
        "churn_rate_high": high,
    }


def decile_table(future_spend: ArrayLike, expected_spend: ArrayLike) -> dict[str, FloatArray]:
    """Actual beside expected spend in tenths of the customers, by expected spend.

    Tied customers share their places, so the number of customers may be a fraction.

    Parameters
    ----------
    future_spend : array-like of float, shape (n_customers,)
        Net spend in the horizon, in currency. Negative where refunds outweigh purchases.
    expected_spend : array-like of float, shape (n_customers,)
        The prediction, in the same currency.

    Returns
    -------
    dict of str to ndarray of float64, shape (10,)
        Columns ``decile`` (1 has the highest expected spend), ``customers``, ``future_spend`` and
        ``expected_spend`` (totals, currency), ``absolute_percentage_error`` (as a fraction
        of actual), NaN where a decile spent nothing: less than 0, or up to a billionth of the
        absolute spend of all.

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing or infinite value, or the lengths differ.

    Examples
    --------
    >>> table = decile_table(np.arange(20.0), np.arange(20.0) * 1.1)
    >>> table["future_spend"][:3], table["absolute_percentage_error"][:3].round(2)
    (array([37., 33., 29.]), array([0.1, 0.1, 0.1]))
    """
    actual, predicted = spend_arrays(future_spend, expected_spend)
    ranking = rank(predicted)
    spent = ranking.binned(actual, bins=10)
    expected = ranking.binned(predicted, bins=10)
    something = spent > SMALLEST_SHARE_OF_SPEND * np.abs(actual).sum()
    error = np.full(10, np.nan)
    np.divide(np.abs(expected - spent), spent, out=error, where=something)
    return {
        "decile": np.arange(1.0, 11.0),
        "customers": np.full(10, actual.size / 10),
        "future_spend": spent,
        "expected_spend": expected,
        "absolute_percentage_error": error,
    }


def _wilson(rate: FloatArray, n: FloatArray, *, confidence: float) -> tuple[FloatArray, FloatArray]:
    from scipy.special import ndtri

    z2 = float(ndtri(0.5 + confidence / 2.0)) ** 2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    # Rounding must not put an end of 0 or 1 on the wrong side of its rate.
    low, high = np.minimum(centre - half, rate), np.maximum(centre + half, rate)
    return low.clip(0.0, 1.0), high.clip(0.0, 1.0)
