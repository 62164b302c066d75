"""Predictions of every purchase model: against simulated futures, and against each other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.btyd import BgNbd, ParetoNbd, PurchaseHistory, fit_purchase_model, group_customers
from churnkit.errors import ParameterError

POSITIVE = st.floats(0.05, 50.0)
KINDS = st.sampled_from(["bg_nbd", "mbg_nbd", "pareto_nbd"])


@st.composite
def any_model(draw):
    """One model of any kind, its parameters over three orders of magnitude."""
    kind, first, second, third, fourth = draw(st.tuples(KINDS, *[POSITIVE] * 4))
    if kind == "pareto_nbd":
        return ParetoNbd(r=first, alpha=second, s=third, beta=fourth)
    return BgNbd(kind=kind, r=first, alpha=second, a=third, b=fourth)


@st.composite
def any_customer(draw):
    """One possible customer, up to 5,000 repeat orders in a tenure from nothing to long."""
    tenure = draw(st.floats(0.0, 500.0))
    x = draw(st.sampled_from([0, 0, 1, 2, 7, 40, 5000]))
    share = draw(st.floats(0.0, 1.0))
    return {"repeat_orders": x, "recency": tenure * share if x else 0.0, "tenure": tenure}


def mean_within(actual, expected, *, errors=4.5):
    """Whether the mean of the differences is zero, as far as their spread lets one tell."""
    off = actual - expected
    return abs(off.mean()) <= errors * off.std() / np.sqrt(off.size) + 1e-12


@pytest.mark.parametrize("gap", [0.0, 9.0])
def test_predictions_come_true_on_average(model, simulate, gap):
    """For simulated customers alike in what was seen, the future has the predicted means."""
    tenure = np.random.default_rng(6).uniform(5, 60, 60_000)
    seen = simulate(model, tenure=tenure, horizon=26.0, gap=gap, seed=7)

    orders = model.expected_orders(**seen.customers, horizon=26.0, gap=gap)
    probability = model.probability_of_order(**seen.customers, horizon=26.0, gap=gap)
    p_alive = model.p_alive(**seen.customers)

    x, silence = seen.customers["repeat_orders"], tenure - seen.customers["recency"]
    for alike in (x == 0, x == 1, (x > 1) & (silence < 10), (x > 1) & (silence >= 10), x > 9):
        assert mean_within(seen.orders_ahead[alike], orders[alike])
        assert mean_within(seen.orders_ahead[alike] > 0, probability[alike])
        assert mean_within(seen.alive[alike], p_alive[alike])


def test_expected_repeat_orders_are_those_of_new_customers(model, simulate):
    """From the first order on, simulated customers place as many orders as the model says."""
    weeks = np.full(60_000, 52.0)

    expected = model.expected_repeat_orders([13.0, 52.0])

    assert mean_within(
        simulate(model, tenure=weeks, seed=1).customers["repeat_orders"], expected[1]
    )
    assert expected[0] < expected[1] < 52 * model.r / model.alpha


def test_half_of_those_who_stay_order_by_the_median(model):
    """Poisson buyers of any rate who cannot leave: half have ordered by their median time."""
    rng = np.random.default_rng(2)
    tenure = rng.uniform(5, 40, 100_000)
    rate = rng.gamma(model.r, 1.0 / model.alpha, 100_000)
    x, next_order = rng.poisson(rate * tenure), rng.exponential(1.0 / rate)

    median = model.median_time_to_next_order(repeat_orders=x, tenure=tenure)

    for alike in (x == 0, x == 1, x > 5):
        assert mean_within(next_order[alike] <= median[alike], 0.5)


@settings(max_examples=100, deadline=None)
@given(any_model(), any_customer(), st.floats(0.0, 400.0), st.floats(0.0, 400.0))
def test_probabilities_and_expectations_respect_each_other(model, customer, horizon, gap):
    """0 <= P(order) <= P(alive) <= 1, and orders are at least the probability of one."""
    p_alive = model.p_alive(**customer)
    probability = model.probability_of_order(**customer, horizon=horizon, gap=gap)
    orders = model.expected_orders(**customer, horizon=horizon, gap=gap)

    assert 0.0 <= probability <= p_alive <= 1.0
    assert probability <= orders * (1.0 + 1e-6) + 1e-9


@given(model=any_model(), customer=any_customer(), horizon=POSITIVE, gap=st.floats(0.0, 30.0))
@settings(max_examples=60, deadline=None)
def test_what_the_living_do_times_being_alive_is_the_prediction(model, customer, horizon, gap):
    """``if_alive`` times ``p_alive`` gives both predictions, whatever the recency."""
    kind = {"repeat_orders": customer["repeat_orders"], "tenure": customer["tenure"]}

    orders, probability = model.if_alive(**kind, horizon=horizon, gap=gap)

    alive, ahead = model.p_alive(**customer), {"horizon": horizon, "gap": gap}
    assert alive * orders == model.expected_orders(**customer, **ahead)
    assert alive * probability == model.probability_of_order(**customer, **ahead)


@settings(max_examples=100, deadline=None)
@given(any_model(), any_customer(), st.floats(0.0, 200.0), st.floats(0.0, 200.0), POSITIVE)
def test_expected_orders_add_up_over_time(model, customer, first, second, gap):
    """Orders of two intervals that touch are the orders of both; a longer one has no fewer."""
    near = model.expected_orders(**customer, horizon=first, gap=gap)
    far = model.expected_orders(**customer, horizon=second, gap=gap + first)
    both = model.expected_orders(**customer, horizon=first + second, gap=gap)

    # Rounding is relative to the orders of somebody who never leaves.
    rounding = 1e-8 * (model.r + customer["repeat_orders"]) / model.alpha * (first + second)
    assert near + far == pytest.approx(both, rel=1e-6, abs=rounding + 1e-12)


@settings(max_examples=60, deadline=None)
@given(any_model(), any_customer(), POSITIVE, POSITIVE)
def test_probability_grows_with_the_horizon(model, customer, horizon, gap):
    """More time never makes an order less likely."""
    horizons = horizon * np.array([0.0, 0.01, 0.5, 1.0, 3.0, 50.0])

    probability = model.probability_of_order(**customer, horizon=horizons, gap=gap)

    assert probability[0] == 0.0
    assert (np.diff(probability) >= -1e-9).all()


@settings(max_examples=60, deadline=None)
@given(any_model(), st.sampled_from([1, 3, 30]), POSITIVE, st.floats(0.0, 30.0))
def test_silence_makes_an_order_less_likely(model, x, tenure, gap):
    """Of customers equal in orders and tenure, who ordered last is likelier to come back."""
    recency = tenure * np.linspace(0.0, 1.0, 9)

    probability = model.probability_of_order(
        repeat_orders=x, recency=recency, tenure=tenure, horizon=13.0, gap=gap
    )

    assert (np.diff(probability) >= -1e-12).all()


def test_rows_of_one_call_are_independent(model):
    """A row's prediction is the same alone and among thousands of others, in any order."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 7_000)
    tenure = rng.integers(1, 40, 7_000)
    recency = np.where(x > 0, tenure * rng.random(7_000), 0.0)
    ahead = {"horizon": rng.integers(1, 30, 7_000), "gap": 3.0}

    together = model.expected_orders(repeat_orders=x, recency=recency, tenure=tenure, **ahead)

    for row in (0, 17, 6_999):
        alone = model.expected_orders(
            repeat_orders=x[row],
            recency=recency[row],
            tenure=tenure[row],
            horizon=ahead["horizon"][row],
            gap=3.0,
        )
        assert together[row] == pytest.approx(alone, rel=1e-12)


