"""The label of contracts: the subscription ends within the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from churnkit.data.stays import StayRule, paid_periods, stays_at
from churnkit.data.windows import US_PER_DAY
from churnkit.labels.base import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.data.windows import Snapshot

__all__ = ["DAYS_PER_MONTH", "SubscriptionEnd"]

DAYS_PER_MONTH = 365.25 / 12


@LABELS.register("subscription_end")
@dataclass(frozen=True, kw_only=True)
class SubscriptionEnd:
    """Churned: a paid subscription that runs at the cutoff has ended before the end of the horizon.

    The population is everybody with a paid subscription running at the cutoff. An end in the gap
    counts too: at the start of the horizon nobody is left to keep. A customer who pays less at the
    end of the horizon, and still pays, has not churned: the downgrade is counted apart.

    Parameters
    ----------
    ends : {"last", "any"}, default "last"
        ``last``: the customer has left when no paid subscription runs any more. ``any``: when any
        one of those that ran at the cutoff has ended, for businesses whose customers hold many.
    resubscribe_days : int, default 30
        A subscription that starts so many days after the end, or sooner, and before the end of the
        horizon, continues the one that ended: a renewal or a change of plan is no churn. With
        ``any`` only a start of the same ``subscription_id`` does.
    trial_plans : sequence of str, default ()
        Plans that are trials. They and periods without revenue make nobody a subscriber, and their
        end is no churn.

    Notes
    -----
    Nothing after the horizon is looked at: whoever ends in its last days and comes back after it
    counts as churned. ``future_mrr`` is the monthly revenue of all paid subscriptions that run at
    the end of the horizon, ``future_spend`` what paid subscriptions bring within it, by the day:
    ``mrr`` per 30.4375 days.

    Raises
    ------
    ParameterError
        If an option is out of its range.
    """

    ends: Literal["last", "any"] = "last"
    resubscribe_days: int = 30
    trial_plans: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "trial_plans", self.stays.trial_plans)

    @property
    def table(self) -> str:
        """Name of the table that :meth:`build` reads."""
        return "subscriptions"

    @property
    def stays(self) -> StayRule:
        """What counts as staying subscribed."""
        return StayRule(
            ends=self.ends,
            resubscribe_days=self.resubscribe_days,
            trial_plans=self.trial_plans,
        )

    def build(self, rows: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return one row for every subscriber of the cutoff or the horizon; see :class:`Label`."""
        cutoff, end = snapshot.cutoff_us, snapshot.label_end_us
        gone = nw.col("ended_at_us")
        at_cutoff = (nw.col("started_at_us") < cutoff) & (gone.is_null() | (gone >= cutoff))
        left = nw.when(at_cutoff & ~gone.is_null()).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
        outcome = (
            stays_at(rows, rule=self.stays, cutoff_us=end)
            .group_by("customer_id")
            .agg(churned=left.max(), future_mrr=nw.col("mrr").sum())
        )
        paid = self._revenue(rows, snapshot)
        return outcome.join(paid, on="customer_id", how="left").select(
            "customer_id",
            "churned",
            "future_mrr",
            future_orders=nw.lit(0.0),
            future_spend=nw.col("future_spend").fill_null(0.0),
        )

    def _revenue(self, rows: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return what paid subscriptions bring in the horizon, per customer."""
        start, end = snapshot.label_start_us, snapshot.label_end_us
        begun, gone = nw.col("started_at_us"), nw.col("ended_at_us")
        there = paid_periods(rows, rule=self.stays).filter(
            begun < end, gone.is_null() | (gone > start)
        )
        first = nw.when(begun > start).then(begun).otherwise(nw.lit(start))
        last = nw.when(gone < end).then(gone).otherwise(nw.lit(end))
        months = (last - first) / (US_PER_DAY * DAYS_PER_MONTH)
        return (
            there.with_columns(paid=nw.col("mrr") * months)
            .group_by("customer_id")
            .agg(future_spend=nw.col("paid").sum())
        )
