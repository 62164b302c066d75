"""A simulated cohort as labelled snapshots, made without a query engine: cheap and with known truth."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from churnkit.data.windows import US_PER_DAY, Snapshot, midnight_us
from churnkit.models.base import FeatureMatrix, LabelledSnapshot
from churnkit.models.training import ModelSettings

START = date(2022, 1, 1)
NAMES = ("days_since_last_order", "orders", "average_order_value", "tenure_days", "orders_90d")
SETTINGS = ModelSettings(threads=1)


def simulate(*, customers, days, seed, season=0.0):
    """Return order days and amounts of each customer: Poisson until an exponential end of life."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        joined = rng.integers(0, days // 4)
        end = joined + rng.exponential(400.0)
        gap = rng.gamma(2.0, 20.0)
        size = rng.lognormal(3.5, 0.6)
        day = float(joined)
        while day < min(end, days):
            keep = 1.0 + season * np.cos(2 * np.pi * (day - 300) / 365)
            if day == joined or rng.random() < keep / (1.0 + season):
                rows.append((number, int(day), size * rng.lognormal(-0.08, 0.4)))
            day += rng.exponential(gap)
    return np.array(rows)


def labelled(rows, *, cutoff_day, horizon_days=60):
    """Return one labelled snapshot of the rows."""
    snapshot = Snapshot(
        cutoff=START + timedelta(days=cutoff_day), observation_days=3650, horizon_days=horizon_days
    )
    before = rows[rows[:, 1] < cutoff_day]
    after = rows[(rows[:, 1] >= cutoff_day) & (rows[:, 1] < cutoff_day + horizon_days)]
    ids = np.unique(before[:, 0]).astype(int)
    origin = midnight_us(START, time_zone="UTC")
    size = int(rows[:, 0].max()) + 1

    def count(table, values=None):
        return np.bincount(table[:, 0].astype(int), values, size)[ids]

    first, last = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(first, before[:, 0].astype(int), before[:, 1])
    np.maximum.at(last, before[:, 0].astype(int), before[:, 1])
    first, last = first[ids], last[ids]
    distinct = np.unique(before[:, :2], axis=0)
    recent = before[before[:, 1] >= cutoff_day - horizon_days]
    orders, money = count(before).astype(float), count(before, before[:, 2])
    base = {
        "orders": orders,
        "order_days": count(distinct).astype(float),
        "first_order_us": origin + first * US_PER_DAY,
        "last_order_us": origin + last * US_PER_DAY,
        "net_revenue": money,
        "order_amount": money,
        "horizon_orders": count(recent).astype(float),
        "horizon_amount": count(recent, recent[:, 2]),
    }
    quarter = count(before[before[:, 1] >= cutoff_day - 90]).astype(float)
    columns = (cutoff_day - last, orders, money / orders, cutoff_day - first, quarter)
    future_orders = count(after).astype(float)
    return LabelledSnapshot(
        snapshot=snapshot,
        customer_ids=np.array([f"c{i:05d}" for i in ids], dtype=object),
        base=base,
        eligible=np.ones(len(ids), dtype=bool),
        features=FeatureMatrix(names=NAMES, values=np.column_stack(columns).astype(np.float32)),
        churned=future_orders == 0,
        future_spend=count(after, after[:, 2]),
        future_orders=future_orders,
    )


def history(*, customers=1_000, seed=1, season=0.0, test_day=720, horizon_days=60):
    """Return training snapshots, oldest first, and the test snapshot after them."""
    rows = simulate(customers=customers, days=test_day + horizon_days, seed=seed, season=season)
    newest = test_day - horizon_days
    days = [d for d in range(newest - 330, newest + 1, 30) if d >= 60]
    train = [labelled(rows, cutoff_day=d, horizon_days=horizon_days) for d in days]
    return SimpleNamespace(
        train=train, test=labelled(rows, cutoff_day=test_day, horizon_days=horizon_days)
    )


def traders(*, seed, horizon_days=31):
    """Return a history of customers who order every 30 days, give or take two, until they leave."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(500):
        day, size = rng.uniform(0, 600), rng.lognormal(7.0, 1.2)
        end = min(day + rng.exponential(500), 900)
        while day < end:
            rows.append((number, int(day), size * rng.lognormal(0.0, 0.2)))
            day += rng.normal(30.0, 2.0)
    orders = np.array(rows)
    *train, test = (
        labelled(orders, cutoff_day=day, horizon_days=horizon_days)
        for day in (*range(300, 801 - horizon_days, 30), 800)
    )
    return SimpleNamespace(train=train, test=test)


@pytest.fixture(scope="session")
def shop():
    """Give a shop without a season: training snapshots and a test."""
    return history()


@pytest.fixture(scope="session")
def fitted(shop):
    """Give the models fitted on it, with their notes."""
    from churnkit.evaluation.predictive import spend_metrics
    from churnkit.models.training import fit_models

    models, notes = fit_models(shop.train, settings=SETTINGS, judge=spend_metrics)
    return SimpleNamespace(models=models, notes=notes)


@pytest.fixture
def make_traders():
    """Give the maker of traders."""
    return traders


@pytest.fixture
def make_history():
    """Give the maker of histories."""
    return history


@pytest.fixture
def settings():
    """Give settings for tests: one thread, because spinning threads starve each other."""
    return SETTINGS
