"""Models trained on everybody in two tasks of Spark, beside those of one machine; and on a cluster."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

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


def ranked(folder, config):
    """Return the AUC of a model's learner of churn over everybody at the cutoff, labels by pandas."""
    features = churnkit.build_features(config, as_of=CUTOFF)
    learner = load_bundle(folder).models.churn.learner
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

    ours, theirs = (ranked(trained.bundle_folder, cdnow) for trained in (two, one))
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
def test_two_workers_of_a_cluster_train_as_well_as_one_machine(cdnow, workplace, cluster):
    """``engine.training_tasks: 2`` on a standalone cluster: AUC within .002 on the same rows."""
    one = churnkit.train(cdnow)
    engine = {"kind": "spark", "master": cluster.master, "conf": cluster.conf}
    more = {"training_tasks": 2, "temp_directory": str(workplace / "between")}
    two = cdnow | {"name": "spread", "engine": engine | more}
    Path("spread.yaml").write_text(json.dumps(two))
    log = workplace / "train.log"

    with cluster.job([sys.executable, "-m", "churnkit", "train", "spread.yaml"], log=log) as job:
        code = job.wait(timeout=900)

    said = log.read_text()
    sys.stdout.write(said)
    assert code == 0, said
    rows = one.backtest.snapshots[0].train_rows
    assert f"trained on {rows:,} rows of everybody in 2 tasks" in said
    ours, theirs = (
        ranked(folder, cdnow) for folder in (Path("models/spread/1"), one.bundle_folder)
    )
    assert theirs > 0.75
    assert ours == pytest.approx(theirs, abs=0.002)
    assert list((workplace / "between").iterdir()) == []


LOSING = '''
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from churnkit.engines import SparkEngine
from churnkit.models.base import FeatureMatrix
from churnkit.models.boosting import LightGBM
from churnkit.models.churn import ROUNDS
from churnkit.models.joint import Target, Teach

master, shared, conf = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
died = Path(shared, "died")
PARAMS = {"feature_fraction": 1.0, "bagging_fraction": 1.0, "extra_trees": False}
LEARNER = LightGBM(threads=1, params=PARAMS)
TEACH = Teach(
    targets=(Target("churn", LEARNER, "binary"),), unit=1.0, feature_names=("a", "b"), categories=()
)


def lose_the_executor(env):
    """Kill this task's executor, whose child this process's parent is, at the 20th tree."""
    if env.iteration != 20:
        return
    status = Path(f"/proc/{os.getppid()}/status").read_text().splitlines()
    executor = next(line.split()[1] for line in status if line.startswith("PPid:"))
    if "CoarseGrainedExecutorBackend" not in Path(f"/proc/{executor}/cmdline").read_text():
        raise RuntimeError("this is not below an executor")
    died.write_text(executor)
    os.kill(int(executor), signal.SIGKILL)
    os._exit(1)


def teach(tables, peers):
    """Fit as Teach does; the first time, one of the two executors is lost on the way."""
    import lightgbm

    if peers.rank == 1 and not died.exists():
        fit = lightgbm.train
        lightgbm.train = lambda *given, **options: fit(
            *given, callbacks=[lose_the_executor], **options
        )
    return TEACH(tables, peers)


def people(seed):
    """Return features and churn of 20,000 customers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20_000, 2)).astype(np.float32)
    churned = rng.random(20_000) < 1.0 / (1.0 + np.exp(-x[:, 0] - 0.5 * x[:, 1] ** 2))
    return FeatureMatrix(names=("a", "b"), values=x), churned.astype(np.float64)


rows, churned = people(1)
fresh, left = people(2)
table = pa.table(
    {
        "customer_id": [f"c{i}" for i in range(20_000)],
        "churned": churned,
        "future_spend": np.zeros(20_000),
        "a": rows.values[:, 0],
        "b": rows.values[:, 1],
    }
)
with SparkEngine(master=master, temp_directory=shared, conf=conf) as engine:
    frame = engine.select(f"SELECT * FROM {engine.add_arrow(table)}")
    made = engine.run_together(frame, teach, tasks=2, by="customer_id", schema=TEACH.schema)
said = made.to_pylist()
two = LEARNER.load(next(one["text"] for one in said if one["name"] == "churn"))
one = LEARNER.fit(rows, churned, objective="binary", rounds=ROUNDS)
found = {
    "rows": sum(part["rows"] for part in said if part["rows"] is not None),
    "trees": two.rounds,
    "auc": [roc_auc_score(left, model.predict(fresh)) for model in (two, one)],
}
Path(shared, "found.json").write_text(json.dumps(found))
'''


@pytest.mark.spark
@pytest.mark.slow
def test_an_executor_lost_in_the_middle_of_training_begins_again(workplace, cluster):
    """Killed at the 20th of 60 trees: both tasks start once more, and the model is as good."""
    shared, log = workplace / "shared", workplace / "losing.log"
    shared.mkdir()
    Path("losing.py").write_text(LOSING)
    given = [cluster.master, str(shared), json.dumps(cluster.conf)]

    with cluster.job([sys.executable, "losing.py", *given], log=log) as job:
        code = job.wait(timeout=600)

    said = log.read_text()
    sys.stdout.write(said)
    assert code == 0, said
    assert (shared / "died").exists()
    assert re.search(r"Lost executor \d+ on 127\.0\.0\.1", said)
    found = json.loads((shared / "found.json").read_text())
    assert found["rows"] == 20_000
    assert found["trees"] == 60
    ours, theirs = found["auc"]
    assert theirs > 0.7
    assert ours == pytest.approx(theirs, abs=0.002)


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
