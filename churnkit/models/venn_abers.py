"""Inductive Venn-Abers prediction: two isotonic fits for each score, merged into one probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["venn_abers_points"]

MOST_CELLS = 400


def venn_abers_points(scores: Floats, happened: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return scores, ascending, and the merged Venn-Abers probability at each.

    An inductive Venn-Abers predictor [1]_ adds the customer in question to those observed, once
    with label 0 and once with label 1, and reads the isotonic fit of each at the customer: p0 and
    p1. Their merge p1 / (1 - p0 + p1) is the choice of least regret under log loss. It is never 0
    or 1, and stays near one half where few customers were seen.

    Parameters
    ----------
    scores : ndarray of float64, shape (n,)
        Higher means likelier.
    happened : ndarray of bool, shape (n,)

    Returns
    -------
    tuple of two ndarrays of float64, shape (n_points,)
        One point for each distinct score; beyond 400 of them, for each of 400 cells of neighbours
        at their mean score.

    References
    ----------
    .. [1] V. Vovk, I. Petej, V. Fedorova (2015), "Large-scale probabilistic predictors with and
       without guarantees of validity", NeurIPS 28, arXiv:1511.00213.

    Examples
    --------
    Two customers of each kind, apart: nobody is certain.

    >>> at, p = venn_abers_points(np.array([0.0, 1.0]), np.array([False, True]))
    >>> p.round(3).tolist()
    [0.333, 0.667]
    """
    from scipy.optimize import isotonic_regression

    at, rates, customers = _cells(scores, happened.astype(np.float64))
    merged = np.empty(len(at))
    for k in range(len(at)):
        weights = customers.copy()
        weights[k] += 1.0
        p0, p1 = (
            isotonic_regression(_with_one(rates, customers, at=k, label=y), weights=weights).x[k]
            for y in (0.0, 1.0)
        )
        merged[k] = p1 / (1.0 - p0 + p1)
    return at, merged


def _cells(scores: Floats, labels: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean score, mean label and size of cells of equal or neighbouring scores, ascending."""
    distinct, cell = np.unique(scores, return_inverse=True)
    if len(distinct) > MOST_CELLS:
        edges = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, MOST_CELLS + 1)[1:-1]))
        place = np.searchsorted(edges, scores, side="right")
        cell = np.unique(place, return_inverse=True)[1]
    size = np.bincount(cell).astype(np.float64)
    return np.bincount(cell, scores) / size, np.bincount(cell, labels) / size, size


def _with_one(rates: Floats, customers: Floats, *, at: int, label: float) -> Floats:
    """Return the rates with one more customer of this label in a cell."""
    changed = rates.copy()
    changed[at] = (rates[at] * customers[at] + label) / (customers[at] + 1.0)
    return changed
