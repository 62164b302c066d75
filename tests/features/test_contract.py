"""What every registered feature builder owes, on every engine."""

from __future__ import annotations

import random

import pytest

from churnkit import features
from churnkit.errors import ConfigError, DataError
from churnkit.features.build import BASE_COLUMNS, FEATURE_BUILDERS, Phrase, build_features

NAMES = FEATURE_BUILDERS.names()


@pytest.fixture(params=NAMES)
def builder(request):
    """Give each registered builder in its default form."""
    return FEATURE_BUILDERS[request.param]()


def test_the_builders_of_orders_are_registered():
    """Importing the room makes the builders known by name."""
    assert set(features.__all__) <= set(NAMES)
    assert {"basket", "purchase_model", "regularity", "rfm"} <= set(NAMES)


def test_names_are_known_before_data_and_every_one_has_a_phrase(builder):
    """Names are distinct; each has words that are more than a column name or a number."""
    names, phrases = builder.feature_names, builder.phrases

    assert len(set(names)) == len(names) > 0
    assert tuple(phrases) == names
    assert builder.tables
    for phrase in phrases.values():
        assert isinstance(phrase, Phrase)
        assert "_" not in phrase.text
        said = phrase.text.replace("{value}", " ".join(phrase.words[:1]))
        assert len(said.split()) >= 2
        assert "{" not in phrase.say(0.5, typical=0.25)


def test_two_builders_of_one_name_are_equal(builder):
    """A builder is a value: the same declaration is the same builder, and cannot change."""
    again = type(builder)()

    assert again == builder
    assert hash(again) == hash(builder)
    with pytest.raises(AttributeError):
        again.tables = ()


def test_future_rows_and_the_order_of_rows_change_nothing(builder, features_of, plain, snapshot):
    """Nothing at or after the cutoff is seen: rows, refunds, new customers, later fields of rows."""
    lines = [x for x in plain.random_lines(5) if x["ts_us"] < snapshot.cutoff_us]
    refunds = [
        x | {"ts_us": snapshot.cutoff_us + i, "amount": -x["amount"], "product_id": "new"}
        for i, x in enumerate(lines)
    ]
    arrivals = [plain.line(f"new{i}", -i, product_id="new") for i in range(30)]
    shuffled = lines + refunds + arrivals
    random.Random(1).shuffle(shuffled)
    beside = plain.random_beside(5)
    later = plain.with_the_future(beside, cutoff_us=snapshot.cutoff_us)
    for rows in later.values():
        random.Random(1).shuffle(rows)

    without = features_of(lines, builder, beside=beside)
    with_future = features_of(shuffled, builder, beside=later)

    assert with_future.keys() == without.keys()
    for customer, values in without.items():
        # Fits sum up in another order of customers; everything else is equal to the last digit.
        assert plain.differences(with_future[customer], values) == {}, customer


def test_every_known_customer_has_one_row_of_numbers(builder, history_of, plain, snapshot):
    """Columns are the base and the promised ones, all features float64, one row per customer."""
    lines = plain.random_lines(6)
    rows_of = plain.customer_rows(lines, snapshot=snapshot)

    history = history_of(lines, beside=plain.random_beside(6))
    table = build_features(history, snapshot, builders=[builder]).to_arrow()

    assert table["customer_id"].to_pylist() == sorted(c for c, rows in rows_of.items() if rows)
    promised = [name for name in builder.feature_names if name not in BASE_COLUMNS]
    assert table.column_names == [*BASE_COLUMNS, *promised]
    assert {str(table[name].type) for name in builder.feature_names} == {"double"}
    for name in promised:
        values = table[name].drop_null().to_pylist()
        assert all(abs(value) < float("inf") for value in values), name


def test_an_empty_table_gives_an_empty_result(builder, history_of, plain, snapshot):
    """No rows in, no rows out, all columns there."""
    history = history_of([], beside=dict.fromkeys(plain.random_beside(0), ()))

    features = build_features(history, snapshot, builders=[builder])
    table = features.to_arrow()

    assert table.num_rows == 0
    assert tuple(table.column_names) == features.columns


def test_two_builders_with_the_same_column_are_refused(builder, history_of, plain, snapshot):
    """The message names the columns."""
    history = history_of([plain.line("a", 9)], beside=plain.random_beside(0))

    with pytest.raises(DataError, match=rf"two builders make .*{builder.feature_names[0]}"):
        build_features(history, snapshot, builders=[builder, builder])


def test_all_builders_together_give_what_each_gives_alone(features_of, plain):
    """Merging builders into one group-by changes no value."""
    lines = plain.random_lines(7)
    builders = [FEATURE_BUILDERS[name]() for name in NAMES]

    beside = plain.random_beside(7)

    together = features_of(lines, *builders, beside=beside)

    for builder in builders:
        alone = features_of(lines, builder, beside=beside)
        for customer, values in alone.items():
            assert plain.differences(together[customer], values) == {}, customer


def test_customers_without_a_row_beside_the_orders_have_features(builder, features_of, plain):
    """Empty tables beside the orders are no fault: every customer still has a row."""
    lines = [plain.line("a", 9), plain.line("b", 300)]

    rows = features_of(lines, builder, beside=dict.fromkeys(plain.random_beside(0), ()))

    assert rows.keys() == {"a", "b"}


def test_a_table_that_is_not_configured_is_refused_by_name(builder, history_of, plain, snapshot):
    """A builder says which table it lacks; without any of its tables it is not built."""
    history = history_of([plain.line("a", 9)])
    lacking = [name for name in builder.tables if name not in history.tables]

    for name in lacking:
        with pytest.raises(ConfigError, match=rf"data\.{name}, which is not configured"):
            build_features(history, snapshot, builders=[builder])
    if not lacking:
        assert build_features(history, snapshot, builders=[builder]).to_arrow().num_rows == 1
