"""Learners fitted in two tasks of a cluster, beside the same learners on one machine."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import mean_gamma_deviance, roc_auc_score

from churnkit.engines import SparkEngine
from churnkit.errors import ConfigError
from churnkit.models.base import FeatureMatrix
from churnkit.models.boosting import LightGBM
from churnkit.models.churn import ROUNDS
from churnkit.models.joint import Target, Teach, joint_learners
from churnkit.models.learner import MODELS
from churnkit.models.settings import ModelSettings

NAMES = ("a", "b", "shop")
# Without draws of rows and columns: what is left is that bins are found on a part of the rows.
PARAMS = {"feature_fraction": 1.0, "bagging_fraction": 1.0}
LEARNER = LightGBM(threads=1, params=PARAMS)
TARGETS = (
    Target("churn", LEARNER, "binary"),
    Target("typical", LEARNER, "l2", of_spend=True),
    Target("gamma", LEARNER, "gamma", of_spend=True, buyers_only=True),
)
UNIT = 2.0
TEACH = Teach(targets=TARGETS, unit=UNIT, feature_names=NAMES, categories=("shop",))


def people(n, *, seed):
    """Return features, churn and spend: two numbers and a category decide, some are not known."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3)).astype(np.float32)
    shop = rng.integers(0, 8, n)
    values[:, 2] = shop
    risk = values[:, 0] + 0.5 * values[:, 1] + np.where(shop % 2 == 0, 1.0, -1.0)
    values[rng.random((n, 3)) < 0.05] = np.nan
    churned = (rng.random(n) < 1.0 / (1.0 + np.exp(-risk))).astype(np.float64)
    spend = np.where(churned > 0.0, 0.0, rng.gamma(3.0, np.exp(0.5 * np.nan_to_num(values[:, 1]))))
    return FeatureMatrix(names=NAMES, values=values, categories=("shop",)), churned, spend


@pytest.fixture
def spark(spark_running):
    """Give an engine in the Spark that the tests share: local, two threads."""
    with SparkEngine(conf={"spark.sql.shuffle.partitions": "1"}) as engine:
        yield engine


def taught(engine, rows, churned, spend, *, customers, teach=TEACH):
    """Return the models' texts, and the rows of each task."""
    columns = dict(zip(NAMES, rows.values.T, strict=True))
    table = {"customer_id": customers, "churned": churned, "future_spend": spend, **columns}
    frame = engine.select(f"SELECT * FROM {engine.add_arrow(pa.table(table))}")
    made = engine.run_together(frame, teach, tasks=2, by="customer_id", schema=teach.schema)
    said = made.to_pylist()
    texts = {one["name"]: one["text"] for one in said if one["name"] is not None}
    return texts, sorted(one["rows"] for one in said if one["rows"] is not None)


@pytest.mark.spark
@pytest.mark.slow
def test_two_tasks_are_as_good_as_one_machine(spark):
    """On fresh customers AUC differs by less than .002, the deviance of spend by less than 1 %."""
    rows, churned, spend = people(20_000, seed=1)
    fresh, left, spent = people(20_000, seed=2)
    customers = [f"c{i // 2}" for i in range(20_000)]

    texts, parts = taught(spark, rows, churned, spend, customers=customers)
    again, _ = taught(spark, rows, churned, spend, customers=customers)

    assert sum(parts) == 20_000
    assert min(parts) > 8_000
    assert again == texts
    assert not any("127.0.0.1" in text for text in texts.values())
    two = {name: LEARNER.load(text) for name, text in texts.items()}
    buys, bought = spend > 0.0, spent > 0.0
    one = {
        "churn": LEARNER.fit(rows, churned, objective="binary", rounds=ROUNDS),
        "gamma": LEARNER.fit(rows[buys], spend[buys] / UNIT, objective="gamma", rounds=ROUNDS),
    }
    ours, theirs = (roc_auc_score(left, m["churn"].predict(fresh)) for m in (two, one))
    assert theirs > 0.75
    assert ours == pytest.approx(theirs, abs=0.002)
    ours, theirs = (
        mean_gamma_deviance(spent[bought] / UNIT, m["gamma"].predict(fresh[bought]))
        for m in (two, one)
    )
    assert ours == pytest.approx(theirs, rel=0.01)
    assert np.corrcoef(two["typical"].predict(fresh), np.log1p(spent / UNIT))[0, 1] > 0.4
    # The shops are levels, not amounts.
    assert "num_cat=0" not in texts["churn"].split("Tree=1")[1].split("Tree=2")[0]


@pytest.mark.spark
def test_a_task_without_rows_leaves_the_others_to_it(spark):
    """All rows are one customer's: one task trains alone and gives the model of one machine."""
    rows, churned, spend = people(1_000, seed=3)
    only_churn = Teach(targets=TARGETS[:1], unit=UNIT, feature_names=NAMES, categories=("shop",))

    texts, parts = taught(spark, rows, churned, spend, customers=["a"] * 1_000, teach=only_churn)

    assert parts == [0, 1_000]
    alone = LEARNER.fit(rows, churned, objective="binary", rounds=ROUNDS)
    fresh, *_ = people(1_000, seed=4)
    np.testing.assert_allclose(
        LEARNER.load(texts["churn"]).predict_raw(fresh), alone.predict_raw(fresh), atol=1e-6
    )


def test_a_model_that_cannot_be_trained_in_parts_is_refused(monkeypatch):
    """By its name, before anything is read."""

    class Alone:
        """Fits on one machine only."""

        def __init__(self, **_):
            pass

        def fit(self, *_, **__):
            """Not called."""

        def load(self, text):
            """Not called."""

    monkeypatch.setitem(MODELS._factories, "alone", Alone)

    with pytest.raises(
        ConfigError, match=r"^engine: training_tasks needs models.*; got model 'alone'$"
    ):
        joint_learners(ModelSettings(spend_model="alone"))
    assert all(isinstance(learner, LightGBM) for learner in joint_learners(ModelSettings()))
