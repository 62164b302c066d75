"""What a file of orders holds in another form: other dates, other numbers, prices of pieces."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
import yaml

import churnkit
from churnkit.errors import DataError, ParameterError
from churnkit.pipeline.starter import init

DAYS = pd.date_range("2024-01-05", periods=400, freq="D")  # of the orders that are written


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
        "%m/%d/%y",
        "%d.%m.%y %H:%M",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%b %d, %Y",
        "%d %B %Y",
    ],
)
def test_dates_of_other_countries_are_read(orders, form):
    """The one order of day, month and year that fits all rows is written as a conversion."""
    orders(order_date=DAYS.strftime(form))

    written, found = read_back()

    assert written["data"]["orders"]["columns"]["ts"] == "ts_converted"
    assert (found["rows_used"], found["first_at"]) == (400, "2024-01-05T00:00:00+00:00")


@pytest.mark.parametrize("parts", [1, 1_000, 1_000_000])
def test_seconds_since_1970_are_read(orders, parts):
    """Whole numbers that mean a time of our days, in seconds or finer."""
    seconds = (DAYS - pd.Timestamp(0)) // pd.Timedelta(seconds=1)
    orders(order_date=None, timestamp=seconds * parts)

    _, found = read_back()

    assert (found["rows_used"], found["first_at"]) == (400, "2024-01-05T00:00:00+00:00")


@pytest.mark.parametrize("kind", [str, float])
def test_days_of_a_spreadsheet_are_read(orders, kind):
    """A table that lost its formats holds days since 1899, with the time of day as a fraction."""
    days = (DAYS - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1) + 0.25
    amounts = [3.5] * len(DAYS)
    frame = pd.DataFrame({"customer": "c", "order_date": days.map(kind), "amount": amounts})
    frame.to_parquet("orders.parquet")

    init("orders.parquet", output="orders.yaml")
    checked = churnkit.validate("orders.yaml")

    assert checked.tables[0].rows_used == len(DAYS)
    assert (checked.first_day, checked.end_day) == ("2024-01-05", "2025-02-08")


@pytest.mark.parametrize(
    "shown",
    [
        lambda a: f"£{a:,.2f}",
        lambda a: f"{a:,.2f} EUR",
        lambda a: f"{a:,.2f}".translate(str.maketrans(",.", ".,")),
        lambda a: f"{a:.2f}".replace(".", ","),
    ],
)
def test_amounts_as_people_write_them_are_read(orders, shown):
    """Signs of currency, thousands apart and decimal commas; the total is that of the numbers."""
    amounts = [1000.25 + i for i in range(len(DAYS))]
    orders(amount=[shown(a) for a in amounts])

    _, found = read_back()

    assert found["amount"] == pytest.approx(sum(amounts))


@pytest.mark.parametrize(
    "shown",
    [
        lambda a: f"({a:,.2f})",
        lambda a: f"$ ({a:,.2f})",
        lambda a: f"{a:,.2f}-",
        lambda a: f"− {a:,.2f} (credit)",
    ],
)
def test_less_than_nothing_is_written_in_several_ways(orders, shown):
    """Of accountants, of SAP, and with the sign of typesetters: money paid back is not earned."""
    orders(amount=[shown(1_250.5), *("3.50" for _ in DAYS[1:])])

    _, found = read_back()

    assert found["rows_set_aside"] == 0
    assert found["amount"] == pytest.approx(3.5 * (len(DAYS) - 1) - 1_250.5)


def test_a_minus_that_was_not_seen_yet_is_set_aside(orders):
    """The configuration of January reads the file of February: (5) is not 5."""
    orders(amount=[f"{a:,.2f} $" for a in range(1, 401)])
    init("orders.csv")
    orders(amount=["(7.00) $", "7.00- $", "−7.00 $", *("3.50 $" for _ in DAYS[3:])])

    found = churnkit.validate("orders.yaml").to_dict()["tables"][0]

    assert found["rows_set_aside"] == 3
    assert found["amount"] == pytest.approx(3.5 * (len(DAYS) - 3))


def test_a_price_is_multiplied_by_the_pieces(orders):
    """Lines with a price and a quantity have no amount of their own."""
    orders(amount=None, UnitPrice=[2.5] * 400, Quantity=[4] * 400)

    written, found = read_back()

    assert set(written["data"]["orders"]["computed"]) == {"amount_converted"}
    assert found["amount"] == pytest.approx(4_000.0)


def test_what_needs_no_conversion_gets_none(orders):
    """ISO dates and plain numbers stay as they are, a few broken rows notwithstanding."""
    orders(amount=["x", *("3.5" for _ in DAYS[1:])])

    written, found = read_back()

    assert written["data"]["orders"]["computed"] == {}
    assert found["rows_set_aside"] == 1


def test_few_amounts_with_thousands_decide_how_all_are_read(orders):
    """One in 400 is enough: what a plain cast does not read are the largest orders."""
    orders(amount=["1,250.50", *("3.5" for _ in DAYS[1:])])

    _, found = read_back()

    assert found["rows_set_aside"] == 0
    assert found["amount"] == pytest.approx(1_250.5 + 3.5 * (len(DAYS) - 1))


def test_the_only_column_with_times_is_the_time(orders):
    """A name that nobody could know is no hindrance, where no other column holds times."""
    orders(order_date=None, kjøpt=DAYS.strftime("%d.%m.%Y"))

    written, found = read_back()

    assert written["data"]["orders"]["columns"]["ts"] == "ts_converted"
    assert found["rows_used"] == len(DAYS)


def test_of_two_columns_with_times_none_is_guessed(orders):
    """Which one says when the order was placed is not in the values."""
    orders(order_date=None, kjøpt=DAYS.strftime("%Y-%m-%d"), sendt=DAYS.strftime("%Y-%m-%d"))

    with pytest.raises(DataError, match=r"no column looks like ts \(times are in kjøpt, sendt\);"):
        init("orders=orders.csv")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["orders.csv", "ORDERS.TXT", "orders.tsv.gz"])
def test_text_of_older_programs_is_read(orders, name, encoding):
    """What is no UTF-8 is latin-1 or says what it is, and we say it; tabs and other endings are fine."""
    text = "Kunde\tDatum\tBetrag\n" + "".join(
        f"Jörg {i % 9}\t{day:%d.%m.%Y}\t{i},50\n" for i, day in enumerate(DAYS)
    )
    opened = gzip.open if name.endswith(".gz") else open
    with opened(name, "wb") as file:
        file.write(text.encode(encoding))

    made = init(name, output="orders.yaml")
    found = churnkit.validate("orders.yaml").to_dict()["tables"][0]

    assert made.tables["orders"].encoding == encoding
    assert made.notes == (f"{name} is no UTF-8 text and is read as {encoding}",)
    assert (found["rows_used"], found["customers"]) == (len(DAYS), 9)
    assert found["amount"] == pytest.approx(sum(i + 0.5 for i in range(len(DAYS))))


def test_files_in_two_encodings_are_refused(orders):
    """Read in one encoding, the same customer would be another in the other file."""
    for number, encoding in enumerate(("utf-8", "latin-1", "ascii")):
        text = "customer,date\nJörg,2024-01-01\n" if encoding != "ascii" else "customer,date\n"
        Path(f"orders{number}.csv").write_bytes(text.encode(encoding))

    with pytest.raises(
        DataError, match=r"^orders\*\.csv: text of several encodings \(latin-1, utf-8\)"
    ):
        init("orders*.csv")


def test_dates_that_can_be_read_in_two_ways_are_refused(orders):
    """Nobody can tell the 3rd of April from the 4th of March: no guess is made."""
    orders(order_date=[f"{d % 12 + 1}/{d % 11 + 1}/2024" for d in range(len(DAYS))])

    message = (
        r"^orders\.csv: column 'order_date' can be read as day/month/year and as month/day/year;"
        r" say which: churnkit init --dates dmy if the day is first, or --dates mdy$"
    )
    with pytest.raises(DataError, match=message):
        init("orders.csv")
    with pytest.raises(ParameterError, match=r"dates must be 'dmy' .* got 'ymd'$"):
        init("orders.csv", dates="ymd")


def test_amounts_that_can_be_read_in_two_ways_are_refused(orders):
    """A comma before three digits may be either kind, and how dates are read says nothing of it."""
    orders(amount=["1,234"] * len(DAYS))

    message = (
        r"^orders\.csv: column 'amount' can be read as 1,234\.56 and as 1\.234,56; write the"
        r" configuration by hand, with data\.orders\.computed$"
    )
    with pytest.raises(DataError, match=message):
        init("orders.csv", dates="dmy")


@pytest.mark.parametrize(
    ("dates", "form", "said", "other"),
    [
        ("dmy", "%d/%m/%Y", "day/month/year", "month/day/year"),
        ("mdy", "%m/%d/%Y", "month/day/year", "day/month/year"),
    ],
)
def test_dates_are_read_as_was_said_where_both_ways_fit(orders, dates, form, said, other):
    """The choice is in the configuration and in a note; dates that fit one way stay as they are."""
    orders(order_date=[f"{d % 12 + 1}/{d % 11 + 1}/2024" for d in range(len(DAYS))])
    sure = DAYS.strftime("%m/%d/%Y")
    pd.DataFrame({"customer": ["c1"] * len(DAYS), "opened_at": sure, "priority": "high"}).to_csv(
        "tickets.csv", index=False
    )

    made = init("orders.csv", "tickets.csv", dates=dates)

    with open(made.output, encoding="utf-8") as file:
        written = yaml.safe_load(file)["data"]
    assert written["orders"]["computed"]["ts_converted"].endswith(f"'{form}')")
    assert written["support_tickets"]["computed"]["opened_at_converted"].endswith("'%m/%d/%Y')")
    assert made.notes == (
        f"orders.csv: column 'order_date' is read as {said}, as was said; {other} would fit too",
    )
    assert churnkit.validate(made.output).tables[0].rows_used == len(DAYS)


@pytest.mark.parametrize(("days", "horizon"), [(400, 90), (300, 60), (150, 30), (20, 7)])
def test_a_short_history_gets_a_short_horizon(orders, days, horizon):
    """Ninety days of looking ahead cannot be learnt from half a year."""
    pd.DataFrame({"customer": ["a", "b"], "order_date": [DAYS[0], DAYS[days - 1]]}).to_csv(
        "orders.csv", index=False
    )

    init("orders.csv")

    with open("orders.yaml", encoding="utf-8") as file:
        assert yaml.safe_load(file)["snapshots"]["horizon_days"] == horizon


def test_other_tables_are_converted_too(orders):
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
        DataError, match=r"^plans\.csv: column 'end_date' can be read as .*--dates dmy"
    ):
        init("plans.csv")
