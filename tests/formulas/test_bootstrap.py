"""Bootstrap intervals against scipy's bootstrap, the delta method and their own promises."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from churnkit.errors import ParameterError
from churnkit.formulas import bootstrap_interval, bootstrap_ratio_interval


def customers(n, seed=0):
    """Return revenue and orders of simulated customers."""
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.4, n).astype(float)
    return orders * rng.lognormal(3.0, 0.7, n), orders


def test_ratio_agrees_with_scipy():
    """The bounds are those of scipy's percentile bootstrap, up to the noise of resampling."""
    revenue, orders = customers(300)
    oracle = stats.bootstrap(
        (revenue, orders),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        batch=1000,
        rng=1,
    )

    low, high = bootstrap_ratio_interval(revenue, orders, resamples=20_000)

    noise = 0.04 * oracle.standard_error
    assert low == pytest.approx(oracle.confidence_interval.low, abs=2 * noise)
    assert high == pytest.approx(oracle.confidence_interval.high, abs=2 * noise)


def test_grouping_of_many_rows_keeps_the_width():
    """Above the row limit the interval still agrees with the delta method, to 5 %."""
    revenue, orders = customers(50_000)
    ratio = revenue.sum() / orders.sum()
    error = np.sqrt(((revenue - ratio * orders) ** 2).sum()) / orders.sum()

    low, high = bootstrap_ratio_interval(revenue, orders)

    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.05)
    assert (high + low) / 2 == pytest.approx(ratio, abs=0.15 * error)


def test_grouping_deals_the_rows_at_random():
    """Groups alike, each with its share of every size, would show too little spread."""
    values = np.linspace(0.0, 1.0, 40_000)

    low, high = bootstrap_ratio_interval(values, np.ones(values.size))

    expected = 2 * 1.96 * values.std() / np.sqrt(values.size)
    assert high - low == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("n", [200, 10_000])
def test_row_order_changes_nothing_and_the_seed_does(n):
    """Engines return rows in any order; the same customers have the same interval."""
    revenue, orders = customers(n)
    shuffled = np.random.default_rng(9).permutation(n)

    first = bootstrap_ratio_interval(revenue, orders, seed=3)
    again = bootstrap_ratio_interval(revenue[shuffled], orders[shuffled], seed=3)
    other = bootstrap_ratio_interval(revenue, orders, seed=4)

    assert first == pytest.approx(again, rel=1e-12)
    assert first != pytest.approx(other, rel=1e-12)


def test_memory_is_bounded():
    """A quarter of a million customers cost tens of megabytes, not rows times resamples."""
    revenue, orders = customers(250_000)

    tracemalloc.start()
    bootstrap_ratio_interval(revenue, orders)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 60e6


@pytest.mark.parametrize(
    ("revenue", "orders"),
    [
        ([], []),
        ([5.0], [1.0]),
        ([5.0, 10.0, 15.0], [1.0, 2.0, 3.0]),
        ([5.0, 7.0], [1.0, 0.0]),
        ([5.0, 7.0], [3.0, -1.0]),
    ],
    ids=["no rows", "one row", "no spread", "empty resamples", "negative resamples"],
)
def test_no_interval_where_the_rows_cannot_tell(revenue, orders):
    """None, rather than an interval of no width or one without its failed resamples."""
    assert bootstrap_ratio_interval(revenue, orders) is None


def test_any_statistic_of_sums_has_an_interval():
    """A product of ratios, as a lifetime value is, is resampled as a whole."""
    revenue, orders = customers(500)
    table = np.column_stack([revenue, orders, np.ones(500)])

    low, high = bootstrap_interval(table, lambda sums: sums[:, 0] / sums[:, 2])

    assert (low, high) == pytest.approx(bootstrap_ratio_interval(revenue, np.ones(500)), rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resamples": 99}, r"resamples must be >= 100; got 99"),
        ({"level": 1.0}, r"level must lie between 0 and 1; got 1.0"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    """The message names the setting."""
    with pytest.raises(ParameterError, match=message):
        bootstrap_ratio_interval([1.0, 2.0], [1.0, 1.0], **arguments)


def test_columns_of_two_lengths_are_refused():
    """A row is a customer: both columns have one value for each."""
    with pytest.raises(ParameterError, match=r"denominator must be as long as numerator \(2\)"):
        bootstrap_ratio_interval([1.0, 2.0], [1.0])
