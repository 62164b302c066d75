"""What a data file is, by its columns; a configuration of several."""

from __future__ import annotations

import pyarrow.csv
import pyarrow.parquet
import pytest

import churnkit
from churnkit.config import TABLE_COLUMNS, load_config
from churnkit.data.simulate import simulate_shop
from churnkit.errors import DataError, ParameterError
from churnkit.pipeline.recognising import recognise_files
from churnkit.pipeline.spellings import SPELLINGS
from churnkit.pipeline.starter import init

ORDERS = ["Customer ID", "InvoiceDate", "Price"]


def found(said=None, **files):
    """Return tables and columns of files given by name."""
    made = recognise_files({f"{k}.csv": v for k, v in files.items()}, said=said or {})
    return {one.table: dict(one.columns) for one in made}


@pytest.fixture
def folder(workplace):
    """Give a folder with every table of a simulated shop, as Parquet or CSV."""
    names = [name for name in SPELLINGS if name != "campaigns"]
    made = simulate_shop(customers=60, days=500, seed=2, tables=names).tables
    for name, table in made.items():
        if name in {"surveys", "customers"}:
            pyarrow.csv.write_csv(table, workplace / f"{name}.csv")
        else:
            pyarrow.parquet.write_table(table, workplace / f"{name}.parquet")
    return workplace


def test_every_column_that_a_configuration_can_map_can_be_recognised():
    """The spellings are those of the tables that there are; attributes need no name."""
    assert SPELLINGS.keys() == TABLE_COLUMNS.keys()
    for table, spellings in SPELLINGS.items():
        assert spellings.keys() == TABLE_COLUMNS[table].model_fields.keys()


def test_files_of_a_shop_become_one_configuration_that_validates(folder):
    """Each file is recognised, and its features stand there; attributes wait for a decision."""
    files = sorted(p.name for p in folder.glob("*.*") if p.suffix in {".csv", ".parquet"})

    made = init(*files)
    checked = churnkit.validate(made.output)

    config = load_config(made.output)
    assert made.output.name == "orders.yaml"
    assert made.tables.keys() == {f.split(".")[0] for f in files}
    assert {r.table for r in checked.tables} == made.tables.keys()
    assert all(r.rows_used for r in checked.tables)
    assert {"engagement", "support", "survey", "loyalty", "subscription"} <= set(config.features)
    assert dict(config.features["subscription"]) == dict.fromkeys(
        ("seats", "renewals", "failed_payments"), True
    )
    attributes = "# attributes: {categories: [acquisition_channel, country], numbers: [birth_year]}"
    assert attributes in made.output.read_text()


def test_subscriptions_alone_are_learned_from(folder):
    """Without orders, churn is the end of a subscription, and no feature needs orders."""
    made = init("subscriptions.parquet", "events=events.parquet")

    config = load_config(made.output)
    assert config.label.kind == "subscription_end"
    assert list(config.features) == ["engagement", "subscription"]
    assert config.data.orders is None
    assert churnkit.validate(made.output).train_cutoffs


def test_contracts_are_known_by_both_ends_and_a_price():
    """The words before start and end say what began and ended."""
    columns = ["user_id", "membership_start", "Membership End Date", "monthly_price", "plan_type"]

    assert found(a=columns) == {
        "subscriptions": dict(
            zip(("customer_id", "started_at", "ended_at", "mrr", "plan"), columns, strict=True)
        )
    }


@pytest.mark.parametrize(
    ("table", "columns", "ours"),
    [
        (
            "subscriptions",
            ["Mitgliedsnr.", "Vertragsbeginn", "Vertragsende", "Monatsbeitrag (€)", "Tarif"],
            ("customer_id", "started_at", "ended_at", "mrr", "plan"),
        ),
        (
            "subscriptions",
            ["Account ID", "Start date", "Cancelled on", "MRR (USD)", "Seats"],
            ("customer_id", "started_at", "ended_at", "mrr", "seats"),
        ),
        (
            "orders",
            ["N° client", "N° facture", "Date facture", "Réf. article", "Qté", "Montant HT"],
            ("customer_id", "order_id", "ts", "product_id", "quantity", "amount"),
        ),
        (
            "orders",
            ["Check #", "Loyalty Card", "Closed", "Total incl. VAT"],
            ("order_id", "customer_id", "ts", "amount"),
        ),
        ("orders", ["Constituent ID", "Gift Date", "amount_eur"], ("customer_id", "ts", "amount")),
        (
            "rewards",
            ["Member No", "Voucher issued", "Voucher redeemed", "Voucher value"],
            ("customer_id", "issued_at", "redeemed_at", "value"),
        ),
    ],
)
def test_exports_of_many_programs_are_recognised(table, columns, ours):
    """Gyms, software, wholesalers, restaurants and charities; units and number signs do not matter."""
    assert found(a=columns) == {table: dict(zip(ours, columns, strict=True))}


