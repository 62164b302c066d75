"""BG/NBD and MBG/NBD: published fits and predictions, the likelihood, and degenerate data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import betaln, gammaln

from churnkit.btyd import BgNbd, fit_bg_nbd, fit_mbg_nbd, group_customers
from churnkit.btyd.bg_nbd import _objective
from churnkit.errors import ModelGuardError, ParameterError

PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def history(cdnow):
    """Return the customers of the papers, grouped."""
    return group_customers(**cdnow[["repeat_orders", "recency", "tenure"]])


def test_bg_nbd_fit_is_the_published_one(history):
    """Fader, Hardie and Lee (2005), table 2: CDNOW, to every digit printed."""
    model = fit_bg_nbd(history)

    assert [model.r, model.alpha] == pytest.approx([0.243, 4.414], abs=0.0005)
    assert [model.a, model.b] == pytest.approx([0.793, 2.426], abs=0.0005)
    assert model.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert (model.n_customers, model.at_bounds) == (2357, ())


def test_mbg_nbd_fit_is_the_published_one(history):
    """The values that BTYDplus and lifetimes both give for the same customers."""
    model = fit_mbg_nbd(history)

    assert [model.r, model.alpha] == pytest.approx([0.525, 6.183], abs=0.0005)
    assert [model.a, model.b] == pytest.approx([0.891, 1.614], abs=0.0005)
    assert model.kind == "mbg_nbd"


def test_expected_orders_of_one_customer_are_the_published_ones():
    """Fader, Hardie and Lee (2005), "Implementing the BG/NBD Model in Excel": 1.226 orders."""
    orders = PUBLISHED.expected_orders(repeat_orders=2, recency=30.43, tenure=38.86, horizon=39)

    assert orders == pytest.approx(1.226, abs=0.0005)


@pytest.mark.parametrize("first_can_be_last", [False, True])
def test_log_likelihood_is_that_of_the_papers(history, first_can_be_last):
    """The optimum's value equals the published formula, written out per customer."""
    model = (fit_mbg_nbd if first_can_be_last else fit_bg_nbd)(history)
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    x, t_x, total = history.repeat_orders, history.recency, history.tenure
    k = x + first_can_be_last

    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    here = betaln(a, b + k) - (r + x) * np.log(alpha + total)
    gone = betaln(a + 1, b + np.maximum(k, 1) - 1) - (r + x) * np.log(alpha + t_x)
    by_row = common + np.logaddexp(here, np.where(k > 0, gone, -np.inf))

    assert model.log_likelihood == pytest.approx(history.count @ by_row, rel=1e-12)


@pytest.mark.parametrize("first_chance", [False, True])
@pytest.mark.parametrize("point", [(-1.4, -2.9, -1.1, 1.2), (2.0, 1.0, 1.5, -2.0), (6, -6, -8, 5)])
def test_gradient_is_that_of_the_likelihood(history, first_chance, point):
    """Analytic and numeric derivatives agree near the optimum and far from it."""
    columns = (history.repeat_orders, history.recency / 30, history.tenure / 30)
    objective = _objective(columns, history.count, first_chance=first_chance)

    value, gradient = objective(np.array(point))

    numeric = approx_fprime(np.array(point), lambda at: objective(at)[0], 1e-6)
    assert gradient == pytest.approx(numeric, rel=1e-4, abs=2e-9 * abs(value) / 1e-6)


@pytest.mark.parametrize(("fit", "kind"), [(fit_bg_nbd, "bg_nbd"), (fit_mbg_nbd, "mbg_nbd")])
def test_parameters_come_back_from_simulated_customers(simulate, fit, kind):
    """20,000 customers simulated from the story give the parameters within a tenth."""
    truth = BgNbd(kind=kind, r=0.8, alpha=5.0, a=1.2, b=3.0)
    tenure = np.random.default_rng(1).uniform(20, 100, 20_000)

    model = fit(group_customers(**simulate(truth, tenure=tenure, seed=2).customers))

    assert [model.r, model.alpha, model.a, model.b] == pytest.approx([0.8, 5.0, 1.2, 3.0], rel=0.1)


