"""What engagement adds on a simulated shop, whose hidden truth is known."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import churnkit
from churnkit.data.simulate import simulate_shop
from churnkit.data.windows import Snapshot
from churnkit.evaluation.predictive import churn_metrics
from churnkit.features.build import build_features
from churnkit.features.engagement import Engagement

START, DAYS, HORIZON = date(2023, 1, 1), 540, 90
END = START + timedelta(days=DAYS)
ORDERS_ALONE = {"rfm": {"windows_days": [30, 90, 180]}, "regularity": {}}
LEARNER = {"params": {"num_leaves": 4, "learning_rate": 0.2}}


@pytest.fixture(scope="module")
def shop():
    """Give a shop of 2000 customers whose engagement shows what orders do not show yet."""
    return simulate_shop(customers=2000, days=DAYS, seed=3, tables=["orders", "events"])


def metrics_with(features, *, shop):
    """Return the metrics of a model that is trained and tested by the verb ``backtest``."""
    config = {
        "name": "gain",
        "engine": {"threads": 2},
        "data": {name: {"source": f"{name}.parquet"} for name in shop.tables},
        "snapshots": {"horizon_days": HORIZON, "every_days": 30, "count": 3, "test": 1},
        "features": features,
        "churn": LEARNER,
        "lifetime_value": LEARNER,
    }
    result = churnkit.backtest(config, tables=shop.tables)
    return result.mean()["model"]


def best_possible(shop, *, customers):
    """Return the metrics of the best that the tables allow, for active customers at the cutoff."""
    cutoff = END - timedelta(days=HORIZON)
    orders = shop.tables["orders"].to_pandas()
    orders = orders[orders["amount"] > 0]
    before = orders[orders["ts"] < str(cutoff)]
    active = before[before["ts"] >= str(cutoff - timedelta(days=365))]["customer_id"].unique()
    after = set(orders[orders["ts"] >= str(cutoff)]["customer_id"])
    knowable = shop.truth.knowable_churn_probability(shop.tables, cutoff, HORIZON)
    best = knowable.loc[active].clip(1e-6, 1 - 1e-6).to_numpy()

    assert len(active) == pytest.approx(customers, abs=5)
    return churn_metrics(np.array([c not in after for c in active]), best)


@pytest.mark.slow
def test_engagement_shows_churn_before_orders_do(shop, tmp_path, monkeypatch):
    """AUC and log loss improve on orders alone by more than half of what the tables allow."""
    monkeypatch.chdir(tmp_path)

    alone = metrics_with(ORDERS_ALONE, shop=shop)
    engaged = metrics_with(ORDERS_ALONE | {"engagement": {}}, shop=shop)

    best = best_possible(shop, customers=1516)
    for metric, sign in (("churn.auc", 1), ("churn.log_loss", -1)):
        gained, possible = ((m[metric] - alone[metric]) * sign for m in (engaged, best))
        assert possible > 0, metric
        assert gained >= 0.5 * possible, (metric, alone[metric], engaged[metric], best[metric])


@pytest.fixture(scope="module")
def found():
    """Give a place for what an engine has computed once for all tests of this module."""
    return {}


@pytest.fixture
def send_times(shop, history_of, plain, load, engine, found):
    """Give what the builder recommends to each customer at the end of the history."""
    if engine.kind not in found:
        found[engine.kind] = recommended(shop, history_of, plain, load, engine)
    return found[engine.kind]


def recommended(shop, history_of, plain, load, engine):
    """Return the hour, the day and the channel for each customer, by customer."""
    orders = shop.tables["orders"].to_pandas()
    first = orders.groupby("customer_id", as_index=False)["ts"].min()
    us = first["ts"].astype("datetime64[us]").astype("int64")
    spine = [
        plain.line(str(c), 0) | {"ts_us": int(ts)}
        for c, ts in zip(first["customer_id"], us, strict=True)
    ]
    events = shop.tables["events"]
    ts_us = pc.cast(pc.cast(events["ts"], pa.timestamp("us")), pa.int64())
    customer = pc.cast(events["customer_id"], pa.string())
    session = pc.cast(events["session_id"], pa.string())
    table = events.drop(["ts"]).append_column("ts_us", ts_us)
    for name, column in (("customer_id", customer), ("session_id", session)):
        table = table.set_column(table.column_names.index(name), name, column)
    history = history_of(spine)
    tables = {**history.tables, "events": engine.materialize(load(table))}
    snapshot = Snapshot(cutoff=END, observation_days=730, horizon_days=HORIZON)
    built = build_features(
        type(history)(tables=tables, engine=engine), snapshot, builders=[Engagement()]
    )
    frame = built.to_arrow().to_pandas().set_index("customer_id")
    frame.index = frame.index.astype(int)
    return frame[["best_send_hour", "best_send_day", "preferred_channel"]]


def chance_to_open(hour, best):
    """Return how likely a message is opened at an hour, as a share of the best hour's chance."""
    return 0.3 + 0.7 * np.exp(-(((hour - best) / 3.0) ** 2))


def most_frequent(shop, *, kinds, slot):
    """Return the naive recommendation: the slot in which the customer answered most often."""
    events = shop.tables["events"].to_pandas()
    answers = events[events["event_type"].str.endswith(kinds)]
    counted = answers.assign(slot=slot(answers)).groupby(["customer_id", "slot"]).size()
    return counted.sort_values(kind="stable").groupby("customer_id").tail(1).reset_index(1)["slot"]


@pytest.mark.slow
def test_recommended_hours_beat_the_most_frequent_hour(shop, send_times):
    """Messages at the recommended hour have nine tenths of the chance at the best hour, the naive less."""
    best = shop.truth.customers()["best_hour"]
    hours = send_times["best_send_hour"].dropna()

    ours = chance_to_open(hours, best.loc[hours.index]).mean()

    for kinds in ("_opened", ("visit", "_opened")):
        naive = most_frequent(shop, kinds=kinds, slot=lambda rows: rows["ts"].dt.hour)
        naive = naive.loc[naive.index.intersection(hours.index)]
        assert ours > chance_to_open(naive, best.loc[naive.index]).mean() + 0.03, kinds
    assert ours > 0.9
    assert set(send_times["best_send_day"].dropna()) <= set(range(7))


@pytest.mark.slow
def test_the_preferred_channel_is_the_best_one_more_often_than_the_most_opened(shop, send_times):
    """A share of what was sent, smoothed, tells more than a count of openings."""
    best = shop.truth.customers()["best_channel"]
    names = np.array(Engagement().channels)
    found = send_times["preferred_channel"].dropna()

    right = (names[found.astype(int)] == best.loc[found.index]).mean()

    naive = most_frequent(
        shop, kinds="_opened", slot=lambda rows: rows["event_type"].str.removesuffix("_opened")
    )
    naive = naive.loc[found.index]
    assert right > max((naive == best.loc[naive.index]).mean(), 0.6)
