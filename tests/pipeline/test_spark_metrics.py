"""Metrics and views on Spark: what DuckDB gives, from the same files."""

from __future__ import annotations

import json
import math

import pytest

import churnkit
from churnkit.data.simulate import simulate_shop
from churnkit.pipeline.view_list import VIEWS

pytestmark = [pytest.mark.spark, pytest.mark.slow]

TABLES = (
    "orders", "events", "subscriptions", "support_tickets", "surveys", "rewards", "customers",
    "marketing_costs",
)  # fmt: skip
SMALL = {"spark.sql.shuffle.partitions": 2, "spark.sql.adaptive.enabled": False}
END = "2023-08-01"
# Sums of doubles are added in another order.
RELATIVE = 1e-9


@pytest.fixture(scope="module")
def config(metrics_config, tmp_path_factory):
    """Give a configuration of a shop with every table, as Parquet files."""
    frames = simulate_shop(customers=80, days=240, seed=9).to_pandas()
    return metrics_config(
        {name: frames[name] for name in TABLES}, folder=tmp_path_factory.mktemp("shop")
    )


def on_both(config, **asked):
    """Return what DuckDB and Spark give, as plain values."""
    spark = {**config, "engine": {"kind": "spark", "conf": SMALL}}
    found = [churnkit.retention_metrics(each, end=END, **asked) for each in (config, spark)]
    return [json.loads(json.dumps(each.to_dict(), default=str)) for each in found]


def differences(ours, theirs, *, where=""):
    """Return where two plain values differ, and how."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            found
            for key in {**ours, **theirs}
            for found in differences(ours.get(key), theirs.get(key), where=f"{where}.{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            found
            for number, (one, other) in enumerate(zip(ours, theirs, strict=True))
            for found in differences(one, other, where=f"{where}[{number}]")
        ]
    if isinstance(ours, float) and isinstance(theirs, float | int):
        same = math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=1e-9)
        return [] if same else [(where, ours, theirs)]
    return [] if ours == theirs else [(where, ours, theirs)]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_on_spark_is_that_of_duckdb(config, spark_running, view):
    """Every row, every sentence, and the account of what was read, fingerprints included."""
    duck, spark = on_both(config, view=view)

    assert len(duck["rows"]) > 0
    assert differences(duck, spark) == []


def test_company_metrics_on_spark_are_those_of_duckdb(config, spark_running):
    """Every metric of every table, for all and by segment, with intervals and absences."""
    duck, spark = on_both(config, start="2023-04-01", by="rfm_segment")

    assert {row["segment"] for row in duck["metrics"]} > {"all"}
    assert differences(duck, spark) == []
