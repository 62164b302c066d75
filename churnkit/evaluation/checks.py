"""Checks of the arrays that metrics compare: finite numbers, of one length, in their range."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

__all__ = ["bin_count", "churn_arrays", "finite_vector", "open_fraction", "spend_arrays"]


def finite_vector(name: str, values: ArrayLike) -> FloatArray:
    """Return ``values`` as a one-dimensional array of finite float64, or say what is wrong.

    Parameters
    ----------
    name : str
        What messages call the array.
    values : array-like of float, shape (n_customers,)
        Nulls are refused: a metric over some of the customers is not the metric.

    Returns
    -------
    ndarray of float64, shape (n_customers,)
        Not a copy where none is needed.

    Raises
    ------
    ParameterError
        If the values are not numbers, not one-dimensional, none at all, or not all finite.

    Examples
    --------
    >>> finite_vector("expected_spend", [3, 4.5])
    array([3. , 4.5])
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} must hold numbers, none missing; got {type(values).__name__} ({error})"
        raise ParameterError(msg) from error
    if array.ndim != 1:
        msg = f"{name} must be one-dimensional; got shape {array.shape}"
        raise ParameterError(msg)
    if array.size == 0:
        msg = f"{name} must hold at least one customer; got 0"
        raise ParameterError(msg)
    _refuse(name, array, ~np.isfinite(array), rule="be finite")
    return array


def churn_arrays(churned: ArrayLike, probability: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return labels as 0.0 or 1.0 and probabilities in [0, 1], both of one length.

    Parameters
    ----------
    churned : array-like of bool or of 0 and 1, shape (n_customers,)
        True where the customer churned.
    probability : array-like of float, shape (n_customers,)
        Predicted probability of churning. Booleans are refused: hard decisions have no ranking
        to judge.

    Returns
    -------
    tuple of two ndarrays of float64, each of shape (n_customers,)
        Labels, probabilities.

    Raises
    ------
    ParameterError
        If a value is missing or outside its range, naming the first position, or if the lengths
        differ.

    Examples
    --------
    >>> churn_arrays([True, False], [0.7, 0.2])
    (array([1., 0.]), array([0.7, 0.2]))
    """
    y = finite_vector("churned", churned)
    p = finite_vector("probability", probability)
    _refuse_other_length("churned", y, "probability", p)
    _refuse("churned", y, (y != 0.0) & (y != 1.0), rule="be 0 or 1")
    if np.asarray(probability).dtype == np.bool_:
        msg = "probability must hold probabilities, not decisions; got booleans"
        raise ParameterError(msg)
    _refuse("probability", p, (p < 0.0) | (p > 1.0), rule="lie in [0, 1]")
    return y, p


def spend_arrays(
    future_spend: ArrayLike, expected_spend: ArrayLike, *, expected_name: str = "expected_spend"
) -> tuple[FloatArray, FloatArray]:
    """Return actual and predicted spend as finite float64 arrays of one length.

    Parameters
    ----------
    future_spend : array-like of float, shape (n_customers,)
        Net spend in the horizon, in currency. Negative where refunds outweigh purchases.
    expected_spend : array-like of float, shape (n_customers,)
        The prediction (or a bound of it), in the same currency.
    expected_name : str, default "expected_spend"
        What messages call the second array.

    Returns
    -------
    tuple of two ndarrays of float64, each of shape (n_customers,)
        Actual, predicted.

    Raises
    ------
    ParameterError
        If a value is missing or not finite, naming the first position, or if the lengths differ.

    Examples
    --------
    >>> spend_arrays([0, 25], [4.0, 18.0])
    (array([ 0., 25.]), array([ 4., 18.]))
    """
    actual = finite_vector("future_spend", future_spend)
    predicted = finite_vector(expected_name, expected_spend)
    _refuse_other_length("future_spend", actual, expected_name, predicted)
    return actual, predicted


def bin_count(bins: int) -> int:
    """Return ``bins``, or refuse it.

    Raises
    ------
    ParameterError
        If ``bins`` is below 1.

    Examples
    --------
    >>> bin_count(10)
    10
    """
    if bins < 1:
        msg = f"bins must be at least 1; got {bins!r}"
        raise ParameterError(msg)
    return bins


def open_fraction(name: str, value: float) -> float:
    """Return a fraction strictly between 0 and 1, or refuse it.

    Raises
    ------
    ParameterError
        If ``value`` is not inside (0, 1).

    Examples
    --------
    >>> open_fraction("confidence", 0.95)
    0.95
    """
    if not 0.0 < value < 1.0:
        msg = f"{name} must lie inside (0, 1); got {value!r}"
        raise ParameterError(msg)
    return value


def _refuse(name: str, array: FloatArray, wrong: NDArray[np.bool_], *, rule: str) -> None:
    if wrong.any():
        first = int(wrong.argmax())
        msg = f"{name} must {rule}; got {float(array[first])!r} at position {first}"
        raise ParameterError(msg)


def _refuse_other_length(name: str, array: FloatArray, other: str, second: FloatArray) -> None:
    if array.size != second.size:
        msg = f"{name} and {other} must have one length; got {array.size} and {second.size}"
        raise ParameterError(msg)
