"""Contracts of tables: what a table must look like, and which checks follow from what a source has."""

from __future__ import annotations

import pytest

from churnkit.data.contracts import CONTRACTS, Column, TableContract, row_checks
from churnkit.errors import UnknownNameError

ORDERS = CONTRACTS["orders"]()


def names(texts, **options):
    """Return the names of the checks of orders for the columns that a source has."""
    given = {"as_of_us": None, "now_us": 0, "refunds": "net"} | options
    return [check.name for check in row_checks(ORDERS, texts=texts, **given)]


def test_orders_need_a_customer_and_a_time():
    """Everything else may be absent; what is known of a row is known at its time."""
    assert [c.name for c in ORDERS.columns if c.required] == ["customer_id", "ts"]
    assert ORDERS.time.name == "ts"
    assert ORDERS.time.field_name == "ts_us"
    assert [c.name for c in ORDERS.columns if not c.nullable] == ["customer_id", "ts", "amount"]


def test_a_table_may_have_no_time():
    """Attributes of customers are known at any time."""
    contract = TableContract(name="x", columns=(Column(name="customer_id", kind="id"),))

    assert contract.time is None


def test_checks_follow_from_the_columns_that_the_source_has():
    """No check of an absent column, and mixed types only where ids are text."""
    typed = names({"customer_id": False, "ts": False})
    as_text = names({"customer_id": True, "ts": True, "amount": True})

    assert typed == [
        "customer_id_missing",
        "ts_missing",
        "ts_unparsable",
        "ts_in_future",
        "ts_too_early",
    ]
    assert as_text == [
        "customer_id_missing",
        "customer_id_mixed_type",
        "ts_missing",
        "ts_unparsable",
        "amount_missing",
        "amount_not_numeric",
        "amount_not_finite",
        "amount_too_large",
        "ts_in_future",
        "ts_too_early",
    ]


@pytest.mark.parametrize(
    ("refunds", "check"), [("net", None), ("drop", "refund_dropped"), ("raise", "amount_negative")]
)
def test_refunds_have_a_check_unless_they_are_kept(refunds, check):
    """Only amounts can be negative: without them there is nothing to check."""
    with_amount = names({"customer_id": False, "ts": False, "amount": False}, refunds=refunds)
    without = names({"customer_id": False, "ts": False}, refunds=refunds)

    assert [n for n in with_amount if n in {"refund_dropped", "amount_negative"}] == (
        [check] if check else []
    )
    assert not {"refund_dropped", "amount_negative"} & set(without)


def test_every_registered_table_says_its_own_name():
    """The key in a configuration is the name in messages; check names are words, each once."""
    for name in CONTRACTS.names():
        contract = CONTRACTS[name]()
        texts = {column.name: True for column in contract.columns}
        checks = row_checks(contract, texts=texts, as_of_us=0, now_us=0, refunds="net")

        assert contract.name == name
        assert len({check.name for check in checks}) == len(checks)
        assert all(check.name.replace("_", "").isalnum() for check in checks)
        assert all(check.sentence for check in checks)


def test_an_unknown_table_offers_the_nearest():
    """A misspelt table name is refused."""
    with pytest.raises(
        UnknownNameError, match=r"^unknown input table 'order'\. Did you mean 'orders'\?"
    ):
        CONTRACTS["order"]
