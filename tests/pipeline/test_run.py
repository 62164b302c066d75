"""The whole job on bundled real data."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from mlflow import MlflowClient

import churnkit
from churnkit.datasets import load_cdnow
from churnkit.models.bundle import FORMAT


@pytest.fixture
def cdnow(workplace):
    """Give a configuration for the tenth of the CD shop, with few rounds of a small model."""
    small = {"num_leaves": 4, "learning_rate": 0.3}
    return {
        "name": "cdnow",
        "engine": {"threads": 1},
        "data": {
            "orders": {
                "source": "dataset:cdnow_sample",
                "columns": {
                    "customer_id": "customer_id",
                    "ts": "timestamp",
                    "amount": "amount",
                    "quantity": "quantity",
                },
            }
        },
        "snapshots": {"horizon_days": 91, "every_days": 91, "count": 2},
        "population": {"active_within_days": 365},
        "features": {"rfm": {"windows_days": [90]}, "purchase_model": {}},
        "churn": {"params": small},
        "lifetime_value": {"params": small},
    }


def test_run_on_real_orders(cdnow, workplace):
    """From the orders of 2,357 customers to scores that reconcile, a tracked run and a champion."""
    said = []

    done = churnkit.run(cdnow, progress=said.append)

    orders = load_cdnow(sample=True)
    table = done.score.to_pandas().set_index("customer_id")
    assert done.validation.tables[0].rows_read == len(orders) == 6919
    assert len(table) == orders["customer_id"].nunique() == 2357
    assert table.index.is_unique

    # Statuses, from pandas alone: an order is a day with money, the last of them within a year.
    days = orders.groupby(["customer_id", "timestamp"])["amount"].sum()
    last = days[days > 0].reset_index().groupby("customer_id")["timestamp"].max()
    age = pd.Timestamp("1998-07-01") - last
    expected = {
        "scored": int((age.dt.days <= 365).sum()),
        "inactive": int((age.dt.days > 365).sum()),
        "no_valid_orders": 2357 - len(last),
    }
    assert done.score.manifest["statuses"] == expected

    model = done.train.backtest.snapshots[0].models["model"]
    run = MlflowClient(f"sqlite:///{workplace}/models/mlflow.db").get_run(done.train.run_id)
    assert model["churn.auc"] > 0.7
    assert run.info.status == "FINISHED"
    assert run.data.metrics["churn.auc"] == pytest.approx(model["churn.auc"])
    assert run.data.metrics["bg_nbd.churn.auc"] > 0.7
    assert run.data.params["snapshots.horizon_days"] == "91"
    assert done.train.is_champion
    assert done.score.manifest["model"]["version"] == "1"
    assert json.loads(json.dumps(done.to_dict()))["train"]["version"] == "1"
    # A notebook shows it in a few lines, not with every count and curve.
    assert len(repr(done)) < 1500
    assert said[0] == "reading and checking the data"

    alone = churnkit.score(cdnow, output=workplace / "alone.parquet").to_pandas()
    columns = ["churn_probability", "expected_spend", "risk_rank"]
    assert alone.set_index("customer_id")[columns].equals(table.loc[alone["customer_id"], columns])


def test_scores_are_the_champions_where_the_new_model_is_worse(shop, workplace):
    """A run whose model is worse than the champion scores with the champion."""
    hopeless = {"num_leaves": 2, "learning_rate": 1e-6}
    worse = {
        **shop.config,
        "churn": {"params": hopeless, "calibration": "none", "level": "none"},
        "features": {"rfm": {"windows_days": [30]}},
    }
    churnkit.train(shop.config)

    done = churnkit.run(worse)

    assert not done.train.is_champion
    assert done.train.version == "2"
    assert done.score.manifest["model"]["version"] == "1"
    assert set(done.score.to_pandas()["model_version"]) == {"1"}


def test_champion_that_cannot_be_read_gives_way(shop, workplace):
    """A champion of an earlier format cannot score; the new model takes over and says why."""
    first = churnkit.train(shop.config)
    for described in workplace.rglob("bundle.json"):
        text = described.read_text(encoding="utf-8")
        described.write_text(text.replace(f'"format": {FORMAT}', '"format": 1'), encoding="utf-8")

    done = churnkit.run(shop.config)

    assert (first.version, done.train.version) == ("1", "2")
    assert done.train.is_champion
    assert "the champion cannot be read" in done.train.champion_reason
    assert done.score.manifest["model"]["version"] == "2"


@pytest.mark.spark
@pytest.mark.slow
def test_a_run_on_spark_has_the_numbers_of_duckdb(cdnow, workplace, spark_running):
    """Counts, test metrics beside the baselines, scores, company metrics, and a page of one date."""
    engine = {"kind": "spark", "conf": {"spark.sql.shuffle.partitions": 2}}
    expected = churnkit.run(cdnow)

    # Under another name, so that the champion is its own.
    found = churnkit.run(cdnow | {"name": "there", "engine": engine})

    for there, here in (
        (found.train.to_pandas(), expected.train.to_pandas()),
        (by_customer(found.score), by_customer(expected.score)),
        (found.metrics.to_pandas(), expected.metrics.to_pandas()),
    ):
        pd.testing.assert_frame_equal(there[here.columns], here, check_dtype=False, rtol=1e-6)
    assert found.validation.tables == expected.validation.tables
    assert found.score.manifest["statuses"] == expected.score.manifest["statuses"]
    assert found.report.customers == expected.report.customers
    assert f"{found.score.manifest['statuses']['scored']:,}" in found.report.output.read_text(
        "utf-8"
    )


def by_customer(scored):
    """Return the score table without what tells one run from another."""
    table = scored.to_pandas().set_index("customer_id").sort_index()
    return table.drop(columns=["scored_at", "model_name"]).astype({"as_of": str})
