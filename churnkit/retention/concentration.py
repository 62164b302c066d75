"""How much of the revenue, and of the activity, comes from few customers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.order_days import NOTHING
from churnkit.formulas import pareto_share, power_user_share, top_decile_spend_ratio
from churnkit.retention.metric_table import MetricTable

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.formulas import MetricValue

__all__ = ["PowerUsers", "RevenueConcentration", "power_users", "revenue_concentration"]


@dataclass(frozen=True, kw_only=True)
class RevenueConcentration(MetricTable):
    """Metrics of concentration, and the curve behind them.

    Parameters
    ----------
    rows : tuple of MetricValue
        ``pareto_share`` and ``top_decile_spend_ratio``.
    curve : tuple of float
        Percent of the net revenue of the top 0, 10, 20 … 100 % of customers; empty where the net
        revenue is not positive.
    """

    curve: tuple[float, ...]


def revenue_concentration(
    customers: nw.LazyFrame[Any], *, engine: Engine, level: float = 0.95, seed: int = 0
) -> RevenueConcentration:
    """Return the Pareto share and the top-decile spend ratio of customers.

    Parameters
    ----------
    customers : narwhals.LazyFrame
        One row per customer with ``net_revenue``, as
        :func:`churnkit.retention.customer.customer_metrics` returns them. Every row counts as a
        customer, so that the revenue is that of the whole table.
    engine : Engine
        Where the frame is.
    level, seed
        Of the bootstrap interval, see :func:`churnkit.formulas.pareto_share`.

    Returns
    -------
    RevenueConcentration
        ``pareto_share`` and ``top_decile_spend_ratio``, and the curve.
    """
    given = engine.collect(customers.select("net_revenue"))["net_revenue"].to_numpy()
    # What rounding leaves of refunded money would be a denominator.
    revenue = np.where(np.abs(given) < NOTHING, 0.0, given)
    whole = float(revenue.sum())
    sums = np.concatenate([[0.0], np.cumsum(np.sort(revenue)[::-1])])
    tops = [math.ceil(round(top * revenue.size / 10, 9)) for top in range(11)]
    return RevenueConcentration(
        curve=tuple(float(100.0 * sums[k] / whole) for k in tops) if whole > 0 else (),
        rows=(
            pareto_share(net_revenue=revenue, level=level, seed=seed),
            top_decile_spend_ratio(net_revenue=revenue, level=level, seed=seed),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class PowerUsers:
    """The most active users of a period, and what share of all actions is theirs.

    Parameters
    ----------
    share : MetricValue
        ``power_user_share``; the numerator is the number of their actions.
    users : pyarrow.Table
        ``customer_id`` and ``actions``, most active first.
    """

    share: MetricValue
    users: pa.Table

    def to_arrow(self) -> pa.Table:
        """Return :attr:`users`."""
        return self.users

    def to_pandas(self) -> pd.DataFrame:
        """Return :attr:`users` as pandas."""
        users: pd.DataFrame = self.users.to_pandas()
        return users


def power_users(
    events: nw.LazyFrame[Any],
    *,
    start_us: int,
    end_us: int,
    engine: Engine,
    top: float = 0.1,
    level: float = 0.95,
    seed: int = 0,
) -> PowerUsers:
    """Find the users who do most in a period.

    Parameters
    ----------
    events : narwhals.LazyFrame
        One row per action: ``customer_id``, ``ts_us``.
    start_us, end_us : int
        The period ``[start, end)``, microseconds since 1970 UTC.
    engine : Engine
        Where the events are.
    top : float, default 0.1
        Share of the users taken as the top, in (0, 1].
    level, seed
        Of the bootstrap interval, see :func:`churnkit.formulas.power_user_share`.

    Returns
    -------
    PowerUsers
        ``ceil(top * n)`` of the users with an event in the period; among equally active ones at
        the boundary, the first by ``customer_id``.

    Raises
    ------
    ParameterError
        If ``top`` is not in (0, 1].
    """
    in_period = events.filter(nw.col("ts_us") >= start_us, nw.col("ts_us") < end_us)
    actions = in_period.group_by("customer_id").agg(nw.len().cast(nw.Int64).alias("actions"))
    counted = engine.materialize(actions)
    each = engine.collect(counted.select("actions"))["actions"].to_numpy()
    share = power_user_share(actions=each, top=top, level=level, seed=seed)
    ranked = counted.sort("actions", "customer_id", descending=[True, False])
    users = ranked.head(math.ceil(round(top * each.size, 9)))
    return PowerUsers(share=share, users=engine.collect(users))
