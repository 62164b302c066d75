"""The model card as text: what it says, and that names cannot break its tables."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from churnkit.models.bundle import Bundle
from churnkit.reporting import model_card


@pytest.fixture
def bundle():
    """Give what the card reads of a bundle; the models themselves are not looked at."""
    metrics = {"churn.auc": 0.8, "spend.total_bias": -0.02}
    cutoffs = [f"2011-{month:02d}-01" for month in range(1, 7)]
    return Bundle(
        name="shop",
        version="3",
        created_at="2012-01-01T00:00:00+00:00",
        models=None,
        features={"rfm": {}, "regularity": {}},
        feature_names=("orders_90d", "order_gap_cv"),
        data={"time_zone": "Europe/London", "refunds": "net"},
        snapshot={"observation_days": 730, "horizon_days": 90, "gap_days": 7},
        label={"kind": "no_order"},
        population={"active_within_days": 365, "min_orders": 1},
        value={"gross_margin": 1.0, "yearly_discount_rate": 0.0},
        metrics={
            "snapshots": [
                {
                    "cutoff": "2011-09-01",
                    "customers": 800,
                    "models": {"model": metrics, "bg_nbd": metrics | {"churn.auc": 0.75}},
                }
            ]
        },
        provenance={
            "config_hash": "0123456789abcdef",
            "train_cutoffs": cutoffs,
            "train_rows": 4800,
            "churnkit": "0.1.0",
            "python": "3.11",
            "lightgbm": "4.5",
        },
    )


def card(bundle, outcome, orders_report, **changes):
    """Return the card's text."""
    given = {"tests": [outcome()], "tables": [orders_report()]}
    return model_card(bundle, **(given | changes))


def test_card_says_data_population_label_metrics_and_limits(bundle, outcome, orders_report):
    """Each thing that a reader must know of a model is there, with its number."""
    text = card(bundle, outcome, orders_report)

    for said in (
        "# Model card: shop, version 3",
        "| orders | orders.csv | 2010-01-01 to 2011-12-09 | 10,000 | 9,788 | 212 | 900 |",
        "Trained on 4,800 rows: a customer at each of 6 cutoffs from 2011-01-01 to 2011-06-01",
        "Churned: no order in the horizon.",
        "Horizon: 90 days after a gap of 7 days.",
        "| metric |  | Model | BG/NBD |",
        "| Churn: AUC | more is better | 0.800 | 0.750 |",
        "| 2011-09-01 | spend |",
        "Training cutoffs cover less than a year",
    ):
        assert said in text


def test_card_without_a_test_says_so(bundle, outcome, orders_report):
    """A model without test snapshots has no metrics, calibration or level, and the card tells it."""
    untested = replace(bundle, metrics={"snapshots": []})

    text = card(untested, outcome, orders_report, tests=[])

    assert "The model was not tested." in text
    assert "## Calibration" not in text


def test_names_cannot_break_the_tables(bundle, outcome, orders_report):
    """Bars, line breaks and markup in a source's name stay in their cell."""
    table = orders_report(source="a|b\n# <script>")

    text = card(bundle, outcome, orders_report, tables=[table])

    assert "| orders | a\\|b \\# \\<script> |" in text


def test_card_tells_how_groups_are_treated(bundle, outcome, orders_report):
    """Each attribute that makes groups has a table whose numbers pandas finds too."""
    test = outcome()
    country = ["nl" if i % 3 else "de" for i in range(len(test.churned))]
    test = replace(
        test, attributes={"country": country, "email": [str(i) + "@" for i in range(800)]}
    )
    frame = pd.DataFrame({"c": country, "left": test.churned, "p": test.churn_probability}).assign(
        flag=lambda t: t["p"] >= 0.5
    )
    nl = frame[frame["c"] == "nl"]

    text = card(bundle, outcome, orders_report, tests=[test], high=0.5)

    auc = roc_auc_score(nl["left"], nl["p"])
    found, alarms = nl[nl["left"]]["flag"].mean(), nl[~nl["left"]]["flag"].mean()
    row = (
        f"| nl | {len(nl)} | {100 * nl['left'].mean():.1f} % | {100 * nl['p'].mean():.1f} %"
        f" | {auc:.3f} | {100 * found:.0f} % | {100 * alarms:.0f} % |"
    )
    assert "### Country" in text
    assert row in text
    assert "nearly all differ): email." in text


def test_card_says_when_fairness_was_not_measured(bundle, outcome, orders_report):
    """Without attributes of customers the card names what is missing."""
    assert "Not measured: training read no attributes" in card(bundle, outcome, orders_report)


def test_card_of_subscribers_says_who_pays_and_what_ends(bundle, outcome, orders_report):
    """Population and label are those of contracts, with the options that were chosen."""
    label = {"kind": "subscription_end", "trial_plans": ["free"]}

    text = card(replace(bundle, label=label), outcome, orders_report)

    assert "- Population: customers with a paid subscription running at the cutoff." in text
    assert "ends before the end of the horizon (trial plans: free)." in text
    assert "- Spend: revenue of paid subscriptions" in text


def test_card_says_what_the_model_is_no_better_than(bundle, outcome, orders_report):
    """A sentence of its own under the metrics; without one nothing is said."""
    said = "test at 2024-01-01: the model is no better than the base rate"
    weak = replace(bundle, notes={"no_skill": [said]})

    assert f"**T{said[1:]}.**" in card(weak, outcome, orders_report)
    assert "no better than" not in card(bundle, outcome, orders_report)
