"""What a customer subscribes to: how many, for how much, since when, and which way it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.data.windows import US_PER_DAY
from churnkit.features.build import FEATURE_BUILDERS, Aggregation, Known, Phrase, sum_if, unknown
from churnkit.features.messages import counted
from churnkit.features.options import checked_days, checked_names

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
        text="subscribed first {value} days ago", zero="subscribed first within the last day"
    ),
    "days_since_subscription_start": Phrase(
        text="last subscription started {value} days ago",
        zero="a subscription started within the last day",
    ),
    "subscriptions_ended": Phrase(text="{value} subscriptions ended for good", risk="high"),
    "days_since_subscription_end": Phrase(
        text="a subscription ended {value} days ago",
        zero="a subscription ended within the last day",
    ),
    "subscription_upgrades": Phrase(text="{value} upgrades of subscriptions"),
    "subscription_downgrades": Phrase(text="{value} downgrades of subscriptions"),
    "days_since_upgrade": Phrase(
        text="last upgrade {value} days ago", zero="an upgrade within the last day"
    ),
    "days_since_downgrade": Phrase(
        text="last downgrade {value} days ago", zero="a downgrade within the last day"
    ),
}


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

    Raises
    ------
    ParameterError
        If a window is not a whole number of days >= 1, or a plan is repeated.

    Notes
    -----
    Counts and revenue of customers without a subscription are 0. Null: days since what never
    happened; the plan where none of ``plans`` runs, or the source has no plans; changes of revenue
    that reach back to before the first start of the whole history or before the observation
    interval. Periods that ended before the observation interval are left out; one that reaches into
    it counts from its true start.

    Examples
    --------
    >>> Subscription(plans=["basic", "pro"]).feature_names[-2:]
    ('subscription_mrr_change_90d', 'subscription_plan')
    """

    windows_days: Sequence[int] = (90,)
    plans: Sequence[str] = ()

    def __post_init__(self) -> None:
        days = checked_days(self.windows_days, where="subscription: windows_days")
        object.__setattr__(self, "windows_days", days)
        names = checked_names(self.plans, where="subscription: plans")
        object.__setattr__(self, "plans", names)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("subscriptions",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: what runs, what ended, what changed, the plan."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        said = dict(PHRASES)
        for d in self.windows_days:
            said[f"subscription_mrr_change_{d}d"] = Phrase(
                text=f"pays {{value}} a month than {d} days ago",
                zero=f"pays the same as {d} days ago",
                risk="low",
                change=("more", "less"),
                decimals=2,
                money=True,
            )
        if self.plans:
            said["subscription_plan"] = Phrase(text="on plan {value}", words=tuple(self.plans))
        return said

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        changes = _changes(known["subscriptions"], time_zone=known.snapshot.time_zone)
        return [self._running(known), _moves(changes, known=known)]

    def _running(self, known: Known) -> Aggregation:
        """Return what runs at the cutoff, and what ran some time ago."""
        rows, mrr = known["subscriptions"], nw.col("mrr")
        ended, started = nw.col("ended_at_us"), nw.col("started_at_us")
        runs = ended.is_null()
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
                aggregates[name] = sum_if((started < then) & (runs | (ended >= then)), mrr)
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


def _changes(rows: nw.LazyFrame[Any], *, time_zone: str) -> nw.LazyFrame[Any]:
    """Return per customer and day the periods and the revenue that started and ended."""
    parts = []
    for time, sign in (("started_at_us", 1.0), ("ended_at_us", -1.0)):
        moved = rows.filter(~nw.col(time).is_null())
        parts.append(
            moved.select(
                "customer_id",
                at_us=nw.col(time),
                day=business_day(nw.col(time), time_zone=time_zone),
                started=nw.lit(1.0 if sign > 0 else 0.0),
                ended=nw.lit(0.0 if sign > 0 else 1.0),
                mrr=nw.col("mrr") * sign,
            )
        )
    return (
        nw.concat(parts)
        .group_by("customer_id", "day")
        .agg(nw.col("at_us").max(), *(nw.col(name).sum() for name in ("started", "ended", "mrr")))
    )


def _moves(changes: nw.LazyFrame[Any], *, known: Known) -> Aggregation:
    """Return upgrades, downgrades and ends, from the days on which something started or ended."""
    start = known.snapshot.observation_start_us
    rows = changes.filter(nw.col("at_us") >= start)
    age = (nw.lit(known.snapshot.cutoff_us) - nw.col("at_us")) / US_PER_DAY
    handed_over = (nw.col("started") > 0) & (nw.col("ended") > 0)
    # A cent's rounding is no change of revenue.
    up, down = handed_over & (nw.col("mrr") > 1e-6), handed_over & (nw.col("mrr") < -1e-6)
    gone = (nw.col("ended") > 0) & (nw.col("started") == 0)
    counts = {
        "subscription_upgrades": sum_if(up),
        "subscription_downgrades": sum_if(down),
        "subscriptions_ended": sum_if(gone, nw.col("ended")),
    }
    return Aggregation(
        rows=rows,
        aggregates={
            **{f"_{name}": expr for name, expr in counts.items()},
            "days_since_upgrade": nw.when(up).then(age).min(),
            "days_since_downgrade": nw.when(down).then(age).min(),
            "days_since_subscription_end": nw.when(gone).then(age).min(),
        },
        features={name: counted(f"_{name}") for name in counts},
    )
