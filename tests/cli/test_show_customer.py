"""One customer's page on a terminal: it fits, and says what the page holds."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as RichConsole

from churnkit.cli.console import Console
from churnkit.cli.show_customer import customer_page
from churnkit.pipeline.customer_page import CustomerPage
from churnkit.pipeline.what_if import WhatIf
from churnkit.reasons import Reason


def reason(says, contribution):
    """Return a reason of one feature."""
    return Reason(says=says, feature="f", features=("f",), contribution=contribution)


def page(**changes):
    """Return a page with everything on it."""
    long = "£1,610 less spent in the last 180 days than in the 180 days before that"
    row = {"feature": "f", "features": ["f"], "contribution": 0.5}
    given = {
        "customer_id": "[bold]12347",
        "as_of": "2011-12-10",
        "risk_band": "high",
        "currency": "£",
        "churn_probability": 0.72,
        "risk_rank": 3,
        "population": 5_829,
        "value": {
            "expected_spend": 967.4,
            "expected_spend_low": 0.0,
            "expected_spend_high": 1320.0,
            "value_at_risk": 121.0,
            "p_alive": 0.987,
            "horizon_days": 90,
        },
        "raises": [reason(f"{long} (customers who stay: £226 less)", 0.6)],
        "keeps": [reason("8 orders so far", -0.2)],
        "contributions": [],
        "drivers": [
            {**row, "says": long, "probability_points": 12.5},
            {**row, "says": "8 orders so far (customers who stay: 6)", "probability_points": -4.0},
        ],
        "steps": {
            "base_probability": 0.65,
            "features": 8.5,
            "purchase_model": -2.0,
            "calibration": 0.5,
        },
        "what_if": [
            WhatIf(lever="orders", says="1 more order", churn_probability=0.41, reaches=True),
            WhatIf(lever="visits", says="2 more visits", churn_probability=0.7, reaches=False),
        ],
        "below": 0.66,
        "orders": [("2010-10-31", 700.0), ("2011-12-07", 224.82)],
        "happenings": [("product view", ("2011-11-02", "2011-12-01", "2011-12-02"))],
        "past": [("2011-10-11", None), ("2011-11-10", 0.19)],
        "formulas": {"rfm_segment": "at_risk", "orders": 2, "average_order_value": 462.41},
    }
    return CustomerPage(**{**given, **changes})


def printed(shown, *, width=80):
    """Return the page as lines of so many columns."""
    out = io.StringIO()
    console = Console(as_json=False, quiet=True, out=RichConsole(file=out, width=width))
    customer_page(console, shown)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    """And nothing is cut off with an ellipsis."""
    text = printed(page(), width=width)

    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_the_verdict_stands_first():
    """Band, probability, rank and value; an id in brackets is no markup."""
    first = printed(page()).splitlines()

    assert first[0] == "Customer [bold]12347  as of 2011-12-10"
    assert first[1] == "high risk: 72% to leave within 90 days, rank 3 of 5,829"
    assert first[2].count("█") == 29
    assert first[3] == "Expected spend £967 (likely £0 to £1,320), value at risk £121"


def test_history_is_drawn_by_month():
    """Two orders fourteen months apart, visits beside them, and the risk since the first known."""
    text = printed(page())

    assert "spend         █·············▃" in text
    assert "product view  ·············▅█" in text
    assert "by month, 2010-10 to 2011-12" in text
    assert "chance of leaving since 2011-11-10: 19%  72%" in text


def test_bars_lead_from_the_average_to_the_customer():
    """The longest bar is the largest; lower stands left, higher right, the total last."""
    lines = printed(page(), width=120).splitlines()
    bars = {line.split("  ")[0].strip(): line for line in lines if "█" in line}

    assert "an average customer" in printed(page())
    (up,) = [line for name, line in bars.items() if name.startswith("£1,610 less spent")]
    (down,) = [line for name, line in bars.items() if name == "8 orders so far"]
    assert up.count("█") == 10
    assert down.count("█") == 3
    assert up.index("█") > down.index("█")
    assert any(line.split() == ["this", "customer", "72.0", "%"] for line in lines)


def test_changes_are_marked_as_association():
    """What is enough and what is not, and that it is no effect."""
    text = printed(page(), width=120)

    assert "✓ 1 more order: 41%, below 66%" in text
    assert "· 2 more visits: 70%, not below 66%" in text
    assert "An association, not an effect" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"below": None, "what_if": []}, "lowest band already"),
        ({"what_if": []}, "No change that was tried"),
        ({"raises": []}, "What raises the risk\n   nothing"),
        ({"orders": [], "past": []}, "History"),
    ],
)
def test_what_is_not_there_is_said(changes, said):
    """Without changes, reasons or orders the page still prints."""
    assert said in "\n".join(line.rstrip() for line in printed(page(**changes)).splitlines())
