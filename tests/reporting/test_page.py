"""The page as text: complete, alone, and unable to run what the data say."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from churnkit.reporting import DriverSample, render_report
from churnkit.reporting.customers import customer_rows
from churnkit.reporting.drivers import band_rows, dependence_charts
from churnkit.reporting.overview import headline

HOSTILE = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """Collects the opening tags of a page with their attributes, and its text."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.text = []

    def handle_starttag(self, tag, attributes):
        """Keep a tag."""
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        """Keep text."""
        self.text.append(data)


def parsed(page):
    """Return the parsed page."""
    tags = Tags()
    tags.feed(page)
    return tags


def test_page_refers_to_nothing_outside_itself(report):
    """No element loads anything: every reference is a place on the page or data in it."""
    tags = parsed(render_report(report)).tags

    found = [
        value
        for _, attributes in tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action", "data", "poster"}
    ]
    assert found
    assert all(value.startswith(("#", "data:")) for value in found)


def test_every_link_of_the_page_leads_somewhere(report):
    """Links and labels point at ids that there are, each once."""
    tags = parsed(render_report(report)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]

    wanted = {a["href"][1:] for tag, a in tags if tag == "a"}
    wanted |= {a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a}

    assert len(ids) == len(set(ids))
    assert wanted <= set(ids)


def test_what_the_model_is_no_better_than_stands_before_the_numbers(report):
    """The sentence of the test is the first of the warnings at the top of the page."""
    said = "test at 2024-01-01: the model is no better than the base rate"

    text = "".join(parsed(render_report(replace(report, no_skill=[said]))).text)

    assert f"T{said[1:]}." in text
    assert "no better than" not in "".join(parsed(render_report(report)).text)


def test_policy_allows_the_page_s_own_script_only(report):
    """The content security policy names the hash of the one script that runs."""
    page = render_report(report)
    script = re.search(r"<script>(.*?)</script>", page, flags=re.DOTALL).group(1)

    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

    assert f"script-src 'sha256-{digest}'" in page.replace("&#39;", "'")
    assert "default-src 'none'" in page


@pytest.mark.parametrize("where", ["customer", "reason", "name", "segment", "source", "config"])
def test_markup_from_data_is_text(report, customer, where):
    """Whatever the data hold, the page has its two scripts and shows the text."""
    changes = {
        "customer": lambda: {"customers": [customer(0, customer_id=HOSTILE)]},
        "reason": lambda: {"customers": [replace(customer(0), reasons=[(HOSTILE, 0.5)])]},
        "name": lambda: {"name": HOSTILE},
        "segment": lambda: {"customers": [customer(0, rfm_segment=HOSTILE)]},
        "source": lambda: {"tables": [replace(report.tables[0], source=HOSTILE)]},
        "config": lambda: {"config_text": HOSTILE},
    }[where]()

    found = parsed(render_report(replace(report, **changes)))

    assert [tag for tag, _ in found.tags].count("script") == 2
    # A segment's name is put into words, which begins it with a capital.
    assert HOSTILE in "".join(found.text).replace("<Script", "<script")


def test_data_of_customers_survive_the_way_into_the_page(report, customer):
    """Ids with quotes, line separators and markup are read back as they were."""
    bad = "a\"b'c\u2028</script><!--&amp;\\"
    page = render_report(replace(report, customers=[customer(0, customer_id=bad)]))

    inside = re.search(r'id="customer-data">(.*?)</script>', page, flags=re.DOTALL).group(1)

    assert json.loads(inside)[0]["id"] == bad


