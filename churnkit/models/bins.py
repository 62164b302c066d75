"""Rows of a matrix in LightGBM's bins, shared by the targets that are learned from them."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import lightgbm
    import numpy as np
    from numpy.typing import NDArray

    from churnkit.models.base import FeatureMatrix

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Bins = dict[Any, tuple[NDArray[np.float32], Mask | None, lightgbm.Dataset]]

__all__ = ["OF_TARGETS", "binned", "give_back_memory", "shared_bins"]

OF_TARGETS = {"objective", "alpha", "tweedie_variance_power"}

# By where the values lie and how they are binned: the values and the rows chosen, which must stay
# where they are, and their bins. One entry at most.
_BINS: ContextVar[Bins | None] = ContextVar("churnkit_bins", default=None)


@contextmanager
def shared_bins() -> Iterator[None]:
    """Keep the bins of stacked snapshots for the next target, if that is of the same rows.

    To find the bins of a column takes as long as to grow the trees: targets of the same rows need
    them once, so they should be learned one after the other. Bins of other rows replace those that
    are kept. Only views of a larger matrix are shared, so that no copy of one is kept.
    """
    token = _BINS.set({})
    try:
        yield
    finally:
        _BINS.reset(token)


def binned(
    features: FeatureMatrix,
    target: Floats,
    *,
    parameters: Mapping[str, Any],
    rows: Mask | None = None,
) -> lightgbm.Dataset:
    """Return rows in bins with their target: of bins that are shared, or of their own."""
    import lightgbm

    from churnkit.models.streaming import ChosenRows, StreamedDataset

    values, shared = features.values, _BINS.get()
    binning = tuple((k, repr(v)) for k, v in sorted(parameters.items()) if k not in OF_TARGETS)
    place = (values.ctypes.data, values.shape, values.strides)
    # While the mask is kept with its bins, no other has its id.
    key = (place, None if rows is None else id(rows), features.names, features.categories, binning)
    if shared is not None and key in shared:
        return shared[key][2].set_label(target)
    if shared is not None:
        shared.clear()
    # The dataset is binned by these parameters before training reads them.
    kind = lightgbm.Dataset if rows is None else StreamedDataset
    dataset = kind(
        values if rows is None else ChosenRows(values, rows=rows),
        label=target,
        feature_name=list(features.names),
        categorical_feature=list(features.categories),
        params=dict(parameters),
    )
    if shared is not None and values.base is not None:
        shared[key] = (values, rows, dataset)
    return dataset


def give_back_memory() -> None:
    """Return to the system what was freed, where the C library can be told to (glibc).

    The sample that bins are found on (200,000 rows in double precision) lies below the bins: without
    this the process would keep its memory while trees are grown.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