def test_a_column_called_so_in_full_comes_before_one_with_a_unit():
    """Of a total and a total without tax the plain one is the amount."""
    columns = ["client", "date", "total excl. tax", "total"]

    assert found(a=columns)["orders"]["amount"] == "total"


def test_a_contract_without_a_price_is_asked_for_it():
    """Both ends of a contract are no attributes of a customer."""
    with pytest.raises(DataError, match=r"^a\.csv: as subscriptions, no column looks like mrr;"):
        found(a=["member", "start_date", "end_date", "branch"])


def test_a_question_says_which_survey_it_is():
    """Tools for surveys call the column by the question."""
    question = "How likely are you to recommend us? (0-10)"

    made = recognise_files({"answers.csv": ["customer_id", "date", question]}, said={})

    assert made[0].survey == "nps"
    assert made[0].columns["score"] == question


def test_columns_that_are_named_need_not_look_like_anything():
    """What people say comes before what names look like, and settles which table a file is."""
    columns = ["Bürger", "kjøpt", "date", "total", "tip"]
    named = [("customer_id", "Bürger"), ("ts", "kjøpt"), ("amount", "tip")]

    made = recognise_files({"a.csv": columns}, said={}, named=named)

    assert made[0].table == "orders"
    assert made[0].columns == dict(named)


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (("customer", "who"), r"no table has a column 'customer'\. Did you mean 'customer_id'\?"),
        (("customer_id", "whom"), r"no file has a column 'whom' for customer_id\. .*'who'"),
    ],
)
def test_a_named_column_must_exist(pair, sentence):
    """Typing errors on either side are told with the nearest name."""
    with pytest.raises(ParameterError, match=sentence):
        recognise_files({"a.csv": ["who", "date"]}, said={}, named=[pair])


def test_surveys_of_one_kind_are_known_by_the_name_of_the_score():
    """A column nps, or a file of that name, says which survey all rows are of."""
    made = recognise_files({"answers.csv": ["customer_id", "date", "NPS"]}, said={})

    assert made[0].survey == "nps"
    assert made[0].columns == {"customer_id": "customer_id", "ts": "date", "score": "NPS"}


def test_attributes_keep_their_names():
    """Whatever else stands beside the id of a customer is an attribute."""
    assert found(people=["Account-ID", "Signup Date", "Land", "Firm size"]) == {
        "customers": {
            "customer_id": "Account-ID",
            "since": "Signup Date",
            "land": "Land",
            "firm_size": "Firm size",
        }
    }


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        # dunnhumby's Complete Journey, Olist, Retailrocket, Tafeng, a bank's card payments
        (
            ["household_id", "basket_id", "product_id", "sales_value", "transaction_timestamp"],
            ["household_id", "transaction_timestamp", "sales_value", "basket_id", "product_id"],
        ),
        (
            ["order_id", "customer_unique_id", "order_purchase_timestamp", "payment_value"],
            ["customer_unique_id", "order_purchase_timestamp", "payment_value", "order_id"],
        ),
        (
            ["timestamp", "visitorid", "itemid", "transactionid"],
            ["visitorid", "timestamp", None, "transactionid", "itemid"],
        ),
        (
            ["TRANSACTION_DT", "CUSTOMER_ID", "PRODUCT_ID", "SALES_PRICE", "date"],
            ["CUSTOMER_ID", "TRANSACTION_DT", "SALES_PRICE", None, "PRODUCT_ID"],
        ),
        (
            ["card_number", "Transaction Date", "Transaction Amt"],
            ["card_number", "Transaction Date", "Transaction Amt"],
        ),
        # H&M, Stripe, and shops in German, French and Spanish
        (
            ["t_dat", "customer_id", "article_id", "price"],
            ["customer_id", "t_dat", "price", None, "article_id"],
        ),
        (
            ["id", "Created (UTC)", "Amount", "Customer ID"],
            ["Customer ID", "Created (UTC)", "Amount"],
        ),
        (
            ["Kundennummer", "Bestelldatum", "Bestellnummer", "Betrag"],
            ["Kundennummer", "Bestelldatum", "Betrag", "Bestellnummer"],
        ),
        (
            ["Client", "Date achat", "Montant", "Commande"],
            ["Client", "Date achat", "Montant", "Commande"],
        ),
        (["Id cliente", "Fecha", "Importe"], ["Id cliente", "Fecha", "Importe"]),
    ],
)
def test_orders_of_many_makers_are_recognised(columns, expected):
    """Households, visitors, cards and Kunden are customers; what was bought has a time and a number."""
    ours = ("customer_id", "ts", "amount", "order_id", "product_id")

    assert found(a=columns)["orders"] == {
        name: theirs for name, theirs in zip(ours, expected, strict=False) if theirs
    }


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"a": ORDERS, "b": ORDERS},
            r"^a\.csv and b\.csv both look like orders; .* churnkit init TABLE=b\.csv$",
        ),
        (
            {"a": ["user_id", "date", "event", "rating"]},
            r"^a\.csv: its columns fit events and surveys; say which: churnkit init events=a\.csv or"
            r" surveys=a\.csv$",
        ),
        (
            {"a": ["user_id", "created_at", "country"]},
            r"^a\.csv: its columns fit orders and customers; say which",
        ),
        ({"a": ["sku", "price"]}, r"^a\.csv: no column looks like customer_id or ts; columns: sku"),
        (
            {"a": ["user_id", "date", "score"]},
            r"neither the column 'score' nor the name of the file",
        ),
        (
            {"a": ["user_id", "date", "group", "outcome"]},
            "looks like campaigns, a table that is not",
        ),
    ],
)
def test_what_is_not_clear_is_said_with_how_to_settle_it(files, sentence):
    """A file of no table or several, two files of one table: one sentence each."""
    with pytest.raises(DataError, match=sentence):
        found(**files)


