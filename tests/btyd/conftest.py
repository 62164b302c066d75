"""CDNOW as the papers prepare it, and customers simulated from the story each model tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnkit.btyd import BgNbd, ParetoNbd
from churnkit.datasets import load_cdnow

MODELS = {
    "bg_nbd": BgNbd(r=0.4, alpha=4.0, a=0.8, b=2.5),
    "mbg_nbd": BgNbd(kind="mbg_nbd", r=0.6, alpha=5.0, a=0.9, b=2.0),
    "pareto_nbd": ParetoNbd(r=0.6, alpha=8.0, s=0.7, beta=12.0),
    "pareto_nbd, slow orders": ParetoNbd(r=1.5, alpha=30.0, s=0.5, beta=6.0),
}


@pytest.fixture(params=MODELS)
def model(request):
    """Give one model of each kind."""
    return MODELS[request.param]


@pytest.fixture(scope="session")
def cdnow() -> pd.DataFrame:
    """Return one row per customer of the sample after 39 weeks, in weeks, days merged."""
    end = pd.Timestamp("1997-09-30")
    lines = load_cdnow(sample=True)
    lines = lines[lines["timestamp"] <= end]
    orders = lines.groupby(["customer_id", "timestamp"])["amount"].sum().reset_index()
    first = orders.groupby("customer_id")["timestamp"].transform("min")
    days = orders.groupby("customer_id")["timestamp"].agg(["min", "max", "count"])
    week = pd.Timedelta(days=7)
    return pd.DataFrame(
        {
            "repeat_orders": days["count"] - 1,
            "recency": (days["max"] - days["min"]) / week,
            "tenure": (end - days["min"]) / week,
            "mean_repeat_value": orders[orders["timestamp"] > first]
            .groupby("customer_id")["amount"]
            .mean(),
        }
    )


@dataclass(frozen=True)
class Simulated:
    """What was seen of simulated customers, and what was not."""

    customers: dict[str, Any]
    orders_ahead: Any
    alive: Any


@pytest.fixture(scope="session")
def simulate():
    """Return a function that plays a model's story, order by order, into the future."""
    return _simulate


def _simulate(model, *, tenure, horizon=0.0, gap=0.0, seed=0) -> Simulated:
    rng = np.random.default_rng(seed)
    n = tenure.size
    rate = rng.gamma(model.r, 1.0 / model.alpha, n)
    last_order, leaves_at = np.full(n, np.inf), np.full(n, np.inf)
    if isinstance(model, ParetoNbd):
        leaves_at = rng.exponential(1.0 / rng.gamma(model.s, 1.0 / model.beta, n))
    else:
        first_can_be_last = model.kind == "mbg_nbd"
        last_order = rng.geometric(rng.beta(model.a, model.b, n)) - float(first_can_be_last)

    x, t_x, ahead = np.zeros(n), np.zeros(n), np.zeros(n)
    now, placed, going = np.zeros(n), np.zeros(n), np.flatnonzero(last_order > 0)
    start, stop = tenure + gap, tenure + gap + horizon
    while going.size:
        now[going] += rng.exponential(1.0 / rate[going])
        going = going[now[going] <= np.minimum(stop, leaves_at)[going]]
        placed[going] += 1
        seen = going[now[going] <= tenure[going]]
        x[seen] += 1
        t_x[seen] = now[seen]
        ahead[going] += now[going] > start[going]
        going = going[placed[going] < last_order[going]]
    alive = (x < last_order) & (leaves_at > tenure)
    customers = {"repeat_orders": x, "recency": t_x, "tenure": tenure}
    return Simulated(customers=customers, orders_ahead=ahead, alive=alive)
