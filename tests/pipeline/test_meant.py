"""What the values of orders show: who comes back, what is no money, and what was no sale."""

from __future__ import annotations

import pytest

import churnkit
from churnkit.config import load_config
from churnkit.pipeline.starter import init

ORDERS = 400  # that are written


def test_a_discount_in_shares_is_no_money(orders):
    """Discounts of 20 % must not become 20 cents: the column is left out, and that is said."""
    orders(Discount=["0.2", "0"] * 200)

    made = init("orders.csv")

    assert "discount" not in made.tables["orders"].columns
    assert made.notes == ("'Discount' holds shares, not money, and is left out of data.orders",)


def test_who_ordered_is_the_column_that_repeats(orders):
    """Olist's customer_id is another in every order; customer_unique_id says who came back."""
    orders(
        customer=None,
        customer_id=[f"o{i}" for i in range(ORDERS)],
        customer_unique_id=[f"c{i % 9}" for i in range(ORDERS)],
    )

    made = init("orders.csv")

    assert made.tables["orders"].columns["customer_id"] == "customer_unique_id"
    assert made.notes == (
        "'customer_id' has another value in every order, as if nobody ever came back;"
        " 'customer_unique_id' is taken for customer_id",
    )


def test_an_id_that_never_repeats_is_pointed_out(orders):
    """With no other column to take, people decide."""
    orders(customer=[f"o{i}" for i in range(ORDERS)])

    made = init("orders.csv")

    assert made.tables["orders"].columns["customer_id"] == "customer"
    assert len(made.notes) == 1
    assert made.notes[0].endswith("map customer_id by hand")


def test_who_ordered_may_be_in_another_file(orders, workplace):
    """Olist's orders name none but their own customer_id; the customers say who that is."""
    ids = [f"o{i}" for i in range(ORDERS)]
    orders(customer=None, customer_id=ids)
    rows = [f"{id_},c{i % 9}" for i, id_ in enumerate(ids)]
    (workplace / "people.csv").write_text("\n".join(["customer_id,customer_unique_id", *rows]))

    (note,) = init("orders.csv", "people.csv").notes

    assert note.endswith(
        "; 'customer_unique_id' of people.csv may say who ordered: join it with data.orders.joined"
        " and query"
    )


@pytest.mark.parametrize(("currencies", "noted"), [(["EUR", "USD", "EUR"], True), (["EUR"], False)])
def test_several_currencies_are_left_to_people(orders, currencies, noted):
    """Amounts in several currencies would be added up; which to keep is not guessed."""
    orders(Currency=(currencies * ORDERS)[:ORDERS])

    notes = init("orders.csv").notes

    assert [note.split(" and would")[0] for note in notes] == (
        ["amounts are in 2 currencies (EUR, USD, column 'Currency')"] if noted else []
    )


def test_subscriptions_in_several_currencies_are_pointed_out(tmp_path, monkeypatch):
    """Monthly revenue in euros and dollars would be added up as silently as orders."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"c{i},2023-0{i}-01,,10,{('EUR', 'USD')[i % 2]}\n" for i in range(1, 9))
    (tmp_path / "subs.csv").write_text("customer_id,started_at,ended_at,mrr,currency\n" + rows)

    (note,) = init("subs.csv").notes

    assert note.startswith("amounts are in 2 currencies (EUR, USD, column 'currency')")
    assert note.endswith("convert with data.subscriptions.computed")


def test_orders_that_came_to_nothing_are_left_to_people(orders):
    """Whether a cancelled order was ever paid is not in the file; the note says what to write."""
    said = ["paid"] * 398 + ["Cancelled", "it's refunded"]
    orders(**{"Financial Status": said, "shipping_status": "sent"})

    made = init("orders.csv")
    rule = made.notes[0].split("data.orders.filter: ")[1]
    kept = churnkit.validate(load_config(made.output, overrides=[f"data.orders.filter={rule}"]))

    assert len(made.notes) == 1
    assert made.notes[0].startswith("'Financial Status' says Cancelled (1), it's refunded (1): if ")
    assert kept.tables[0].rows_used == 398


def test_addresses_that_differ_by_case_are_pointed_out(orders):
    """Ann@x.org and ann@x.org would be two customers, which people can mend."""
    orders(customer=["Ann@x.org", "ann@x.org", "bob@x.org", "eve@x.org"] * (ORDERS // 4))

    (note,) = init("orders.csv").notes

    assert note.startswith("'customer' spells 3 addresses in 4 ways, by upper and lower case")
    assert note.endswith('such as {email: lower(trim("customer"))}')


def test_what_was_paid_back_is_pointed_out(orders):
    """Shopify has it in a column of its own, which the total does not know of."""
    orders(**{"Refunded Amount": ["0", "5.50"] * (ORDERS // 2), "Refunded at": [""] * ORDERS})

    (note,) = init("orders.csv").notes

    assert note.startswith("'Refunded Amount' is not 0 in 200 rows and is not taken off")
    assert note.endswith("""such as {net: 'amount - coalesce("Refunded Amount", 0)'}""")
