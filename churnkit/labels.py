"""What happened after the cutoff: who ordered in the horizon, how often and for how much."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.data.orders import known_at
from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.data.windows import Snapshot
    from churnkit.engines import Engine

__all__ = [
    "LABELS",
    "LABEL_COLUMNS",
    "HorizonAdvice",
    "HorizonOutcome",
    "Label",
    "NoOrder",
    "OwnGap",
    "horizon_advice",
]

LABEL_COLUMNS = ("future_orders", "future_spend")


class Label(Protocol):
    """Turns what follows a cutoff into labels."""

    def build(self, orders: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return ``customer_id`` and :data:`LABEL_COLUMNS`; customers without a row have zeros.

        A label whose meaning of churn is not "no order in the horizon" adds a column ``churned``
        (1 or 0) for every customer known at the cutoff.
        """
        ...


LABELS: Registry[Label] = Registry("label")


@LABELS.register("no_order")
class NoOrder:
    """Churned: no qualifying order in ``[label_start, label_end)``.

    An order qualifies when it is net positive and not refunded by the end of the horizon.
    ``future_orders`` counts them; a customer with none has churned. ``future_spend`` is the net of
    all rows in the horizon, returns of earlier orders included, so it can be negative.
    """

    def build(self, orders: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return one row for every customer with any row in the horizon; see :class:`Label`."""
        after = known_at(orders, start_us=snapshot.label_start_us, cutoff_us=snapshot.label_end_us)
        return after.group_by("customer_id").agg(
            nw.col("is_order").cast(nw.Float64).sum().alias("future_orders"),
            nw.col("amount").sum().alias("future_spend"),
        )


@LABELS.register("own_gap")
@dataclass(frozen=True, kw_only=True)
class OwnGap:
    """Churned: no order in the horizon, and by its end silent for longer than the customer's rule.

    A yearly buyer who is silent for a quarter is in rhythm; a weekly buyer is gone. The *own gap*
    is what the customer's gaps between order days stay below with probability ``quantile``, read
    off an exponential distribution of the customer's mean gap; that mean is shrunk to the mean of
    everybody known at the cutoff as if each customer had ``prior_gaps`` gaps of that length.

    Parameters
    ----------
    quantile : float, default 0.9
        Between 0 and 1, both excluded.
    prior_gaps : float, default 2
        Above 0. A customer with no gap has the mean of all.

    Notes
    -----
    With n gaps of total length T days and the mean m of all customers' gaps, the own gap is
    ``-ln(1 - quantile) * (T + prior_gaps * m) / (n + prior_gaps)`` days. Only orders before the
    cutoff make it. If nobody has ordered twice, every silent customer has churned.

    Raises
    ------
    ParameterError
        If a parameter lies outside its range.
    """

    quantile: float = 0.9
    prior_gaps: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 < self.quantile < 1.0:
            msg = f"own_gap: quantile must lie strictly between 0 and 1; got {self.quantile!r}"
            raise ParameterError(msg)
        if not (self.prior_gaps > 0.0 and math.isfinite(self.prior_gaps)):
            msg = f"own_gap: prior_gaps must be positive and finite; got {self.prior_gaps!r}"
            raise ParameterError(msg)

    def build(self, orders: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return one row for every customer known at the cutoff; see :class:`Label`."""
        known = known_at(
            orders, start_us=snapshot.observation_start_us, cutoff_us=snapshot.cutoff_us
        )
        day = nw.when(nw.col("is_order_day") == 1).then(nw.col("day"))
        rhythm = known.group_by("customer_id").agg(
            _first=day.min(),
            _last=day.max(),
            _gaps=(nw.col("is_order_day").cast(nw.Float64).sum() - 1.0),
            _last_us=nw.when(nw.col("is_order_day") == 1).then(nw.col("ts_us")).max(),
        )
        rhythm = rhythm.with_columns(
            _length=(nw.col("_last") - nw.col("_first")).cast(nw.Float64).fill_null(0.0),
            _gaps=nw.when(nw.col("_gaps") > 0.0).then(nw.col("_gaps")).otherwise(nw.lit(0.0)),
        )
        total = rhythm.select(
            _all_gaps=nw.col("_gaps").sum(), _all_length=nw.col("_length").sum(), _key=nw.lit(1)
        )
        rhythm = rhythm.with_columns(_key=nw.lit(1)).join(total, on="_key", how="left")
        happened = NoOrder().build(orders, snapshot)
        return (
            rhythm.join(happened, on="customer_id", how="left")
            .with_columns(
                nw.col("future_orders").fill_null(0.0), nw.col("future_spend").fill_null(0.0)
            )
            .with_columns(churned=self._churned(snapshot))
            .select("customer_id", *LABEL_COLUMNS, "churned")
        )

    def _churned(self, snapshot: Snapshot) -> nw.Expr:
        """Return 1 for customers silent for longer than their own gap at the end of the horizon."""
        # max(gaps, 1): without a gap anywhere the limit is 0 and silence alone decides.
        mean = nw.col("_all_length") / nw.max_horizontal(nw.col("_all_gaps"), nw.lit(1.0))
        own = (nw.col("_length") + self.prior_gaps * mean) / (nw.col("_gaps") + self.prior_gaps)
        limit = own * -math.log1p(-self.quantile)
        silence = (nw.lit(snapshot.label_end_us) - nw.col("_last_us")) / US_PER_DAY
        gone = (nw.col("future_orders") == 0.0) & ~(silence <= limit)
        return nw.when(gone).then(nw.lit(1.0)).otherwise(nw.lit(0.0))


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
        The smallest horizon with at most the accepted share returning; None if there is none.
    """

    outcomes: tuple[HorizonOutcome, ...]
    suggested_days: int | None


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
    return HorizonAdvice(outcomes=outcomes, suggested_days=min(good, default=None))


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
