"""Phrases say values in words that a person would use."""

from __future__ import annotations

import pytest

from churnkit.features.phrases import Phrase


@pytest.mark.parametrize(
    ("phrase", "value", "expected"),
    [
        (Phrase(text="no order for {value} days"), 143.2, "no order for 143 days"),
        (Phrase(text="{value} spent", decimals=2), 1234567.891, "1,234,567.89 spent"),
        (Phrase(text="{value} of orders", percent=True), 0.256, "26 % of orders"),
        (Phrase(text="{value} days between orders"), None, "unknown days between orders"),
        (Phrase(text="{value} days between orders"), float("nan"), "unknown days between orders"),
        (Phrase(text="the month of the last order"), 3.0, "the month of the last order"),
    ],
)
def test_says_a_value(phrase, value, expected):
    """Thousands are grouped, shares are percentages, what is missing is unknown."""
    assert phrase.say(value) == expected


@pytest.mark.parametrize("typical", [None, float("nan")])
def test_says_the_typical_value_where_it_is_known(typical):
    """The typical value stands in brackets, and is left out where there is none."""
    phrase = Phrase(text="{value} orders", decimals=1)

    assert phrase.say(2.0, typical=3.5) == "2.0 orders (customers who stay: 3.5)"
    assert phrase.say(2.0, typical=typical) == "2.0 orders"


def test_a_category_is_said_as_its_word_without_a_typical_one():
    """The middle of categories means nothing, so none is shown; a missing one is unknown."""
    phrase = Phrase(text="answers most on a {value}", words=("Monday", "Tuesday"))

    assert phrase.say(1.0, typical=0.0) == "answers most on a Tuesday"
    assert phrase.say(None) == "answers most on a unknown"
