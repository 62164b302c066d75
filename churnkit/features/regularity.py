"""How evenly a customer orders, how overdue the next order is, and what season it is."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from churnkit.data.windows import US_PER_DAY
from churnkit.features.build import (
    FEATURE_BUILDERS,
    Aggregation,
    AtOrderDay,
    Count,
    Known,
    Phrase,
    ratio,
    sum_if,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Regularity"]

YEAR_DAYS = 365
MONDAY_OF_DAY_ZERO = 3  # 1970-01-01 was a Thursday
SATURDAY = 5
PHRASES = {
    "order_gap_days_mean": Phrase(text="{value} days between orders on average"),
    "order_gap_days_sd": Phrase(
        text="the time between orders varies by {value} days",
        name="variation of the days between orders",
        zero="always the same time between orders",
    ),
    "order_gap_cv": Phrase(
        text="the time between orders varies by {value} of its average",
        name="variation of the time between orders, of its average",
        zero="orders come like clockwork",
        percent=True,
    ),
    "order_gap_days_last": Phrase(text="{value} days between the last two orders"),
    "order_gap_days_max": Phrase(
        text="never more than {value} days between two orders",
        name="longest time between two orders in days",
    ),
    "overdue_ratio": Phrase(
        text="silent for {value} times the usual time between orders",
        name="silence, in usual times between orders",
        zero="hardly any time since the last order, beside the usual",
        risk="high",
        decimals=1,
    ),
    "overdue_longest_ratio": Phrase(
        text="silent for {value} times the longest time between orders",
        name="silence, in longest times between orders",
        zero="hardly any time since the last order, beside the longest",
        risk="high",
        decimals=1,
    ),
    "weekend_order_share": Phrase(text="{value} of the orders on weekends", percent=True),
    "last_order_month": Phrase(
        text="the last order was in {value}",
        name="month of the last order",
        words=("", *calendar.month_name[1:]),
        compared=False,
    ),
    "cutoff_month": Phrase(text="the month in which the prediction is made"),
    "cutoff_weekday": Phrase(text="the weekday on which the prediction is made"),
    "orders_same_season": Phrase(text="{value} orders in the same season last year", risk="low"),
    "amount_same_season": Phrase(
        text="{value} spent in the same season last year",
        zero="nothing spent in the same season last year",
        negative="{value} more paid back than spent in the same season last year",
        name="spend in the same season last year",
        risk="low",
        decimals=2,
        money=True,
    ),
}


@FEATURE_BUILDERS.register("regularity")
@dataclass(frozen=True, kw_only=True)
class Regularity:
    """Gaps between a customer's order days, the silence since the last, and the calendar.

    A gap is the time from one order day to the next, in days; a customer with ``n`` order days has
    ``n - 1`` gaps. ``overdue_ratio`` is the time since the last order over the mean gap: above 1 the
    next order is late by the customer's own measure. ``cutoff_month`` (1 to 12),
    ``cutoff_weekday`` (0 is Monday) and ``last_order_month`` are of the business time zone.
    The same season is the horizon moved back by 365 days.

    Notes
    -----
    Null: mean, last and longest gap and the overdue ratios with fewer than two order days; standard
    deviation and coefficient of variation with fewer than three; everything about orders for
    customers who have only returns in the observation interval; the same season for everybody where
    it begins before the observation interval or the first row of orders of the whole history, or
    reaches past the cutoff.

    Examples
    --------
    >>> Regularity().feature_names[:3]
    ('order_gap_days_mean', 'order_gap_days_sd', 'order_gap_cv')
    """

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("orders",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: gaps, lateness, calendar, last year's season."""
        return tuple(PHRASES)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        return PHRASES

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        snapshot, day = known.snapshot, nw.col("day")
        gap = (nw.col("ts_us") - nw.col("previous_order_us")) / US_PER_DAY
        is_weekend = (day + MONDAY_OF_DAY_ZERO) % 7 >= SATURDAY
        aggregates = {
            "order_gap_days_sd": gap.std(),
            "order_gap_days_max": gap.max(),
        }
        last, last_day = "is_last_order_day", day.cast(nw.Float64)
        at_days = {
            "order_gap_days_last": AtOrderDay(mark=last, value=gap, at_least=2),
            "_regularity_last_day": AtOrderDay(mark=last, value=last_day, whole=True),
        }
        counts = {"_regularity_weekend_orders": Count(mark="is_order", where=is_weekend)}
        first_us, last_us = nw.col("first_order_us"), nw.col("last_order_us")
        mean = ratio((last_us - first_us) / US_PER_DAY, nw.col("order_days") - 1.0)
        longest = nw.col("order_gap_days_max")
        silence = (nw.lit(snapshot.cutoff_us) - last_us) / US_PER_DAY
        features = {
            "order_gap_days_mean": mean,
            "order_gap_cv": ratio(nw.col("order_gap_days_sd"), mean),
            "overdue_ratio": ratio(silence, mean),
            "overdue_longest_ratio": ratio(silence, longest),
            "weekend_order_share": ratio(nw.col("_regularity_weekend_orders"), nw.col("orders")),
            "cutoff_month": nw.lit(float(snapshot.cutoff.month)),
            "cutoff_weekday": nw.lit(float(snapshot.cutoff.weekday())),
        }
        season = _same_season(known)
        return [
            Aggregation(
                rows=known["orders"],
                aggregates={**aggregates, **season.aggregates},
                counts={**counts, **season.counts},
                at_order_days=at_days,
                features={**features, **season.features},
                finish=_last_order_month,
            )
        ]


def _same_season(known: Known) -> Aggregation:
    """Return orders and money of the horizon's days a year earlier, if all of them were observed."""
    snapshot = known.snapshot
    days_back = YEAR_DAYS - snapshot.gap_days
    if not known.reaches_back(days_back) or days_back < snapshot.horizon_days:
        features = unknown("orders_same_season", "amount_same_season")
        return Aggregation(rows=known["orders"], features=features)
    start = known.cutoff_day - days_back
    in_season = (nw.col("day") >= start) & (nw.col("day") < start + snapshot.horizon_days)
    return Aggregation(
        rows=known["orders"],
        aggregates={"amount_same_season": sum_if(in_season, nw.col("amount"))},
        counts={"orders_same_season": Count(mark="is_order", where=in_season)},
    )


def _last_order_month(table: pa.Table) -> Mapping[str, NDArray[np.float64]]:
    """Return the month (1 to 12) of the last order day; engines have calendars that differ."""
    last = table["_regularity_last_day"]
    months = last.fill_null(0).to_numpy().astype("datetime64[D]").astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1.0
    return {"last_order_month": np.where(last.is_null().to_numpy(), np.nan, month)}
