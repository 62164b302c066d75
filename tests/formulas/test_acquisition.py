"""Acquisition cost, its payback, and the budget by stage."""

from __future__ import annotations

import pytest

from churnkit.errors import ParameterError
from churnkit.formulas import (
    BUDGET_MIX,
    LTV_TO_CAC_YARDSTICK,
    budget_mix,
    cac_payback_months,
    customer_acquisition_cost,
    ltv_to_cac,
)


def test_acquisition_cost_of_the_worked_example():
    """10,000 for 200 new customers: 50 each."""
    result = customer_acquisition_cost(marketing_cost=10_000.0, new_customers=200)

    assert (result.value, result.n) == (50.0, 200)


def test_ratio_to_the_yardstick():
    """A customer worth 600 won for 50 is worth twelve times their cost; three is the yardstick."""
    assert ltv_to_cac(lifetime_value=600.0, acquisition_cost=50.0).value == 12.0
    assert LTV_TO_CAC_YARDSTICK == 3.0


def test_payback_in_months():
    """50 at 20 a month takes two and a half months."""
    result = cac_payback_months(acquisition_cost=50.0, monthly_margin_per_customer=20.0)

    assert (result.value, result.unit) == (2.5, "months")


@pytest.mark.parametrize(
    "result",
    [
        ltv_to_cac(lifetime_value=600.0, acquisition_cost=-1.0),
        cac_payback_months(acquisition_cost=50.0, monthly_margin_per_customer=-1.0),
        budget_mix(stage="early", budget=-1.0),
    ],
    ids=lambda result: result.metric,
)
def test_a_negative_base_gives_null_and_a_reason(result):
    """Neither a cost nor a margin below zero is divided by."""
    assert (result.value, result.status) == (None, "negative_base")
    assert "negative" in result.reason


@pytest.mark.parametrize(
    ("stage", "acquisition", "retention"),
    [
        ("early", 90, 10), ("growth", 75, 25), ("brand_value", 65, 35),
        ("expansion", 50, 50), ("mature", 40, 60),
    ],
)  # fmt: skip
def test_budget_by_stage(stage, acquisition, retention):
    """The table of the metrics page; the numerator is the money."""
    kept = budget_mix(stage=stage, budget=2_000.0)
    won = budget_mix(stage=stage, budget=2_000.0, variant="acquisition")

    assert (won.value, kept.value) == (acquisition, retention)
    assert kept.numerator == pytest.approx(20.0 * retention)
    assert kept.numerator + won.numerator == pytest.approx(2_000.0)
    assert len(BUDGET_MIX) == 5


def test_an_unknown_stage_is_refused_with_the_known_ones():
    """The message offers the nearest name."""
    with pytest.raises(ParameterError, match=r"got 'matur'. Did you mean 'mature'\? Known: early"):
        budget_mix(stage="matur")


def test_negative_numbers_of_customers_are_refused():
    """The message names the argument."""
    with pytest.raises(ParameterError, match=r"new_customers must be a whole number >= 0; got -2"):
        customer_acquisition_cost(marketing_cost=1.0, new_customers=-2)
