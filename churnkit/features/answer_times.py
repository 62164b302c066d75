"""The hour and the weekday at which a customer answers: where to send the next message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw
import numpy as np

from churnkit.data.clock import business_day, business_hour
from churnkit.features.build import Aggregation, Known, Phrase, sum_if

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["AnswerTimes"]

HOURS, WEEKDAYS = 24, 7
MONDAY_OF_DAY_ZERO = 3  # 1970-01-01 was a Thursday
KERNEL_HOURS = 2.0
WEEKDAY_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class AnswerTimes:
    """Part of :class:`~.engagement.Engagement`: when openings and visits of a customer happen."""

    answers: tuple[str, ...]
    prior_answers: float

    @property
    def phrases(self) -> dict[str, Phrase]:
        """How each feature is said to people, in order."""
        hours = tuple(f"{hour:02d}:00" for hour in range(HOURS))
        return {
            "best_send_hour": Phrase(
                text="answers most around {value}",
                name="hour of most answers",
                words=hours,
                reason=False,
            ),
            "best_send_day": Phrase(
                text="answers most on a {value}",
                name="weekday of most answers",
                words=WEEKDAY_WORDS,
                reason=False,
            ),
        }

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        zone, ts_us = known.snapshot.time_zone, nw.col("ts_us")
        span = known.snapshot.observation_us
        answered = known["events"].filter(nw.col("event_type").is_in(list(self.answers)))
        rows = answered.with_columns(
            hour=business_hour(ts_us, time_zone=zone, span=span),
            weekday=(business_day(ts_us, time_zone=zone, span=span) + MONDAY_OF_DAY_ZERO)
            % WEEKDAYS,
        )
        counts = {
            **{f"_answers_hour_{h}": sum_if(nw.col("hour") == h) for h in range(HOURS)},
            **{f"_answers_day_{d}": sum_if(nw.col("weekday") == d) for d in range(WEEKDAYS)},
        }
        total = known.engine.collect(rows.select(**counts))
        return [
            Aggregation(
                rows=rows,
                aggregates=counts,
                finish=_Habit(
                    hours=_stacked(total, "hour", HOURS)[:, 0],
                    weekdays=_stacked(total, "day", WEEKDAYS)[:, 0],
                    prior=self.prior_answers,
                ).best,
            )
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Habit:
    """Everybody's answers per hour and weekday, and how many of one customer's they are worth."""

    hours: Floats
    weekdays: Floats
    prior: float

    def best(self, table: pa.Table) -> Mapping[str, Floats]:
        """Return the hour and the weekday with the most answers, NaN for customers without any."""
        hours = _stacked(table, "hour", HOURS)
        weekdays = _stacked(table, "day", WEEKDAYS)
        none = hours.sum(axis=0) == 0
        by_hour = _kernel() @ self._with_prior(hours, everybody=self.hours)
        by_day = self._with_prior(weekdays, everybody=self.weekdays)
        return {
            "best_send_hour": np.where(none, np.nan, by_hour.round(9).argmax(axis=0)),
            "best_send_day": np.where(none, np.nan, by_day.round(9).argmax(axis=0)),
        }

    def _with_prior(self, counts: Floats, *, everybody: Floats) -> Floats:
        return np.asarray(counts + self.prior * (everybody / max(everybody.sum(), 1.0))[:, None])


def _kernel() -> Floats:
    """Return weights of one hour's answers for another: normal in their distance on the clock."""
    apart = np.abs(np.subtract.outer(np.arange(HOURS), np.arange(HOURS)))
    apart = np.minimum(apart, HOURS - apart)
    return np.asarray(np.exp(-0.5 * (apart / KERNEL_HOURS) ** 2))


def _stacked(table: pa.Table, kind: str, slots: int) -> Floats:
    """Return the counts of a table, shape (slots, rows), 0 where a customer has no row."""
    columns = [table[f"_answers_{kind}_{slot}"].fill_null(0.0) for slot in range(slots)]
    return np.stack([np.asarray(c.to_numpy(), dtype=np.float64) for c in columns])
