"""How far a distribution has moved since training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["bin_counts", "describe", "stability_index"]

LEAST_SHARE = 1e-4


def describe(values: ArrayLike, *, bins: int = 10) -> dict[str, list[float]]:
    """Return quantile bin edges of a sample and the share in each bin.

    Parameters
    ----------
    values : array-like of float
        NaN counts as missing and has a bin of its own, the last.
    bins : int
        Bins of about equal size; equal edges are merged.

    Returns
    -------
    dict
        ``edges`` (inner edges, ascending) and ``shares`` (len(edges) + 2 numbers that add up to 1).

    Examples
    --------
    >>> describe([1.0, 2.0, 3.0, 4.0], bins=2)
    {'edges': [2.5], 'shares': [0.5, 0.5, 0.0]}
    """
    array = np.asarray(values, dtype=np.float64)
    present = array[np.isfinite(array)]
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    edges = np.unique(np.quantile(present, inner)) if present.size else np.zeros(0)
    counts = bin_counts(array, edges=edges.tolist())
    shares = counts / max(int(counts.sum()), 1)
    return {"edges": edges.tolist(), "shares": shares.tolist()}


def bin_counts(values: NDArray[Any], *, edges: Sequence[float]) -> NDArray[np.int64]:
    """Return how many values fall into each bin, missing ones in the last."""
    missing = ~np.isfinite(values)
    place = np.searchsorted(np.asarray(edges, dtype=np.float64), values[~missing], side="right")
    counts = np.bincount(place, minlength=len(edges) + 1).astype(np.int64)
    return np.append(counts, int(missing.sum()))


def stability_index(shares: Sequence[float], counts: NDArray[np.int64]) -> float | None:
    """Return the population stability index of counts against training shares.

    Below 0.1 is usually read as no change, above 0.25 as a large one. None for no counts.

    Notes
    -----
    The sum over bins of (p - q) ln(p / q), the symmetrised Kullback-Leibler divergence, with every
    share kept at 1e-4 or above.

    Examples
    --------
    >>> stability_index([0.5, 0.5], np.array([5, 5]))
    0.0
    """
    total = int(counts.sum())
    if not total:
        return None
    now = np.maximum(counts / total, LEAST_SHARE)
    then = np.maximum(np.asarray(shares, dtype=np.float64), LEAST_SHARE)
    return float(np.sum((now - then) * np.log(now / then)))
