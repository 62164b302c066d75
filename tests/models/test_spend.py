"""The pool of expected spend, by hand and against its own total."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.models.purchase_forecast import PurchaseForecast
from churnkit.models.spend import SpendModel


def forecast(order_probability, expected_spend):
    """Return a purchase model's view with these two columns."""
    p, spend = np.array(order_probability), np.array(expected_spend)
    unknown = np.full(len(p), np.nan)
    return PurchaseForecast(
        order_probability=p,
        expected_orders=p,
        expected_spend=spend,
        p_alive=p,
        next_order_days=unknown,
        worth=np.ones(len(p)),
        cutoff=date(2024, 1, 1),
    )


def test_value_is_the_geometric_mean_of_both_views():
    """Learners say 40, the purchase model 20 / .5 = 40 and 9 / .9 = 10: weights of one half."""
    model = SpendModel(objective="hurdle_gamma", learners=(), weight=0.5)

    value = model.given_order(
        np.array([[40.0], [40.0]]),
        order_probability=np.array([0.3, 0.3]),
        forecast=forecast([0.5, 0.9], [20.0, 9.0]),
    )

    assert value == pytest.approx([40.0, 20.0])


def test_a_model_of_spend_is_divided_by_the_order_probability():
    """Tweedie predicts spend itself: 12 with P(order) .4 is 30 an order."""
    model = SpendModel(objective="tweedie_1.3", learners=())

    value = model.given_order(np.array([[12.0]]), order_probability=np.array([0.4]), forecast=None)

    assert value == pytest.approx([30.0])


@given(st.floats(0.05, 0.95), st.floats(0.1, 0.9))
def test_the_typical_spend_changes_the_shape_and_not_the_total(share, p):
    """Pooling moves spend between customers; what all are expected to spend stays."""
    model = SpendModel(objective="hurdle", learners=(), typical_share=share)
    chance = np.array([p, 0.5, 0.9])
    own = np.array([10.0, 20.0, 5.0])

    value = model.given_order(
        np.column_stack([own, [0.1, 3.0, 2.0]]), order_probability=chance, forecast=None
    )

    assert np.sum(chance * value) == pytest.approx(np.sum(chance * own))
    assert value[1] / value[0] > own[1] / own[0]