def test_one_time_buyers_are_alive_in_bg_nbd_and_not_surely_in_mbg_nbd():
    """The known weakness of BG/NBD, and what the modification changes."""
    silent = {"repeat_orders": 0, "recency": 0, "tenure": 500}

    assert PUBLISHED.p_alive(**silent) == 1.0
    assert BgNbd(kind="mbg_nbd", r=0.5, alpha=6, a=0.9, b=1.6).p_alive(**silent) < 0.2


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_mbg_nbd])
def test_data_of_one_time_buyers_only_promise_nothing(fit):
    """Without any repeat order the expected orders go to zero, and no message is raised."""
    tenure = np.arange(1.0, 60.0)
    silent = {"repeat_orders": np.zeros(59), "recency": np.zeros(59), "tenure": tenure}

    model = fit(group_customers(**silent))

    assert model.expected_orders(**silent, horizon=90).max() < 1e-3
    assert model.log_likelihood == pytest.approx(0.0, abs=1e-3)


def test_bg_nbd_of_one_time_buyers_names_the_rate_as_unbounded():
    """The mean rate has no maximum inside its range, and at_bounds says that."""
    model = fit_bg_nbd(group_customers(repeat_orders=[0] * 9, recency=[0] * 9, tenure=[30] * 9))

    assert model.at_bounds == ("r / alpha",)


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_mbg_nbd])
def test_customers_who_never_leave_are_expected_to_go_on(fit):
    """Steady buyers keep their rate of one order a week; dropping out ends at its bound."""
    rng = np.random.default_rng(8)
    x = rng.poisson(50.0, 400)
    recency = 50.0 * rng.beta(x, 1)

    model = fit(group_customers(repeat_orders=x, recency=recency, tenure=np.full(400, 50.0)))

    ahead = model.expected_orders(repeat_orders=50, recency=49.5, tenure=50.0, horizon=10.0)
    assert {"a / (a + b)", "a + b"} & set(model.at_bounds)
    assert ahead == pytest.approx(10.0, rel=0.03)


@pytest.mark.parametrize("fit", [fit_bg_nbd, fit_mbg_nbd])
@pytest.mark.parametrize(
    ("x", "recency", "tenure"),
    [
        ([0], [0], [10]),
        ([3], [7], [10]),
        ([5000], [399], [400]),
        ([0, 1, 5, 5000], [0, 1e-9, 1e-6, 1e-3], [1e-9, 1e-9, 2e-6, 1.1e-3]),
        ([0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 5, 9]),
        ([1] * 50, np.linspace(0.1, 5, 50), [500] * 50),
        ([2, 2, 0], [0, 0, 0], [9, 9, 9]),
    ],
    ids=["one-timer", "one", "5000", "tiny", "zero tenure", "all left", "at once"],
)
def test_strange_data_give_finite_predictions(fit, x, recency, tenure):
    """Whatever the data, nothing overflows and every prediction is a number in its range."""
    customers = {"repeat_orders": x, "recency": recency, "tenure": tenure}

    model = fit(group_customers(**customers))

    orders = model.expected_orders(**customers, horizon=90, gap=7)
    probability = model.probability_of_order(**customers, horizon=90, gap=7)
    assert ((orders >= 0.0) & np.isfinite(orders)).all()
    assert ((probability >= 0.0) & (probability <= 1.0)).all()
    assert np.isfinite(model.median_time_to_next_order(repeat_orders=x, tenure=tenure)).all()


def test_five_thousand_orders_among_normal_customers_fit(simulate):
    """A wholesaler in the file changes the fit but does not break it."""
    tenure = np.full(3_000, 52.0)
    customers = simulate(PUBLISHED, tenure=tenure, seed=5).customers
    customers["repeat_orders"][0], customers["recency"][0] = 5_000, 51.999

    model = fit_bg_nbd(group_customers(**customers))

    wholesaler = {"repeat_orders": 5_000, "recency": 51.999, "tenure": 52.0}
    assert model.expected_orders(**wholesaler, horizon=1.0) == pytest.approx(5_000 / 52, rel=0.05)
    assert model.probability_of_order(**wholesaler, horizon=1.0) > 0.98


def test_history_without_any_tenure_is_refused():
    """Nobody has been observed for any time: the message says so."""
    history = group_customers(repeat_orders=[0, 0], recency=[0, 0], tenure=[0, 0])

    with pytest.raises(ModelGuardError, match=r"fit_bg_nbd: tenure must be positive .* 2 custom"):
        fit_bg_nbd(history)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"r": 0.0}, r"BgNbd: r must be positive and finite; got 0.0"),
        ({"b": np.inf}, r"BgNbd: b must be positive and finite; got inf"),
        ({"kind": "bgnbd"}, r"BgNbd: kind must be 'bg_nbd' or 'mbg_nbd'; got 'bgnbd'"),
    ],
)
def test_impossible_parameters_are_refused(wrong, message):
    """A model cannot be written down with parameters it cannot have."""
    with pytest.raises(ParameterError, match=message):
        BgNbd(**({"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0} | wrong))
