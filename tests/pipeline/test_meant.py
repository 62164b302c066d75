"""What the values of orders show: who comes back, what is no money, and what was no sale."""

from __future__ import annotations

import pandas as pd
import pytest

import churnkit
from churnkit.config import load_config
from churnkit.pipeline.starter import init

DAYS = pd.date_range("2024-01-05", periods=400, freq="D")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def orders(**columns):
    """Return a file of daily orders; columns given replace or add to it, None takes one away."""
    base = {
        "customer": [f"c{i % 9}" for i in range(len(DAYS))],
        "order_date": DAYS.strftime("%Y-%m-%d"),
        "amount": 1.25,
    }
    kept = {name: values for name, values in (base | columns).items() if values is not None}
    pd.DataFrame(kept).to_csv("orders.csv", index=False)


def test_a_discount_in_shares_is_no_money(folder):
    """Discounts of 20 % must not become 20 cents: the column is left out, and that is said."""
    orders(Discount=["0.2", "0"] * 200)

    made = init("orders.csv")

    assert "discount" not in made.tables["orders"].columns
    assert made.notes == ("'Discount' holds shares, not money, and is left out of data.orders",)


def test_who_ordered_is_the_column_that_repeats(folder):
    """Olist's customer_id is another in every order; customer_unique_id says who came back."""
    orders(
        customer=None,
        customer_id=[f"o{i}" for i in range(len(DAYS))],
        customer_unique_id=[f"c{i % 9}" for i in range(len(DAYS))],
    )

    made = init("orders.csv")

    assert made.tables["orders"].columns["customer_id"] == "customer_unique_id"
    assert made.notes == (
        "'customer_id' has another value in every order, as if nobody ever came back;"
        " 'customer_unique_id' is taken for customer_id",
    )


def test_an_id_that_never_repeats_is_pointed_out(folder):
    """With no other column to take, people decide."""
    orders(customer=[f"o{i}" for i in range(len(DAYS))])

    made = init("orders.csv")

    assert made.tables["orders"].columns["customer_id"] == "customer"
    assert len(made.notes) == 1
    assert made.notes[0].endswith("map customer_id by hand")


@pytest.mark.parametrize(("currencies", "noted"), [(["EUR", "USD", "EUR"], True), (["EUR"], False)])
def test_several_currencies_are_left_to_people(folder, currencies, noted):
    """Amounts in several currencies would be added up; which to keep is not guessed."""
    orders(Currency=(currencies * len(DAYS))[: len(DAYS)])

    notes = init("orders.csv").notes

    assert [note.split(" and would")[0] for note in notes] == (
        ["amounts are in 2 currencies (EUR, USD, column 'Currency')"] if noted else []
    )


def test_orders_that_came_to_nothing_are_left_to_people(folder):
    """Whether a cancelled order was ever paid is not in the file; the note says what to write."""
    said = ["paid"] * 398 + ["Cancelled", "it's refunded"]
    orders(**{"Financial Status": said, "shipping_status": "sent"})

    made = init("orders.csv")
    rule = made.notes[0].split("data.orders.filter: ")[1]
    kept = churnkit.validate(load_config(made.output, overrides=[f"data.orders.filter={rule}"]))

    assert len(made.notes) == 1
    assert made.notes[0].startswith("'Financial Status' says Cancelled (1), it's refunded (1): if ")
    assert kept.tables[0].rows_used == 398
