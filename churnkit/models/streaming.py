"""Rows of a matrix that LightGBM reads a few at a time, so that they are never copied as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ChosenRows"]


class ChosenRows(lightgbm.Sequence):
    """The chosen rows of a matrix, in their order.

    Parameters
    ----------
    values : ndarray of float32, shape (n, n_features)
    rows : ndarray of bool, shape (n,)
        Which to read.
    """

    batch_size = 16_384

    def __init__(self, values: NDArray[np.float32], *, rows: NDArray[np.bool_]) -> None:
        self._values = values
        self._positions = np.flatnonzero(rows).astype(np.int32)

    def __len__(self) -> int:
        """Return how many are chosen."""
        return len(self._positions)

    def __getitem__(self, index: int | slice | list[int]) -> NDArray[Any]:
        """Return one row in double precision, as the search for bins wants it, or several as they are."""
        found = self._values[self._positions[index]]
        return found.astype(np.float64) if found.ndim == 1 else found
