"""The shipped configurations on simulated data, from the data to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

import churnkit
from churnkit.config import load_config
from churnkit.data.simulate import simulated

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = ("engine.threads=1", "snapshots.count=2", "snapshots.every_days=60", "scoring.reasons=1")


def run(name, *, overrides=()):
    """Run a shipped configuration with few snapshots."""
    return churnkit.run(load_config(CONFIGS / f"{name}.yaml", overrides=[*SMALL, *overrides]))


@pytest.mark.slow
def test_subscriptions_alone_run_from_data_to_page(workplace):
    """No orders anywhere: baselines of contracts, monthly revenue, everybody accounted for."""
    result = run("saas_subscriptions")

    models = result.train.backtest.mean()
    manifest = result.score.manifest
    scores = result.score.to_pandas().set_index("customer_id")
    scored = scores[scores["status"] == "scored"]
    assert set(models) == {"model", "base_rate", "kaplan_meier", "shifted_beta_geometric"}
    assert models["model"]["churn.auc"] > 0.55
    assert 0.0 < models["model"]["mrr.lost_share"] < 0.5
    assert abs(models["model"]["mrr.retained_bias"]) < 0.2
    assert set(manifest["statuses"]) == {"scored", "inactive", "no_valid_subscriptions"}
    assert manifest["rows"] == len(scores) == 2_500
    assert manifest["label"]["kind"] == "subscription_end"
    assert (scored["mrr"] > 0).all()
    assert (scored["mrr_at_risk"] <= scored["mrr"] + 1e-9).all()
    assert (scored["expected_mrr_retained"] <= scored["mrr"] + 1e-9).all()
    assert scored["expected_orders"].isna().all()
    assert manifest["totals"]["mrr_at_risk"] == pytest.approx(scored["mrr_at_risk"].sum())
    page = result.report.output.read_text(encoding="utf-8")
    assert "the paid subscription ends before the end of the horizon" in page
    card = (result.train.bundle_folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "customers with a paid subscription running at the cutoff" in card


@pytest.mark.slow
def test_a_shop_with_every_history_runs_from_data_to_page(workplace):
    """All builders together; nothing that scoring meets is unknown to the model."""
    result = run("shop_full")

    auc = {name: m["churn.auc"] for name, m in result.train.backtest.mean().items()}
    assert auc["model"] > max(value for name, value in auc.items() if name != "model")
    assert result.score.manifest["unknown_values"] == {}
    assert result.score.manifest["rows"] == 2_000
    assert result.report.size > 100_000


def test_simulated_sources_are_the_same_at_every_call():
    """A seeded history is data like any other: its truth can be asked for."""
    first, again = (simulated("simulated_saas") for _ in range(2))

    assert first.tables["subscriptions"].equals(again.tables["subscriptions"])
    assert first.truth.rates["subscription_churn_per_month_engaged"] > 0
