"""What a customer subscribes to: how many, for how much, since when, and which way it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError
from churnkit.features.build import FEATURE_BUILDERS, Aggregation, Known, Phrase, sum_if, unknown
from churnkit.features.counts import counted
from churnkit.features.options import checked_days, checked_names
from churnkit.features.subscription_moves import MOVE_PHRASES, moves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Subscription"]

PHRASES = {
    "active_subscriptions": Phrase(text="{value} subscriptions running", risk="low"),
    "subscription_mrr": Phrase(
        text="{value} a month from subscriptions",
        name="monthly revenue from subscriptions",
        decimals=2,
        money=True,
    ),
    "subscription_tenure_days": Phrase(
        text="subscribed first {value} days ago",
        name="days since the first subscription",
        zero="subscribed first within the last day",
    ),
    "days_since_subscription_start": Phrase(
        text="last subscription started {value} days ago",
        name="days since the last start of a subscription",
        zero="a subscription started within the last day",
    ),
}
DAYS_PER_MONTH = 365.25 / 12


@FEATURE_BUILDERS.register("subscription")
@dataclass(frozen=True, kw_only=True)
class Subscription:
    """Subscriptions, their revenue and their changes, from the table ``subscriptions``.

    A subscription *runs* at the cutoff when it has started and has not ended before it; an end that
    lies ahead is not known, announced or not. Where periods of a customer end and others start on
    the same business day, the customer has *changed*: an upgrade if the monthly revenue of those
    that start is higher than that of those that end, a downgrade if it is lower. An end on a day
    without a start is an end for good.

    Parameters
    ----------
    windows_days : sequence of int, default (90,)
        The monthly revenue is compared with that of so many business days ago.
    plans : sequence of str, optional
        Names of plans, lowest first: ``subscription_plan`` is the position of the highest that runs.
        Other plans count as none. Without it there is no such feature.
    seats : bool, default False
        Whether there are features of the seats that are paid for, and of their change over each
        window.
    renewals : bool, default False
        Whether there are features of the time to the next renewal, from ``billing_months``.
    failed_payments : bool, default False
        Whether there are features of failed payments, in each window and since the last.

    Raises
    ------
    ParameterError
        If a window is not a whole number of days >= 1, or a plan is repeated.

    Notes
    -----
    Counts and revenue of customers without a subscription are 0. Null: days since what never
    happened; the plan where none of ``plans`` runs, or the source has no plans; changes of revenue
    that reach back to before the first start of the whole history or before the observation
    interval; what is asked for by an option where the source lacks its column. A subscription renews
    every ``billing_months`` times 30.4375 days from its start. Periods that ended before the
    observation interval are left out; one that reaches into it counts from its true start.

    Examples
    --------
    >>> Subscription(plans=["basic", "pro"]).feature_names[-2:]
    ('subscription_mrr_change_90d', 'subscription_plan')
    """

    windows_days: Sequence[int] = (90,)
    plans: Sequence[str] = ()
    seats: bool = False
    renewals: bool = False
    failed_payments: bool = False

    def __post_init__(self) -> None:
        days = checked_days(self.windows_days, where="subscription: windows_days")
        object.__setattr__(self, "windows_days", days)
        names = checked_names(self.plans, where="subscription: plans")
        object.__setattr__(self, "plans", names)
        for name in ("seats", "renewals", "failed_payments"):
            if type(getattr(self, name)) is not bool:
                msg = f"subscription: {name} must be true or false; got {getattr(self, name)!r}"
                raise ParameterError(msg)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("subscriptions",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: what runs, what ended, what changed, then what the options add."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        said = {**PHRASES, **MOVE_PHRASES}
        for d in self.windows_days:
            said[f"subscription_mrr_change_{d}d"] = Phrase(
                text=f"pays {{value}} a month than {d} days ago",
                zero=f"pays the same as {d} days ago",
                name=f"change of monthly revenue in {d} days",
                risk="low",
                change=("more", "less"),
                decimals=2,
                money=True,
            )
        if self.plans:
            said["subscription_plan"] = Phrase(
                text="on plan {value}", name="plan", words=tuple(self.plans)
            )
        if self.seats:
            said["subscription_seats"] = Phrase(text="{value} seats paid for")
            for d in self.windows_days:
                said[f"subscription_seats_change_{d}d"] = Phrase(
                    text=f"{{value}} seats than {d} days ago",
                    zero=f"as many seats as {d} days ago",
                    name=f"change of seats in {d} days",
                    risk="low",
                    change=("more", "fewer"),
                )
        if self.renewals:
            said["days_until_renewal"] = Phrase(
                text="{value} days to the next renewal", zero="renews within a day"
            )
        if self.failed_payments:
            for d in self.windows_days:
                text = f"{{value}} subscriptions with a failed payment in {d} days"
                said[f"failed_payments_{d}d"] = Phrase(text=text, risk="high")
            said["days_since_failed_payment"] = Phrase(
                text="a payment failed {value} days ago",
                name="days since a payment failed",
                zero="a payment failed within the last day",
            )
        return said

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        extra = [
            part(known)
            for part, wanted in (
                (self._seats, self.seats),
                (self._renewals, self.renewals),
                (self._payments, self.failed_payments),
            )
            if wanted
        ]
        return [self._running(known), *extra, moves(known)]

    def _seats(self, known: Known) -> Aggregation:
        """Return the seats that are paid for, and how they changed."""
        rows, names = (
            known["subscriptions"],
            [f"subscription_seats_change_{d}d" for d in self.windows_days],
        )
        if "seats" not in rows.collect_schema().names():
            return Aggregation(rows=rows, features=unknown("subscription_seats", *names))
        runs, seats = nw.col("ended_at_us").is_null(), nw.col("seats").fill_null(0.0)
        aggregates = {"_subscription_seats": sum_if(runs, seats)}
        features = {"subscription_seats": counted("_subscription_seats")}
        for d, name in zip(self.windows_days, names, strict=True):
            if not known.reaches_back(d, table="subscriptions"):
                features |= unknown(name)
                continue
            aggregates[f"_{name}"] = sum_if(_ran(known.days_ago_us(d)), seats)
            features[name] = counted("_subscription_seats") - counted(f"_{name}")
        return Aggregation(rows=rows, aggregates=aggregates, features=features)

    def _renewals(self, known: Known) -> Aggregation:
        """Return the days to the next renewal of what runs."""
        rows = known["subscriptions"]
        if "billing_months" not in rows.collect_schema().names():
            return Aggregation(rows=rows, features=unknown("days_until_renewal"))
        period = nw.col("billing_months") * DAYS_PER_MONTH
        ahead = period * ((nw.col("age_days") / period).floor() + 1.0) - nw.col("age_days")
        given = nw.col("ended_at_us").is_null() & (nw.col("billing_months") > 0)
        return Aggregation(
            rows=rows, aggregates={"days_until_renewal": nw.when(given).then(ahead).min()}
        )

    def _payments(self, known: Known) -> Aggregation:
        """Return the payments that failed, as far as they are known."""
        rows, since = known["subscriptions"], "days_since_failed_payment"
        names = {f"failed_payments_{d}d": known.days_ago_us(d) for d in self.windows_days}
        failed = nw.col("payment_failed_at_us")
        if "payment_failed_at_us" not in rows.collect_schema().names():
            return Aggregation(rows=rows, features=unknown(*names, since))
        age = (nw.lit(known.snapshot.cutoff_us) - failed) / US_PER_DAY
        return Aggregation(
            rows=rows,
            aggregates={
                **{f"_{n}": sum_if((failed >= t).fill_null(value=False)) for n, t in names.items()},
                since: age.min(),
            },
            features={name: counted(f"_{name}") for name in names},
        )

    def _running(self, known: Known) -> Aggregation:
        """Return what runs at the cutoff, and what ran some time ago."""
        rows, mrr = known["subscriptions"], nw.col("mrr")
        runs = nw.col("ended_at_us").is_null()
        aggregates = {
            "_subscription_running": sum_if(runs),
            "_subscription_mrr": sum_if(runs, mrr),
            "subscription_tenure_days": nw.col("age_days").max(),
            "days_since_subscription_start": nw.col("age_days").min(),
        }
        features = {
            "active_subscriptions": counted("_subscription_running"),
            "subscription_mrr": counted("_subscription_mrr"),
        }
        for d in self.windows_days:
            name, then = f"_subscription_mrr_{d}d", known.days_ago_us(d)
            if known.reaches_back(d, table="subscriptions"):
                aggregates[name] = sum_if(_ran(then), mrr)
                change = counted("_subscription_mrr") - counted(name)
                features[f"subscription_mrr_change_{d}d"] = change
            else:
                features |= unknown(f"subscription_mrr_change_{d}d")
        if self.plans and "plan" in rows.collect_schema().names():
            position = nw.lit(None).cast(nw.Float64)
            for level, plan in enumerate(self.plans):
                is_plan = runs & (nw.col("plan") == plan)
                position = nw.when(is_plan).then(nw.lit(float(level))).otherwise(position)
            aggregates["subscription_plan"] = position.max()
        elif self.plans:
            features |= unknown("subscription_plan")
        return Aggregation(rows=rows, aggregates=aggregates, features=features)


def _ran(then_us: int) -> nw.Expr:
    """Return whether a subscription ran at an earlier instant."""
    ended = nw.col("ended_at_us")
    return (nw.col("started_at_us") < then_us) & (ended.is_null() | (ended >= then_us))
