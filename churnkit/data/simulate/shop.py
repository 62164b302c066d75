"""simulate_shop and the history it returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churnkit.data.simulate.columns import Clock
from churnkit.data.simulate.engagement import event_table
from churnkit.data.simulate.marketing import campaign_table, cost_table, customer_table
from churnkit.data.simulate.orders import order_table, place_orders
from churnkit.data.simulate.portfolio import draw_portfolio
from churnkit.data.simulate.scenario import Scenario, scenario_named
from churnkit.data.simulate.service import reward_table, survey_table, ticket_table
from churnkit.data.simulate.subscriptions import subscription_table
from churnkit.data.simulate.truth import Truth
from churnkit.errors import ParameterError, UnknownNameError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["TABLES", "ShopHistory", "simulate_shop"]

TABLES = (
    "orders",
    "events",
    "support_tickets",
    "surveys",
    "rewards",
    "customers",
    "subscriptions",
    "marketing_costs",
    "campaigns",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShopHistory:
    """The tables of a simulated shop and the truth behind them.

    Attributes
    ----------
    tables : dict of str to pyarrow.Table
        By the names that a configuration uses under ``data``; naive times, in order of time.
    truth : Truth
        Hidden states, true rates, and the best possible predictions.
    scenario : Scenario
        The shape that was simulated.
    start, end : date
        First day, and the day after the last.
    """

    tables: dict[str, Any]
    truth: Truth
    scenario: Scenario
    start: date
    end: date

    def to_pandas(self) -> dict[str, pd.DataFrame]:
        """Return the tables as pandas frames; whole numbers with nulls are ``Int64``."""
        return {name: _frame(table) for name, table in self.tables.items()}

    def write(self, folder: str | Path) -> dict[str, Path]:
        """Write each table as ``<folder>/<name>.parquet`` and return the paths.

        Parameters
        ----------
        folder : path
            Is made if it does not exist; files of the same name are replaced.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = {name: folder / f"{name}.parquet" for name in self.tables}
        for name, path in paths.items():
            pq.write_table(self.tables[name], path, compression="zstd")
        return paths


def _frame(table: Any) -> pd.DataFrame:
    """Return a table in pandas without turning identifiers into floats."""
    with_nulls = [
        column.name
        for column in table.schema
        if pa.types.is_integer(column.type) and table[column.name].null_count
    ]
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype(dict.fromkeys(with_nulls, "Int64"))


def simulate_shop(
    *,
    customers: int,
    days: int,
    seed: int,
    scenario: str | Scenario = "stationary",
    tables: Sequence[str] = TABLES,
    start: date = date(2023, 1, 1),
) -> ShopHistory:
    """Simulate a shop whose customers' true churn probabilities are known.

    Each customer is engaged, drifting or gone. Drifting customers order a little less, open and
    visit much less, complain more, and may recover or leave without a word: engagement shows what
    orders do not show yet. Customers join by an order, or were there before the first day.

    Parameters
    ----------
    customers : int
        Customers of the whole history, among them some who never order in it.
    days : int
        Length of the history.
    seed : int
        The same seed gives the same tables, whichever tables are asked for.
    scenario : str or Scenario
        A name in ``SCENARIOS``, or a scenario of your own.
    tables : sequence of str
        Which tables to make; orders alone are cheap (20 million take well under a minute).
    start : date
        First day of the history.

    Returns
    -------
    ShopHistory

    Raises
    ------
    ParameterError
        If ``customers`` or ``days`` is below 1 or ``seed`` below 0.
    UnknownNameError
        If a table or the scenario is not known.

    Examples
    --------
    >>> shop = simulate_shop(customers=200, days=365, seed=7, tables=["orders"])
    >>> shop.tables["orders"].column_names
    ['customer_id', 'ts', 'amount', 'order_id', 'product_id', 'quantity', 'discount']
    >>> p = shop.truth.true_churn_probability("2023-10-01", horizon_days=90)
    >>> bool(p.between(0, 1).all())
    True
    """
    for name, value, least in (("customers", customers, 1), ("days", days, 1), ("seed", seed, 0)):
        if value < least:
            msg = f"simulate_shop: {name} must be at least {least}; got {value!r}"
            raise ParameterError(msg)
    for name in tables:
        if name not in TABLES:
            guess = did_you_mean(name, TABLES)
            msg = f"unknown simulated table {name!r}.{guess} Known: {', '.join(TABLES)}."
            raise UnknownNameError(msg)
    shape = scenario_named(scenario)
    draws = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2 + len(TABLES))]
    lives, purchases = draws[:2]
    rng = dict(zip(TABLES, draws[2:], strict=True))
    shop = draw_portfolio(shape, customers=customers, start=start, days=days, rng=lives)
    clock = Clock(start, days)
    orders = place_orders(shop, clock=clock, rng=purchases)
    makers = {
        "orders": lambda rng: order_table(shop, orders, clock=clock, rng=rng),
        "events": lambda rng: event_table(shop, orders, clock=clock, rng=rng),
        "support_tickets": lambda rng: ticket_table(orders, clock=clock, rng=rng),
        "surveys": lambda rng: survey_table(orders, clock=clock, rng=rng),
        "rewards": lambda rng: reward_table(orders, clock=clock, rng=rng),
        "customers": lambda rng: customer_table(shop, clock=clock, rng=rng),
        "subscriptions": lambda rng: subscription_table(shop, clock=clock, rng=rng),
        "marketing_costs": lambda rng: cost_table(shop, clock=clock, rng=rng),
        "campaigns": lambda rng: campaign_table(shop, clock=clock, rng=rng),
    }
    made: dict[str, Any] = {}
    rates: dict[str, float] = {}
    for name in TABLES:
        if name in tables:
            made[name], theirs = makers[name](rng[name])
            rates |= theirs
    return ShopHistory(
        tables=made,
        truth=Truth(rates=rates, _shop=shop),
        scenario=shape,
        start=start,
        end=date.fromordinal(start.toordinal() + days),
    )
