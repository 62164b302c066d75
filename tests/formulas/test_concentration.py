"""Shares of the top customers against a plain sort, and their intervals against scipy."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from churnkit.errors import ParameterError
from churnkit.formulas import pareto_share, power_user_share, top_decile_spend_ratio

spend = st.lists(st.integers(0, 10_000), min_size=1, max_size=60)


def top_sum(values, share):
    """Return k and the sum of the k largest, by sorting; the share as an exact fraction."""
    k = math.ceil(Fraction(share) * len(values))
    return k, sum(sorted(values, reverse=True)[:k])


def test_eighty_twenty():
    """One customer of five with 800 of 1,000: 80 %."""
    result = pareto_share(net_revenue=[800.0, 50.0, 50.0, 50.0, 50.0])

    assert (result.value, result.numerator, result.denominator) == (80.0, 800.0, 1000.0)


@given(spend)
def test_shares_agree_with_a_sort(values):
    """ceil(share x n) customers are taken, ties and all."""
    _, top20 = top_sum(values, "1/5")
    _, top10 = top_sum(values, "1/10")

    pareto = pareto_share(net_revenue=values).value
    power = power_user_share(actions=values).value

    if sum(values) == 0:
        assert pareto is power is None
    else:
        assert pareto == pytest.approx(100 * top20 / sum(values))
        assert power == pytest.approx(100 * top10 / sum(values))
        assert 0.0 <= power <= pareto <= 100.0 + 1e-9


@given(spend)
def test_ratio_agrees_with_a_sort(values):
    """Mean of the top tenth over the mean of the others, at least 1."""
    k, top = top_sum(values, "1/10")
    rest = sum(values) - top

    result = top_decile_spend_ratio(net_revenue=values)

    if rest == 0:
        assert result.status == "zero_denominator"
    else:
        assert result.value == pytest.approx((top / k) / (rest / (len(values) - k)))
        assert result.value >= 1.0 - 1e-12


@given(spend, st.floats(0.01, 100.0))
def test_currency_does_not_matter(values, rate):
    """Shares and ratios are the same in any currency."""
    scaled = [rate * value for value in values]

    for formula in (pareto_share, top_decile_spend_ratio):
        plain, other = formula(net_revenue=values), formula(net_revenue=scaled)
        assert other.status == plain.status
        if plain.value is not None:
            assert other.value == pytest.approx(plain.value)


@pytest.mark.parametrize(
    ("top", "n", "k"),
    [(0.2, 1, 1), (0.2, 4, 1), (0.2, 5, 1), (0.2, 6, 2), (0.1, 35, 4), (0.07, 100, 7), (1, 3, 3)],
)
def test_the_top_is_rounded_up_and_floats_do_not_add_one(top, n, k):
    """7 % of 100 are 7 customers, though 0.07 x 100 is a little more in floating point."""
    result = pareto_share(net_revenue=np.ones(n), top=top)

    assert result.numerator == pytest.approx(k)


@pytest.mark.parametrize(
    ("formula", "statistic"),
    [
        (pareto_share, lambda x: 100 * x[..., -60:].sum(-1) / x.sum(-1)),
        (top_decile_spend_ratio, lambda x: x[..., -30:].mean(-1) / x[..., :-30].mean(-1)),
    ],
    ids=["pareto_share", "top_decile_spend_ratio"],
)
def test_intervals_agree_with_resampling_and_sorting(formula, statistic):
    """Sorting every resample anew gives the same bounds, to a tenth of their width."""
    values = np.random.default_rng(4).gamma(1.0, 50.0, 300)
    oracle = stats.bootstrap(
        (values,),
        lambda x, axis: statistic(np.sort(x, axis=axis)),
        method="percentile",
        n_resamples=3000,
        rng=1,
    ).confidence_interval

    result = formula(net_revenue=values)

    slack = 0.1 * (oracle.high - oracle.low)
    assert result.ci_low == pytest.approx(oracle.low, abs=slack)
    assert result.ci_high == pytest.approx(oracle.high, abs=slack)


def test_returns_of_others_can_lift_the_share_past_100():
    """120 of a net 100: stated, not cut."""
    assert pareto_share(net_revenue=[120.0, 0.0, 0.0, 0.0, -20.0]).value == pytest.approx(120.0)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (pareto_share(net_revenue=[5.0, -9.0]), "net revenue is negative"),
        (
            top_decile_spend_ratio(net_revenue=[5.0, -9.0]),
            "the other customers returned more than they bought",
        ),
    ],
)
def test_negative_totals_are_a_negative_base(result, reason):
    """No share is taken of a loss."""
    assert (result.value, result.status, result.reason) == (None, "negative_base", reason)


@pytest.mark.parametrize("top", [0.0, 1.1, 20, -0.2])
def test_a_top_that_is_no_fraction_is_refused(top):
    """20 is a slip for 0.2."""
    with pytest.raises(ParameterError, match=r"top must be a fraction in \(0, 1\]; got"):
        pareto_share(net_revenue=[1.0], top=top)


def test_negative_actions_are_refused():
    """Actions are counted."""
    with pytest.raises(ParameterError, match=r"actions must hold whole numbers >= 0; got -1.0"):
        power_user_share(actions=[3, -1])
