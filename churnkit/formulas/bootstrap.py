"""Confidence intervals of means and ratios of money, by resampling customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.checks import check_level, column

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from churnkit.formulas.intervals import Interval

    Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]

__all__ = ["bootstrap_interval", "bootstrap_ratio_interval"]

GROUPS = 4096
"""More rows than this are dealt at random into this many groups before they are resampled."""

DRAWS_AT_ONCE = 1 << 20
"""Most row numbers drawn in one step, so that memory stays near 25 MB at any table size."""


def bootstrap_ratio_interval(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
) -> Interval | None:
    """Percentile bootstrap interval of a ratio of two sums; a mean has a denominator of ones.

    Parameters
    ----------
    numerator, denominator : array-like of float, shape (n_customers,)
        Contributions of each customer to the two sums.
    level, seed, resamples
        As in :func:`bootstrap_interval`, which states the method and its source.

    Returns
    -------
    tuple of float or None
        Bounds of ``sum(numerator) / sum(denominator)``. None as in :func:`bootstrap_interval`,
        and if the denominator of a resample is not positive.

    Examples
    --------
    >>> low, high = bootstrap_ratio_interval([10.0, 20.0, 90.0, 40.0], [1, 1, 3, 2])
    >>> low < 160 / 7 < high
    True
    """
    where = "bootstrap_ratio_interval"
    above = column(where, "numerator", numerator)
    below = column(where, "denominator", denominator)
    if len(above) != len(below):
        msg = f"{where}: denominator must be as long as numerator ({len(above)}); got {len(below)}"
        raise ParameterError(msg)

    def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        safe = np.where(sums[:, 1] > 0.0, sums[:, 1], np.nan)
        with np.errstate(over="ignore"):  # infinite: no interval, as for a denominator of zero
            return np.asarray(sums[:, 0] / safe)

    table = np.column_stack([above, below])
    return bootstrap_interval(table, ratio, level=level, seed=seed, resamples=resamples)


def bootstrap_interval(
    table: NDArray[np.float64],
    statistic: Statistic,
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 2000,
) -> Interval | None:
    """Percentile bootstrap interval of a statistic that depends on column sums only.

    Parameters
    ----------
    table : ndarray of float64, shape (n_customers, n_columns)
        What each customer adds to each sum. The order of the rows does not matter.
    statistic : callable
        Takes sums of shape (n_resamples, n_columns), returns shape (n_resamples,); NaN where
        the statistic does not exist.
    level : float, default 0.95
        Confidence level, in (0, 1).
    seed : int, default 0
        Seed of the resampling: the same seed and rows give the same interval.
    resamples : int, default 2000
        Number of resamples, >= 100.

    Returns
    -------
    tuple of float or None
        Bounds; None for fewer than two rows, if the statistic fails in a resample, or if all
        resamples agree, because the rows then show no spread to judge by.

    Raises
    ------
    ParameterError
        If an argument is out of its range.

    Notes
    -----
    Tables of more than 4096 rows are first dealt at random into 4096 groups of equal size (to
    one row), and the groups are resampled. The sum over randomly dealt groups has, on average
    over the dealing, the cumulants that the sum over resampled rows has, so that the interval
    estimates the same thing, in time and memory that hardly grow with the number of rows.

    References
    ----------
    B. Efron (1979), "Bootstrap Methods: Another Look at the Jackknife", The Annals of
    Statistics 7(1), 1-26.
    """
    where = "bootstrap_interval"
    check_level(where, level)
    if resamples < 100:
        msg = f"{where}: resamples must be >= 100; got {resamples!r}"
        raise ParameterError(msg)
    if len(table) < 2:
        return None
    rng = np.random.default_rng(seed)
    groups = _groups(table[np.lexsort(table.T)], rng)
    n = len(groups)
    found = np.empty(resamples)
    step = max(1, DRAWS_AT_ONCE // n)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        rows = rng.integers(0, n, size=(stop - start, n), dtype=np.int32)
        sums = np.stack([np.take(each, rows).sum(axis=1) for each in groups.T], axis=1)
        found[start:stop] = statistic(sums)
    if not np.isfinite(found).all():
        return None
    tail = (1.0 - level) / 2.0
    low, high = (float(bound) for bound in np.quantile(found, [tail, 1.0 - tail]))
    return (low, high) if high - low > 1e-12 * max(abs(low), abs(high)) else None


def _groups(table: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    if len(table) <= GROUPS:
        return table
    group = rng.permutation(len(table)) % GROUPS
    sums = [np.bincount(group, weights=each, minlength=GROUPS) for each in table.T]
    return np.stack(sums, axis=1)
