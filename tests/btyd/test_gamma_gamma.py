"""Gamma-Gamma: the published fit and predictions, the likelihood, and degenerate data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import betaprime, chi2, gamma

from churnkit.btyd import GammaGamma, fit_gamma_gamma
from churnkit.btyd.gamma_gamma import _objective
from churnkit.errors import ParameterError

PUBLISHED = GammaGamma(p=6.25, q=3.74, v=15.44)


@pytest.fixture(scope="module")
def repeaters(cdnow):
    """Return the customers of CDNOW with repeat orders."""
    return cdnow[cdnow["repeat_orders"] > 0]


@pytest.fixture(scope="module")
def model(repeaters):
    """Return the fit of the published note: means of repeat orders, in dollars."""
    return fit_gamma_gamma(repeaters["mean_repeat_value"], n_orders=repeaters["repeat_orders"])


def test_fit_is_the_published_one(model):
    """Fader and Hardie (2013): the 946 customers of CDNOW with repeat orders."""
    assert [model.p, model.q, model.v] == pytest.approx([6.25, 3.74, 15.44], abs=0.005)
    assert (model.n_customers, model.at_bounds) == (946, ())


def test_expected_values_are_the_published_ones(model):
    """The same note: customers 1 and 2, and the mean of all customers."""
    values = model.expected_order_value([22.35, 11.77, 0.0], n_orders=[2, 1, 0])

    assert values == pytest.approx([24.66, 18.91, 35.17], abs=0.01)


def test_expected_value_is_the_mean_of_the_posterior():
    """Bayes by quadrature: prior times likelihood of the mean, integrated over customers."""
    p, q, v, n, mean = 2.0, 1.4, 20.0, 3, 55.0

    def joint(rate):
        return gamma.pdf(rate, q, scale=1 / v) * gamma.pdf(mean, p * n, scale=1 / (n * rate))

    evidence, _ = quad(joint, 0, 2, limit=200)
    expected, _ = quad(lambda rate: joint(rate) * p / rate / evidence, 0, 2, limit=200)

    value = GammaGamma(p=p, q=q, v=v).expected_order_value(mean, n_orders=n)

    assert value == pytest.approx(expected, rel=1e-6)


def log_likelihood(mean, n, *, p, q, v):
    """Sum the density of the mean of n orders: a scaled beta prime variable, says SciPy."""
    return betaprime.logpdf(mean, p * n, q, scale=v / n).sum()


def test_log_likelihood_is_that_of_the_marginal_distribution(model, repeaters):
    """The optimum's value equals that of SciPy's density."""
    columns = (repeaters["mean_repeat_value"], repeaters["repeat_orders"])

    expected = log_likelihood(*columns, p=model.p, q=model.q, v=model.v)

    assert model.log_likelihood == pytest.approx(expected, rel=1e-10)


def test_one_price_for_everybody_is_a_model_too():
    """A subscription, or a file without amounts: every next order is worth what all were."""
    model = fit_gamma_gamma([9.9] * 50, n_orders=np.arange(50) % 7 + 1)

    value = model.expected_order_value([9.9, 0.0], n_orders=[3, 0])

    assert value == pytest.approx([9.9, 9.9], rel=1e-9)
    assert model.at_bounds == ("p", "q")


def test_nearly_one_price_has_a_maximum():
    """Orders of 1, a few of 2: the likelihood is so sharp that its slope never looks flat."""
    rng = np.random.default_rng(1)
    orders = rng.geometric(0.2, 600)

    model = fit_gamma_gamma((orders + rng.binomial(orders, 0.03)) / orders, n_orders=orders)

    assert model.expected_order_value(1.0, n_orders=20) == pytest.approx(1.02, abs=0.02)


@pytest.mark.parametrize("point", [(1.8, 1.3, 0.1), (-2.0, -1.0, 3.0), (6.0, 5.0, -2.0)])
def test_gradient_is_that_of_the_likelihood(point):
    """Analytic and numeric derivatives agree near an optimum and far from it."""
    rng = np.random.default_rng(2)
    n = rng.integers(1, 9, 200).astype(float)
    objective = _objective((n, rng.gamma(3.0, 0.4, 200)), rng.random(200) + 0.5)

    value, gradient = objective(np.array(point))

    numeric = approx_fprime(np.array(point), lambda at: objective(at)[0], 1e-6)
    assert gradient == pytest.approx(numeric, rel=1e-4, abs=2e-9 * abs(value) / 1e-6)


def test_parameters_come_back_from_simulated_customers():
    """The truth is no likelier than the fit, and not less likely than chance explains."""
    rng = np.random.default_rng(5)
    n = rng.integers(1, 12, 50_000)
    mean = rng.gamma(4.0 * n, 1.0 / rng.gamma(2.5, 1.0 / 30.0, 50_000)) / n

    model = fit_gamma_gamma(mean, n_orders=n)

    truth = log_likelihood(mean, n, p=4.0, q=2.5, v=30.0)
    assert [model.p, model.q, model.v] == pytest.approx([4.0, 2.5, 30.0], rel=0.1)
    assert 0.0 <= 2.0 * (model.log_likelihood - truth) < chi2.ppf(0.999, 3)


def test_counts_stand_for_customers_and_currency_for_scale():
    """Twice the customers in cents: the same shapes, a hundred times the scale."""
    mean, n = np.array([12.0, 30.5, 8.0, 51.0, 20.0, 9.9]), np.array([1, 3, 2, 1, 6, 4])

    once = fit_gamma_gamma(np.tile(mean, 2), n_orders=np.tile(n, 2))
    counted = fit_gamma_gamma(mean * 100, n_orders=n, count=2)

    assert counted.p == pytest.approx(once.p, rel=1e-5)
    assert counted.q == pytest.approx(once.q, rel=1e-5)
    assert counted.v == pytest.approx(100 * once.v, rel=1e-5)
    assert counted.n_customers == once.n_customers == 12
    assert counted.log_likelihood == pytest.approx(once.log_likelihood - 12 * np.log(100))


def test_expected_value_moves_from_everybody_to_the_customer():
    """One order says little, many say nearly everything; the order of values is kept."""
    values = PUBLISHED.expected_order_value(100.0, n_orders=[0, 1, 5, 1000])

    assert (np.diff(values) > 0).all()
    assert values[0] == pytest.approx(6.25 * 15.44 / 2.74)
    assert values[-1] == pytest.approx(100.0, rel=0.01)


def test_value_without_orders_is_not_read():
    """Nulls and zeros are fine where nothing was bought."""
    values = PUBLISHED.expected_order_value([np.nan, 0.0, -3.0], n_orders=0)

    assert values == pytest.approx(6.25 * 15.44 / 2.74)


def test_median_stands_in_for_a_mean_that_does_not_exist():
    """With q <= 1 the mean of all customers is infinite: half of them lie below what is given."""
    model = GammaGamma(p=0.3, q=0.8, v=10.0)

    no_orders, one_order, many = model.expected_order_value(20.0, n_orders=[0, 0, 9])

    assert no_orders == one_order
    own_mean = 0.3 / gamma.rvs(0.8, scale=1 / 10.0, size=40_000, random_state=1)
    assert (own_mean < no_orders).mean() == pytest.approx(0.5, abs=0.01)
    assert many == pytest.approx(0.3 * (10 + 180) / (2.7 + 0.8 - 1))


@pytest.mark.parametrize(
    ("values", "n_orders"),
    [
        ([10.0], [1]),
        ([10.0] * 50, [3] * 50),
        ([10.0] * 50, range(1, 51)),
        (np.exp(3 * np.random.default_rng(0).standard_normal(500)), [2] * 500),
        (np.random.default_rng(1).gamma(5.0, 1e9, 100), [5000] * 100),
        ([1e-9, 3e-9, 2e-9], [1, 2, 4]),
    ],
    ids=["one", "equal", "equal of many", "heavy tail", "5000 orders", "tiny"],
)
def test_strange_data_give_finite_predictions(values, n_orders):
    """Whatever the data, the fit ends and every customer has a positive finite value."""
    model = fit_gamma_gamma(values, n_orders=list(n_orders))

    expected = model.expected_order_value([*values, np.nan], n_orders=[*n_orders, 0])
    assert np.isfinite(expected).all()
    assert expected.min() > 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean_order_value": [5, 0]}, r"mean_order_value must be positive and finite; got 0 at p"),
        ({"mean_order_value": [-5, 1]}, r"mean_order_value must be positive .* got -5 at positio"),
        ({"mean_order_value": [np.nan, 1]}, r"mean_order_value must be .* got nan at position 0"),
        ({"n_orders": [1, 0]}, r"n_orders must be whole numbers >= 1; got 0 at position 1"),
        ({"n_orders": [1.5, 1]}, r"n_orders must be whole numbers >= 1; got 1.5 at position 0"),
        ({"n_orders": [1, 1, 1]}, r"must have one length; got shapes \(2,\) and \(3,\)"),
        ({"count": [1, -1]}, r"count must be positive and finite; got -1 at position 1"),
        ({"mean_order_value": [], "n_orders": []}, r"must hold at least one customer; got none"),
    ],
)
def test_impossible_values_are_refused_by_name_and_position(arguments, message):
    """Net amounts that are not positive cannot enter unnoticed."""
    given = {"mean_order_value": [5.0, 6.0], "n_orders": [1, 2], "count": 1.0} | arguments

    with pytest.raises(ParameterError, match=rf"fit_gamma_gamma: .*{message}"):
        fit_gamma_gamma(**given)


def test_model_survives_json():
    """What comes back from JSON equals what went in."""
    model = fit_gamma_gamma([5.0, 9.0, 30.0, 12.0], n_orders=[1, 2, 1, 5])

    assert GammaGamma.from_dict(json.loads(json.dumps(model.to_dict()))) == model
