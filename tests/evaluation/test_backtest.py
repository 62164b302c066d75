"""Rolling-origin tests end to end on a simulated shop."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import ClassVar

import narwhals as nw
import numpy as np
import pytest

import churnkit.features  # noqa: F401  (registers the builders)
from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import order_table
from churnkit.data.simulate import simulate_shop
from churnkit.data.sources import TableSpec, load_table
from churnkit.data.windows import plan_snapshots
from churnkit.engines import DuckDBEngine
from churnkit.evaluation.backtest import backtest, evaluate_snapshot
from churnkit.evaluation.guards import Skill, features_that_see_the_future
from churnkit.evaluation.predictive import churn_metrics, spend_metrics
from churnkit.evaluation.snapshots import SnapshotLoader
from churnkit.features.build import FEATURE_BUILDERS, Aggregation, History
from churnkit.labels import LABELS
from churnkit.models.baselines import BASELINES
from churnkit.models.training import ModelSettings, fit_models

DAYS = 600
OF_ORDERS = [n for n in BASELINES.names() if n not in {"kaplan_meier", "shifted_beta_geometric"}]
LABELS_OF_A_SNAPSHOT = ("churned", "future_spend", "future_orders")


@pytest.fixture(scope="module")
def shop():
    """Give a loader of snapshots of a small shop, and plans for two origins."""
    engine = DuckDBEngine(threads=1)
    made = simulate_shop(customers=500, days=DAYS, seed=3, tables=["orders"])
    spec = TableSpec(source=made.tables["orders"], columns={"ts": "ts"})
    loaded = load_table(spec, contract=CONTRACTS["orders"](), engine=engine, time_zone="UTC")

    def orders_of(lines):
        return order_table(lines, columns=loaded.columns, engine=engine, time_zone="UTC")

    orders = orders_of(loaded.rows)
    load = SnapshotLoader(
        history=History(tables={"orders": orders}, engine=engine),
        builders=[FEATURE_BUILDERS["rfm"]()],
        label=LABELS["no_order"](),
        active_within_days=365,
        min_orders=1,
    )
    end = date(2023, 1, 1) + timedelta(days=DAYS)
    plans = [
        plan_snapshots(
            first_day=date(2023, 1, 1),
            end_day=end,
            horizon_days=60,
            count=4,
            last=end - timedelta(days=60 + back),
        )
        for back in (30, 0)
    ]
    yield SimpleNamespace(load=load, plans=plans, lines=loaded.rows, order_table=orders_of)
    engine.close()


@pytest.fixture(scope="module")
def tested(shop):
    """Give the backtest of both origins."""
    return backtest(shop.plans, name="shop", load=shop.load, settings=ModelSettings(threads=1))


def test_every_origin_shows_the_model_beside_every_baseline(shop, tested):
    """Each test cutoff has the model, all baselines and the size of what was learned from."""
    assert [s.cutoff for s in tested.snapshots] == [str(p.test[-1].cutoff) for p in shop.plans]
    for s, plan in zip(tested.snapshots, shop.plans, strict=True):
        assert set(s.models) == {"model", *OF_ORDERS}
        assert s.train_rows == sum(len(shop.load(t).churned) for t in plan.train)
        assert s.customers == len(shop.load(plan.test[-1]).churned)


def test_baseline_metrics_are_those_of_its_predictions(shop, tested):
    """The numbers shown are the metrics of what the baseline predicts."""
    plan = shop.plans[-1]
    train, test = [shop.load(s) for s in plan.train], shop.load(plan.test[-1])
    predicted = BASELINES["recency"]().predict(train, test)

    expected = churn_metrics(test.churned, predicted.churn_probability)

    shown = tested.snapshots[-1].models["recency"]
    assert {k: shown[k] for k in expected} == expected


def test_the_model_beats_the_base_rate(tested):
    """On a shop whose customers leave, the model loses less than the rate alone."""
    mean = tested.mean()

    assert mean["model"]["churn.log_loss"] < mean["base_rate"]["churn.log_loss"]
    assert mean["model"]["churn.auc"] > 0.75


def test_means_are_over_cutoffs_and_undefined_stays_undefined(tested):
    """A metric that one cutoff lacks has no mean: the base rate's interval coverage."""
    mean = tested.mean()

    auc = [s.models["model"]["churn.auc"] for s in tested.snapshots]
    assert mean["model"]["churn.auc"] == pytest.approx(np.mean(auc))
    assert mean["base_rate"]["spend.interval_coverage"] is None


def test_results_are_plain_json_and_a_frame(tested):
    """The JSON holds what interfaces promise; the frame has one row per cutoff and model."""
    document = json.loads(json.dumps(tested.to_dict()))

    assert document["name"] == "shop"
    assert set(document["snapshots"][0]) == {
        "cutoff",
        "horizon_days",
        "customers",
        "train_rows",
        "models",
        "calibration",
    }
    assert len(tested.to_pandas()) == 2 * (1 + len(OF_ORDERS))


