"""The report of a trained shop: one file, whole and true to the score table."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

import churnkit
from churnkit.errors import DataError


@pytest.fixture(scope="module")
def made(shop, tmp_path_factory):
    """Give the shop's page and its result; for tests that only look."""
    target = tmp_path_factory.mktemp("page") / "report.html"
    result = churnkit.report(shop.config, model=shop.bundle, output=target)
    return target.read_text(encoding="utf-8"), result


def data_of(page):
    """Return the customers that the page holds."""
    found = re.search(r'<script type="application/json" id="customer-data">(.*?)</script>', page)
    return json.loads(found.group(1))


def test_page_holds_the_customers_with_most_at_risk(made, scored, shop):
    """The views are those of the highest value at risk, in order, with the table's probability."""
    page, result = made
    best = scored[scored["status"] == "scored"].sort_values("value_at_risk", ascending=False)

    customers = data_of(page)

    assert result.customers == len(customers) == min(len(best), 500)
    assert result.as_of == shop.as_of
    assert result.size == len(page.encode())
    assert customers[0]["id"] == best.index[0]
    for shown in customers[:20]:
        assert shown["p"] == pytest.approx(best.loc[shown["id"], "churn_probability"], abs=1e-4)


def test_customers_by_main_reason_are_those_of_the_score_table(made, scored):
    """Every scored customer is counted once, with what the table says is at risk."""
    page, _ = made
    table = page[page.index('<caption class="only-read">Customers by their main reason') :]
    body = table[: table.index("</table>")]

    counts = re.findall(r"</th><td class=\"number\">([\d,]+)</td>", body)

    everybody = scored[scored["status"] == "scored"]
    assert sum(int(text.replace(",", "")) for text in counts) == len(everybody)


def test_customer_view_tells_past_and_orders_before_as_of(made, shop):
    """Past dates and orders lie before the page's date, and orders are those of the table."""
    page, _ = made
    orders = shop.orders[shop.orders["ts"].between("2000", shop.as_of)]
    customer = next(c for c in data_of(page) if c["id"].isdigit())

    theirs = orders[orders["customer_id"] == customer["id"]].astype({"amount": float})
    bought = theirs[theirs["amount"] > 0].groupby("order_id")["amount"].sum()

    assert [day for day, _ in customer["past"]] == sorted(day for day, _ in customer["past"])
    assert max(day for day, _ in customer["past"]) < shop.as_of
    assert sorted(paid for _, paid in customer["orders"]) == pytest.approx(
        sorted(bought), abs=0.006
    )


def test_page_says_what_was_read_and_how_it_was_made(made, shop):
    """Rows set aside, the configuration's hash and the fingerprint of the orders are on the page."""
    page, _ = made
    report = churnkit.validate(shop.config).tables[0]

    assert f"{report.rows_set_aside:,} set aside" in page
    assert shop.trained_hash in page
    assert report.fingerprint in page


def test_page_before_the_test_matured_leaves_its_charts_out(shop, tmp_path):
    """Where the horizon of the test has not passed, no outcome is shown, and the page says so."""
    target = tmp_path / "early.html"

    churnkit.report(shop.config, model=shop.bundle, as_of="2023-12-15", output=target)

    page = target.read_text(encoding="utf-8")
    assert "The outcome of no test cutoff is in these data" in page
    assert "Finding those who leave" not in page


def test_run_writes_the_page_from_its_own_scores(shop, workplace):
    """A run whose scores go to CSV puts the same customers on the page as any other."""
    config = shop.config | {
        "scoring": shop.config["scoring"] | {"output": "out/scores.csv"},
        "report": {"output": "out/page.html"},
    }

    done = churnkit.run(config)

    page = (workplace / "out" / "page.html").read_text(encoding="utf-8")
    table = done.score.to_pandas().set_index("customer_id")
    assert done.report.size == len(page.encode())
    for shown in data_of(page)[:5]:
        assert shown["p"] == pytest.approx(table.loc[shown["id"], "churn_probability"], abs=1e-4)


def test_page_that_cannot_be_written_is_an_error(shop, tmp_path):
    """A folder in the page's place is named."""
    (tmp_path / "page.html").mkdir()

    with pytest.raises(DataError, match="page"):
        churnkit.report(shop.config, model=shop.bundle, output=tmp_path / "page.html")


def test_training_writes_the_model_card(shop):
    """The bundle holds a card with the population, the baselines and the limits."""
    card = (shop.bundle / "MODEL_CARD.md").read_text(encoding="utf-8")

    assert card.startswith("# Model card: shop, version 1\n")
    assert "at most 180 days before it" in card
    assert "| metric |  | Model | " in card
    assert "BG/NBD" in card
    assert "Not measured: training read no attributes of customers" in card


def test_level_is_told_for_every_cutoff_with_an_outcome(shop, made):
    """Training keeps the totals at each of its cutoffs and its tests, and the page draws them."""
    page, _ = made
    levels = shop.trained.notes["level_over_time"]
    tested = [s.cutoff for s in shop.trained.backtest.snapshots]
    newest = levels[-1]
    metrics = shop.trained.backtest.snapshots[-1].models["model"]

    assert [p["cutoff"] for p in levels] == sorted(p["cutoff"] for p in levels)
    assert [p["cutoff"] for p in levels if p["tested"]] == tested
    assert newest["churners"] / newest["customers"] == pytest.approx(metrics["churn.base_rate"])
    assert newest["expected_spend"] / newest["future_spend"] - 1 == pytest.approx(
        metrics["spend.total_bias"]
    )
    assert "Customers lost, cutoff by cutoff" in page


def test_card_measures_fairness_by_the_attributes_of_customers(shop, workplace):
    """Where training is given a table of customers, its card has a table for each attribute."""
    ids = sorted(shop.orders["customer_id"].unique())
    country = ["nl" if i % 3 else "de" for i in range(len(ids))]
    customers = pd.DataFrame(
        {"customer_id": ids, "country": country, "email": [f"{i}@x" for i in ids]}
    )

    trained = churnkit.train(shop.config, tables={"customers": customers})

    card = (trained.bundle_folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "### Country" in card
    assert "| nl | " in card
    assert "nearly all differ): email." in card
