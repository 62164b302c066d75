"""Labels of orders: none in the horizon, or silence longer than the customer's own rhythm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.orders import known_at
from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.labels.base import LABEL_COLUMNS, LABELS

if TYPE_CHECKING:
    from churnkit.data.windows import Snapshot

__all__ = ["NoOrder", "OwnGap"]

ORDERS = "orders"


@LABELS.register("no_order")
@dataclass(frozen=True, kw_only=True)
class NoOrder:
    """Churned: no qualifying order in ``[label_start, label_end)``.

    An order qualifies when it is net positive and not refunded by the end of the horizon.
    ``future_orders`` counts them; a customer with none has churned. ``future_spend`` is the net of
    all rows in the horizon, returns of earlier orders included, so it can be negative.
    """

    @property
    def table(self) -> str:
        """Name of the table that :meth:`build` reads."""
        return ORDERS

    @property
    def stays(self) -> None:
        """Nothing: the label is of orders."""
        return

    def build(self, rows: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return one row for every customer with any row in the horizon; see :class:`Label`."""
        after = known_at(rows, start_us=snapshot.label_start_us, cutoff_us=snapshot.label_end_us)
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

    @property
    def table(self) -> str:
        """Name of the table that :meth:`build` reads."""
        return ORDERS

    @property
    def stays(self) -> None:
        """Nothing: the label is of orders."""
        return

    def build(self, rows: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return one row for every customer known at the cutoff; see :class:`Label`."""
        known = known_at(rows, start_us=snapshot.observation_start_us, cutoff_us=snapshot.cutoff_us)
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
        happened = NoOrder().build(rows, snapshot)
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
