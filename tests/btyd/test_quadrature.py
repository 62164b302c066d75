"""The two integrals, against adaptive quadrature and the hypergeometric functions of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta

from churnkit.btyd.quadrature import beta_mean, decay_integral


def power_mean(r, a, b, tau):
    """Mean of (1 + p tau)^-r over p ~ Beta(a, b)."""
    end = np.full(b.size, (1.0 + tau) ** -r)
    return beta_mean(
        lambda p, _: (1.0 + p * tau) ** -r, a=a, b=b, at_zero=np.ones(b.size), at_one=end
    )


@pytest.mark.parametrize("a", [0.02, 0.8, 1.0, 5.0])
@pytest.mark.parametrize("tau", [1e-6, 0.3, 4.0, 200.0])
def test_mean_over_beta_is_the_hypergeometric_function(a, tau):
    """E[(1 + p tau)^-r] is 2F1(r, a; a+b; -tau) for every b in the same call."""
    r, b = 2.5, np.array([0.3, 2.4, 40.0, 2.4])
    # Pfaff's transformation: SciPy's own value at -tau is wrong in the sixth digit at tau = 4.
    expected = (1.0 + tau) ** -a * hyp2f1(a, a + b - r, a + b, tau / (1.0 + tau))

    mean = power_mean(r, a, b, tau)

    assert mean == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("tau", [0.3, 4.0, 200.0])
@pytest.mark.parametrize(("a", "b"), [(300.0, 0.3), (300.0, 4000.0), (2.0, 9000.0)])
def test_mean_over_a_narrow_beta_is_found(a, b, tau):
    """Where the hypergeometric function overflows, adaptive quadrature over quantiles agrees."""
    expected, _ = quad(lambda u: (1.0 + beta.ppf(u, a, b) * tau) ** -2.5, 0.0, 1.0, epsabs=1e-12)

    mean = power_mean(2.5, a, np.array([b]), tau)

    assert mean == pytest.approx(expected, abs=1e-9)


def test_mean_over_beta_gives_each_row_its_own_function():
    """Rows keep their order through blocks of rows, whatever they share."""
    n = 5000
    power = np.arange(n) % 7 + 1.0
    b = np.arange(n) % 3 + 1.0

    mean = beta_mean(
        lambda p, rows: p ** power[rows, None],
        a=1.0,
        b=b,
        at_zero=np.zeros(n),
        at_one=np.ones(n),
    )

    by_gamma = np.array([[1 / (k + 1), 2 / (k + 1) / (k + 2), 6 / (k + 1) / (k + 2) / (k + 3)]
                         for k in range(8)])  # fmt: skip
    assert mean == pytest.approx(by_gamma[power.astype(int), b.astype(int) - 1], abs=1e-12)


@pytest.mark.parametrize("a", [0.5, 10.6, 900.0])
@pytest.mark.parametrize("b", [0.7, 11.7])
@pytest.mark.parametrize(("p", "q"), [(0.2, 1.6), (1.0, 1.0), (7.3, 0.5), (90.0, 30.0)])
@pytest.mark.parametrize("length", [0.0, 1e-3, 5.0, 400.0])
def test_decay_integral_is_the_integral(a, b, p, q, length):
    """Both orders of the scales, small and large exponents, no length and long ones."""
    # On a logarithmic scale, or the adaptive rule itself misses the early part.
    scale = min(a, b) / max(p, q, 1.0)
    expected, _ = quad(
        lambda u: (
            np.exp(-p * np.log1p(scale * np.expm1(u) / a) - q * np.log1p(scale * np.expm1(u) / b))
            * (scale * np.exp(u))
        ),
        0.0,
        np.log1p(length / scale),
        epsabs=0.0,
        epsrel=1e-11,
        limit=200,
    )

    row = [np.array([value]) for value in (a, p, b, q, length)]
    actual = decay_integral(*row)

    assert actual == pytest.approx(expected, rel=1e-9)


def test_decay_integral_survives_any_exponent():
    """An integrand that is over at once leaves its area, 1/(p/a + q/b), and no warning."""
    one = np.ones(1)

    area = decay_integral(2.0 * one, 5000.0 * one, 3.0 * one, 1e4 * one, 1e9 * one)

    assert area == pytest.approx(1.0 / (5000.0 / 2.0 + 1e4 / 3.0), rel=1e-3)
