"""Trees as read from LightGBM's text: ways of rows, groups of leaves, patterns."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from churnkit.models.tree_patterns import MOST_CONDITIONS, Tree, groups_of, read_trees

ROWS = 1_500


def sample(seed):
    """Return rows with whole numbers, categories, tiny values and gaps."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(ROWS, 6)).astype(np.float32)
    values[:, 1] = rng.integers(0, 3, ROWS)
    values[:, 2] = rng.integers(0, 40, ROWS)
    values[:, 3] = rng.choice(np.array([0, 1e-36, -1e-35, 1e-34, -1e-34, 1], np.float32), ROWS)
    one = np.float32(16_777_216.0)
    values[:, 4] = np.where(rng.random(ROWS) < 0.5, one, np.nextafter(one, np.float32(np.inf)))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values


def fitted(values, *, categories=(), **params):
    """Return a booster that needs every column."""
    rng = np.random.default_rng(4)
    known = np.nan_to_num(values)
    score = (
        known[:, 0] * known[:, 1] + np.sin(known[:, 2]) + known[:, 3] + (known[:, 4] > 16_777_216)
    )
    target = score + rng.normal(size=len(values)) + np.isnan(values[:, 5])
    given = {"verbosity": -1, "num_threads": 1, "min_data_per_group": 5, **params}
    data = lightgbm.Dataset(values, target, categorical_feature=list(categories))
    return lightgbm.train(given, data, 6)


MODELS = pytest.mark.parametrize(
    "params",
    [
        {"num_leaves": 2},
        {"num_leaves": 31},
        {"num_leaves": 63, "min_data_in_leaf": 1, "extra_trees": True},
        {"num_leaves": 31, "zero_as_missing": True},
        {"num_leaves": 31, "use_missing": False},
        {"num_leaves": 31, "categories": (1, 2), "max_cat_to_onehot": 1},
        {"num_leaves": 31, "categories": (2,), "max_cat_to_onehot": 64},
    ],
    ids=str,
)


def unseen():
    """Return rows with values that training has not seen, in every column."""
    strange = np.array([-0.5, -1, -7, 0.9, 2.7, 41, 1e9, np.inf, -np.inf, np.nan], np.float32)
    values = sample(8)
    pick = np.random.default_rng(9).random(values.shape) < 0.2
    values[pick] = np.random.default_rng(9).choice(strange, pick.sum())
    return values


@MODELS
def test_rows_follow_the_ways_of_lightgbm(params):
    """A walk from the root by ``goes_left`` ends in the leaf that ``pred_leaf`` names."""
    booster = fitted(sample(3), **params)
    rows = unseen()

    ends = booster.predict(rows, pred_leaf=True).reshape(ROWS, -1)

    for tree, expected in zip(read_trees(booster.model_to_string()), ends.T, strict=True):
        at = np.zeros(ROWS, dtype=int)
        for _ in range(64):
            for node in np.unique(at[at >= 0]):
                here = np.flatnonzero(at == node)
                left = tree.goes_left(node, rows[here, tree.features[node]])
                at[here] = np.where(left, tree.left[node], tree.right[node])
        np.testing.assert_array_equal(-at - 1, expected)


@MODELS
def test_patterns_tell_the_leaf(params):
    """By its patterns every row agrees with all features of one leaf of the tree: its own."""
    booster = fitted(sample(3), **params)
    rows = unseen()
    columns = np.ascontiguousarray(rows.T)

    ends = booster.predict(rows, pred_leaf=True).reshape(ROWS, -1)

    for tree, expected in zip(read_trees(booster.model_to_string()), ends.T, strict=True):
        went_left, reached = {}, []
        for group in groups_of(tree):
            pattern = group.pattern(columns, went_left)
            reached += [group.met(leaf)[1].all(axis=0)[pattern] for leaf in group.leaves]
        assert (np.sum(reached, axis=0) == 1).all()
        values = [leaf.value for leaf in tree.leaves()]
        np.testing.assert_array_equal(
            np.array(values)[np.argmax(reached, axis=0)], np.array(tree.leaf_values)[expected]
        )


@MODELS
def test_groups_hold_every_leaf_once(params):
    """In their order, within the limit of conditions unless a leaf is alone."""
    trees = read_trees(fitted(sample(3), **params).model_to_string())

    for tree in trees:
        groups = list(groups_of(tree))
        assert [leaf for group in groups for leaf in group.leaves] == list(tree.leaves())
        assert all(
            len(group.conditions) <= MOST_CONDITIONS or len(group.leaves) == 1 for group in groups
        )


def test_decisions_on_the_way_to_all_leaves_are_one_condition_by_feature():
    """At the end of a chain of splits of one column, all that came before is one condition."""
    nodes = 20
    chain = Tree(
        features=[0] * nodes,
        kinds=[0] * nodes,
        left=[-1 - node for node in range(nodes)],
        right=[*range(1, nodes), -1 - nodes],
        counts=[10 * (nodes + 1 - node) for node in range(nodes)],
        thresholds=np.arange(nodes, dtype=np.float64),
        leaf_values=list(np.arange(nodes + 1.0)),
        leaf_counts=[10] * (nodes + 1),
        categories=(),
    )

    *_, last = groups_of(chain)

    assert max(len(leaf.path) for leaf in last.leaves) == nodes
    assert len(last.conditions) == len(last.leaves) <= MOST_CONDITIONS
    assert len(last.conditions[0]) > 1


def test_a_tree_without_a_split_has_a_leaf_and_no_group():
    """Nothing is decided there."""
    values = sample(3)
    (tree, *_) = read_trees(fitted(values, min_data_in_leaf=ROWS).model_to_string())

    assert [leaf.path for leaf in tree.leaves()] == [()]
    assert list(groups_of(tree)) == []
