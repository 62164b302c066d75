"""How long a horizon must be: who of the "churned" comes back, and who of the others does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.engines import Engine

__all__ = ["HorizonAdvice", "HorizonOutcome", "horizon_advice"]


@dataclass(frozen=True, kw_only=True)
class HorizonOutcome:
    """What a horizon would have called churn at the newest cutoff that two of them fit after.

    Attributes
    ----------
    horizon_days : int
        Length tried.
    cutoff_day : int
        Days since 1970: two horizons before the end of the data.
    customers : int
        Active at the cutoff.
    churned : int
        Without an order in the horizon.
    returning_rate : float or None
        Share of the churned who order in the next window of equal length: wrongly given up. None
        if nobody churned.
    never_returning_rate : float or None
        Share of those who ordered in the horizon who do not order in the next window: lost
        unnoticed. None if nobody ordered.
    """

    horizon_days: int
    cutoff_day: int
    customers: int
    churned: int
    returning_rate: float | None
    never_returning_rate: float | None


@dataclass(frozen=True, kw_only=True)
class HorizonAdvice:
    """A grid of horizons with what each would have meant, and the one to take.

    Attributes
    ----------
    outcomes : tuple of HorizonOutcome
        Ascending; horizons of which two do not fit into the history are left out.
    suggested_days : int or None
        The smallest horizon with at most the accepted share returning; None if there is none, or
        nobody ever ordered again.
    """

    outcomes: tuple[HorizonOutcome, ...]
    suggested_days: int | None

    @property
    def nobody_returned(self) -> bool:
        """Whether no customer ordered in any horizon tried, nor in the window after it."""
        return any(outcome.customers for outcome in self.outcomes) and all(
            outcome.churned == outcome.customers and not outcome.returning_rate
            for outcome in self.outcomes
        )


def horizon_advice(
    orders: nw.LazyFrame[Any],
    *,
    engine: Engine,
    horizons_days: Sequence[int] = (30, 60, 90, 120, 180, 270, 365),
    active_within_days: int = 365,
    accepted_returning_rate: float = 0.10,
) -> HorizonAdvice:
    """Say, for a grid of horizons, who of the "churned" came back and who of the others did not.

    A horizon is long enough when few of those it calls churned return in the window after it: the
    idea of return curves ("D-curves") as used at Indeed.

    Parameters
    ----------
    orders : narwhals.LazyFrame
        From :func:`churnkit.data.orders.order_table`.
    engine : Engine
        Where they are.
    horizons_days : sequence of int
        Lengths to try, in days, each at least 1.
    active_within_days : int
        The population: customers with an order in so many days before the cutoff.
    accepted_returning_rate : float
        Share of the churned who may return, between 0 and 1.

    Raises
    ------
    ParameterError
        If a horizon is below 1, or the accepted rate lies outside [0, 1].
    """
    if not horizons_days or min(horizons_days) < 1:
        msg = f"horizon advice: horizons_days must hold lengths >= 1; got {tuple(horizons_days)!r}"
        raise ParameterError(msg)
    if not 0.0 <= accepted_returning_rate <= 1.0:
        msg = (
            "horizon advice: accepted_returning_rate must lie in [0, 1];"
            f" got {accepted_returning_rate!r}"
        )
        raise ParameterError(msg)
    placed = orders.filter(nw.col("is_order_day") == 1)
    span = engine.collect(placed.select(first=nw.col("day").min(), last=nw.col("day").max()))
    first, last = span.column("first")[0].as_py(), span.column("last")[0].as_py()
    if first is None:
        return HorizonAdvice(outcomes=(), suggested_days=None)
    fitting = [h for h in sorted(set(horizons_days)) if last + 1 - 2 * h > first]
    outcomes = tuple(
        _outcome(placed, h, end_day=last + 1, active_within_days=active_within_days, engine=engine)
        for h in fitting
    )
    good = [
        o.horizon_days
        for o in outcomes
        if o.returning_rate is not None and o.returning_rate <= accepted_returning_rate
    ]
    advice = HorizonAdvice(outcomes=outcomes, suggested_days=min(good, default=None))
    return replace(advice, suggested_days=None) if advice.nobody_returned else advice


def _outcome(
    placed: nw.LazyFrame[Any],
    horizon_days: int,
    *,
    end_day: int,
    active_within_days: int,
    engine: Engine,
) -> HorizonOutcome:
    """Count customers by whether they ordered before the cutoff, in the horizon and after it."""
    cutoff = end_day - 2 * horizon_days
    middle = cutoff + horizon_days
    day = nw.col("day")

    def ordered(inside: nw.Expr) -> nw.Expr:
        return nw.when(inside).then(nw.lit(1)).otherwise(nw.lit(0)).max()

    counts = engine.collect(
        placed.group_by("customer_id")
        .agg(
            active=ordered((day < cutoff) & (day >= cutoff - active_within_days)),
            stayed=ordered((day >= cutoff) & (day < middle)),
            later=ordered(day >= middle),
        )
        .filter(nw.col("active") == 1)
        .group_by("stayed", "later")
        .agg(customers=nw.len())
    ).to_pylist()
    n = {(row["stayed"], row["later"]): int(row["customers"]) for row in counts}
    churned, stayed = (n.get((k, 0), 0) + n.get((k, 1), 0) for k in (0, 1))
    return HorizonOutcome(
        horizon_days=horizon_days,
        cutoff_day=cutoff,
        customers=churned + stayed,
        churned=churned,
        returning_rate=n.get((0, 1), 0) / churned if churned else None,
        never_returning_rate=n.get((1, 0), 0) / stayed if stayed else None,
    )
