"""Models trained on everybody in two tasks of Spark, beside those of one machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score

import churnkit
from churnkit.datasets import load_cdnow
from churnkit.models.base import FeatureMatrix
from churnkit.models.bundle import load_bundle

CUTOFF = "1998-03-31"


@pytest.fixture
def cdnow(workplace):
    """Give a configuration for the CD shop, whose trees draw no rows nor columns."""
    params = {"feature_fraction": 1.0, "bagging_fraction": 1.0, "extra_trees": False}
    columns = {"customer_id": "customer_id", "ts": "timestamp", "amount": "amount"}
    return {
        "name": "cdnow",
        "engine": {"threads": 1},
        "data": {"orders": {"source": "dataset:cdnow", "columns": columns}},
        "snapshots": {"horizon_days": 91, "every_days": 91, "count": 2, "last": CUTOFF},
        "population": {"active_within_days": 365},
        "features": {"rfm": {"windows_days": [90]}, "purchase_model": {}},
        "churn": {"params": params, "calibration": "none"},
        "lifetime_value": {"params": params},
    }


def ranked(trained, config):
    """Return the AUC of a run's learner of churn over everybody at the cutoff, labels by pandas."""
    features = churnkit.build_features(config, as_of=CUTOFF)
    learner = load_bundle(trained.bundle_folder).models.churn.learner
    table = features.table.filter(features.table.column("orders").to_numpy() > 0)
    orders = load_cdnow()
    after = (orders["timestamp"] >= CUTOFF) & (orders["amount"] > 0)
    buyers = set(orders.loc[after, "customer_id"].astype(str))
    churned = [customer not in buyers for customer in table.column("customer_id").to_pylist()]
    matrix = FeatureMatrix.from_arrow(table, names=features.feature_names)
    return roc_auc_score(churned, learner.predict_raw(matrix))


@pytest.mark.spark
@pytest.mark.slow
def test_a_share_on_the_driver_and_everybody_in_two_tasks(cdnow, workplace, spark_running):
    """As good as one machine on the same rows (AUC within .002); the run says how many, and where."""
    said = []
    one = churnkit.train(cdnow)
    engine = {"kind": "spark", "training_tasks": 2, "conf": {"spark.sql.shuffle.partitions": 2}}
    half = {**cdnow["snapshots"], "customers_share": 0.5}

    two = churnkit.train(cdnow | {"engine": engine, "snapshots": half}, progress=said.append)

    ours, theirs = (ranked(trained, cdnow) for trained in (two, one))
    assert theirs > 0.75
    assert ours == pytest.approx(theirs, abs=0.002)
    everybody = one.backtest.snapshots[0].train_rows
    assert two.notes["trained_on_everybody"] == {"tasks": 2, "rows": everybody}
    assert 0.4 < two.backtest.snapshots[0].train_rows / everybody < 0.6
    assert f"trained on {everybody:,} rows of everybody in 2 tasks" in said
    assert one.notes["trained_on_everybody"] is None
    assert (
        MlflowClient(f"sqlite:///{workplace}/models/mlflow.db")
        .get_run(two.run_id)
        .data.params["engine.training_tasks"]
        == "2"
    )
    card = (two.bundle_folder / "MODEL_CARD.md").read_text()
    assert f"{everybody:,} rows of everybody" in card


@pytest.mark.spark
@pytest.mark.slow
def test_subscribers_are_trained_on_in_two_tasks_at_every_origin(workplace, spark_running):
    """A backtest grows the trees of churn on all subscribers, whose country is a level."""
    rng = np.random.default_rng(3)
    begun, lasts = rng.integers(0, 600, 300), rng.exponential(200.0, 300).astype(int) + 1
    first = pd.Timestamp("2023-01-01")
    ended = pd.Series(first + pd.to_timedelta(begun + lasts, unit="D"))
    ids = [f"c{i:03d}" for i in range(300)]
    periods = {
        "customer_id": ids,
        "started_at": first + pd.to_timedelta(begun, unit="D"),
        "ended_at": ended.where(ended < first + pd.Timedelta(days=600)),
        "mrr": 10.0,
    }
    countries = {"customer_id": ids, "country": rng.choice(["de", "fr", "it"], 300)}
    tables = {"subscriptions": pd.DataFrame(periods), "customers": pd.DataFrame(countries)}
    said = []
    config = {
        "name": "subscribers",
        "engine": {
            "kind": "spark",
            "training_tasks": 2,
            "conf": {"spark.sql.shuffle.partitions": 2},
        },
        "data": {
            "time_zone": "UTC",
            "subscriptions": {"source": "given.csv"},
            "customers": {"source": "given.csv"},
        },
        "snapshots": {"horizon_days": 60, "every_days": 60, "count": 2, "test": 2},
        "label": {"kind": "subscription_end", "resubscribe_days": 0},
        "features": {"subscription": {}, "attributes": {"categories": ["country"]}},
    }

    tested = churnkit.backtest(config, tables=tables, progress=said.append)

    rows = [snapshot.train_rows for snapshot in tested.snapshots]
    assert [line for line in said if line.startswith("trained on")] == [
        f"trained on {n:,} rows of everybody in 2 tasks" for n in rows
    ]
    assert any(line.startswith("the rows of everybody come to this process") for line in said)
    assert all(s.models["model"]["churn.auc"] is not None for s in tested.snapshots)
