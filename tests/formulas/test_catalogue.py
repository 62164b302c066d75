"""The registry of formulas: what every formula must keep, tested over all of them."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

from churnkit.errors import ParameterError, UnknownNameError
from churnkit.formulas import FORMULAS, MetricValue, formula_info
from churnkit.formulas.catalogue import described

OF_THE_SPECIFICATION = {
    "active_users", "average_order_value", "budget_mix", "cac_payback_months",
    "cart_abandonment_rate", "ces", "cohort_retention", "contact_rate", "csat",
    "customer_acquisition_cost", "customer_churn_rate", "customer_lifetime_value",
    "customer_lifetime_value_margin", "customer_retention_rate", "customer_retention_rate_strict",
    "discounted_lifetime_value", "funnel_conversion", "funnel_drop_off", "gross_revenue_retention",
    "ltv_to_cac", "net_revenue_retention", "nps", "pareto_share", "power_user_share",
    "purchase_frequency", "redemption_rate", "repeat_purchase_rate", "repurchase_probability",
    "retention_lift", "revenue_churn_rate", "stickiness", "top_decile_spend_ratio",
    # Beside the specification: support where there are no orders to count contacts against.
    "first_response_hours", "resolution_hours", "resolution_rate", "support_contacts",
}  # fmt: skip

ZERO_CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name in FORMULAS.names()
    for i, case in enumerate(formula_info(name).zero_cases)
]

NUMERIC_ARGUMENTS = [
    pytest.param(name, case, argument, id=f"{name}-{i}-{argument}")
    for name in FORMULAS.names()
    for i, case in enumerate(formula_info(name).zero_cases)
    for argument, value in case.items()
    if not isinstance(value, str)
]


def test_every_metric_of_the_page_is_registered():
    """The names are the contract: none is missing, none is added unnoticed."""
    assert set(FORMULAS.names()) == OF_THE_SPECIFICATION


@pytest.mark.parametrize("name", FORMULAS.names())
def test_a_reference_page_can_be_made_from_the_registry(name):
    """Name, sentence, formula, edge cases, source and a worked example are there for every formula."""
    info = formula_info(name)

    assert info.name == name == FORMULAS[name].__name__
    assert info.summary.endswith(".")
    assert info.formula
    assert info.notes
    assert re.search(r"Practice|\((18|19|20)\d\d\)", info.source)
    assert f">>> {name}(" in info.example or f"= {name}(" in info.example


@pytest.mark.parametrize("name", FORMULAS.names())
def test_arguments_are_given_by_name(name):
    """No formula takes positional arguments: a numerator cannot be taken for a denominator."""
    parameters = inspect.signature(FORMULAS[name]).parameters.values()

    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", FORMULAS.names())
def test_the_first_variant_is_the_default_and_all_are_accepted(name):
    """The variants of the description are those of the signature, in the same order."""
    info = formula_info(name)
    parameter = inspect.signature(FORMULAS[name]).parameters.get("variant")

    if not info.variants:
        assert parameter is None
    else:
        assert parameter is not None
        assert parameter.default == next(iter(info.variants))
        written = re.findall(r"['\"](\w+)['\"]", str(parameter.annotation))
        assert written == list(info.variants)


@pytest.mark.parametrize(("name", "case"), ZERO_CASES)
def test_a_zero_denominator_gives_null_and_a_reason(name, case):
    """Never 0, infinity or an exception: the value is null and the reason is in words."""
    result = FORMULAS[name](**case)

    assert isinstance(result, MetricValue)
    assert (result.metric, result.status) == (name, "zero_denominator")
    assert (result.value, result.ci_low, result.ci_high) == (None, None, None)
    assert result.denominator == 0.0
    assert " " in result.reason
    assert result.variant == case.get("variant", result.variant)


def test_only_counts_have_no_denominator():
    """Every formula but the plain counts says when its denominator is zero."""
    without = {name for name in FORMULAS.names() if not formula_info(name).zero_cases}

    assert without == {"active_users", "support_contacts"}


def test_every_variant_has_a_zero_case_or_no_denominator():
    """The two variants without zero case are a product and a table."""
    missing = {
        (name, variant)
        for name in FORMULAS.names()
        for position, variant in enumerate(formula_info(name).variants)
        if not any(
            case.get("variant", variant if position == 0 else None) == variant
            for case in formula_info(name).zero_cases
        )
    }

    assert missing == {
        ("budget_mix", "acquisition"),  # as its first variant
        ("customer_lifetime_value", "observed"),
        ("customer_lifetime_value_margin", "observed"),
        ("repeat_purchase_rate", "ever"),  # the same division as its first variant
    }


@pytest.mark.parametrize("bad", [math.nan, math.inf, "3", None], ids=repr)
@pytest.mark.parametrize(("name", "case", "argument"), NUMERIC_ARGUMENTS)
def test_what_is_no_finite_number_is_refused_by_name(name, case, argument, bad):
    """NaN, infinity, text and nothing raise, naming the formula and the argument."""
    value = [bad] if isinstance(case[argument], list) else bad
    if value == ["3"]:
        value = ["three"]

    with pytest.raises(ParameterError, match=rf"^{name}: {argument} .*(number|given).*; got "):
        FORMULAS[name](**{**case, argument: value})


def test_an_unknown_formula_is_refused_with_the_nearest_name():
    """A slip of the pen gets a suggestion."""
    with pytest.raises(UnknownNameError, match="Did you mean 'customer_churn_rate'"):
        formula_info("customer_churn")


def test_a_formula_without_description_is_refused():
    """A formula registered without @described has no info, and the message says so."""

    @FORMULAS.register("undescribed_for_this_test")
    def undescribed() -> None:
        """Do nothing."""

    try:
        with pytest.raises(ParameterError, match=r"must be a formula under @described\(\.\.\.\)"):
            formula_info("undescribed_for_this_test")
    finally:
        del FORMULAS._factories["undescribed_for_this_test"]


def test_sections_end_where_the_next_begins():
    """The description takes one section each, without the headings of its neighbours."""

    def formula() -> MetricValue:
        """Say one sentence.

        Notes
        -----
        An edge.

        References
        ----------
        A source (1999).

        Examples
        --------
        >>> 1
        1
        """
        raise NotImplementedError

    described(unit="ratio", formula="a / b", zero_cases=())(formula)
    from churnkit.formulas.catalogue import _INFO

    info = _INFO.pop(formula)
    assert (info.summary, info.notes, info.source, info.example) == (
        "Say one sentence.", "An edge.", "A source (1999).", ">>> 1\n1",
    )  # fmt: skip


def test_numbers_of_other_libraries_are_numbers():
    """NumPy scalars and decimals, as engines return them, are taken as they are."""
    from decimal import Decimal

    result = FORMULAS["contact_rate"](contacts=np.int64(30), orders=Decimal(600))

    assert result.value == pytest.approx(0.05)
