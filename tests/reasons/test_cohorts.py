"""Customers by the strongest reason of their risk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from churnkit.features.phrases import Phrase
from churnkit.models.base import FeatureMatrix
from churnkit.reasons import ReasonCohorts, Reasons

NAMES = ("days", "gap", "orders")
PHRASES = {
    "days": Phrase(text="no order for {value} days", name="days since the last order"),
    "gap": Phrase(text="{value} days between orders"),
    "orders": Phrase(text="{value} orders so far"),
}


def matrix(rows):
    """Return a feature matrix with the names of these tests."""
    return FeatureMatrix(names=NAMES, values=np.asarray(rows, dtype=np.float32))


def test_customers_of_all_batches_are_counted_under_their_strongest_reason():
    """A group counts under the member said most often; who has no reason, under none."""
    reasons = Reasons(
        phrases=PHRASES,
        typical=dict.fromkeys(NAMES, 0.0),
        count=3,
        groups={"days": "days", "gap": "days", "orders": "orders"},
    )
    cohorts = ReasonCohorts(reasons=reasons, names=NAMES)
    values = np.full((2, 3), 7.0)

    cohorts.see(matrix(values), np.array([[0.3, 0.9, 0.5], [0.9, 0.3, 1.0]]))
    cohorts.see(matrix(values), np.array([[0.2, 0.6, 0.1], [-1.0, -1.0, -0.2]]))
    cohorts.see(matrix(values[:1]), np.array([[0.1, 0.1, 0.9]]))
    rows = cohorts.rows(
        SimpleNamespace(
            churn_probability=np.array([0.8, 0.6, 0.4, 0.1, 0.5]),
            expected_spend=np.array([1.0, 2.0, 4.0, 8.0, 16.0]),
        )
    )

    assert [(r["feature"], r["customers"], r["share"], r["expected_spend"]) for r in rows] == [
        ("gap", 3, 60.0, 7.0),
        (None, 1, 20.0, 8.0),
        ("orders", 1, 20.0, 16.0),
    ]
    np.testing.assert_allclose([r["churn_probability"] for r in rows], [0.6, 0.1, 0.5])
    assert [r["says"] for r in rows] == [
        PHRASES["gap"].label,
        "nothing raises the risk above the average",
        PHRASES["orders"].label,
    ]
