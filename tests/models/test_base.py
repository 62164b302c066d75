"""The feature matrix and the join of features with labels."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from churnkit.data.windows import US_PER_DAY, Snapshot
from churnkit.models import base as base_module
from churnkit.models.base import FeatureMatrix, label_snapshot, side_by_side, stack
from churnkit.models.population import BASE_NUMBERS
from churnkit.models.purchase import forecast_purchases

ROW = [{"customer_id": "b", "future_orders": 1.0, "future_spend": 7.0}]
SNAPSHOT = Snapshot(cutoff=date(2024, 1, 1), observation_days=730, horizon_days=90)


@pytest.fixture
def features():
    """Give base columns and one feature of three customers, the last without any order."""
    cutoff = SNAPSHOT.cutoff_us
    columns = {name: [1.0, 2.0, 0.0] for name in BASE_NUMBERS}
    columns["last_order_us"] = [cutoff - 10 * US_PER_DAY, cutoff - 90 * US_PER_DAY, None]
    return pa.table({"customer_id": ["a", "b", "c"], **columns, "f": [1.5, None, 3.0]})


def labelled(features, labels, *, active=365):
    """Return the labelled snapshot."""
    return label_snapshot(
        [features.slice(0, 2), features.slice(2)],
        pa.Table.from_pylist(labels),
        snapshot=SNAPSHOT,
        feature_names=["f"],
        active_within_days=active,
        min_orders=1,
    )


def test_customers_without_a_label_row_did_nothing(features):
    """Their orders and spend are zero; rows of customers not yet known are ignored."""
    rows = [
        {"customer_id": "z", "future_orders": 9.0, "future_spend": 99.0},
        {"customer_id": "b", "future_orders": 1.0, "future_spend": 7.0},
    ]

    found = labelled(features, rows)

    assert found.eligible.tolist() == [True, True, False]
    assert found.churned.tolist() == [True, False]
    assert found.future_spend.tolist() == [0.0, 7.0]
    assert np.isnan(found.features.values[1, 0])
    assert found.eligible_base["orders"].tolist() == [1.0, 2.0]


def test_a_label_may_say_who_churned(features):
    """Its column ``churned`` stands in for "no order"."""
    rows = [
        {"customer_id": "a", "future_orders": 0.0, "future_spend": 0.0, "churned": 0.0},
        {"customer_id": "b", "future_orders": 0.0, "future_spend": 0.0, "churned": 1.0},
    ]

    assert labelled(features, rows).churned.tolist() == [False, True]


def test_stacking_keeps_the_order_of_snapshots(features):
    """Rows of the first snapshot come first."""
    one = labelled(features, [{"customer_id": "a", "future_orders": 1.0, "future_spend": 1.0}])

    both = stack([one, one])

    assert both.names == ("f",)
    np.testing.assert_array_equal(both.values, np.tile(one.features.values, (2, 1)))


def test_a_matrix_gives_chosen_rows():
    """A mask keeps names and picks rows."""
    matrix = FeatureMatrix(names=("f",), values=np.array([[1.0], [2.0]], np.float32))

    assert matrix[np.array([False, True])].values.tolist() == [[2.0]]


def test_a_purchase_model_is_fitted_once_a_kind(shop, monkeypatch):
    """However often a snapshot is asked for its forecast, the fit happens once; it is of the population."""
    fits = []

    def counted(base, snapshot, *, kind):
        fits.append(kind)
        return forecast_purchases(base, snapshot, kind=kind)

    monkeypatch.setattr(base_module, "forecast_purchases", counted)
    eligible = np.arange(len(shop.test.eligible)) % 2 == 0
    snapshot = replace(shop.test, eligible=eligible)

    found = [snapshot.forecast(kind) for kind in ("bg_nbd", "bg_nbd", "mbg_nbd")]

    assert fits == ["bg_nbd", "mbg_nbd"]
    assert found[0] is found[1]
    everybody = forecast_purchases(snapshot.base, snapshot.snapshot, kind="bg_nbd")
    np.testing.assert_array_equal(found[0].expected_spend, everybody.expected_spend[eligible])


@pytest.mark.parametrize("count", [1, 2])
def test_unpickled_snapshots_are_stacked_too(features, count):
    """What lies beneath an unpickled array is no array."""
    snapshots = [labelled(features, ROW) for _ in range(count)]

    stacked = stack([pickle.loads(pickle.dumps(s, protocol=4)) for s in snapshots])

    np.testing.assert_array_equal(
        stacked.values, np.concatenate([s.features.values for s in snapshots])
    )


def test_snapshots_side_by_side_are_stacked_without_a_copy(features):
    """All of them, or the first ones, are views of one matrix."""
    apart = [labelled(features, ROW) for _ in range(3)]

    given = list(apart)
    together = side_by_side(given)

    assert given == []
    for n in (1, 2, 3):
        whole = stack(together[:n]).values
        assert np.shares_memory(whole, together[0].features.values)
        np.testing.assert_array_equal(whole, stack(apart[:n]).values)


def test_views_that_are_not_neighbours_are_copied(features):
    """A gap or another order between views of one matrix is not read over."""
    first, middle, last = side_by_side([labelled(features, ROW) for _ in range(3)])
    middle.features.values[:] = 5.0

    assert stack([first, last]).values[:, 0].tolist()[::2] == [1.5, 1.5]
    assert stack([last, middle]).values[2:].tolist() == [[5.0], [5.0]]
