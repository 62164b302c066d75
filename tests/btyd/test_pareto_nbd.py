"""Pareto/NBD: published fits and predictions, the likelihood, and degenerate data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import gammaln, hyp2f1

from churnkit.btyd import ParetoNbd, PurchaseHistory, fit_pareto_nbd, group_customers
from churnkit.btyd.pareto_nbd import _objective
from churnkit.errors import ModelGuardError, ParameterError


@pytest.fixture(scope="module")
def history(cdnow):
    """Return the customers of the papers, grouped."""
    return group_customers(**cdnow[["repeat_orders", "recency", "tenure"]])


def published_log_likelihood(history, *, r, alpha, s, beta):
    """Fader and Hardie (2005), "A Note on Deriving the Pareto/NBD Model", equations 20 and 22."""
    x, t_x, total = history.repeat_orders, history.recency, history.tenure
    larger, second = max(alpha, beta), (s + 1 if alpha >= beta else r + x)

    def f(t):
        z = abs(alpha - beta) / (larger + t)
        return hyp2f1(r + s + x, second, r + s + x + 1, z) / (larger + t) ** (r + s + x)

    here = (alpha + total) ** -(r + x) * (beta + total) ** -s
    gone = s / (r + s + x) * (f(t_x) - f(total))
    by_row = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    return history.count @ (by_row + np.log(here + gone))


def test_fit_is_the_published_one(history):
    """Fader, Hardie and Lee (2005), table 2: CDNOW, to every digit printed."""
    model = fit_pareto_nbd(history)

    assert [model.r, model.alpha] == pytest.approx([0.553, 10.578], abs=0.0005)
    assert [model.s, model.beta] == pytest.approx([0.606, 11.669], abs=0.0005)
    assert model.log_likelihood == pytest.approx(-9595.0, abs=0.05)
    assert (model.n_customers, model.at_bounds) == (2357, ())


def test_predictions_are_those_of_the_btyd_package():
    """The walkthrough of the R package BTYD: 1.473 repeat orders a year; 25.46 and .9979."""
    model = ParetoNbd(r=0.5533971, alpha=10.5801985, s=0.6060625, beta=11.6562237)
    customer = {"repeat_orders": 26, "recency": 30.86, "tenure": 31}

    assert model.expected_repeat_orders(52) == pytest.approx(1.473, abs=0.0005)
    assert model.expected_orders(**customer, horizon=52) == pytest.approx(25.46, abs=0.005)
    assert model.p_alive(**customer) == pytest.approx(0.9979, abs=0.00005)


@pytest.mark.parametrize(("alpha", "beta"), [(6.0, 25.0), (12.0, 3.0), (40.0, 4.0)])
def test_log_likelihood_is_that_of_the_papers(simulate, alpha, beta):
    """The optimum's value equals the hypergeometric form, for alpha below and above beta."""
    truth = ParetoNbd(r=0.9, alpha=alpha, s=0.8, beta=beta)
    tenure = np.random.default_rng(3).integers(5, 60, 2_000).astype(float)
    history = PurchaseHistory(**simulate(truth, tenure=tenure, seed=4).customers)

    model = fit_pareto_nbd(history)

    assert (model.alpha < model.beta) == (alpha < beta)
    expected = published_log_likelihood(
        history, r=model.r, alpha=model.alpha, s=model.s, beta=model.beta
    )
    assert model.log_likelihood == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("point", [(-0.6, -1.8, -0.5, -1.8), (1.0, -3.0, -1.0, 2.0), (5, 1, -5, 3)])
def test_gradient_is_that_of_the_likelihood(history, point):
    """Analytic and numeric derivatives agree for alpha below and above beta."""
    columns = (history.repeat_orders, history.recency / 30, history.tenure / 30)
    objective = _objective(columns, history.count)

    value, gradient = objective(np.array(point, dtype=float))

    numeric = approx_fprime(np.array(point, dtype=float), lambda at: objective(at)[0], 1e-6)
    assert gradient == pytest.approx(numeric, rel=1e-4, abs=2e-9 * abs(value) / 1e-6)