def test_customer_s_numbers_are_enough_for_the_waterfall(report, customer):
    """Base, reasons and the rest of them are given with the log-odds of the chance at the end."""
    reasons = [(f"reason {i}", 0.1 * i) for i in range(12, 0, -1)]
    one = replace(customer(0, churn_probability=0.75), reasons=reasons, base=-0.5)
    page = render_report(replace(report, customers=[one]))

    data = json.loads(re.search(r'id="customer-data">(.*?)</script>', page).group(1))[0]

    assert len(data["reasons"]) == 8
    assert data["others"] == [4, pytest.approx(0.1 + 0.2 + 0.3 + 0.4)]
    assert data["base"] + sum(w for _, w in data["reasons"]) + data["others"][1] == pytest.approx(
        -0.5 + 7.8
    )
    assert data["end"] == pytest.approx(math.log(3), abs=0.001)


def test_days_of_happenings_are_counted_from_1970(report, customer):
    """What a customer did is told with days that a script turns into dates."""
    one = replace(customer(0), happenings=[("ticket", ("1970-01-02", "2011-12-10"))])
    page = render_report(replace(report, customers=[one]))

    data = json.loads(re.search(r'id="customer-data">(.*?)</script>', page).group(1))[0]

    assert data["did"] == [["ticket", [1, 15318]]]


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ({}, "no order for 143 days (customers who stay: 31)"),
        ({"reason_1": "silent"}, "silent"),
        ({"reason_1": None}, "nothing raises the risk above the average"),
    ],
)
def test_main_reason_is_that_of_the_score_table(customer, scores, shown):
    """The table of customers gives the reason of the score table, or else the strongest."""
    row = customer_rows([customer(0, **scores)])[0]

    assert row["reason"] == shown


def test_page_tells_what_it_leaves_out(report):
    """With fewer customers than scored, absent metrics and no tests, the page says so."""
    few = replace(report, customers=report.customers[:30], tests=[])

    text = re.sub(r"\s+", " ", "".join(parsed(render_report(few)).text))

    assert "This page holds the first 30 of 60 scored customers" in text
    assert "NPS: surveys is not given" in text
    assert "the charts of the test are left out" in text


def test_headline_says_how_sure_the_spend_is(report):
    """With a band of the total, its ends stand under the expected spend; without one nothing does."""
    band = {"expected": 12_000.0, "low": 9_800.0, "high": 14_600.0, "coverage": 0.8}

    plain, sure = (
        next(
            f["note"]
            for f in headline(replace(report, manifest=m))
            if f["name"] == "Expected spend"
        )
        for m in (report.manifest, {**report.manifest, "expected_spend_total": band})
    )

    assert "sure" not in plain
    assert sure.startswith(plain)
    assert sure.replace("\xa0", " ").endswith("; 80 % sure: 9,800 to 14.6 k")


def test_headline_counts_what_is_at_stake(report):
    """Half of the value at risk is with the fewest customers that hold it."""
    text = re.sub(r"\s+", " ", "".join(parsed(render_report(report)).text))
    values = sorted((c.scores["value_at_risk"] for c in report.customers), reverse=True)

    few = next(n for n in range(61) if sum(values[:n]) >= sum(values) / 2)

    assert f"Half of all value at risk sits with {few} customers" in text
    assert "best baseline: RFM, 0.700" in text


def test_warnings_name_level_drift_and_rows(report):
    """A level more than 10 % off, a large drift and many rows set aside are said at the top."""
    test = report.tests[0]
    off = replace(test, expected_spend=test.expected_spend * 1.5)
    aside = replace(report.tables[0], rows_used=9_000, rows_set_aside=1_000)

    page = render_report(replace(report, tests=[off], tables=[aside])).replace("\xa0", " ")

    assert "the total of spend was predicted as" in page
    assert "10 % of the rows of orders were set aside" in page
    assert "… orders in 90 days (see Drift)" in page


def test_page_about_nobody_renders(report):
    """With nobody scored there are no customers, no segments and no drivers, and no fault."""
    nobody = replace(
        report,
        manifest=report.manifest | {"statuses": {"inactive": 5}, "risk_bands": {}},
        scores=report.scores.slice(0, 0),
        customers=[],
        means={},
        tests=[],
        drivers=None,
        metrics=None,
        cohorts=None,
    )

    page = render_report(nobody)

    assert "Nobody is scored" in page
    assert 'id="drivers"' not in page