def test_arguments_broadcast_and_nobody_gives_nothing(model):
    """Results have the common shape of the arguments, down to no rows at all."""
    row = {"repeat_orders": [1, 2], "recency": [[3.0], [4.0], [5.0]], "tenure": 9.0}

    assert model.probability_of_order(**row, horizon=4.0).shape == (3, 2)
    assert model.p_alive(repeat_orders=[], recency=[], tenure=[]).shape == (0,)
    assert model.expected_orders(repeat_orders=[], recency=[], tenure=[], horizon=1).shape == (0,)


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_unit_of_time_changes_scales_and_nothing_else(cdnow, kind):
    """A fit in days has seven times the scales of a fit in weeks, and the same predictions."""
    weeks = dict(cdnow[["repeat_orders", "recency", "tenure"]])
    days = weeks | {"recency": weeks["recency"] * 7, "tenure": weeks["tenure"] * 7}

    by_week = fit_purchase_model(group_customers(**weeks), kind=kind)
    by_day = fit_purchase_model(group_customers(**days), kind=kind)

    orders = weeks["repeat_orders"].sum()
    assert by_day.alpha == pytest.approx(7 * by_week.alpha, rel=1e-5)
    assert by_day.r == pytest.approx(by_week.r, rel=1e-5)
    assert by_day.log_likelihood == pytest.approx(by_week.log_likelihood - orders * np.log(7))
    assert by_day.expected_orders(**days, horizon=91, gap=14) == pytest.approx(
        by_week.expected_orders(**weeks, horizon=13, gap=2), rel=1e-5
    )


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_fit_to_groups_is_the_fit_to_customers(cdnow, kind):
    """Counts stand for customers exactly."""
    columns = {name: cdnow[name].to_numpy() for name in ("repeat_orders", "recency", "tenure")}

    one_by_one = fit_purchase_model(PurchaseHistory(**columns), kind=kind)
    grouped = fit_purchase_model(group_customers(**columns), kind=kind)

    assert grouped.r == pytest.approx(one_by_one.r, rel=1e-5)
    assert grouped.alpha == pytest.approx(one_by_one.alpha, rel=1e-5)
    assert grouped.log_likelihood == pytest.approx(one_by_one.log_likelihood, rel=1e-11)


def test_models_survive_json(model):
    """What comes back from JSON equals what went in."""
    stored = json.loads(json.dumps(model.to_dict()))

    assert type(model).from_dict(stored) == model


def test_stored_models_with_other_keys_are_refused(model):
    """A file from another version is refused, not half read."""
    stored = model.to_dict() | {"gamma": 1.0}

    with pytest.raises(ParameterError, match=r"from_dict: keys must be .*alpha.*; got .*'gamma'"):
        type(model).from_dict(stored)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"horizon": [5, -1]}, r"expected_orders: horizon must not be negative; got -1 at posit"),
        ({"gap": -2}, r"expected_orders: gap must not be negative; got -2 at position 0"),
        ({"tenure": [9, np.nan]}, r"expected_orders: tenure must be finite; got nan at position 1"),
        ({"horizon": [1, 2, 3]}, r"expected_orders: .* must have one length; got shapes"),
    ],
)
def test_impossible_questions_are_refused(model, changed, message):
    """The message names the method, the argument and the position."""
    question = {"repeat_orders": [0, 2], "recency": [0, 3], "tenure": [9, 9], "horizon": [5, 5]}

    with pytest.raises(ParameterError, match=message):
        model.expected_orders(**(question | changed))
