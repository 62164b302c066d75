"""What a file of orders holds in another form: other dates, other numbers, prices of pieces."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

import churnkit
from churnkit.errors import DataError
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
        "amount": [f"{1.25 + i}" for i in range(len(DAYS))],
    }
    kept = {name: values for name, values in (base | columns).items() if values is not None}
    pd.DataFrame(kept).to_csv("orders.csv", index=False)


def read_back():
    """Return the configuration that init writes, and what a validation of it reads."""
    init("orders.csv")
    with open("orders.yaml", encoding="utf-8") as file:
        written = yaml.safe_load(file)
    return written, churnkit.validate("orders.yaml").to_dict()["tables"][0]


@pytest.mark.parametrize(
    "form",
    [
        "%m/%d/%Y",
        "%d/%m/%Y",
        "%d.%m.%Y",
        "%m/%d/%Y %H:%M",
        "%d-%m-%Y %H:%M:%S",
        "%Y%m%d",
        "%m/%d/%Y %I:%M %p",
    ],
)
def test_dates_of_other_countries_are_read(folder, form):
    """The one order of day, month and year that fits all rows is written as a conversion."""
    orders(order_date=DAYS.strftime(form))

    written, found = read_back()

    assert written["data"]["orders"]["columns"]["ts"] == "ts_converted"
    assert (found["rows_used"], found["first_at"]) == (400, "2024-01-05T00:00:00+00:00")


@pytest.mark.parametrize("parts", [1, 1_000, 1_000_000])
def test_seconds_since_1970_are_read(folder, parts):
    """Whole numbers that mean a time of our days, in seconds or finer."""
    seconds = (DAYS - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    orders(order_date=None, timestamp=seconds * parts)

    _, found = read_back()

    assert (found["rows_used"], found["first_at"]) == (400, "2024-01-05T00:00:00+00:00")


@pytest.mark.parametrize(
    "shown",
    [
        lambda a: f"£{a:,.2f}",
        lambda a: f"{a:,.2f} EUR",
        lambda a: f"{a:,.2f}".translate(str.maketrans(",.", ".,")),
        lambda a: f"{a:.2f}".replace(".", ","),
    ],
)
def test_amounts_as_people_write_them_are_read(folder, shown):
    """Signs of currency, thousands apart and decimal commas; the total is that of the numbers."""
    amounts = [1000.25 + i for i in range(len(DAYS))]
    orders(amount=[shown(a) for a in amounts])

    _, found = read_back()

    assert found["amount"] == pytest.approx(sum(amounts))


def test_a_price_is_multiplied_by_the_pieces(folder):
    """Lines with a price and a quantity have no amount of their own."""
    orders(amount=None, UnitPrice=[2.5] * 400, Quantity=[4] * 400)

    written, found = read_back()

    assert set(written["data"]["orders"]["computed"]) == {"amount_converted"}
    assert found["amount"] == pytest.approx(4_000.0)


def test_what_needs_no_conversion_gets_none(folder):
    """ISO dates and plain numbers stay as they are, a few broken rows notwithstanding."""
    orders(amount=["x", *("3.5" for _ in DAYS[1:])])

    written, found = read_back()

    assert written["data"]["orders"]["computed"] == {}
    assert found["rows_set_aside"] == 1


def test_dates_that_can_be_read_in_two_ways_are_refused(folder):
    """Nobody can tell the 3rd of April from the 4th of March: no guess is made."""
    orders(order_date=[f"{d % 12 + 1}/{d % 11 + 1}/2024" for d in range(len(DAYS))])

    message = (
        r"^orders\.csv: column 'order_date' can be read as day/month/year and as month/day/year;"
        r" write the configuration by hand, with data\.orders\.computed$"
    )
    with pytest.raises(DataError, match=message):
        init("orders.csv")


@pytest.mark.parametrize(("days", "horizon"), [(400, 90), (300, 60), (150, 30), (20, 7)])
def test_a_short_history_gets_a_short_horizon(folder, days, horizon):
    """Ninety days of looking ahead cannot be learnt from half a year."""
    pd.DataFrame({"customer": ["a", "b"], "order_date": [DAYS[0], DAYS[days - 1]]}).to_csv(
        "orders.csv", index=False
    )

    init("orders.csv")

    with open("orders.yaml", encoding="utf-8") as file:
        assert yaml.safe_load(file)["snapshots"]["horizon_days"] == horizon


def test_other_tables_are_converted_too(folder):
    """Times and money of every table are looked at, and the message says whose is not clear."""
    orders()
    opened = DAYS.strftime("%d.%m.%Y %H:%M")
    pd.DataFrame(
        {"customer": ["c1"] * len(DAYS), "opened_at": opened, "resolved_at": opened}
    ).to_csv("tickets.csv", index=False)
    pd.DataFrame(
        {"customer": ["c1", "c2"], "start_date": ["2024-01-02"] * 2, "end_date": [None, "04/03/2024"],
         "mrr": ["1.000,50", "99,00"]}
    ).to_csv("plans.csv", index=False)  # fmt: skip

    made = init("orders.csv", "tickets.csv")
    rows = {report.table: report.rows_used for report in churnkit.validate(made.output).tables}

    assert made.tables["support_tickets"].columns["resolved_at"] == "resolved_at_converted"
    assert rows["support_tickets"] == len(DAYS)
    with pytest.raises(
        DataError, match=r"'end_date' can be read as .*data\.subscriptions\.computed"
    ):
        init("plans.csv")


@pytest.mark.parametrize(("currencies", "noted"), [(["EUR", "USD", "EUR"], True), (["EUR"], False)])
def test_several_currencies_are_left_to_people(folder, currencies, noted):
    """Amounts in several currencies would be added up; which to keep is not guessed."""
    orders(Currency=(currencies * len(DAYS))[: len(DAYS)])

    notes = init("orders.csv").notes

    assert [note.split(" and would")[0] for note in notes] == (
        ["amounts are in 2 currencies (EUR, USD, column 'Currency')"] if noted else []
    )
