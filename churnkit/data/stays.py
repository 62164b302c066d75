"""How long customers stay: periods of paid subscriptions joined where a pause is short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["StayRule", "paid_periods", "stays_at"]

NEVER = 2**62


@dataclass(frozen=True, kw_only=True)
class StayRule:
    """What counts as staying subscribed.

    Parameters
    ----------
    ends : {"last", "any"}, default "last"
        Whose end counts: that of a customer's last running subscription, or of any one of them.
    resubscribe_days : int, default 30
        A subscription that starts so many days after the last one ended, or sooner, continues it.
        With ``any`` the start must be of the same ``subscription_id``.
    trial_plans : sequence of str, default ()
        Plans that are trials. They count as no subscription, like periods without revenue.

    Raises
    ------
    ParameterError
        If an option is out of its range.
    """

    ends: Literal["last", "any"] = "last"
    resubscribe_days: int = 30
    trial_plans: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.ends not in ("last", "any"):
            msg = f"subscription_end: ends must be 'last' or 'any'; got {self.ends!r}"
            raise ParameterError(msg)
        if not (type(self.resubscribe_days) is int and self.resubscribe_days >= 0):
            msg = (
                "subscription_end: resubscribe_days must be a whole number >= 0;"
                f" got {self.resubscribe_days!r}"
            )
            raise ParameterError(msg)
        if isinstance(self.trial_plans, str):
            msg = f"subscription_end: trial_plans must be a list; got {self.trial_plans!r}"
            raise ParameterError(msg)
        object.__setattr__(self, "trial_plans", tuple(self.trial_plans))


def paid_periods(subscriptions: nw.LazyFrame[Any], *, rule: StayRule) -> nw.LazyFrame[Any]:
    """Return the periods that bring revenue and are no trials.

    Parameters
    ----------
    subscriptions : narwhals.LazyFrame
        ``customer_id``, ``started_at_us``, ``ended_at_us``, ``mrr`` and perhaps ``plan``.
    rule : StayRule
        What is a trial.
    """
    paid = subscriptions.filter(nw.col("mrr") > 0.0)
    if rule.trial_plans and "plan" in subscriptions.collect_schema().names():
        is_trial = nw.col("plan").is_in(list(rule.trial_plans)).fill_null(value=False)
        paid = paid.filter(~is_trial)
    return paid


def stays_at(
    subscriptions: nw.LazyFrame[Any], *, rule: StayRule, cutoff_us: int
) -> nw.LazyFrame[Any]:
    """Return how long customers have stayed, as known at a cutoff.

    Parameters
    ----------
    subscriptions : narwhals.LazyFrame
        All periods; those that start at or after the cutoff and ends there are not looked at.
    rule : StayRule
        What joins two periods.
    cutoff_us : int
        First instant that is not known, microseconds since 1970 UTC.

    Returns
    -------
    narwhals.LazyFrame
        A row per stay: ``customer_id``; ``started_at_us``; ``ended_at_us``, null while a period
        runs; ``running``, periods that run at the cutoff, 0 once ended; ``mrr`` of these.

    Notes
    -----
    A stay that ended less than ``resubscribe_days`` ago may yet be continued: whoever asks at a
    later cutoff then finds one longer stay.
    """
    started, ended = nw.col("started_at_us"), nw.col("ended_at_us")
    known = paid_periods(subscriptions, rule=rule).filter(started < cutoff_us)
    runs = ended.is_null() | (ended >= cutoff_us)
    periods = known.select(
        "customer_id",
        "started_at_us",
        mrr=nw.when(runs).then(nw.col("mrr")).otherwise(nw.lit(0.0)),
        until_us=nw.when(runs).then(nw.lit(NEVER)).otherwise(ended),
        running=nw.when(runs).then(nw.lit(1.0)).otherwise(nw.lit(0.0)),
        contract=_contract(known.collect_schema().names(), ends=rule.ends),
    )
    by, order = ("customer_id", "contract"), ("started_at_us", "until_us")
    pause = rule.resubscribe_days * US_PER_DAY
    reach = nw.col("until_us").cum_max().over(*by, order_by=order)
    joined = periods.with_columns(reach=reach)
    before = nw.col("reach").shift(1).over(*by, order_by=order)
    new = before.is_null() | (nw.col("started_at_us") - pause > before)
    marked = joined.with_columns(new=nw.when(new).then(nw.lit(1)).otherwise(nw.lit(0)))
    numbered = marked.with_columns(stay=nw.col("new").cum_sum().over(*by, order_by=order))
    stays = numbered.group_by("customer_id", "contract", "stay").agg(
        nw.col("started_at_us").min(),
        nw.col("until_us").max(),
        nw.col("running").sum(),
        nw.col("mrr").sum(),
    )
    gone = nw.when(nw.col("until_us") < NEVER).then(nw.col("until_us"))
    return stays.select("customer_id", "started_at_us", "running", "mrr", ended_at_us=gone)


def _contract(given: Sequence[str], *, ends: str) -> nw.Expr:
    """Return what the periods of one stay share beside the customer."""
    if ends == "last":
        return nw.lit("")
    alone = nw.concat_str(
        [nw.col("started_at_us").cast(nw.String), nw.col("ended_at_us").cast(nw.String)],
        separator=" ",
        ignore_nulls=True,
    )
    if "subscription_id" not in given:
        return alone
    return (
        nw.when(nw.col("subscription_id").is_null())
        .then(alone)
        .otherwise(nw.col("subscription_id"))
    )
