"""Features that say the same: groups of which every two are strongly correlated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["correlated_groups", "group_sums", "leaders", "members"]

LEAST_CORRELATION = 0.7
MOST_ROWS = 20_000


def correlated_groups(
    values: NDArray[np.float32],
    *,
    names: Sequence[str],
    apart: Collection[str] = (),
    seed: int = 7,
) -> dict[str, str]:
    """Return the group of every feature, named after its first member.

    Parameters
    ----------
    values : ndarray, shape (n, n_features)
        NaN where a feature is not known.
    names : sequence of str
        Of the columns.
    apart : collection of str
        Features that stay by themselves, such as categories, whose numbers have no order.
    seed : int
        Of the rows drawn where there are more than 20,000.

    Notes
    -----
    Complete linkage on 1 − |Spearman's rho|: every two members of a group have |rho| >= 0.7. Ranks
    of unknown values are the middle one.

    Examples
    --------
    >>> x = np.arange(10.0)
    >>> correlated_groups(np.column_stack([x, -x, x % 3]), names=["a", "b", "c"])
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(values) > MOST_ROWS:
        rng = np.random.default_rng(seed)
        values = values[np.sort(rng.choice(len(values), MOST_ROWS, replace=False))]
    single = {name: name for name in names}
    if len(names) < 2 or len(values) < 2:
        return single
    distance = 1.0 - np.abs(_correlations(_ranks(values)))
    for name in apart:
        position = list(names).index(name)
        distance[position, :] = distance[:, position] = 1.0
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="complete")
    found: dict[int, str] = {}
    for name, label in zip(names, fcluster(tree, 1.0 - LEAST_CORRELATION, "distance"), strict=True):
        single[name] = found.setdefault(int(label), name)
    return single


def members(groups: Mapping[str, str], names: Sequence[str]) -> list[list[int]]:
    """Return the positions of the features of each group; one that is in none is its own."""
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        found.setdefault(groups.get(name, name), []).append(position)
    return list(found.values())


def group_sums(weights: Floats, grouped: Sequence[Sequence[int]]) -> Floats:
    """Return the sum of the contributions of each group, shape (n, n_groups).

    Parameters
    ----------
    weights : ndarray of float64, shape (n, n_features)
    grouped : sequence of sequence of int
        See :func:`members`.

    Examples
    --------
    >>> group_sums(np.array([[1.0, 2.0, -1.0]]), [[0, 2], [1]]).tolist()
    [[0.0, 2.0]]
    """
    return np.column_stack([weights[:, list(positions)].sum(axis=1) for positions in grouped])


def leaders(size: Floats, grouped: Sequence[Sequence[int]]) -> list[int]:
    """Return the position of the feature of each group whose size is the largest.

    Parameters
    ----------
    size : ndarray of float64, shape (n_features,)
        Mean |contribution|.
    grouped : sequence of sequence of int
        See :func:`members`.
    """
    return [max(positions, key=lambda i: (size[i], -i)) for positions in grouped]


def _ranks(values: NDArray[np.float32]) -> Floats:
    from scipy.stats import rankdata

    ranks = np.empty(values.shape)
    for position in range(values.shape[1]):
        column = values[:, position]
        known = np.isfinite(column)
        ranks[known, position] = rankdata(column[known])
        ranks[~known, position] = (known.sum() + 1) / 2
    return ranks


def _correlations(ranks: Floats) -> Floats:
    centred = ranks - ranks.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, size, out=np.zeros_like(centred), where=size > 0)
    return np.asarray(np.clip(scaled.T @ scaled, -1.0, 1.0))
