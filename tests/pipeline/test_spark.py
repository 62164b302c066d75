"""The verbs on Spark: the numbers of DuckDB, one part a date, and a worker that dies on the way."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

import churnkit
from churnkit.config import load_config
from churnkit.data.simulate import simulate_shop
from churnkit.errors import DataError, ParameterError
from churnkit.pipeline.tables import specs_of

pytestmark = [pytest.mark.spark, pytest.mark.slow]

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {"spark.sql.shuffle.partitions": 2}
# Mean order values and log-odds are counted in narrow cells; sums are added in another order.
RELATIVE = 1e-6
RUN = "from churnkit.cli import main; main()"


def plain(config):
    """Return a configuration as YAML can hold it."""
    return json.loads(json.dumps(config, default=str))


def on_spark(config, **engine):
    """Return the same configuration on Spark."""
    return plain(config) | {"engine": {"kind": "spark", "conf": SMALL} | engine}


def same_scores(folder, scored):
    """Compare a folder of scores with the table that DuckDB wrote."""
    found = pd.read_parquet(folder).set_index("customer_id").sort_index()
    expected = scored.sort_index()
    expected = expected.assign(as_of=expected["as_of"].astype(str))
    found = found.assign(as_of=found["as_of"].astype(str))[expected.columns]
    left_out = ["scored_at"]
    pd.testing.assert_frame_equal(
        found.drop(columns=left_out),
        expected.drop(columns=left_out),
        rtol=RELATIVE,
        check_dtype=False,
    )


def test_scores_on_spark_are_those_of_duckdb(shop, workplace, spark_running, scored):
    """Every column of every customer; the manifest accounts for the same rows; nothing is left."""
    config = on_spark(shop.config, temp_directory=str(workplace / "between"))

    result = churnkit.score(config, model=shop.bundle, output="out/scores.parquet")

    same_scores("out/scores.parquet", scored)
    assert os.listdir("out/scores.parquet") == [f"as_of={shop.as_of}"]
    assert result.manifest["rows"] == len(scored)
    assert result.manifest["statuses"] == scored["status"].value_counts().to_dict()
    assert result.manifest["inputs"]["orders"]["rows_set_aside"] > 0
    assert os.listdir(workplace / "between") == []


def histories(names):
    """Return tables of few customers; every fifth subscriber has another contract beside the first."""
    tables = dict(simulate_shop(customers=300, days=480, seed=5, tables=names).tables)
    periods = tables["subscriptions"].to_pandas()
    more = periods.iloc[::5].assign(mrr=5.0)
    more["subscription_id"] += len(periods)
    return tables | {"subscriptions": pd.concat([periods, more], ignore_index=True)}


@pytest.mark.parametrize("name", ["saas_subscriptions", "shop_full"])
def test_every_table_scores_on_spark_as_on_duckdb(name, workplace, spark_running):
    """Subscribers, some with two contracts; and orders, events, tickets, surveys, rewards."""
    small = ("engine.threads=1", "snapshots.count=2", "snapshots.every_days=60")
    there = ("engine.kind=spark", "engine.conf={spark.sql.shuffle.partitions: 2}")
    config, spark = (
        load_config(CONFIGS / f"{name}.yaml", overrides=(*small, *more)) for more in ((), there)
    )
    tables = histories([*specs_of(config.data, {})])
    given = {"tables": tables, "model": churnkit.train(config, tables=tables).bundle_folder}
    expected = churnkit.score(config, output="duckdb.parquet", **given)

    found = churnkit.score(spark, output="spark.parquet", **given)

    same_scores(found.output, expected.to_pandas().set_index("customer_id"))
    assert found.manifest["statuses"]["scored"] > 0
    for key in ("rows", "statuses", "risk_bands", "unknown_values", "uncounted_event_types"):
        assert found.manifest[key] == expected.manifest[key], key
    for key in ("totals", "level"):
        assert found.manifest[key] == pytest.approx(expected.manifest[key], rel=RELATIVE), key
    drift = [manifest["drift"]["features"] for manifest in (found.manifest, expected.manifest)]
    assert drift[0] == pytest.approx(drift[1], rel=RELATIVE)


def test_another_date_is_another_part_and_the_same_date_replaces_it(shop, workplace, spark_running):
    """Parts stand beside each other; a second run of a date leaves one table of it."""
    config = on_spark(shop.config)
    earlier = "2023-12-20"

    for as_of in (earlier, shop.as_of, earlier):
        last = churnkit.score(config, model=shop.bundle, as_of=as_of, output="out/s.parquet")

    assert len(last.to_pandas()) == last.manifest["rows"]
    parts = {
        name: len(pd.read_parquet(f"out/s.parquet/{name}")) for name in os.listdir("out/s.parquet")
    }
    assert set(parts) == {f"as_of={earlier}", f"as_of={shop.as_of}"}
    assert parts[f"as_of={earlier}"] < parts[f"as_of={shop.as_of}"]


def test_scores_that_do_not_add_up_leave_the_older_part(
    shop, workplace, spark_running, monkeypatch
):
    """The rows are counted before they take their place."""
    config = on_spark(shop.config)
    churnkit.score(config, model=shop.bundle, output="out/s.parquet")
    before = sorted(p.name for p in Path("out/s.parquet").rglob("*.parquet"))

    def refuse(*_):
        msg = "score: counted otherwise"
        raise DataError(msg)

    monkeypatch.setattr("churnkit.pipeline.scoring._reconcile", refuse)
    with pytest.raises(DataError, match=r"^score: counted otherwise$"):
        churnkit.score(config, model=shop.bundle, output="out/s.parquet")

    assert sorted(p.name for p in Path("out/s.parquet").rglob("*.parquet")) == before
    assert os.listdir("out/s.parquet") == [f"as_of={shop.as_of}"]


def test_a_cluster_writes_parquet_only(shop, workplace, spark_running):
    """One CSV file would have to pass through one process."""
    with pytest.raises(ParameterError, match=r"^output on a cluster must end in \.parquet"):
        churnkit.score(on_spark(shop.config), model=shop.bundle, output="out/s.csv")


def test_training_on_spark_gives_the_model_of_duckdb(shop, workplace, spark_running):
    """The same features and labels: the same test metrics."""
    trained = churnkit.train(on_spark(shop.config))

    ours, theirs = (t.backtest.mean()["model"] for t in (trained, shop.trained))
    assert ours == pytest.approx(theirs, rel=RELATIVE)


def test_a_worker_that_dies_while_scoring_changes_nothing(
    shop, workplace, cluster, scored, tmp_path
):
    """The other worker does its work again: every row is there once, with its numbers."""
    between = workplace / "between"
    config = on_spark(
        shop.config, master=cluster.master, temp_directory=str(between), conf=cluster.conf
    )
    Path("shop.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", RUN, "score", "shop.yaml"]
    log = workplace / "score.log"
    with cluster.job(
        [*command, "--model", str(shop.bundle), "--output", "out/scores.parquet"], log=log
    ) as job:
        cluster.wait_for(
            lambda: "scoring as of" in log.read_text() or job.poll() is not None,
            seconds=600,
            what="scoring to begin",
        )
        made = len(list(between.glob("churnkit-*/*/_SUCCESS")))
        cluster.wait_for(
            lambda: len(list(between.glob("churnkit-*/*/_SUCCESS"))) > made,
            seconds=200,
            what="the first scores",
        )
        cluster.kill(cluster.workers[0])
        code = job.wait(timeout=600)

    said = log.read_text()
    sys.stdout.write(said)
    assert code == 0, said
    assert re.search(r"Lost executor \d+ on 127\.0\.0\.1", said)
    same_scores("out/scores.parquet", scored)
    assert list(between.iterdir()) == []