def test_page_of_five_hundred_customers_stays_small(report, customer):
    """Five hundred customers with two hundred orders each stay below 5 MB."""
    orders = [(f"20{i % 90 + 10}-01-05", 123.45) for i in range(200)]
    past = [(f"2011-{i:02d}-01", 0.123) for i in range(1, 7)]
    reasons = [("silent for 2.4 times the usual time between orders", 0.1)] * 60
    many = [
        replace(customer(i % 60), orders=orders, past=past, reasons=reasons) for i in range(500)
    ]

    size = len(render_report(replace(report, customers=many)).encode())

    assert size < 5_000_000


def test_drivers_name_the_features_that_move_with_them(report):
    """A group of features is one row, and the others of the group are listed in words."""
    sample = report.drivers
    others = (tuple(sample.names[1:]), *((),) * (len(sample.names) - 1))
    grouped = replace(report, drivers=replace(sample, others=others))

    text = re.sub(r"\s+", " ", "".join(parsed(render_report(grouped)).text))

    assert f"and {len(sample.names) - 1} that move with it" in text
    assert f"that move with it{sample.phrases[sample.names[1]]}" in text


def test_effect_of_a_category_is_drawn_by_its_words(report):
    """One bar for each level, named as people would, in place of a line over its code."""
    rng = np.random.default_rng(3)
    plan = rng.integers(0, 2, 200).astype(np.float32)
    sample = DriverSample(
        names=("plan",),
        phrases={"plan": "plan"},
        values=plan[:, None],
        contributions=np.where(plan == 1.0, 0.5, -0.25)[:, None],
        levels={"plan": ("basic", "professional")},
    )

    (chart,) = dependence_charts(sample)

    assert chart.says == "Lowest for basic, highest for professional."
    assert [row[0] for row in chart.rows] == ["basic", "professio"]
    assert [row[1] for row in chart.rows] == ["−0.25", "0.50"]


def test_data_quality_names_the_event_types_that_no_feature_counts(report):
    """Beside the checks of the events, with their rows; nothing is said where all are counted."""
    events = replace(report.tables[0], table="events")
    manifest = {**report.manifest, "uncounted_event_types": {"checkout": 1234, "<b>": 5}}

    with_some, without = (
        render_report(replace(report, tables=[events], manifest=m))
        for m in (manifest, {**manifest, "uncounted_event_types": {}})
    )

    assert "Event types that no feature counts: checkout (1,234), &lt;b&gt; (5)." in with_some
    assert "Event types that no feature counts" not in without


def test_customers_are_counted_by_their_main_reason(report):
    """Each group with its size, its risk and what is at stake, as it is given."""
    cohort = {"says": "days since the last order", "customers": 1200, "share": 0.4}
    cohort |= {"churn_probability": 0.81, "value_at_risk": 52_340.0}

    text = re.sub(
        r"\s+", " ", "".join(parsed(render_report(replace(report, by_reason=[cohort]))).text)
    )

    assert "Customers by their main reason" in text
    assert "days since the last order1,20040 %81 %52.3 k" in text.replace("\xa0", " ")


def test_drivers_are_told_by_band_of_risk():
    """The mean size in each band that has enough customers, the highest band first."""
    weights = np.concatenate([np.full(40, 0.5), np.full(60, -0.25), np.full(5, 9.0)])[:, None]
    sample = DriverSample(
        names=("orders",),
        phrases={"orders": "orders so far"},
        values=np.arange(105.0)[:, None],
        contributions=weights,
        bands=("low",) * 40 + ("high",) * 60 + ("medium",) * 5,
    )

    bands, rows = band_rows(sample)

    assert bands == ["high (60)", "low (40)"]
    assert rows == [{"says": "orders so far", "cells": ["0.25 ± 0", "0.50 ± 0"]}]
    assert band_rows(replace(sample, bands=())) == ([], [])
