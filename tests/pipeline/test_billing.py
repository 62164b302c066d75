"""Subscriptions with what is paid each interval: what that is a month."""

from __future__ import annotations

import csv

import pytest

from churnkit.config import load_config
from churnkit.pipeline.session import open_session
from churnkit.pipeline.starter import init

STARTS = ["2023-01-05 10:00", "2023-02-07 11:30", "2023-03-01 09:15", "2023-03-20 08:00"]
ENDS = ["2023-06-05 10:00", "", "", "2023-07-20 08:00"]


@pytest.fixture
def contracts(workplace):
    """Write ``subs.csv``, as a payment service exports it, with columns added or replaced."""

    def write(**columns):
        rows = {
            "Customer ID": ["cus_1", "cus_2", "cus_3", "cus_4"],
            "Interval": ["month", "year", "Year", "3 months"],
            "Amount": ["29.00", "240.00", "1,200.00", "90.00"],
            "Start (UTC)": STARTS,
            "Ended At (UTC)": ENDS,
        } | columns
        with (workplace / "subs.csv").open("w", newline="", encoding="utf-8") as opened:
            out = csv.writer(opened)
            out.writerow(rows)
            out.writerows(zip(*rows.values(), strict=True))

    return write


def kept(*names):
    """Return columns of the subscriptions as the written configuration reads them, by customer."""
    with open_session(load_config("subs.yaml"), also=["subscriptions"]) as session:
        table = session.engine.collect(session.history.history.tables["subscriptions"])
    return table.sort_by("customer_id").select(names).to_pydict()


def test_what_is_paid_each_interval_is_divided_by_its_months(contracts):
    """29 a month, 240 and 1,200 a year, 90 a quarter."""
    contracts()

    made = init("subs.csv")

    assert kept("mrr", "billing_months") == {
        "mrr": [29.0, 20.0, 100.0, 30.0],
        "billing_months": [1.0, 12.0, 12.0, 3.0],
    }
    assert made.notes == (
        "'Interval' says 3 months (1), month (1), year (2): mrr is 'Amount' by the months of each",
    )


def test_a_monthly_price_stays_beside_the_interval(contracts):
    """A column that is called monthly is not divided again."""
    contracts(MRR=["29", "20", "100", "30"])

    made = init("subs.csv")

    assert made.tables["subscriptions"].columns["mrr"] == "MRR"
    assert kept("billing_months") == {"billing_months": [1.0, 12.0, 12.0, 3.0]}
    assert not made.notes


@pytest.mark.parametrize(
    ("columns", "noted"),
    [
        ({"Quantity": ["1", "12", "1", ""]}, True),
        ({"Quantity": ["1", "1", "1", ""]}, False),
        ({"Quantity": ["1", "12", "1", "2"], "MRR": ["29", "240", "100", "60"]}, False),
    ],
    ids=["twelve seats at a price", "one seat each", "revenue of all seats"],
)
def test_what_may_be_the_price_of_one_seat_is_pointed_out(contracts, columns, noted):
    """Amounts are not multiplied by a guess; monthly revenue is of all seats."""
    contracts(**columns)

    made = init("subs.csv")

    assert made.tables["subscriptions"].columns["seats"] == "Quantity"
    assert (
        "'Quantity' is up to 12: mrr is made of 'Amount' alone; if that is the price of one,"
        " multiply it by 'Quantity' in data.subscriptions.computed" in made.notes
    ) == noted


@pytest.mark.parametrize(
    ("columns", "named"),
    [({}, ["mrr=Amount"]), ({"Interval": ["month", "year", "week", "fortnight"]}, [])],
    ids=["said to be monthly", "an interval that is not known"],
)
def test_what_may_not_be_monthly_is_left_to_people(contracts, columns, named):
    """Nothing is divided against what was said, nor by a guess."""
    contracts(**columns)

    made = init("subs.csv", column=named)

    assert "billing_months" not in made.tables["subscriptions"].columns
    (note,) = made.notes
    assert "'Amount' is taken for a month's; if it is paid each interval, divide it" in note
