"""Company metrics of surveys, rewards and events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.clock import business_day
from churnkit.data.windows import US_PER_DAY
from churnkit.formulas import (
    MetricValue,
    active_users,
    cart_abandonment_rate,
    ces,
    csat,
    nps,
    quotient,
    redemption_rate,
    stickiness,
)
from churnkit.retention.carts import abandoned_carts
from churnkit.retention.order_counts import with_segments
from churnkit.retention.order_metrics import TOP_DECILE, top_part, total
from churnkit.retention.scope import with_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from churnkit.retention.periods import Period, Periods
    from churnkit.retention.report import ReportRow
    from churnkit.retention.scope import Scope

__all__ = [
    "EVENT_METRICS",
    "SURVEY_METRICS",
    "cart_metrics",
    "counted",
    "event_days",
    "event_metrics",
    "reward_metrics",
    "survey_metrics",
]

SURVEY_METRICS = ("csat", "nps", "ces")
EVENT_METRICS = ("active_users", "stickiness", "power_user_share")

MONTH_DAYS, LONGEST_MONTH = 30, 31
"""Days of the month that ends with a longer period, and of the longest period that is one itself."""

EPOCH = date(1970, 1, 1)

Cell = tuple[int, str]


def counted(
    frame: nw.LazyFrame[Any], *, at: str, scope: Scope, by: tuple[str, ...] = (), **sums: nw.Expr
) -> list[dict[str, Any]]:
    """Return sums by segment, period of ``at`` and further columns, for the periods of a scope."""
    placed = frame.with_columns(period=scope.periods.index(nw.col(at)), one=nw.lit(1), **sums)
    wanted = placed.filter(nw.col("period").is_in(list(scope.positions)))
    kept = with_segments(wanted, scope.segments)
    grouped = kept.group_by("segment", "period", *by).agg(
        *(nw.col(name).sum().cast(nw.Int64) for name in ("one", *sums))
    )
    rows: list[dict[str, Any]] = scope.engine.collect(grouped).to_pylist()
    return rows


def survey_metrics(
    surveys: nw.LazyFrame[Any], *, kinds: tuple[str, ...], scope: Scope
) -> list[ReportRow]:
    """Return those of ``csat``, ``nps`` and ``ces`` that were asked, by period of the answer.

    Parameters
    ----------
    surveys : narwhals.LazyFrame
        ``customer_id``, ``ts_us``, ``survey`` and ``score`` on the scale of the definitions.
    kinds : tuple of str
        Surveys that the table holds, of :data:`SURVEY_METRICS`.
    scope : Scope
        Cells and definitions.
    """
    chosen = scope.definitions
    answers: dict[Cell, dict[str, dict[float, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in counted(surveys, at="ts_us", scope=scope, by=("survey", "score")):
        answers[row["period"], row["segment"]][row["survey"]][row["score"]] = row["one"]
    rows = []
    for cell in scope.cells(answers):
        given: dict[str, dict[str, Any]] = {
            survey: {"scores": list(found), "counts": list(found.values())}
            for survey in SURVEY_METRICS
            for found in (answers.get(cell, {}).get(survey, {}),)
        }
        of_csat, of_nps, of_ces = (given[survey] for survey in SURVEY_METRICS)
        level, lowest = chosen.level, chosen.csat_positive_from
        values = [
            csat(**of_csat, options=chosen.csat_options, positive_from=lowest, level=level),
            nps(**of_nps, level=level),
            ces(
                **of_ces,
                options=chosen.ces_options,
                variant=chosen.ces,
                level=level,
                seed=chosen.seed,
            ),
        ]
        rows += [scope.row(cell, value, "surveys") for value in values if value.metric in kinds]
    return rows


def reward_metrics(rewards: nw.LazyFrame[Any], *, scope: Scope) -> list[ReportRow]:
    """Return the ``redemption_rate`` of the rewards issued in each period.

    A reward counts as redeemed if that happened before the end of the report, in whichever period.
    """
    end_us = scope.periods.boundaries_us[-1]
    redeemed = nw.when(nw.col("redeemed_at_us") < end_us).then(nw.lit(1)).otherwise(nw.lit(0))
    found = {
        (row["period"], row["segment"]): row
        for row in counted(rewards, at="issued_at_us", scope=scope, redeemed=redeemed)
    }
    rows = []
    for cell in scope.cells(found):
        row = found.get(cell, {"redeemed": 0, "one": 0})
        value = redemption_rate(
            redeemed=row["redeemed"], issued=row["one"], level=scope.definitions.level
        )
        rows.append(scope.row(cell, value, "rewards"))
    return rows


def event_days(
    events: nw.LazyFrame[Any], *, periods: Periods, kinds: tuple[str, ...] | None
) -> nw.LazyFrame[Any]:
    """Return ``customer_id``, ``period``, ``day`` and the number of ``actions``, a row a day and customer.

    Parameters
    ----------
    events : narwhals.LazyFrame
        ``customer_id``, ``ts_us``, and ``event_type`` if ``kinds`` is given.
    periods : Periods
        The periods; events outside them are left out.
    kinds : tuple of str or None
        Event types that are actions of the user; None for all.
    """
    start_us, *_, end_us = periods.boundaries_us
    own = events if kinds is None else events.filter(nw.col("event_type").is_in(list(kinds)))
    return (
        own.filter(nw.col("ts_us") >= start_us, nw.col("ts_us") < end_us)
        .select(
            "customer_id",
            period=periods.index(nw.col("ts_us")),
            day=business_day(nw.col("ts_us"), time_zone=periods.time_zone),
        )
        .group_by("customer_id", "period", "day")
        .agg(nw.len().cast(nw.Int64).alias("actions"))
    )


def event_metrics(days: nw.LazyFrame[Any], *, scope: Scope) -> list[ReportRow]:
    """Return ``active_users``, ``stickiness`` and ``power_user_share`` of each period.

    Parameters
    ----------
    days : narwhals.LazyFrame
        See :func:`event_days`.
    scope : Scope
        Cells and definitions.

    Notes
    -----
    ``active_users`` are the unique users of the period. ``stickiness`` is that of the month which
    ends with the period: the whole of a calendar month, else the last 30 days.
    """
    found: dict[Cell, list[NDArray[np.float64]]] = {}
    lengths = {position: _month_days(scope.period(position)) for position in scope.positions}
    for position in scope.positions:
        first = (scope.period(position).end - EPOCH).days - lengths[position]
        late = nw.when(nw.col("day") >= first).then(nw.lit(1)).otherwise(nw.lit(0))
        users = (
            days.filter(nw.col("period") == position)
            .with_columns(late=late)
            .group_by("customer_id")
            .agg(nw.col("actions", "late").sum().cast(nw.Int64))
        )
        for segment, arrays in scope.arrays(users, "actions", "late").items():
            found[position, segment] = arrays
    rows: list[ReportRow] = []
    for cell in scope.cells(found):
        actions, late_days = found.get(cell, [np.zeros(0)] * 2)
        length = lengths[cell[0]]
        daily = stickiness(
            daily_users=float(late_days.sum()) / length,
            monthly_users=int(np.count_nonzero(late_days)),
            level=scope.definitions.level,
        )
        whole = length == scope.period(cell[0]).days
        values = [
            active_users(users=actions.size),
            replace(daily, variant="period" if whole else f"last_{length}_days"),
            _power_share(actions, scope=scope),
        ]
        rows += [scope.row(cell, value, "events") for value in values]
    return rows


def _month_days(period: Period) -> int:
    """Return the days over which stickiness is taken."""
    return period.days if period.days <= LONGEST_MONTH else MONTH_DAYS


def _power_share(actions: NDArray[np.float64], *, scope: Scope) -> MetricValue:
    top = top_part(actions, TOP_DECILE)
    value = quotient(
        "power_user_share",
        numerator=total(top),
        denominator=total(actions),
        unit="percent",
        n=actions.size,
        empty="no actions",
    )
    (bounds,) = scope.resampling.intervals([top, actions], [(0, 1)])
    return with_interval(value, bounds, n=actions.size)


def cart_metrics(events: nw.LazyFrame[Any], *, has_sessions: bool, scope: Scope) -> list[ReportRow]:
    """Return the ``cart_abandonment_rate`` of the carts filled in each period.

    Carts whose window reaches past the end of the report are left out: they are not known yet.
    """
    chosen = scope.definitions
    window_us = round(chosen.cart_window_hours * US_PER_DAY / 24)
    carts = abandoned_carts(
        events,
        cart_event=chosen.cart_event,
        purchase_event=chosen.purchase_event,
        window_us=window_us,
        by_session=has_sessions,
    )
    known = carts.filter(nw.col("ts_us") + window_us <= scope.periods.boundaries_us[-1])
    found = {
        (row["period"], row["segment"]): row
        for row in counted(known, at="ts_us", scope=scope, gone=nw.col("abandoned"))
    }
    rows = []
    for cell in scope.cells(found):
        row = found.get(cell, {"one": 0, "gone": 0})
        value = cart_abandonment_rate(
            carts=row["one"], abandoned_carts=row["gone"], level=chosen.level
        )
        rows.append(scope.row(cell, value, "events"))
    return rows
