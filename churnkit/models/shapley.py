"""Exact Shapley values of a LightGBM model for many rows: by WOODELF where it can, else by LightGBM."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    import lightgbm
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["FAST_ROWS", "ExactShapley"]

FAST_ROWS = 5_000
"""From so many rows on, WOODELF's fixed cost per call (a tenth of a second to one) is won back."""
CHUNK_ROWS = 100_000
LEAST_PER_THREAD = 25_000

WOODELF, LIGHTGBM = "woodelf-explainer", "LightGBM's pred_contrib"
CATEGORICAL, MISSING_TYPE, ZERO_IS_MISSING = 1, 3 << 2, 1 << 2


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactShapley:
    """TreeSHAP along the tree paths, the values of LightGBM's ``pred_contrib``.

    WOODELF [1]_ explains all rows of a batch at once: a leaf's rows fall into few patterns of
    decisions, and each pattern is explained once. It is used from :data:`FAST_ROWS` rows on and for
    models that it reads; :meth:`method` says which library explains, and why not the faster one.

    Parameters
    ----------
    text : str
        The model as LightGBM writes it.
    booster : lightgbm.Booster
        The same.
    n_features : int
        Columns of the matrix.

    References
    ----------
    .. [1] R. Wettenstein, A. Nadel, U. Boker (2025), "From Decision Trees to Boolean Logic: A Fast
       and Unified SHAP Algorithm", arXiv:2511.09376.
    """

    text: str
    booster: lightgbm.Booster
    n_features: int

    def method(self, rows: int) -> str:
        """Return which library explains so many rows, and the rule by which it was chosen."""
        if self._obstacle is not None:
            return f"{LIGHTGBM} ({self._obstacle})"
        if rows < FAST_ROWS:
            return f"{LIGHTGBM} (fewer than {FAST_ROWS:,} rows)"
        return WOODELF

    def values(self, rows: NDArray[np.float32]) -> Floats:
        """Return Shapley values, shape (n, n_features + 1), the base in the last column.

        Raises
        ------
        ModelGuardError
            If the model has linear leaves, which nobody explains exactly.
        """
        if re.search(r"(?m)^is_linear=1$", self.text):
            msg = "explain: a model with linear leaves has no exact contributions; got linear_tree"
            raise ModelGuardError(msg)
        if self.method(len(rows)) != WOODELF:
            return np.asarray(self.booster.predict(rows, pred_contrib=True), dtype=np.float64)
        found = np.empty((len(rows), self.n_features + 1))
        found[:, -1] = self._base
        threads = min(os.cpu_count() or 1, max(1, len(rows) // LEAST_PER_THREAD))
        step = min(CHUNK_ROWS, -(-len(rows) // threads))

        def explain(start: int) -> None:
            found[start : start + step, :-1] = self._chunk(rows[start : start + step])

        # NumPy lets go of the interpreter while it works on long arrays, so threads do help.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(explain, range(0, len(rows), step)))
        return found

    def interactions(self, rows: NDArray[np.float32]) -> dict[tuple[int, int], float] | None:
        """Return the mean size of the joint effect of every pair of features; None if not to be had.

        The joint effect of two features is what they add together beyond what each adds alone: both
        halves of their SHAP interaction value. Pairs that never meet in a tree are absent.
        """
        import pandas as pd
        from woodelf import WoodelfExplainer

        if self._obstacle is not None:
            return None
        frame = pd.DataFrame(np.asfortranarray(rows, dtype=np.float32), copy=False)
        found = WoodelfExplainer(self._readable).shap_interaction_values(
            frame,
            include_interaction_with_itself=False,
            as_df=True,
            exclude_zero_contribution_features=True,
            verbose=False,
        )
        return {
            (int(a), int(b)): float(2.0 * np.abs(found[(a, b)].to_numpy()).mean())
            for a, b in found.columns
            if a < b
        }

    def _chunk(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        import pandas as pd
        from woodelf import WoodelfExplainer

        frame = pd.DataFrame(np.asfortranarray(rows, dtype=np.float32), copy=False)
        explainer = WoodelfExplainer(self._readable)
        values: NDArray[np.float32] = explainer.shap_values(frame, verbose=False)
        return values

    @cached_property
    def _readable(self) -> lightgbm.Booster:
        """The model with thresholds that compare with float32 as the original's do.

        A float32 is at most a threshold if and only if it is at most the next float32 below it.
        """
        import lightgbm

        text = re.sub(r"(?m)^threshold=(.*)$", _rounded_down, self.text)
        # The sizes of the trees in bytes are no longer right; LightGBM reads without them.
        return lightgbm.Booster(model_str=re.sub(r"(?m)^tree_sizes=.*\n", "", text))

    @cached_property
    def _base(self) -> float:
        anybody = np.zeros((1, self.n_features), dtype=np.float32)
        return float(np.asarray(self.booster.predict(anybody, pred_contrib=True))[0, -1])

    @cached_property
    def _obstacle(self) -> str | None:
        """What in the model WOODELF does not read; None if nothing."""
        kinds = {
            int(kind)
            for line in re.findall(r"(?m)^decision_type=(.*)$", self.text)
            for kind in line.split()
        }
        if not kinds:
            return "the model has no split"
        if any(kind & CATEGORICAL for kind in kinds):
            return "the model splits by categories"
        if any(kind & MISSING_TYPE == ZERO_IS_MISSING for kind in kinds):
            return "the model takes 0 for missing"
        if re.search(r"(?m)^average_output$", self.text):
            return "the model is a random forest"
        return None


def _rounded_down(line: re.Match[str]) -> str:
    given = np.array(line[1].split(), dtype=np.float64)
    nearest = given.astype(np.float32)
    below = np.where(nearest > given, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return "threshold=" + " ".join(repr(float(value)) for value in below)
