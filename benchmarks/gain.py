"""What engagement adds on simulated shops beside the best possible: ``python benchmarks/gain.py``.

Orders alone, orders with events, and all tables, each by ``churnkit.backtest``, beside two bounds:
the best that the same tables allow anybody who knows every rate of the simulation (the hidden
states are inferred), and the simulator's own probability (the hidden states are known).
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import churnkit
from churnkit.data.simulate import simulate_shop
from churnkit.evaluation.predictive import churn_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.data.simulate import ShopHistory

START, DAYS, HORIZON, ACTIVE = date(2023, 1, 1), 730, 90, 365
METRICS = ("churn.auc", "churn.log_loss")
ORDERS = {"rfm": {}, "regularity": {}, "basket": {}, "purchase_model": {}}
ENGAGED = ORDERS | {"engagement": {}}
EVERYTHING = ENGAGED | {
    "support": {},
    "survey": {},
    "loyalty": {},
    "attributes": {"categories": ["acquisition_channel", "country"]},
}
COLUMNS = {
    "orders": ("customer_id", "ts", "amount", "order_id", "product_id", "quantity", "discount"),
    "events": ("customer_id", "ts", "event_type", "channel", "session_id", "product_id", "value"),
    "customers": ("customer_id", "acquisition_channel", "country"),
}


def measured(shop: ShopHistory, features: Mapping[str, Any], *tables: str) -> dict[str, float]:
    """Return the model's metrics, the mean of two cutoffs a month apart."""
    data: dict[str, Any] = {name: {"source": f"{name}.parquet"} for name in tables}
    for name in COLUMNS.keys() & data.keys():
        data[name]["columns"] = {column: column for column in COLUMNS[name]}
    if "customers" in data:
        data["customers"]["columns"]["since"] = "registered_at"
    config = {
        "name": "gain",
        "data": {"time_zone": "UTC", **data},
        "snapshots": {"horizon_days": HORIZON, "every_days": 30, "count": 8, "test": 2},
        "features": features,
    }
    found = churnkit.backtest(config, tables={name: shop.tables[name] for name in tables})
    return {metric: found.mean()["model"][metric] for metric in METRICS}


def possible(shop: ShopHistory, *tables: str) -> dict[str, float]:
    """Return the metrics of what tables allow to know; without tables, of the hidden truth."""
    lines = shop.tables["orders"].to_pandas()
    orders = lines[lines["amount"] > 0]
    found = []
    for cutoff in (shop.end - timedelta(days=HORIZON), shop.end - timedelta(days=HORIZON + 30)):
        day, ts = pd.Timestamp(cutoff), orders["ts"]
        recent = (ts < day) & (ts >= day - pd.Timedelta(days=ACTIVE))
        later = (ts >= day) & (ts < day + pd.Timedelta(days=HORIZON))
        active = orders.loc[recent, "customer_id"].unique()
        truth, known = shop.truth, {name: shop.tables[name] for name in tables}
        says = (
            truth.knowable_churn_probability(known, cutoff, HORIZON)
            if tables
            else truth.true_churn_probability(cutoff, HORIZON)
        )
        stays_away = ~np.isin(active, orders.loc[later, "customer_id"].unique())
        found.append(churn_metrics(stays_away, says.loc[active].clip(1e-6, 1 - 1e-6).to_numpy()))
    return {metric: float(np.mean([f[metric] for f in found])) for metric in METRICS}


def main() -> None:
    """Print one table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[4_000, 16_000])
    given = parser.parse_args()
    print("| customers | | AUC | log loss | share of the gain in AUC | in log loss |")
    print("|---|---|---|---|---|---|")
    for customers in given.customers:
        shop = simulate_shop(customers=customers, days=DAYS, seed=3, start=START)
        alone = measured(shop, ORDERS, "orders")
        best = possible(shop, "orders", "events")
        service = ("support_tickets", "surveys", "rewards", "customers")
        lines = {
            "orders alone": alone,
            "with events": measured(shop, ENGAGED, "orders", "events"),
            "with all tables": measured(shop, EVERYTHING, "orders", "events", *service),
            "best that orders allow": possible(shop, "orders"),
            "best that orders and events allow": best,
            "hidden states known": possible(shop),
        }
        for name, found in lines.items():
            gained = [(found[m] - alone[m]) / (best[m] - alone[m]) for m in METRICS]
            cells = [f"{found['churn.auc']:.4f}", f"{found['churn.log_loss']:.4f}"]
            cells += [f"{share + 0.0:.0%}" for share in gained]
            print(f"| {customers:,} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
