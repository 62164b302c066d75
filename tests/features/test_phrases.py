"""Phrases say values in words that a person would use."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.features.phrases import NumberFormat, Phrase


@pytest.mark.parametrize(
    ("phrase", "value", "expected"),
    [
        (Phrase(text="no order for {value} days"), 143.2, "no order for 143 days"),
        (Phrase(text="{value} spent", decimals=2), 1234567.891, "1,234,568 spent"),
        (Phrase(text="{value} spent", decimals=2), 99.5, "99.50 spent"),
        (Phrase(text="{value} of orders", percent=True), 0.256, "26 % of orders"),
        (Phrase(text="{value} days between orders"), None, "days between orders: not known"),
        (Phrase(text="{value} days between orders"), np.nan, "days between orders: not known"),
        (Phrase(text="born in {value}", exact=True), 1961.0, "born in 1961"),
        (Phrase(text="{value} of orders", percent=True), 0.003, "under 1 % of orders"),
        (Phrase(text="{value} of orders", percent=True), 0.998, "over 99 % of orders"),
        (Phrase(text="{value} of orders", percent=True), 0.0, "none of orders"),
        (Phrase(text="{value} of orders", percent=True), 1.0, "100 % of orders"),
        (Phrase(text="{value} orders so far"), 0.0, "no orders so far"),
        (Phrase(text="{value} spent", negative="{value} returned", money=True), -3.0, "3 returned"),
        (Phrase(text="got {value} rewards"), 0.0, "got no rewards"),
        (Phrase(text="{value} sms messages sent"), 0.0, "no sms messages sent"),
        (Phrase(text="{value} sms messages sent"), 1.0, "1 sms message sent"),
        (Phrase(text="{value} chance of orders", percent=True), 0.01, "1 % chance of orders"),
        (Phrase(text="{value} days late"), 0.0, "0 days late"),
        (Phrase(text="no order for {value} days", zero="ordered today"), 0.3, "ordered today"),
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


def test_a_category_is_said_as_its_word_beside_the_most_frequent():
    """Both by their words; a missing one is not known."""
    phrase = Phrase(text="on plan {value}", name="plan", words=("basic", "plus"))

    assert phrase.say(1.0, typical=0.0) == "on plan plus (customers who stay: most often basic)"
    assert phrase.say(1.0, typical=1.0) == "on plan plus (about as customers who stay)"
    assert phrase.say(None) == "plan: not known"


def test_what_cannot_be_compared_has_no_typical_value_beside_it():
    """The month of the last order is one of the date of the run."""
    month = Phrase(text="the last order was in {value}", words=("May", "June"), compared=False)

    assert month.say(1.0, typical=0.0) == "the last order was in June"
    assert month.tells(np.array([0.0, np.nan]), 0.0).tolist() == [True, False]


CHANGES = Phrase(text="{value} orders in May than in April", change=("more", "fewer"))


@pytest.mark.parametrize(
    ("value", "typical", "expected"),
    [
        (-3.0, 0.0, "3 fewer orders in May than in April (customers who stay: no change)"),
        (1.0, -1.0, "1 more order in May than in April (customers who stay: 1 fewer)"),
        (-1.0, -1.0, "1 fewer order in May than in April (about as customers who stay)"),
        (0.0, None, "more or fewer orders in May than in April: no change"),
    ],
)
def test_a_change_is_said_by_its_size_and_direction(value, typical, expected):
    """Never as a number with a sign."""
    assert CHANGES.say(value, typical=typical) == expected


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        (Phrase(text="{value} orders so far"), "orders so far"),
        (
            Phrase(text="{value} of the orders on weekends", percent=True),
            "share of the orders on weekends",
        ),
        (Phrase(text="no order for {value} days"), "no order for … days"),
        (Phrase(text="{value} spent so far", name="spend so far"), "spend so far"),
        (CHANGES, "more or fewer orders in May than in April"),
    ],
)
def test_a_label_names_the_feature(phrase, expected):
    """Without a value, as a column would be called."""
    assert phrase.label == expected


@given(
    value=st.floats(-1e6, 1e6, width=32),
    typical=st.floats(-1e6, 1e6, width=32),
    phrase=st.sampled_from(
        [
            Phrase(text="{value} days"),
            Phrase(text="{value} days", decimals=1),
            Phrase(text="{value} of it", percent=True),
            Phrase(text="{value} spent", decimals=2, money=True),
            Phrase(text="{value}", exact=True),
        ]
    ),
)
def test_a_value_that_tells_something_looks_different(value, typical, phrase):
    """Whatever is close to a rounding, the two numbers shown are never the same."""
    if phrase.tells(np.array([value]), typical)[0]:
        assert phrase.say(value, typical=None) != phrase.say(typical, typical=None)
        assert "about as" not in phrase.say(value, typical=typical)
    else:
        assert phrase.say(value, typical=typical).endswith("(about as customers who stay)")


def test_a_twentieth_more_tells_nothing():
    """Though the numbers shown differ."""
    spent = Phrase(text="{value} spent", decimals=2, money=True)

    assert spent.tells(np.array([1049.0, 1051.0, np.nan]), 1000.0).tolist() == [False, True, False]


def test_common_sense_has_a_side():
    """More silence never keeps a customer, and less of it is no reason for risk."""
    silence, values = Phrase(text="silent for {value} days", risk="high"), np.array([10.0, 90.0])

    assert silence.against(values, 30.0, raising=True).tolist() == [True, False]
    assert silence.against(values, 30.0, raising=False).tolist() == [False, True]
    assert not silence.against(values, None, raising=True).any()
    assert not Phrase(text="{value} lines").against(values, 30.0, raising=True).any()


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

    assert said == "1.000 € spent (customers who stay: 20,50 €)"


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
        text="no order for {value} days", beside=("gap", "usually one every {value} days")
    )

    assert phrase.say(143.0, beside=31.2, typical=9.0) == (
        "no order for 143 days; usually one every 31 days (customers who stay: 9)"
    )
    assert phrase.say(143.0, beside=float("nan")) == "no order for 143 days"
    assert phrase.say(143.0, beside=1.2) == "no order for 143 days; usually one every day"
    assert phrase.say(143.0, beside=0.2) == "no order for 143 days"


def test_many_values_are_said_as_each_alone():
    """Also those not known, shown as 0, near the typical one, and with nothing beside them."""
    phrase = Phrase(
        text="no order for {value} days",
        zero="ordered within the last day",
        beside=("gap", "usually one every {value} days"),
    )
    values = [math.nan, 0.0, 0.4, 0.6, 31.2, 143.6]
    gaps = [12.0, 12.0, math.nan, 0.2, 1.0, 30.4]

    said = phrase.say_all(np.array(values), typical=31.0, beside=np.array(gaps))

    assert said == [
        "no order for … days: not known",
        "ordered within the last day; usually one every 12 days (customers who stay: 31)",
        "ordered within the last day (customers who stay: 31 days)",
        "no order for 1 day (customers who stay: 31)",
        "no order for 31 days; usually one every day (about as customers who stay)",
        "no order for 144 days; usually one every 30 days (customers who stay: 31)",
    ]
    pairs = zip(values, gaps, strict=True)
    assert said == [phrase.say(value, typical=31.0, beside=gap) for value, gap in pairs]
