"""Orders in two files: who ordered when, and what was on the order."""

from __future__ import annotations

import pandas as pd
import pytest

import churnkit
from churnkit.config import load_config
from churnkit.errors import DataError
from churnkit.pipeline.order_lines import join_lines
from churnkit.pipeline.starter import init

QUICK = ("snapshots.horizon_days=30", "engine.threads=1")
HEAD = ["order_id", "customer", "date"]
LINES = ["order_id", "sku", "price"]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Write 400 orders, each with the total of its two lines, and return the lines."""
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-05", periods=400, freq="D")
    heads = pd.DataFrame({"id": range(400), "customer": [f"c{i % 9}" for i in range(400)]})
    lines = pd.DataFrame({"order_id": [*range(400), *range(400)], "sku": "x", "date": "?"})
    lines["unit_price"], lines["quantity"] = 2.5, [i % 3 + 1 for i in range(800)]
    totals = (lines.unit_price * lines.quantity).groupby(lines.order_id).sum()
    heads.assign(date=days, total=totals).to_csv("orders.csv", index=False)
    lines.to_csv("items.csv", index=False)
    return lines


def test_lines_are_joined_to_their_orders(shop):
    """Spend is that of the lines: the total, which would count once a line, is left out."""
    made = init("orders.csv", "items.csv")
    found = churnkit.validate(made.output).to_dict()["tables"][0]

    config = load_config(made.output)
    assert dict(config.data.orders.joined) == {"lines": "items.csv"}
    assert "total" not in config.data.orders.query
    assert (found["rows_read"], found["rows_used"], found["customers"]) == (800, 800, 9)
    assert found["amount"] == pytest.approx((shop.unit_price * shop.quantity).sum())
    assert made.notes == (
        "items.csv holds the lines of the orders in orders.csv and is joined to it",
    )


def test_what_has_no_partner_is_counted(shop):
    """An order without a line and a line without an order are set aside, each with its reason."""
    shop[shop.order_id != 7].assign(order_id=lambda t: t.order_id.replace(8, 4_000)).to_csv(
        "items.csv", index=False
    )

    made = init("orders.csv", "items.csv")
    found = churnkit.validate(made.output).to_dict()["tables"][0]

    broken = {name: check["rows"] for name, check in found["checks"].items() if check["rows"]}
    assert (found["rows_read"], found["rows_used"]) == (800, 796)
    assert broken == {"customer_id_missing": 2, "ts_missing": 2, "amount_missing": 2}


def test_a_joined_history_is_run_from_data_to_page(shop):
    """The joined files are the inputs of the run: both stand in the manifest."""
    made = init("orders.csv", "items.csv")

    done = churnkit.run(load_config(made.output, overrides=QUICK))

    files = [file["path"] for file in done.score.manifest["inputs"]["orders"]["files"]]
    assert files == ["orders.csv", "items.csv"]


def test_columns_of_one_name_stay_apart():
    """The lines' own date is another than the order's."""
    made = join_lines({"a": [*HEAD, "sku"], "b": [*LINES, "Date"]}, said={})

    assert made is not None
    assert (made.head, made.lines) == ("a", "b")
    assert made.query == (
        'SELECT coalesce(source."order_id", lines."order_id") AS "order_id", source."customer",'
        ' source."date", lines."sku", lines."price", lines."Date" AS "lines_Date"'
        ' FROM source FULL JOIN lines ON source."order_id" = lines."order_id"'
    )


@pytest.mark.parametrize(
    "files",
    [
        {"a": HEAD},
        {"a": HEAD, "b": ["order_id", "sku"]},
        {"a": ["customer", "date"], "b": LINES},
        {"a": HEAD, "b": [*LINES, "customer"]},
        {"a": HEAD, "b": LINES, "c": HEAD},
    ],
)
def test_what_does_not_join_is_left_alone(files):
    """Lines without amounts or with a customer, orders without a key, and two files of orders."""
    assert join_lines(files, said={}) is None


def test_what_is_said_to_be_another_table_is_not_joined():
    """``TABLE=FILE`` is believed."""
    assert join_lines({"a": HEAD, "b": LINES}, said={"a": [""], "b": ["customers"]}) is None


def test_two_files_of_lines_are_refused():
    """Payments beside items would count every order twice."""
    files = {"a.csv": HEAD, "items.csv": LINES, "payments.csv": ["order_id", "payment_value"]}

    with pytest.raises(
        DataError, match=r"^items\.csv and payments\.csv both hold lines of .* a\.csv"
    ):
        join_lines(files, said={})
