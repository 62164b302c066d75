"""Customers drawn from a population with their features and contributions, for plots and intervals."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ExplainedSample", "Sampler"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedSample:
    """Features of some customers and what each adds to the raw score.

    Attributes
    ----------
    customer_ids : tuple of str
        Sorted.
    feature_names : tuple of str
    says : mapping of str to str
        What each feature is, in words.
    values : ndarray, shape (n, n_features)
        NaN where a feature is not known.
    contributions : ndarray of float64, shape (n, n_features)
        In log-odds for churn.
    base : float
        Raw score of the average training row; base + sum of contributions is a row's raw score.
    """

    customer_ids: tuple[str, ...]
    feature_names: tuple[str, ...]
    says: Mapping[str, str]
    values: NDArray[Any]
    contributions: Floats
    base: float

    def to_shap(self) -> Any:
        """Return a ``shap.Explanation`` for shap's own plots (``pip install 'churnkit-ml[notebooks]'``).

        Raises
        ------
        ImportError
            If shap is not installed.
        """
        import shap

        return shap.Explanation(
            values=self.contributions,
            base_values=np.full(len(self.contributions), self.base),
            data=np.asarray(self.values, dtype=np.float64),
            feature_names=list(self.feature_names),
        )


@dataclass(kw_only=True, eq=False)
class Sampler:
    """Keeps a uniform sample of the rows that pass by, whatever their order or batches.

    Rows are drawn by a hash of the customer's id: the same customers are drawn at another date and
    on another engine, and memory holds at most ``size`` rows and one batch.

    Parameters
    ----------
    size : int
        Most rows kept.
    seed : int, default 7
        Another seed draws other customers.
    """

    size: int
    seed: int = 7
    _keys: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    _ids: NDArray[Any] = field(default_factory=lambda: np.zeros(0, object))
    _parts: list[NDArray[Any]] = field(default_factory=list)

    def see(self, ids: Sequence[str], *parts: NDArray[Any]) -> None:
        """Look at a batch: ids, and arrays with one row for each of them."""
        if not len(ids):
            return
        keys = np.array([self._key(name) for name in ids], dtype=np.uint64)
        if not self._parts:
            self._parts = [part[:0] for part in parts]
        names = np.concatenate([self._ids, np.asarray(ids, dtype=object)])
        both = np.concatenate([self._keys, keys])
        kept = np.sort(np.argsort(both, kind="stable")[: self.size])
        self._keys, self._ids = both[kept], names[kept]
        self._parts = [
            np.concatenate([old, new])[kept] for old, new in zip(self._parts, parts, strict=True)
        ]

    def drawn(self) -> tuple[tuple[str, ...], list[NDArray[Any]]]:
        """Return the ids drawn, sorted, and the arrays in their order."""
        order = np.argsort(self._ids.astype(str), kind="stable")
        return tuple(self._ids[order]), [part[order] for part in self._parts]

    def _key(self, name: str) -> int:
        digest = blake2b(name.encode(), digest_size=8, salt=self.seed.to_bytes(8, "little"))
        return int.from_bytes(digest.digest(), "little")
