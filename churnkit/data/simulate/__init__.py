"""A simulated shop with every input table and known truth, for tests, demos and benchmarks."""

from __future__ import annotations

from churnkit.data.simulate.named import SIMULATED, simulated, simulated_table
from churnkit.data.simulate.scenario import SCENARIOS, Scenario
from churnkit.data.simulate.shop import TABLES, ShopHistory, simulate_shop
from churnkit.data.simulate.truth import Truth

__all__ = [
    "SCENARIOS",
    "SIMULATED",
    "TABLES",
    "Scenario",
    "ShopHistory",
    "Truth",
    "simulate_shop",
    "simulated",
    "simulated_table",
]
