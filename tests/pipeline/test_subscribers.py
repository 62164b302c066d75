"""What the verbs do with a model of subscriptions."""

from __future__ import annotations

import mlflow
import numpy as np
import pandas as pd
import pytest

import churnkit
from churnkit.errors import ModelGuardError
from churnkit.models.bundle import load_bundle
from churnkit.tracking.frame_scores import score_frame

CONFIG = {
    "name": "subscribers",
    "engine": {"threads": 1},
    "data": {"time_zone": "UTC", "subscriptions": {"source": "given.csv"}},
    "snapshots": {
        "horizon_days": 60,
        "observation_days": 365,
        "every_days": 60,
        "count": 5,
        "test": 1,
    },
    "label": {"kind": "subscription_end", "resubscribe_days": 0},
    "features": {"subscription": {}},
    "scoring": {"reasons": 1},
}


def subscriptions_of(customers):
    """Return subscriptions of customers who leave at a rate of their own, which nothing else shows."""
    rng = np.random.default_rng(3)
    begun = rng.integers(0, 600, customers)
    lasts = rng.exponential(rng.choice([40.0, 500.0], customers)).astype(int) + 1
    first = pd.Timestamp("2023-01-01")
    ended = first + pd.to_timedelta(begun + lasts, unit="D")
    last = first + pd.Timedelta(days=600)
    table = pd.DataFrame(
        {
            "customer_id": [f"c{i:03d}" for i in range(customers)],
            "started_at": first + pd.to_timedelta(begun, unit="D"),
            "ended_at": pd.Series(ended).where(pd.Series(ended) < last),
            "mrr": 10.0,
        }
    )
    return {"subscriptions": table}


@pytest.fixture
def periods():
    """Give the subscriptions of 300 customers."""
    return subscriptions_of(300)


def test_scores_of_the_bundle_are_those_of_the_backtest(periods, workplace):
    """At the test's date, scores have the test's log loss on what then happened."""
    trained = churnkit.train(CONFIG, tables=periods)
    tested = trained.backtest.snapshots[-1]

    scored = churnkit.score(
        CONFIG, tables=periods, as_of=tested.cutoff, model=trained.bundle_folder
    ).to_pandas()

    found = scored[scored["status"] == "scored"].set_index("customer_id")["churn_probability"]
    cutoff, table = pd.Timestamp(tested.cutoff), periods["subscriptions"]
    end = cutoff + pd.Timedelta(days=60)
    there = table[(table["mrr"] > 0) & (table["started_at"] < end)]
    running = there[there["ended_at"].isna() | (there["ended_at"] >= end)]["customer_id"]
    churned = ~found.index.isin(running)
    loss = -np.log(np.where(churned, found, 1.0 - found)).mean()
    assert len(found) == tested.customers
    assert loss == pytest.approx(tested.models["model"]["churn.log_loss"], rel=1e-9)


def test_a_share_of_the_customers_is_learned_from(periods, workplace):
    """Drawn customers are subscribers still: the population is theirs, not that of orders."""
    some = CONFIG | {"snapshots": CONFIG["snapshots"] | {"customers_share": 0.5}}

    everybody, half = (churnkit.backtest(c, tables=periods).snapshots[0] for c in (CONFIG, some))

    assert 0.35 < half.customers / everybody.customers < 0.65


@pytest.fixture
def tickets(periods):
    """Give a ticket of every third subscriber, ten days after the start, some resolved."""
    asked = periods["subscriptions"].iloc[::3]
    opened = asked["started_at"] + pd.Timedelta(days=10)
    resolved = opened + pd.Timedelta(days=3)
    return pd.DataFrame(
        {
            "customer_id": asked["customer_id"],
            "opened_at": opened,
            "resolved_at": resolved.where(np.arange(len(asked)) % 2 == 0),
        }
    )


def test_the_logged_model_of_several_tables_scores_as_the_job_does(periods, tickets, workplace):
    """Stacked in one frame or by name, the tables give the probabilities of the score table."""
    tables = periods | {"support_tickets": tickets}
    config = CONFIG | {
        "data": CONFIG["data"] | {"support_tickets": {"source": "given.csv"}},
        "features": {"subscription": {}, "support": {}},
    }
    trained = churnkit.train(config, tables=tables)
    expected = churnkit.score(config, tables=tables).to_pandas().set_index("customer_id")

    mlflow.set_tracking_uri(f"sqlite:///{workplace}/models/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model("models:/subscribers@champion")
    finally:
        mlflow.set_tracking_uri(None)
    stacked = pd.concat([frame.assign(table=name) for name, frame in tables.items()])
    found = {
        "stacked": model.predict(stacked),
        "by name": score_frame(tables, load_bundle(trained.bundle_folder)),
    }

    for way, scores in found.items():
        mine = scores.set_index("customer_id")
        assert mine["status"].to_dict() == expected["status"].to_dict(), way
        for column in ("churn_probability", "mrr_at_risk", "expected_spend"):
            pd.testing.assert_series_equal(mine[column], expected[column], check_like=True)


def test_endings_by_time_subscribed_alone_are_no_skill_of_the_features(workplace, caplog):
    """The run, the model's notes, the card and the JSON say so; asked for skill, it is refused."""
    periods = subscriptions_of(1500)
    rule = "no better than the base rate by time subscribed"
    with pytest.raises(ModelGuardError, match=rule):
        churnkit.train(CONFIG, tables=periods, require_skill=True)
    assert not (workplace / "models" / "subscribers").exists()

    with caplog.at_level("WARNING", logger="churnkit"):
        trained = churnkit.train(CONFIG, tables=periods)

    (said,) = trained.notes["no_skill"]
    assert rule in said
    assert said in caplog.messages
    assert said in trained.notes["cautions"]
    assert trained.backtest.to_dict()["skill"]["statement"] == said
    assert said[1:] in (trained.bundle_folder / "MODEL_CARD.md").read_text("utf-8")


def test_features_that_tell_are_skill(workplace):
    """Who opens a ticket before leaving is found among those who are subscribed equally long."""
    periods = subscriptions_of(1500)
    ended = periods["subscriptions"].dropna(subset="ended_at")
    day = pd.Timedelta(days=1)
    asked = ended.assign(opened_at=(ended["ended_at"] - 50 * day).clip(lower=ended["started_at"]))
    tables = periods | {"support_tickets": asked[["customer_id", "opened_at"]]}
    config = CONFIG | {
        "data": CONFIG["data"] | {"support_tickets": {"source": "given.csv"}},
        "features": {"subscription": {}, "support": {}},
    }

    trained = churnkit.train(config, tables=tables, require_skill=True)

    skill = trained.backtest.to_dict()["skill"]
    assert (skill["base_rate"]["better"], skill["retention_curve"]["better"]) == (True, True)
    assert trained.notes["no_skill"] == []
