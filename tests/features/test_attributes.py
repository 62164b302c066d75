"""Attributes: numbers as they are, texts as categories of fixed levels, on every engine."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from churnkit.errors import DataError, ParameterError
from churnkit.features.attributes import Attributes
from churnkit.features.build import History, build_features
from churnkit.features.learned import category_names, fit_builder, unknown_values

ROWS = [
    {"customer_id": "a", "country": "GB", "seats": "12", "since_us": 40},
    {"customer_id": "b", "country": "DE", "seats": " -1.5e1 ", "since_us": 3},
    {"customer_id": "c", "country": "GB", "seats": "a dozen", "since_us": -5},
    {"customer_id": "d", "country": None, "seats": None, "since_us": 900},
    {"customer_id": "stranger", "country": "FR", "seats": "1", "since_us": 40},
]
BUILDER = Attributes(numbers=["seats"], categories=["country"])


@pytest.fixture
def history(history_of, plain, load, engine):
    """Give a function that returns orders of a to e beside customers, ``since`` in days before."""

    def make(*, since=False):
        base = history_of([plain.line(c, 9) for c in "abcde"])
        rows = [row | {"since_us": plain.at(row["since_us"])} for row in ROWS]
        names = ("customer_id", "country", "seats", *(("since_us",) if since else ()))
        table = pa.table({name: [row[name] for row in rows] for name in names})
        return History(tables={**base.tables, "customers": load(table)}, engine=engine)

    return make


def values_of(history, snapshot, builder):
    """Return the features by customer."""
    table = build_features(history, snapshot, builders=[builder]).to_arrow()
    return {
        row["customer_id"]: tuple(row[name] for name in builder.feature_names)
        for row in table.to_pylist()
    }


def test_numbers_stay_and_texts_become_positions_of_levels(history, snapshot):
    """The most frequent level is 0; what is missing, no number or without a row is null."""
    known = history().known(snapshot)
    fitted, learned = fit_builder(BUILDER, known)

    values = values_of(history(), snapshot, fitted)

    assert learned == {"levels": {"country": ["GB", "DE"]}}
    assert values == {
        "a": (12.0, 0.0, 1.0),
        "b": (-15.0, 1.0, 1.0),
        "c": (None, 0.0, 1.0),
        "d": (None, None, 1.0),
        "e": (None, None, 0.0),
    }
    assert category_names([fitted]) == ("attribute_country",)
    assert fitted.phrases["attribute_country"].say(1.0) == "country is DE"


def test_levels_are_learned_from_customers_who_were_there(history, snapshot):
    """A customer without an order before the cutoff teaches nothing."""
    fitted, learned = fit_builder(replace(BUILDER, most_levels=1), history().known(snapshot))

    assert learned == {"levels": {"country": ["GB"]}}
    assert fit_builder(fitted, history().known(snapshot)) == (fitted, learned)


def test_levels_that_training_did_not_see_are_missing_and_counted(history, snapshot):
    """Scoring does not guess: an unknown level is null, and the count says how many had one."""
    builder = replace(BUILDER, levels={"country": ["DE", "NL"]})
    known = history().known(snapshot)

    values = values_of(history(), snapshot, builder)

    assert [values[c][1] for c in "abc"] == [None, 0.0, None]
    assert unknown_values([builder], known) == {"country": 2, "seats": 1}
    assert unknown_values([Attributes()], known) == {}


def test_a_row_is_unknown_until_its_since(history, snapshot):
    """Attributes written at or after the cutoff are null; an old row stays known for ever."""
    builder = replace(BUILDER, levels={"country": ["GB", "DE"]})

    values = values_of(history(since=True), snapshot, builder)

    assert values["a"] == (12.0, 0.0, 1.0)
    assert values["c"] == (None, None, 0.0)
    assert values["d"] == (None, None, 1.0)


def test_categories_without_levels_are_not_built(history, snapshot):
    """Codes of levels that each cutoff numbers anew would mean nothing."""
    with pytest.raises(ParameterError, match="levels of country must be learned"):
        build_features(history(), snapshot, builders=[BUILDER])


def test_an_attribute_that_is_not_there_is_refused(history, snapshot):
    """The message offers the nearest name."""
    builder = Attributes(numbers=["seat"])

    with pytest.raises(DataError, match=r"'seat'; it has not\. Did you mean 'seats'\?"):
        build_features(history(), snapshot, builders=[builder])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"numbers": ["a"], "categories": ["a"]}, "list of distinct names"),
        ({"most_levels": 0}, "most_levels must be from 1 to 250; got 0"),
        ({"levels": {"plan": ["x"]}}, "levels must be of categories; got 'plan'"),
        ({"categories": ["plan"], "levels": {"plan": ["x", "x"]}}, r"levels\.plan must be"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    """Each message says which option and what was given."""
    with pytest.raises(ParameterError, match=message):
        Attributes(**options)
