"""Ranking, against the average over every order of the tied customers."""

from __future__ import annotations

from itertools import chain, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.evaluation.predictive import (
    decile_table,
    gini_normalized,
    lift_table,
    top_decile_capture,
    top_decile_lift,
)
from churnkit.evaluation.profit import profit_curve
from churnkit.evaluation.ranking import rank

# Ten customers, so that a decile is one customer; blocks of 3, 4, 1 and 2 tied ones.
PREDICTION = np.array([0.7, 0.2, 0.7, 0.4, 0.2, 0.7, 0.2, 0.1, 0.2, 0.1])
CHURNED = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0, 1])
SPEND = np.array([5.0, 0.0, 80.0, -7.0, 31.0, 2.0, 0.0, 12.0, 9.0, 44.0])


def every_order():
    """List each order of the customers, best first, that the prediction allows."""
    levels = sorted(set(PREDICTION), reverse=True)
    blocks = [np.flatnonzero(level == PREDICTION).tolist() for level in levels]
    return [list(chain(*order)) for order in product(*(permutations(block) for block in blocks))]


def mean_over_orders(statistic):
    """Average a statistic of the order."""
    return np.mean([statistic(order) for order in every_order()], axis=0)


def test_top_decile_lift_is_the_mean_over_orders_of_the_tied():
    """Three tied on top, two of whom churn: the best decile catches two thirds of a churner."""
    expected = mean_over_orders(lambda order: CHURNED[order[0]] / CHURNED.mean())

    assert top_decile_lift(CHURNED, PREDICTION) == pytest.approx(expected)


def test_top_decile_capture_is_the_mean_over_orders_of_the_tied():
    """The spend of the first customer, averaged over who may be first."""
    expected = mean_over_orders(lambda order: SPEND[order[0]] / SPEND.sum())

    assert top_decile_capture(SPEND, PREDICTION) == pytest.approx(expected)


def test_gini_is_the_mean_over_orders_of_the_tied():
    """The textbook sum over positions, averaged over all orders, then divided by the perfect one."""

    def gini(order):
        cumulative = np.cumsum(SPEND[order]) / SPEND.sum()
        return (cumulative.sum() - (len(SPEND) + 1) / 2) / len(SPEND)

    expected = mean_over_orders(gini) / gini(np.argsort(-SPEND))

    assert gini_normalized(SPEND, PREDICTION) == pytest.approx(expected)


def test_tables_are_the_mean_over_orders_of_the_tied():
    """Each decile of the tables holds the mean of the customers that may stand there."""
    churners = mean_over_orders(lambda order: CHURNED[order])
    spend = mean_over_orders(lambda order: SPEND[order])

    lift = lift_table(CHURNED, PREDICTION)
    deciles = decile_table(SPEND, PREDICTION)

    assert lift["churners"] == pytest.approx(churners)
    assert deciles["future_spend"] == pytest.approx(spend)
    assert deciles["expected_spend"] == pytest.approx(np.sort(PREDICTION)[::-1])


def test_profit_curve_is_the_mean_over_orders_of_the_tied():
    """Contacting k customers earns what the k first earn on average."""
    each = np.where(CHURNED == 1, 0.3 * 190 - 1, -11.0)
    expected = mean_over_orders(lambda order: np.cumsum(each[order]) / 10)

    curve = profit_curve(CHURNED, PREDICTION, shares=np.arange(1, 11) / 10)

    assert curve["profit"] == pytest.approx(expected)


def test_a_boundary_inside_a_customer_takes_that_fraction():
    """A tenth of 25 customers is two and a half."""
    values = np.arange(25.0)

    top = rank(values).top_decile(values)

    assert top == pytest.approx(24 + 23 + 22 / 2)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-50, 50)), min_size=1, max_size=40),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_bins_share_everything_and_forget_row_order(rows, bins, random):
    """Nothing is lost between bins, and shuffled rows give the same bins."""
    shuffled = random.sample(rows, len(rows))
    prediction, values = np.array(rows, dtype=float).T
    other_prediction, other_values = np.array(shuffled, dtype=float).T

    parts = rank(prediction).binned(values, bins=bins)

    assert parts.sum() == pytest.approx(values.sum(), abs=1e-9)
    assert parts == pytest.approx(rank(other_prediction).binned(other_values, bins=bins), abs=1e-9)
