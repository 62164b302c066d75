"""LightGBM's trees as groups of leaves that few decisions tell apart, and each row's pattern of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Column = NDArray[np.float32]
    Flags = NDArray[np.bool_]

__all__ = ["Group", "Leaf", "Step", "Tree", "groups_of", "read_trees"]

MOST_CONDITIONS = 10
"""A group's pattern has at most so many bits, unless a single leaf needs more."""

# The bits of LightGBM's decision_type.
CATEGORICAL, DEFAULT_LEFT, MISSING = 1, 1 << 1, 3 << 2
ZERO_IS_MISSING, NAN_IS_MISSING = 1 << 2, 2 << 2
ZERO = np.float32(1e-35)


class Step(NamedTuple):
    """A decision on the way to a leaf.

    Attributes
    ----------
    node : int
    left : bool
        Which way leads on to the leaf.
    feature : int
        What the node asks about.
    share : float
        Of the training rows of the node, how many went that way, in [0, 1].
    """

    node: int
    left: bool
    feature: int
    share: float


class Leaf(NamedTuple):
    """A leaf's value and the way to it from the root."""

    value: float
    path: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """A tree of LightGBM's; nodes by number, leaf k as child -k - 1, as in its text.

    Attributes
    ----------
    features, kinds, left, right, counts : list of int
        Of each node: the feature asked about, ``decision_type``, children and training rows.
    thresholds : ndarray of float64
        Of each node; where it splits by categories, the position in ``categories``.
    leaf_values : list of float
    leaf_counts : list of int
    categories : tuple of ndarray of bool
        Which categories go left, by code; the last entry, False, is for all other values.
    """

    features: list[int]
    kinds: list[int]
    left: list[int]
    right: list[int]
    counts: list[int]
    thresholds: NDArray[np.float64]
    leaf_values: list[float]
    leaf_counts: list[int]
    categories: tuple[Flags, ...]

    def leaves(self) -> Iterator[Leaf]:
        """Yield all leaves from left to right, so that neighbours share most of their paths."""
        waiting: list[tuple[int, tuple[Step, ...]]] = [(0 if self.features else -1, ())]
        while waiting:
            node, path = waiting.pop()
            if node < 0:
                yield Leaf(value=self.leaf_values[-node - 1], path=path)
                continue
            for child, left in ((self.right[node], False), (self.left[node], True)):
                rows = self.leaf_counts[-child - 1] if child < 0 else self.counts[child]
                share = rows / self.counts[node]
                waiting.append((child, (*path, Step(node, left, self.features[node], share))))

    def goes_left(self, node: int, column: Column) -> Flags:
        """Return which values of the node's feature go left, by the rules of LightGBM."""
        kind = self.kinds[node]
        missing, default_left = kind & MISSING, bool(kind & DEFAULT_LEFT)
        if kind & CATEGORICAL:
            members = self.categories[int(self.thresholds[node])]
            other = len(members) - 1
            # A code is cut to a whole number; below zero and missing are no category.
            code = np.where(column > -1, np.minimum(column, other), other).astype(np.intp)
            left: Flags = members[code]
            return left
        threshold = self._comparable[node]
        if missing == ZERO_IS_MISSING:
            gone = np.isnan(column) | (np.abs(column) <= ZERO)
            return np.where(gone, default_left, column <= threshold)
        # All comparisons with a missing value are false. Where none was known, it counts as 0.
        missing_left = default_left if missing == NAN_IS_MISSING else bool(threshold >= 0)
        left = column <= threshold
        if missing_left:
            left = ~(column > threshold)
        return left

    @cached_property
    def _comparable(self) -> Column:
        """Thresholds that compare with float32 as LightGBM's do with float64.

        A float32 is at most a threshold if and only if it is at most the next float32 below it.
        LightGBM reads every value within ZERO of 0 as 0: they all go the way of 0.
        """
        with np.errstate(over="ignore"):
            nearest = self.thresholds.astype(np.float32)
        nearest = np.where(nearest > self.thresholds, _below(nearest), nearest)
        nearest = np.where((nearest >= 0) & (nearest < ZERO), ZERO, nearest)
        return np.where((nearest < 0) & (nearest >= -ZERO), _below(-ZERO), nearest)


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Neighbouring leaves, and the conditions that decide which of their paths a row follows.

    Attributes
    ----------
    tree : Tree
    leaves : tuple of Leaf
    conditions : tuple of tuple of Step
        Each holds if all of its steps are taken. Steps that all leaves share are one condition for
        each feature; every other node is a condition of its own, held by rows that go left.
    """

    tree: Tree
    leaves: tuple[Leaf, ...]
    conditions: tuple[tuple[Step, ...], ...]

    def pattern(self, columns: Column, went_left: dict[int, Flags]) -> NDArray[np.intp]:
        """Return each row's pattern: condition k, if it holds, is bit k.

        The values are of shape (features, n), each feature in one piece; ``went_left`` keeps the
        decisions of nodes for the tree's other groups.
        """
        wide = "u1" if len(self.conditions) <= 8 else "u2"
        key: NDArray[np.unsignedinteger] = np.zeros(columns.shape[1], dtype=wide)
        for condition in reversed(self.conditions):
            for step in condition:
                if step.node not in went_left:
                    went_left[step.node] = self.tree.goes_left(step.node, columns[step.feature])
            taken = (
                went_left[step.node] if step.left else ~went_left[step.node] for step in condition
            )
            key += key
            key += reduce(np.logical_and, taken).view(np.uint8)
        return key.astype(np.intp)

    def met(self, leaf: Leaf) -> tuple[list[int], Flags]:
        """Return the leaf's features, and which of them agree with its path, pattern by pattern.

        The second is of shape (features, 2 ** conditions).
        """
        asked: dict[int, int] = {}
        wanted: dict[int, int] = {}
        ways = {step.node: step.left for step in leaf.path}
        for bit, condition in enumerate(self.conditions):
            first = condition[0]
            if first.node in ways:
                asked[first.feature] = asked.get(first.feature, 0) | 1 << bit
                agrees = ways[first.node] == first.left
                wanted[first.feature] = wanted.get(first.feature, 0) | agrees << bit
        features = list(asked)
        patterns = np.arange(2 ** len(self.conditions))
        rows = [(patterns & asked[feature]) == wanted[feature] for feature in features]
        return features, np.array(rows)


def _below(values: Column | np.float32) -> Column:
    return np.asarray(np.nextafter(values, np.float32(-np.inf)))


def groups_of(tree: Tree) -> Iterator[Group]:
    """Yield the leaves of a tree in groups of at most :data:`MOST_CONDITIONS` where possible."""
    held: list[Leaf] = []
    conditions: tuple[tuple[Step, ...], ...] = ()
    for leaf in tree.leaves():
        wider = _conditions([*held, leaf])
        if held and len(wider) > MOST_CONDITIONS:
            yield Group(tree=tree, leaves=tuple(held), conditions=conditions)
            held, wider = [], _conditions([leaf])
        held.append(leaf)
        conditions = wider
    if conditions:
        yield Group(tree=tree, leaves=tuple(held), conditions=conditions)


def _conditions(leaves: Sequence[Leaf]) -> tuple[tuple[Step, ...], ...]:
    first, last = leaves[0].path, leaves[-1].path
    shared = 0
    # Of leaves from left to right, what the first and the last share is shared by all.
    if len(leaves) == 1:
        shared = len(first)
    else:
        while first[shared] == last[shared]:
            shared += 1
    above: dict[int, list[Step]] = {}
    for step in first[:shared]:
        above.setdefault(step.feature, []).append(step)
    below = {step.node: step._replace(left=True) for leaf in leaves for step in leaf.path[shared:]}
    return (*map(tuple, above.values()), *((step,) for step in below.values()))


def read_trees(text: str) -> list[Tree]:
    """Return the trees of a model as LightGBM writes it."""
    return [_tree(part) for part in re.split(r"(?m)^Tree=\d+$", text)[1:]]


def _tree(part: str) -> Tree:
    entries = dict(re.findall(r"(?m)^(\w+)=(.*)$", part.split("\n\n", maxsplit=1)[0]))

    def whole(name: str) -> list[int]:
        return [int(number) for number in entries.get(name, "").split()]

    bounds, words = whole("cat_boundaries"), whole("cat_threshold")
    categories = []
    for start, stop in pairwise(bounds):
        bits = np.array(words[start:stop], dtype="<u4").view(np.uint8)
        members = np.unpackbits(bits, bitorder="little").astype(bool)
        categories.append(np.append(members, False))
    return Tree(
        features=whole("split_feature"),
        kinds=whole("decision_type"),
        left=whole("left_child"),
        right=whole("right_child"),
        counts=whole("internal_count"),
        thresholds=np.array(entries.get("threshold", "").split(), dtype=np.float64),
        leaf_values=[float(value) for value in entries["leaf_value"].split()],
        leaf_counts=whole("leaf_count"),
        categories=tuple(categories),
    )
