"""Rows of a matrix that LightGBM reads a few at a time, so that they are never copied as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

from churnkit.models.bins import OF_TARGETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ChosenRows", "StreamedDataset"]


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


class StreamedDataset(lightgbm.Dataset):
    """A dataset of streamed rows that has the bins which the same rows would have in one matrix.

    LightGBM's own does not pass on the seed, by which rows are drawn to find bins on, nor the least
    number of rows in a leaf, by which columns are left out.
    """

    def get_params(self) -> dict[str, Any]:
        """Return the parameters that were given, without those of the first target learned."""
        return {
            name: value for name, value in (self.params or {}).items() if name not in OF_TARGETS
        }
