"""Company metrics that subscriptions give: customer and revenue retention, and survival."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.formulas import (
    gross_revenue_retention,
    net_revenue_retention,
    revenue_churn_rate,
)
from churnkit.retention.movements import (
    MrrMovement,
    SubscriptionCounts,
    count_subscriptions,
    movement_columns,
)
from churnkit.retention.order_metrics import customer_metrics_of
from churnkit.retention.scope import with_interval

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.formulas import MetricValue
    from churnkit.retention.report import ReportRow
    from churnkit.retention.scope import Scope

__all__ = [
    "MRR_METRICS",
    "SUBSCRIBER_METRICS",
    "SurvivalCurve",
    "subscription_metrics",
    "subscription_survival",
]

SUBSCRIBER_METRICS = (
    "customer_retention_rate",
    "customer_retention_rate_strict",
    "customer_churn_rate",
)
MRR_METRICS = ("revenue_churn_rate", "gross_revenue_retention", "net_revenue_retention")

Cell = tuple[int, str]


def subscription_metrics(
    states: nw.LazyFrame[Any], *, days: dict[Cell, list[int]], has_mrr: bool, scope: Scope
) -> tuple[list[ReportRow], list[MrrMovement], dict[Cell, SubscriptionCounts]]:
    """Return the metrics of subscriptions, the movements of their revenue, and the counts.

    Parameters
    ----------
    states : narwhals.LazyFrame
        See :func:`churnkit.retention.movements.subscription_states`.
    days : dict
        Subscribers at the end of each day by cell, for the churn rate ``mean_of_daily``.
    has_mrr : bool
        Whether the table has an ``mrr``.
    scope : Scope
        Cells and definitions.
    """
    found = count_subscriptions(
        states, positions=scope.positions, segments=scope.segments, engine=scope.engine
    )
    counts = {cell: found.get(cell, SubscriptionCounts()) for cell in scope.cells(found)}
    rows, movements = [], []
    for position in scope.positions:
        names = ("start_mrr", "expansion", "contraction", "churn", "reactivation")
        here = states.filter(nw.col("period") == position).with_columns(**movement_columns())
        arrays = scope.arrays(here, *names)
        for cell in (cell for cell in counts if cell[0] == position):
            values = customer_metrics_of(counts[cell], days=days.get(cell, []), scope=scope)
            if has_mrr:
                each = arrays.get(cell[1], [np.zeros(0)] * len(names))
                values += _revenue_retention(dict(zip(names, each, strict=True)), scope=scope)
                movements.append(_movement(counts[cell], cell=cell, scope=scope))
            rows += [scope.row(cell, value, "subscriptions") for value in values]
    return rows, movements, counts


def _revenue_retention(
    columns: dict[str, np.ndarray[Any, np.dtype[np.float64]]], *, scope: Scope
) -> list[MetricValue]:
    """Return revenue churn, gross and net retention of one cell with intervals over customers."""
    start, expanded, downgraded, cancelled, reactivated = columns.values()
    lost = cancelled + downgraded
    counted = scope.definitions.net_revenue == "with_reactivations"
    gained = expanded + reactivated if counted else expanded
    bounds = scope.resampling.intervals(
        [start, lost, start - lost, start - lost + gained], [(1, 0), (2, 0), (3, 0)]
    )
    # Sums in one order: what was lost never exceeds what was there by its rounding.
    totals: dict[str, Any] = {
        "starting_mrr": float(start.sum()),
        "cancelled_mrr": float(cancelled.sum()),
        "downgraded_mrr": float(downgraded.sum()),
    }
    n = int(np.count_nonzero(start))
    values = [
        revenue_churn_rate(**totals),
        gross_revenue_retention(**totals),
        net_revenue_retention(
            **totals,
            expanded_mrr=float(expanded.sum()),
            reactivated_mrr=float(reactivated.sum()),
            variant=scope.definitions.net_revenue,
        ),
    ]
    return [with_interval(value, each, n=n) for value, each in zip(values, bounds, strict=True)]


def _movement(counts: SubscriptionCounts, *, cell: Cell, scope: Scope) -> MrrMovement:
    mrr = counts.mrr
    return MrrMovement(
        period=scope.period(cell[0]),
        segment=cell[1],
        start_mrr=mrr["start_mrr"],
        new=mrr["new"],
        expansion=mrr["expansion"],
        contraction=mrr["contraction"],
        churn=mrr["churn"],
        reactivation=mrr["reactivation"],
        end_mrr=mrr["end_mrr"],
    )


@dataclass(frozen=True, kw_only=True)
class SurvivalCurve:
    """The Kaplan-Meier curve of subscriptions.

    Parameters
    ----------
    days : ndarray of float64, shape (n_times,)
        Ages at which a subscription ended or was last seen, rising.
    survival : ndarray of float64, shape (n_times,)
        Estimated probability of lasting longer, in [0, 1].
    ci_low, ci_high : ndarray of float64, shape (n_times,)
        Pointwise interval; NaN where the variance does not exist.
    subscriptions, ended : int
        Subscriptions in the curve, and how many of them were seen to end.
    """

    days: np.ndarray[Any, np.dtype[np.float64]]
    survival: np.ndarray[Any, np.dtype[np.float64]]
    ci_low: np.ndarray[Any, np.dtype[np.float64]]
    ci_high: np.ndarray[Any, np.dtype[np.float64]]
    subscriptions: int
    ended: int

    def at(self, days: float) -> float:
        """Return the probability of lasting longer than some days."""
        position = int(np.searchsorted(self.days, days, side="right"))
        return 1.0 if position == 0 else float(self.survival[position - 1])

    def median_days(self) -> float | None:
        """Return the first age at which at most half are left; null if more than half last."""
        reached = np.flatnonzero(self.survival <= 0.5)
        return float(self.days[reached[0]]) if reached.size else None

    def to_arrow(self) -> pa.Table:
        """Return ``days``, ``survival``, ``ci_low``, ``ci_high``; null where there is no interval."""
        import pyarrow as pa

        names = ("days", "survival", "ci_low", "ci_high")
        return pa.table({n: pa.array(getattr(self, n), from_pandas=True) for n in names})

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def subscription_survival(
    subscriptions: nw.LazyFrame[Any],
    *,
    as_of_us: int,
    engine: Engine,
    level: float = 0.95,
) -> SurvivalCurve:
    """Estimate how long subscriptions last, those still running included.

    Parameters
    ----------
    subscriptions : narwhals.LazyFrame
        ``started_at_us``, ``ended_at_us`` (null while it runs).
    as_of_us : int
        First instant that is not known, microseconds since 1970 UTC: ends at or after it have not
        been seen, and subscriptions that start then are left out.
    engine : Engine
        Where the table is.
    level : float, default 0.95
        Level of the pointwise interval (log-log transformed Greenwood).

    Raises
    ------
    ParameterError
        If no subscription starts before ``as_of_us``.

    Notes
    -----
    Taking running subscriptions as ended, or leaving them out, would make lives too short. Each
    row is one life: a customer who comes back has two.

    References
    ----------
    E. L. Kaplan, P. Meier (1958), "Nonparametric Estimation from Incomplete Observations",
    Journal of the American Statistical Association 53(282), 457-481.
    """
    from scipy.stats import CensoredData, ecdf

    started, ended = nw.col("started_at_us"), nw.col("ended_at_us")
    seen = ~ended.is_null() & (ended < as_of_us)
    lives = engine.collect(
        subscriptions.filter(started < as_of_us).select(
            days=(nw.when(seen).then(ended).otherwise(nw.lit(as_of_us)) - started) / US_PER_DAY,
            seen=nw.when(seen).then(nw.lit(1)).otherwise(nw.lit(0)),
        )
    )
    days, was_seen = lives["days"].to_numpy(), lives["seen"].to_numpy() == 1
    if not days.size:
        msg = "subscription_survival: subscriptions must hold one that starts before as_of_us; got none"
        raise ParameterError(msg)
    found = ecdf(CensoredData(uncensored=days[was_seen], right=days[~was_seen])).sf
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        # Before the first ending there is no variance: the result says so by NaN.
        warnings.filterwarnings("ignore", message="The confidence interval is undefined")
        interval = found.confidence_interval(confidence_level=level, method="log-log")
    return SurvivalCurve(
        days=found.quantiles,
        survival=found.probabilities,
        ci_low=interval.low.probabilities,
        ci_high=interval.high.probabilities,
        subscriptions=int(days.size),
        ended=int(was_seen.sum()),
    )