def test_parameters_come_back_from_simulated_customers(simulate):
    """20,000 customers simulated from the story give the parameters within a tenth."""
    truth = ParetoNbd(r=1.2, alpha=6.0, s=0.9, beta=20.0)
    tenure = np.random.default_rng(1).uniform(20, 100, 20_000)

    model = fit_pareto_nbd(group_customers(**simulate(truth, tenure=tenure, seed=2).customers))

    found = [model.r, model.alpha, model.s, model.beta]
    assert found == pytest.approx([1.2, 6.0, 0.9, 20.0], rel=0.1)


def test_expected_orders_pass_smoothly_through_s_of_one():
    """The formula in print divides by s - 1; here s = 1 lies between its neighbours."""
    customer = {"repeat_orders": 3, "recency": 20, "tenure": 25, "horizon": 30, "gap": 4}

    below, at, above = (
        float(ParetoNbd(r=0.5, alpha=10, s=s, beta=12).expected_orders(**customer))
        for s in (1 - 1e-6, 1.0, 1 + 1e-6)
    )

    assert at == pytest.approx((below + above) / 2, rel=1e-9)
    assert below > at > above


def test_customers_who_never_leave_are_expected_to_go_on():
    """Steady buyers keep their rate of one order a week; leaving ends at its bound."""
    rng = np.random.default_rng(8)
    x = rng.poisson(50.0, 400)
    recency = 50.0 * rng.beta(x, 1)

    model = fit_pareto_nbd(
        group_customers(repeat_orders=x, recency=recency, tenure=np.full(400, 50.0))
    )

    ahead = model.expected_orders(repeat_orders=50, recency=49.5, tenure=50.0, horizon=10.0)
    assert {"s", "s / beta"} & set(model.at_bounds)
    assert ahead == pytest.approx(10.0, rel=0.03)


@pytest.mark.parametrize(
    ("x", "recency", "tenure"),
    [
        ([0] * 20, [0] * 20, range(1, 21)),
        ([3], [7], [10]),
        ([5000], [399], [400]),
        ([0, 1, 5, 5000], [0, 1e-9, 1e-6, 1e-3], [1e-9, 1e-9, 2e-6, 1.1e-3]),
        ([0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 5, 9]),
        ([1] * 50, np.linspace(0.1, 5, 50), [500] * 50),
        ([2, 2, 0], [0, 0, 0], [9, 9, 9]),
    ],
    ids=["one-timers", "one", "5000", "tiny", "zero tenure", "all left", "at once"],
)
def test_strange_data_give_finite_predictions(x, recency, tenure):
    """Whatever the data, nothing overflows and every prediction is a number in its range."""
    customers = {"repeat_orders": x, "recency": recency, "tenure": list(tenure)}

    model = fit_pareto_nbd(group_customers(**customers))

    orders = model.expected_orders(**customers, horizon=90, gap=7)
    probability = model.probability_of_order(**customers, horizon=90, gap=7)
    assert ((orders >= 0.0) & np.isfinite(orders)).all()
    assert ((probability >= 0.0) & (probability <= 1.0)).all()


def test_history_without_any_tenure_is_refused():
    """Nobody has been observed for any time: the message says so."""
    history = group_customers(repeat_orders=[0, 0], recency=[0, 0], tenure=[0, 0])

    with pytest.raises(ModelGuardError, match=r"fit_pareto_nbd: tenure must be positive .* 2 cus"):
        fit_pareto_nbd(history)


def test_impossible_parameters_are_refused():
    """A model cannot be written down with parameters it cannot have."""
    with pytest.raises(ParameterError, match=r"ParetoNbd: beta must be positive and fin.* got -1"):
        ParetoNbd(r=1.0, alpha=1.0, s=1.0, beta=-1.0)
