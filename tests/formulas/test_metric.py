"""MetricValue and the rules that give it its status."""

from __future__ import annotations

import pytest

from churnkit.errors import ParameterError
from churnkit.formulas import SMALL_N, quotient


def result_of(numerator, denominator, n=None, unit="ratio", interval=None):
    """Return the quotient under some name and reasons."""
    return quotient(
        "some_metric",
        numerator=numerator,
        denominator=denominator,
        unit=unit,
        n=n,
        empty="nothing there",
        negative="below zero",
        interval=interval,
    )


@pytest.mark.parametrize(
    ("denominator", "n", "status", "value", "reason"),
    [
        (4.0, 100, "ok", 0.25, ""),
        (4.0, None, "ok", 0.25, ""),
        (4.0, SMALL_N, "ok", 0.25, ""),
        (4.0, SMALL_N - 1, "small_n", 0.25, "n = 29 is below 30"),
        (-4.0, 100, "negative_base", None, "below zero"),
        (-4.0, 2, "negative_base", None, "below zero"),
        (0.0, 100, "zero_denominator", None, "nothing there"),
        (0.0, 2, "zero_denominator", None, "nothing there"),
        (-0.0, 2, "zero_denominator", None, "nothing there"),
    ],
)
def test_status_in_order_of_precedence(denominator, n, status, value, reason):
    """No value beats a doubtful value, and a doubtful value beats ok."""
    result = result_of(1.0, denominator, n)

    assert (result.status, result.value, result.reason) == (status, value, reason)


def test_percentages_scale_value_and_interval():
    """The interval of the quotient becomes one of the percentage."""
    result = result_of(1.0, 4.0, 100, "percent", lambda: (0.2, 0.3))

    assert (result.value, result.ci_low, result.ci_high) == (25.0, 20.0, 30.0)


@pytest.mark.parametrize("denominator", [0.0, -1.0])
def test_without_value_no_interval_is_computed(denominator):
    """The interval function need not know of empty denominators: it is not called."""

    def fail():
        raise ZeroDivisionError

    result = result_of(1.0, denominator, 100, interval=fail)

    assert (result.ci_low, result.ci_high) == (None, None)


def test_a_quotient_beyond_floats_is_refused():
    """Infinity is never a value."""
    with pytest.raises(ParameterError, match=r"some_metric: .* finite value; got 1.0 / 5e-324"):
        result_of(1.0, 5e-324)


def test_a_row_has_the_columns_of_the_metrics_table_first():
    """The nine columns that every metric is returned with, then what explains them."""
    row = result_of(1.0, 4.0, 100).as_row()

    assert tuple(row) == (
        "metric", "value", "unit", "numerator", "denominator", "n", "ci_low", "ci_high", "status",
        "reason", "variant",
    )  # fmt: skip
    assert row["n"] == 100