@pytest.mark.parametrize(("rate", "whom"), [(0.0, "none"), (1.0, "all")])
def test_a_test_in_which_all_fared_alike_says_so(tested, rate, whom):
    """Without churners, or with nothing else, no ranking can be judged: the horizon is wrong."""
    one = tested.snapshots[-1]
    metrics = {**one.models, "model": {**one.models["model"], "churn.base_rate": rate}}
    skill = Skill(auc=None, auc_low=None, auc_high=None, has_skill=False)

    warning = replace(one, models=metrics, skill=skill).warnings[0]

    assert warning == (
        f"test at {one.cutoff}: {whom} of the {one.customers:,} customers churned, so the ranking"
        " cannot be judged; choose another snapshots.horizon_days"
    )


def test_shuffled_labels_are_said_to_show_no_skill(shop, caplog):
    """A model of labels dealt at random is no better than the base rate, and says so."""
    rng = np.random.default_rng(4)
    plan = shop.plans[-1]

    def shuffled(snapshot):
        order = rng.permutation(len(snapshot.churned))
        dealt = {k: getattr(snapshot, k)[order] for k in LABELS_OF_A_SNAPSHOT}
        return replace(snapshot, **dealt)

    train = [shuffled(shop.load(s)) for s in plan.train]
    test = shuffled(shop.load(plan.test[-1]))
    models, _ = fit_models(train, settings=ModelSettings(threads=1), judge=spend_metrics)

    with caplog.at_level("WARNING", logger="churnkit"):
        result = evaluate_snapshot(models, train, test)

    assert not result.skill.has_skill
    assert "no better than the base rate" in result.warnings[0]
    assert result.warnings[0] in caplog.messages


def test_a_model_with_skill_and_level_warns_of_nothing(tested):
    """Warnings name the cutoff and what is wrong with it; a total missed by 20 % is."""
    good = tested.snapshots[-1]
    model = {**good.models["model"], "spend.total_bias": 0.05}
    right, off = (
        replace(good, models={"model": {**model, "spend.total_bias": bias}})
        for bias in (0.05, -0.2)
    )

    assert good.skill.has_skill
    assert right.warnings == ()
    assert off.warnings == (
        f"test at {good.cutoff}: total expected spend is -20 % off the actual total, more than 10 %",
    )


def test_intervals_that_hold_more_or_less_than_they_say_are_named(tested):
    """Five points are noise; thirteen are said with both numbers."""
    good = tested.snapshots[-1]
    model = {**good.models["model"], "spend.total_bias": 0.0, "spend.interval_coverage": 0.93}

    fine, wide = (
        replace(good, models={"model": {**model, "spend.interval_stated_coverage": stated}})
        for stated in (0.9, 0.8)
    )

    assert fine.warnings == ()
    assert wide.warnings == (
        f"test at {good.cutoff}: the spend intervals hold 93 % of the customers and say 80 %",
    )


def test_calibration_is_told_with_its_interval(tested):
    """The error lies in its interval, the table adds up to everybody, the band has what was spent."""
    for snapshot in tested.snapshots:
        found = snapshot.calibration

        assert found["ece_low"] <= found["ece"] <= found["ece_high"]
        assert found["ece"] == snapshot.models["model"]["churn.ece"]
        assert sum(found["reliability"]["customers"]) == pytest.approx(snapshot.customers)
        assert found["spend_total"]["low"] < found["spend_total"]["high"]
        bias = found["spend_total"]["expected"] / found["spend_total"]["actual"] - 1.0
        assert bias == pytest.approx(snapshot.models["model"]["spend.total_bias"])


def test_snapshots_are_made_once(shop):
    """Asking twice gives the same object: origins share their training snapshots."""
    snapshot = shop.plans[0].train[0]

    assert shop.load(snapshot) is shop.load(snapshot)


class OrdersEver:
    """A builder whose feature counts what the order table says of the customer's whole life."""

    tables = ("orders",)
    feature_names = ("orders_ever",)
    phrases: ClassVar[dict[str, object]] = {}

    def build(self, known):
        """Take the largest count that any known row carries."""
        ever = nw.col("ever").cast(nw.Float64).max()
        return [Aggregation(rows=known["orders"], aggregates={"orders_ever": ever})]


def test_only_features_that_look_ahead_are_named(shop):
    """A count over all rows is found out; the package's own features do not change."""
    snapshot = shop.plans[0].train[-1]
    before = shop.lines.filter(nw.col("ts_us") < snapshot.cutoff_us)

    def history(lines):
        orders = shop.order_table(lines)
        ever = orders.with_columns(ever=nw.col("is_order").sum().over("customer_id"))
        return History(tables={"orders": ever}, engine=shop.load.history.engine)

    found = features_that_see_the_future(
        history(shop.lines),
        history(before),
        snapshot=snapshot,
        builders=[*shop.load.builders, OrdersEver()],
    )

    assert found == ("orders_ever",)
