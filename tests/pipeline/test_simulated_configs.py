"""The shipped configurations on simulated data, from the data to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

import churnkit
from churnkit.config import load_config
from churnkit.data.simulate import simulate_shop, simulated, simulated_table
from churnkit.errors import UnknownNameError
from churnkit.pipeline.tables import specs_of

CONFIGS = Path(__file__).parents[2] / "configs"
CUSTOMERS = 700
SMALL = (
    "engine.threads=1",
    "snapshots.count=2",
    "snapshots.every_days=60",
    "snapshots.horizon_days=60",
    "scoring.reasons=1",
    "features.engagement={windows_days: [30], channels: [email], event_types: [visit]}",
)


def run(name, *, tables):
    """Run a shipped configuration on a smaller history of the same kind, with few snapshots."""
    made = simulate_shop(customers=CUSTOMERS, days=480, seed=5, tables=tables).tables
    return churnkit.run(load_config(CONFIGS / f"{name}.yaml", overrides=SMALL), tables=made)


@pytest.mark.slow
def test_subscriptions_alone_run_from_data_to_page(workplace):
    """No orders anywhere: baselines of contracts, monthly revenue, everybody accounted for."""
    tables = ["subscriptions", "events", "support_tickets", "surveys", "customers"]

    result = run("saas_subscriptions", tables=tables)

    models = result.train.backtest.mean()
    manifest = result.score.manifest
    scores = result.score.to_pandas().set_index("customer_id")
    scored = scores[scores["status"] == "scored"]
    assert set(models) == {"model", "base_rate", "kaplan_meier", "shifted_beta_geometric"}
    assert 0.0 < models["model"]["mrr.lost_share"] < 0.5
    assert abs(models["model"]["mrr.retained_bias"]) < 0.25
    assert set(manifest["statuses"]) == {"scored", "inactive", "no_valid_subscriptions"}
    assert manifest["rows"] == len(scores)
    assert manifest["label"]["kind"] == "subscription_end"
    assert result.train.backtest.to_dict()["skill"]["retention_curve"]["better"]
    assert result.train.notes["no_skill"] == []
    assert (scored["mrr"] > 0).all()
    assert (scored["mrr_at_risk"] <= scored["mrr"] + 1e-9).all()
    assert (scored["expected_mrr_retained"] <= scored["mrr"] + 1e-9).all()
    assert scored["expected_orders"].isna().all()
    assert manifest["totals"]["mrr_at_risk"] == pytest.approx(scored["mrr_at_risk"].sum())
    assert "checkout" in manifest["uncounted_event_types"]
    page = result.report.output.read_text(encoding="utf-8")
    assert "the paid subscription ends before the end of the horizon" in page
    card = (result.train.bundle_folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "customers with a paid subscription running at the cutoff" in card


@pytest.mark.slow
def test_a_shop_with_every_history_runs_from_data_to_page(workplace):
    """All builders together; nothing that scoring meets is unknown to the model."""
    tables = [*specs_of(load_config(CONFIGS / "shop_full.yaml").data, {})]

    result = run("shop_full", tables=tables)

    assert result.train.backtest.mean()["model"]["churn.auc"] > 0.6
    assert result.score.manifest["unknown_values"] == {}
    assert {"attribute_country", "csat_last"} <= set(result.score.manifest["drift"]["features"])
    assert result.report.size > 100_000


def test_simulated_sources_are_the_same_at_every_call():
    """A seeded history is data like any other: its truth can be asked for."""
    first = simulated("simulated_saas")

    again = simulated_table("simulated_saas", "subscriptions")

    assert first.tables["subscriptions"].equals(again)
    assert first.truth.rates["subscription_churn_per_month_engaged"] > 0


def test_simulated_sources_of_other_names_are_refused():
    """History and table are offered by the nearest name."""
    with pytest.raises(UnknownNameError, match="Did you mean 'simulated_shop'"):
        simulated_table("simulated_shp", "orders")
    with pytest.raises(UnknownNameError, match="Did you mean 'orders'"):
        simulated_table("simulated_shop", "order")
