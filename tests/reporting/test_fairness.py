"""Groups of customers: formed from what an attribute holds, and judged only where there are enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from churnkit.reporting.fairness import group_rows, groups_of


def test_numbers_are_cut_into_quarters():
    """Years of birth make four groups of about equally many customers, named by what is in them."""
    years = [str(1940 + i % 60) for i in range(600)]

    groups = groups_of([*years, None])

    sizes = Counter(groups)
    assert sizes.pop("not known") == 1
    assert set(sizes) == {"1940 to 1954", "1955 to 1969", "1970 to 1984", "1985 to 1999"}
    assert all(size == 150 for size in sizes.values())


def test_rare_values_are_put_together():
    """Countries with few customers are the others; the large ones stand alone."""
    groups = groups_of(["de"] * 100 + ["nl"] * 50 + ["lu"] + ["at"])

    assert Counter(groups) == {"de": 100, "nl": 50, "others": 2}


@pytest.mark.parametrize("values", [["a"] * 90, [f"name {i}" for i in range(90)], [None] * 5])
def test_one_value_or_all_different_make_no_groups(values):
    """Neither a constant nor a name divides customers."""
    assert groups_of(values) is None


def test_small_group_has_no_rates(outcome):
    """Of thirty customers only their number and the two means are told."""
    test = outcome()
    groups = ["few"] * 30 + ["many"] * (len(test.churned) - 30)

    many, few = group_rows(test, groups, high=0.5)

    assert [many.group, few.group] == ["many", "few"]
    assert few.auc is few.found is few.false_alarms is None
    assert few.left == pytest.approx(test.churned[:30].mean())
    assert many.auc is not None


def test_wrong_level_of_a_group_shows(outcome):
    """Where the probabilities of one group are halved, said and left part for that group alone."""
    test = outcome()
    half = np.arange(len(test.churned)) % 2 == 0
    p = np.where(half, test.churn_probability / 2, test.churn_probability)
    groups = ["halved" if h else "right" for h in half]

    rows = {r.group: r for r in group_rows(replace(test, churn_probability=p), groups, high=0.5)}

    assert rows["halved"].left - rows["halved"].said > 0.2
    assert abs(rows["right"].left - rows["right"].said) < 0.05
