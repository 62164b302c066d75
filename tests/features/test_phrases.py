"""Phrases say values in words that a person would use."""

from __future__ import annotations

import pytest

from churnkit.errors import ParameterError
from churnkit.features.phrases import NumberFormat, Phrase


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


@pytest.mark.parametrize(
    ("name", "currency", "number", "amount"),
    [
        ("en", "£", "1,234,567.9", "-£1,234.50"),
        ("en", "EUR", "1,234,567.9", "-EUR 1,234.50"),
        ("de", "€", "1.234.567,9", "-1.234,50 €"),
        ("fr", "€", "1\u202f234\u202f567,9", "-1\u202f234,50 €"),
        ("ch", "CHF", "1’234’567.9", "-CHF 1’234.50"),
        ("plain", "", "1234567.9", "-1234.50"),
    ],
)
def test_numbers_are_written_as_the_country_does(name, currency, number, amount):
    """Thousands, decimal mark and place of the currency follow the format."""
    numbers = NumberFormat(name=name, currency=currency)

    assert numbers.number(1_234_567.89, decimals=1) == number
    assert numbers.amount(-1234.5) == amount


def test_nothing_is_no_negative_number():
    """What rounds to zero has no sign."""
    assert NumberFormat().number(-0.001, decimals=1) == "0.0"


def test_an_unknown_format_is_refused():
    """With the nearest name and all names."""
    with pytest.raises(ParameterError, match=r"got 'ed'\. .*Known: en, de, fr, ch, plain"):
        NumberFormat(name="ed")


def test_amounts_have_their_currency():
    """Value and typical value alike."""
    phrase = Phrase(text="{value} spent", decimals=2, money=True)

    said = phrase.say(1000.0, typical=20.5, numbers=NumberFormat(name="de", currency="€"))

    assert said == "1.000,00 € spent (customers who stay: 20,50 €)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{value} orders so far", "1 order so far"),
        ("no order for {value} days", "no order for 1 day"),
        ("{value} different products bought", "1 different product bought"),
        ("{value} is little", "1 is little"),
    ],
)
def test_one_is_singular(text, expected):
    """The noun beside the value follows it."""
    assert Phrase(text=text).say(1.0) == expected


def test_what_is_usual_stands_beside():
    """The customer's own rhythm is said where it is known."""
    phrase = Phrase(
        text="no order for {value} days", beside=("gap", "they usually order every {value} days")
    )

    assert phrase.say(143.0, beside=31.2, typical=9.0) == (
        "no order for 143 days; they usually order every 31 days (customers who stay: 9)"
    )
    assert phrase.say(143.0, beside=float("nan")) == "no order for 143 days"
