"""Exact Shapley values and joint effects of a LightGBM model for many rows, pattern by pattern."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, reduce
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.tree_patterns import groups_of, read_trees

if TYPE_CHECKING:
    from collections.abc import Iterator

    import lightgbm
    from numpy.typing import NDArray

    from churnkit.models.tree_patterns import Flags, Group, Leaf, Tree

    Floats = NDArray[np.float64]

__all__ = ["FAST_ROWS", "ExactShapley"]

FAST_ROWS = 2_500
"""From so many rows on, the time to explain every pattern of decisions is won back."""
CHUNK_ROWS = 25_000
TABLE_BYTES = 64_000_000
"""Of the patterns that are held at once; a model with more is taken in parts."""
MOST_FEATURES = 16
"""A leaf that depends on more features would have a table of more than 8 MB."""

PATTERNS, LIGHTGBM = "TreeSHAP over patterns of decisions", "LightGBM's pred_contrib"


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactShapley:
    r"""TreeSHAP along the tree paths [1]_, the values of LightGBM's ``pred_contrib``.

    What a group of a tree's leaves adds to a feature's value depends only on the few decisions that
    tell those leaves apart. Every pattern of these decisions is explained once [2]_, and a row takes
    what its pattern says. Models that :meth:`method` names, and few rows, are left to LightGBM.

    Parameters
    ----------
    text : str
        The model as LightGBM writes it.
    booster : lightgbm.Booster
        The same.
    n_features : int
        Columns of the matrix.

    Notes
    -----
    To a leaf of value :math:`v`, feature :math:`j` brings the factor :math:`o_j` if it is known (1
    if the row agrees with all its decisions on the path, else 0) and :math:`r_j`, the share of
    training rows that follow them, if it is not. The Shapley value of :math:`i` is the slope of the
    game's multilinear extension along the diagonal [3]_,

    .. math:: v (o_i - r_i) \int_0^1 \prod_{j \ne i} (r_j + t (o_j - r_j)) \, dt,

    and the joint effect of a pair the mixed second slope [4]_. The integrand is a polynomial, and
    Gauss-Legendre quadrature is exact for it.

    References
    ----------
    .. [1] S. M. Lundberg, G. Erion, H. Chen et al. (2020), "From local explanations to global
       understanding with explainable AI for trees", Nature Machine Intelligence 2, 56-67.
    .. [2] The idea of patterns: R. Wettenstein, A. Nadel, U. Boker (2025), "From Decision Trees to
       Boolean Logic: A Fast and Unified SHAP Algorithm", arXiv:2511.09376.
    .. [3] G. Owen (1972), "Multilinear Extensions of Games", Management Science 18(5), 64-79.
    .. [4] M. Grabisch, M. Roubens (1999), "An axiomatic approach to the concept of interaction
       among players in cooperative games", International Journal of Game Theory 28, 547-565.
    """

    text: str
    booster: lightgbm.Booster
    n_features: int

    def method(self, rows: int) -> str:
        """Return what explains so many rows, and the rule by which it was chosen."""
        if rows < FAST_ROWS:
            return f"{LIGHTGBM} (fewer than {FAST_ROWS:,} rows)"
        if self._obstacle is not None:
            return f"{LIGHTGBM} ({self._obstacle})"
        return PATTERNS

    def values(self, rows: NDArray[np.float32]) -> Floats:
        """Return Shapley values, shape (n, n_features + 1), the base in the last column.

        Raises
        ------
        ModelGuardError
            If the model has linear leaves, which nobody explains exactly.
        """
        self._require_constant_leaves()
        if self.method(len(rows)) != PATTERNS:
            return np.asarray(self.booster.predict(rows, pred_contrib=True), dtype=np.float64)
        # A column of the result lies in one piece: whole columns are added to.
        found = np.zeros((self.n_features + 1, len(rows)))
        found[-1] = self._base
        starts = range(0, len(rows), CHUNK_ROWS)
        # NumPy lets go of the interpreter while it works on long arrays, so threads do help.
        with ThreadPoolExecutor(min(os.cpu_count() or 1, len(starts))) as pool:
            for tables in self._tables(order=1):
                list(pool.map(partial(_explain, found, rows, tables), starts))
        return found.T

    def interactions(self, rows: NDArray[np.float32]) -> dict[tuple[int, int], float] | None:
        """Return the mean size of the joint effect of every pair of features; None if not to be had.

        The joint effect of two features is what they add together beyond what each adds alone: both
        halves of their SHAP interaction value. Pairs that never meet in a tree are absent.

        Raises
        ------
        ModelGuardError
            If the model has linear leaves.
        """
        self._require_constant_leaves()
        if self._obstacle is not None:
            return None
        joint: dict[tuple[int, ...], Floats] = {}
        for tables in self._tables(order=2):
            for pair, added in _effects(tables, rows):
                if pair in joint:
                    joint[pair] += added
                else:
                    joint[pair] = added.copy()
        return {(a, b): float(np.abs(effect).mean()) for (a, b), effect in sorted(joint.items())}

    def _require_constant_leaves(self) -> None:
        if re.search(r"(?m)^is_linear=1$", self.text):
            msg = "explain: a model with linear leaves has no exact contributions; got linear_tree"
            raise ModelGuardError(msg)

    def _tables(self, *, order: int) -> Iterator[list[_Table]]:
        """Yield what every pattern adds, as much as may be held at once."""
        held: list[_Table] = []
        size = 0
        for tree in self._trees:
            for group in groups_of(tree):
                table = _Table(group=group, effects=_of_patterns(group, order=order))
                held.append(table)
                size += sum(effect.nbytes for effect in table.effects.values())
                if size > TABLE_BYTES:
                    yield held
                    held, size = [], 0
        yield held

    @cached_property
    def _trees(self) -> list[Tree]:
        return read_trees(self.text)

    @cached_property
    def _base(self) -> float:
        anybody = np.zeros((1, self.n_features), dtype=np.float32)
        return float(np.asarray(self.booster.predict(anybody, pred_contrib=True))[0, -1])

    @cached_property
    def _obstacle(self) -> str | None:
        """What in the model is left to LightGBM; None if nothing."""
        if re.search(r"(?m)^average_output$", self.text):
            return "the model is a random forest"
        leaves = [leaf for tree in self._trees for leaf in tree.leaves()]
        if any(len({step.feature for step in leaf.path}) > MOST_FEATURES for leaf in leaves):
            return f"a leaf depends on more than {MOST_FEATURES} features"
        if any(step.share <= 0 for leaf in leaves for step in leaf.path):
            return "a branch has no training rows"
        return None


class _Table(NamedTuple):
    """What each pattern of a group adds to single features, or to pairs."""

    group: Group
    effects: dict[tuple[int, ...], Floats]


def _explain(found: Floats, rows: NDArray[np.float32], tables: list[_Table], start: int) -> None:
    part = slice(start, start + CHUNK_ROWS)
    for (feature,), added in _effects(tables, rows[part]):
        found[feature, part] += added


def _effects(
    tables: list[_Table], rows: NDArray[np.float32]
) -> Iterator[tuple[tuple[int, ...], Floats]]:
    """Yield what is to be added for every row; the array is overwritten at the next step."""
    columns = np.ascontiguousarray(rows.T, dtype=np.float32)
    added = np.empty(len(rows))
    tree: Tree | None = None
    went_left: dict[int, Flags] = {}
    for group, effects in tables:
        if group.tree is not tree:
            tree, went_left = group.tree, {}
        pattern = group.pattern(columns, went_left)
        for features, effect in effects.items():
            yield features, np.take(effect, pattern, out=added, mode="clip")


def _of_patterns(group: Group, *, order: int) -> dict[tuple[int, ...], Floats]:
    """Return the effects of all features, or of all pairs, by pattern: shape (patterns,)."""
    found: dict[tuple[int, ...], Floats] = {}
    for leaf in group.leaves:
        features, met = group.met(leaf)
        if len(features) < order:
            continue
        shares = _shares(leaf, features)
        subsets = np.array(list(combinations(range(len(features)), order)))
        each = _of_leaf(leaf.value, shares, subsets)
        which = (1 << np.arange(len(features))) @ met
        for subset, effect in zip(subsets, each, strict=True):
            name = tuple(sorted(features[k] for k in subset))
            if name in found:
                found[name] += effect[which]
            else:
                found[name] = effect[which]
    return found


def _of_leaf(value: float, shares: Floats, subsets: NDArray[np.intp]) -> Floats:
    """Return a leaf's effects, shape (subsets, 2 ** features); bit j: feature j agrees with the path."""
    met = np.arange(2 ** len(shares)) >> np.arange(len(shares))[:, None] & 1
    change = met - shares[:, None]
    effects = np.zeros((len(subsets), met.shape[1]))
    for point, weight in zip(*_quadrature(len(shares)), strict=True):
        factors = shares[:, None] + point * change
        slopes = change / factors
        product = weight * value * factors.prod(axis=0)
        effects += product * reduce(np.multiply, (slopes[members] for members in subsets.T))
    return effects


@lru_cache
def _quadrature(features: int) -> tuple[Floats, Floats]:
    """Return points in (0, 1) and weights that are exact for polynomials of a lower degree."""
    points, weights = np.polynomial.legendre.leggauss((features + 1) // 2)
    return (points + 1) / 2, weights / 2


def _shares(leaf: Leaf, features: list[int]) -> Floats:
    shares = dict.fromkeys(features, 1.0)
    for step in leaf.path:
        shares[step.feature] *= step.share
    return np.array(list(shares.values()))
