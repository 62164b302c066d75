"""Confidence intervals of many ratios of sums at once, by resampling customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.formulas import Interval

__all__ = ["Resampling"]

GROUPS = 4096
"""More rows than this are dealt at random into this many groups before they are resampled."""


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """The percentile bootstrap of :func:`churnkit.formulas.bootstrap_interval`, for a whole report.

    A report asks for hundreds of intervals. The same resamples serve all tables of one size, and
    the ratios of one table share them, so that each costs a multiplication of two matrices.

    Parameters
    ----------
    level : float, default 0.95
        Confidence level.
    seed : int, default 0
        Seed: the same seed and rows give the same intervals, whatever the order of the rows.
    resamples : int, default 2000
        Number of resamples.

    References
    ----------
    B. Efron (1979), "Bootstrap Methods: Another Look at the Jackknife", The Annals of
    Statistics 7(1), 1-26.

    Examples
    --------
    >>> money, orders = np.array([10.0, 20.0, 90.0, 40.0]), np.array([1.0, 1.0, 3.0, 2.0])
    >>> ((low, high),) = Resampling().intervals([money, orders], [(0, 1)])
    >>> low < 160 / 7 < high
    True
    """

    level: float = 0.95
    seed: int = 0
    resamples: int = 2000
    _draws: dict[int, NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def intervals(
        self, columns: Sequence[NDArray[np.float64]], ratios: Sequence[tuple[int, int]]
    ) -> list[Interval | None]:
        """Return the interval of each ratio of two column sums.

        Parameters
        ----------
        columns : sequence of ndarray of float64, shape (n_customers,)
            What each customer adds to each sum.
        ratios : sequence of (int, int)
            Positions of numerator and denominator among the columns.

        Returns
        -------
        list of tuple of float or None
            Bounds; None for fewer than two rows, where the denominator of a resample is not
            positive, and where all resamples agree.
        """
        if len(columns[0]) < 2:
            return [None] * len(ratios)
        groups = self._groups(columns)
        sums = self._drawn(len(groups)) @ groups
        tail = (1.0 - self.level) / 2.0
        found: list[Interval | None] = []
        for above, below in ratios:
            if not (sums[:, below] > 0.0).all():
                found.append(None)
                continue
            each = sums[:, above] / sums[:, below]
            low, high = (float(bound) for bound in np.quantile(each, [tail, 1.0 - tail]))
            spread = high - low > 1e-12 * max(abs(low), abs(high))
            found.append((low, high) if spread else None)
        return found

    def _groups(self, columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the rows in an order of their own, dealt into groups if they are many."""
        # Columns in unlike units: rows of the same key are the same rows.
        weights = 1.0 + np.sqrt(np.arange(2.0, 2.0 + len(columns)))
        key = np.sum([w * column for w, column in zip(weights, columns, strict=True)], axis=0)
        order = np.argsort(key)
        if len(key) <= GROUPS:
            return np.stack([column[order] for column in columns], axis=1)
        group = np.empty(len(key), dtype=np.int64)
        group[order] = np.random.default_rng(self.seed).permutation(len(key)) % GROUPS
        sums = [np.bincount(group, weights=column, minlength=GROUPS) for column in columns]
        return np.stack(sums, axis=1)

    def _drawn(self, n: int) -> NDArray[np.float64]:
        """Return how often each resample holds each of n rows, shape (resamples, n)."""
        if n not in self._draws:
            rng = np.random.default_rng(self.seed)
            rows = rng.integers(0, n, size=(self.resamples, n), dtype=np.int64)
            rows += np.arange(self.resamples)[:, None] * n
            counts = np.bincount(rows.ravel(), minlength=self.resamples * n)
            drawn = counts.reshape(self.resamples, n).astype(np.float64)
            if n != GROUPS:
                return drawn
            self._draws[n] = drawn
        return self._draws[n]
