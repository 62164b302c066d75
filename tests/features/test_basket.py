"""Basket, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import pytest

from churnkit.features.basket import Basket
from churnkit.features.build import FEATURE_BUILDERS

BASKET = Basket()
ALL = ("amount", "order_id", "product_id", "quantity", "discount")
WITH_DISCOUNT = ("amount", "order_id", "product_id", "discount")
WITH_QUANTITY = ("amount", "order_id", "product_id", "quantity")


def products_of(lines, *, snapshot, business_date):
    """Return the products of each customer in lines with a price, in the observation interval."""
    bought = {}
    for x in lines:
        if snapshot.observation_start <= business_date(x["ts_us"]) < snapshot.cutoff:
            mine = bought.setdefault(x["customer_id"], set())
            if x["amount"] > 0 and x["product_id"] is not None:
                mine.add(x["product_id"])
    return bought


def oracle(rows, *, products, columns):
    """Return the features of one customer by their definitions."""
    orders = [r for r in rows if r.is_order]
    n, gross = len(orders), sum(r.gross for r in rows)
    lines, discount = sum(r.lines for r in orders), sum(r.discount for r in orders)
    full_price = sum(r.gross for r in orders) + discount
    return {
        "lines_per_order": lines / n if n else None,
        "one_line_order_share": sum(r.lines == 1 for r in orders) / n if n else None,
        "quantity_per_order": sum(r.quantity for r in orders) / n
        if n and "quantity" in columns
        else None,
        "line_amount_mean": sum(r.amount for r in orders) / lines if n else None,
        "distinct_products": len(products),
        "refund_share": sum(r.refund for r in rows) / gross if gross else None,
        "discount_share": discount / full_price if n and "discount" in columns else None,
    }


@pytest.mark.parametrize("columns", [ALL, WITH_DISCOUNT, WITH_QUANTITY])
@pytest.mark.parametrize("seed", range(2))
def test_agrees_with_the_definition_on_random_histories(
    features_of, plain, snapshot, columns, seed
):
    """Every value equals the one-customer-at-a-time oracle, future rows included."""
    lines = plain.random_lines(seed)
    products = products_of(lines, snapshot=snapshot, business_date=plain.business_date)
    expected = {
        customer: oracle(rows, products=products[customer], columns=columns)
        for customer, rows in plain.customer_rows(lines, snapshot=snapshot).items()
        if rows
    }

    actual = features_of(lines, BASKET, columns=columns)

    assert actual.keys() == expected.keys()
    for customer, values in expected.items():
        assert plain.differences(actual[customer], values) == {}, customer
        assert tuple(values) == BASKET.feature_names


def test_without_product_ids_the_number_of_products_is_null(features_of, plain):
    """The column keeps its name, so that models of other sources fit; its values are unknown."""
    lines = [plain.line("a", 5), plain.line("a", 3)]

    features = features_of(lines, BASKET, columns=("amount", "order_id"))["a"]

    assert features["distinct_products"] is None
    assert features["quantity_per_order"] is None
    assert features["discount_share"] is None
    assert features["lines_per_order"] == 1.0


def test_without_amounts_every_line_is_a_purchase(features_of, plain):
    """A source of products without money still has distinct products."""
    lines = [plain.line("a", 5, product_id="p1"), plain.line("a", 3, product_id="p2")]

    features = features_of(lines, BASKET, columns=("order_id", "product_id"))["a"]

    assert features["distinct_products"] == 2.0
    assert features["refund_share"] == 0.0


def test_a_return_counts_in_the_share_from_the_day_it_happens(features_of, plain):
    """Half of 80 is returned before the cutoff; a return on the cutoff's day is not known."""
    order = {"order_id": "o1", "product_id": "p1"}
    past = [plain.line("a", 9, 80.0, **order), plain.line("a", 1, -40.0, **order)]
    future = [plain.line("a", 0, -40.0, hour=0.0, **order)]

    features = features_of(past + future, BASKET)["a"]

    assert features["refund_share"] == 0.5
    assert features["distinct_products"] == 1.0
    assert features["line_amount_mean"] == 80.0


def test_only_returns_leave_the_basket_unknown(features_of, plain):
    """A customer with returns of an earlier purchase has no basket, and no products."""
    features = features_of([plain.line("a", 9, -5.0, product_id="p1")], BASKET)["a"]

    assert features["distinct_products"] == 0.0
    others = [name for name in BASKET.feature_names if name != "distinct_products"]
    assert [features[name] for name in others] == [None] * len(others)


def test_is_registered():
    """A configuration finds the builder by its name."""
    assert FEATURE_BUILDERS["basket"] is Basket