def test_what_is_said_settles_it():
    """``TABLE=FILE`` is believed, if the needed columns are there and the table exists."""
    columns = ["user_id", "date", "event", "rating"]

    assert found({"a.csv": ["events"]}, a=columns) == {
        "events": {"customer_id": "user_id", "ts": "date", "event_type": "event"}
    }
    with pytest.raises(DataError, match=r"^a\.csv: as rewards, no column looks like issued_at;"):
        found({"a.csv": ["rewards"]}, a=columns)
    with pytest.raises(ParameterError, match=r"unknown table 'event'\. Did you mean 'events'"):
        found({"a.csv": ["event"]}, a=columns)


def test_files_without_orders_or_subscriptions_are_refused(folder):
    """There is nothing to learn from."""
    with pytest.raises(
        DataError,
        match=r"no file has orders or subscriptions .* events\.parquet is events\. .* give it as both:"
        r" churnkit init orders=events\.parquet events=events\.parquet$",
    ):
        init("events.parquet")
    assert not (folder / "events.yaml").exists()


def test_purchases_in_a_log_of_events_become_orders(folder):
    """One file is both: orders are its purchases, and the features use the log's own names."""
    log = pyarrow.parquet.read_table("events.parquet").to_pandas()
    names = {"product_view": "View Item", "cart_add": "add_to_cart", "purchase": "Order Completed"}
    kinds = log["event_type"].replace(names)
    kinds[log["event_type"].eq("favourite")] = "it's mine"
    log.assign(event_type=kinds).to_parquet("log.parquet")

    made = init("orders=log.parquet", "events=log.parquet")
    checked = churnkit.validate(made.output)

    config = load_config(made.output)
    rows = {report.table: report.rows_used for report in checked.tables}
    assert made.tables["orders"].filter == "\"event_type\" IN ('Order Completed')"
    assert rows == {"orders": kinds.eq("Order Completed").sum(), "events": len(log)}
    options = config.features["engagement"]
    assert (options["view"], options["cart"]) == ("View Item", "add_to_cart")
    assert options["purchase"] == config.retention.purchase_event == "Order Completed"
    assert config.retention.cart_event == "add_to_cart"
    assert "it's mine" in options["event_types"]
    assert list(options["channels"]) == ["email", "push", "sms"]
    assert checked.uncounted_event_types == {}


def test_a_log_without_purchases_is_visits(folder):
    """What can be learned from it is who comes back: every row counts."""
    log = pyarrow.parquet.read_table("events.parquet").to_pandas()
    log[log["event_type"].eq("visit")].drop(columns="value").to_csv("app.csv", index=False)

    made = init("orders=app.csv", "app.csv")

    assert made.tables["orders"].filter is None
    assert made.tables.keys() == {"orders", "events"}
    assert churnkit.validate(made.output).tables[0].rows_used == log["event_type"].eq("visit").sum()
