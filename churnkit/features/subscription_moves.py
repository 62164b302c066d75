"""Which way subscriptions went: upgrades, downgrades and ends, day by day."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.data.windows import US_PER_DAY
from churnkit.features.build import Aggregation, Known, Phrase, sum_if
from churnkit.features.counts import counted

__all__ = ["MOVE_PHRASES", "moves"]

MOVE_PHRASES = {
    "subscriptions_ended": Phrase(text="{value} subscriptions ended for good", risk="high"),
    "days_since_subscription_end": Phrase(
        text="a subscription ended {value} days ago",
        name="days since the last end of a subscription",
        zero="a subscription ended within the last day",
    ),
    "subscription_upgrades": Phrase(text="{value} upgrades of subscriptions"),
    "subscription_downgrades": Phrase(text="{value} downgrades of subscriptions"),
    "days_since_upgrade": Phrase(
        text="last upgrade {value} days ago",
        name="days since the last upgrade",
        zero="an upgrade within the last day",
    ),
    "days_since_downgrade": Phrase(
        text="last downgrade {value} days ago",
        name="days since the last downgrade",
        zero="a downgrade within the last day",
    ),
}


def moves(known: Known) -> Aggregation:
    """Return upgrades, downgrades and ends, from the days on which something started or ended."""
    changes = _changes(known["subscriptions"], time_zone=known.snapshot.time_zone)
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
