"""Customers ranked by a prediction, where tied customers share their places equally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.evaluation.checks import FloatArray

__all__ = ["Ranking", "rank"]


@dataclass(frozen=True)
class Ranking:
    """Customers in descending order of a prediction, cut into blocks of equal predictions.

    Nothing says which of two tied customers comes first, and the order of rows must not decide.
    So a boundary that falls inside a block takes from the block's total in proportion: the
    expected value over all orders of the tied. A boundary that falls inside one customer (a tenth
    of 25 customers is 2.5) takes that fraction of the customer.

    Parameters
    ----------
    order : ndarray of int, shape (n_customers,)
        Positions of the customers, the highest prediction first.
    ends : ndarray of int, shape (n_blocks + 1,)
        Number of customers before the first block (0), up to and with the first block, and so on.
    """

    order: NDArray[np.intp]
    ends: NDArray[np.intp]

    def cumulative(self, values: FloatArray) -> FloatArray:
        """Return the total of ``values`` over the customers before each of ``ends``."""
        return np.concatenate(([0.0], np.cumsum(values[self.order])))[self.ends]

    def at(self, customers: FloatArray, values: FloatArray) -> FloatArray:
        """Return the total of ``values`` over the top so many ``customers`` (fractions allowed)."""
        return np.interp(customers, self.ends, self.cumulative(values))

    def binned(self, values: FloatArray, *, bins: int) -> FloatArray:
        """Return the totals of ``values`` in ``bins`` equal parts of the ranking, top first."""
        return np.diff(self.at(np.linspace(0.0, self.order.size, bins + 1), values))

    def top_decile(self, values: FloatArray) -> float:
        """Return the total of ``values`` over the top tenth of the customers."""
        return float(self.at(np.array([self.order.size / 10]), values)[0])


def rank(prediction: FloatArray) -> Ranking:
    """Rank customers by a prediction.

    Parameters
    ----------
    prediction : ndarray of float64, shape (n_customers,)
        Finite values.

    Returns
    -------
    Ranking
        Descending, ties in one block.

    Examples
    --------
    >>> ranking = rank(np.array([0.2, 0.9, 0.2, 0.2]))
    >>> ranking.ends
    array([0, 1, 4])

    The three customers at 0.2 spend 30 together, so the first of them brings 10:

    >>> ranking.at(np.array([1.0, 2.0, 4.0]), np.array([30.0, 5.0, 0.0, 0.0]))
    array([ 5., 15., 35.])
    """
    order = np.argsort(-prediction)
    descending = prediction[order]
    last = np.flatnonzero(descending[1:] != descending[:-1]) + 1
    return Ranking(order=order, ends=np.concatenate(([0], last, [prediction.size])))
