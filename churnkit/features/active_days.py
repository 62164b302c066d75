"""On how many days a customer is active, how often, how long ago, and against how many others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.clock import business_day
from churnkit.features.build import Aggregation, Known, Phrase, ratio, sum_if, unknown
from churnkit.features.counts import compared, counted
from churnkit.features.decay import decay_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ActiveDays"]


@dataclass(frozen=True, kw_only=True)
class ActiveDays:
    """Part of :class:`~.engagement.Engagement`: business days with any of ``event_types``."""

    event_types: tuple[str, ...]
    windows_days: tuple[int, ...]
    half_lives_days: tuple[int, ...]

    @property
    def phrases(self) -> dict[str, Phrase]:
        """How each feature is said to people, in order."""
        said: dict[str, Phrase] = {}
        for d in self.windows_days:
            last, before = f"in the last {d} days", f"the {d} days before"
            said[f"active_days_{d}d"] = Phrase(
                text=f"active on {{value}} days {last}",
                zero=f"not active {last}",
                name=f"active days {last}",
                risk="low",
            )
            said[f"active_days_change_{d}d"] = Phrase(
                text=f"{{value}} active days {last} than in {before}",
                zero=f"as many active days {last} as in {before}",
                name=f"change of active days {last}, against {before}",
                risk="low",
                change=("more", "fewer"),
            )
        for h in self.half_lives_days:
            said[f"active_days_decayed_{h}d"] = Phrase(
                text=f"{{value}} active days, one of {h} days ago counted as half",
                zero="hardly any active day of late",
                risk="low",
                decimals=1,
            )
        said |= {
            "days_since_active": Phrase(
                text="not active for {value} days",
                name="days since the last activity",
                zero="active within the last day",
                risk="high",
                beside=("active_gap_days_mean", "usually every {value} days"),
            ),
            "active_gap_days_mean": Phrase(
                text="{value} days between active days on average", risk="high", decimals=1
            ),
            "active_overdue_ratio": Phrase(
                text="not active for {value} times the usual time between active days",
                name="time without activity, in usual times between active days",
                zero="hardly any time since the last active day, beside the usual",
                risk="high",
                decimals=1,
            ),
        }
        said["power_user_rank"] = Phrase(
            text=f"more active days in the last {min(self.windows_days)} days than {{value}}"
            " of the active customers",
            name=f"rank by active days in the last {min(self.windows_days)} days",
            risk="low",
            percent=True,
        )
        return said

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        own = known["events"].filter(nw.col("event_type").is_in(list(self.event_types)))
        zone = known.snapshot.time_zone
        on = business_day(nw.col("ts_us"), time_zone=zone, span=known.snapshot.observation_us)
        days = own.select("customer_id", day=on).unique()
        day, cutoff = nw.col("day"), known.cutoff_day
        aggregates = {
            "_active_days_all": day.max() * 0.0 + 1.0,
            "days_since_active": (nw.lit(float(cutoff)) - day.max()).cast(nw.Float64),
            "_active_days_span": (day.max() - day.min()).cast(nw.Float64),
            "_active_days_gaps": day.count().cast(nw.Float64) - 1.0,
        }
        gap = ratio(nw.col("_active_days_span"), nw.col("_active_days_gaps"))
        features = {
            "active_gap_days_mean": gap,
            "active_overdue_ratio": ratio(nw.col("days_since_active"), gap),
        }
        for d in self.windows_days:
            for length in (d, 2 * d):
                if known.reaches_back(length, table="events"):
                    aggregates[f"_active_days_{length}d"] = sum_if(day >= cutoff - length)
            features |= compared("active_days", d, known=known)
        age = nw.lit(float(cutoff)) - day
        for h, weight in decay_weights(self.half_lives_days, age_days=age).items():
            aggregates[f"_active_days_decayed_{h}d"] = weight.sum()
            features[f"active_days_decayed_{h}d"] = counted(f"_active_days_decayed_{h}d")
        shortest = min(self.windows_days)
        ranks = {}
        if known.reaches_back(shortest, table="events"):
            active = nw.col("_active_days_all")
            rank = nw.col(f"_active_days_{shortest}d").rank("min").over("_active_days_all")
            below = ratio(rank - 1.0, active.sum().over("_active_days_all") - 1.0)
            ranks["power_user_rank"] = nw.when(~active.is_null()).then(below)
        else:
            features |= unknown("power_user_rank")
        return [Aggregation(rows=days, aggregates=aggregates, ranks=ranks, features=features)]
