"""The formula metrics that tables beside the orders add to each customer at a date."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import business_day, business_hour
from churnkit.data.windows import US_PER_DAY, midnight_us
from churnkit.formulas import NPS_DETRACTOR_TO, NPS_PROMOTER_FROM
from churnkit.retention.carts import abandoned_carts
from churnkit.retention.customer import MetricSection
from churnkit.retention.definitions import DEFAULT_DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from churnkit.retention.definitions import Definitions

__all__ = ["SECTION_COLUMNS", "customer_sections", "section_metrics"]

SECTION_COLUMNS = {
    "csat": "number",
    "nps_class": "text",
    "ces": "number",
    "support_contacts": "count",
    "contact_rate": "number",
    "rewards_redeemed": "count",
    "redemption_rate": "number",
    "sessions_30d": "count",
    "preferred_channel": "text",
    "best_send_day": "text",
    "best_send_hour": "count",
    "cart_abandonment_rate": "number",
    "mrr": "number",
}
"""Every column that a section can add, in order, with its kind."""

SESSION_DAYS = 30
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
THURSDAY = 3
"""1970-01-01, as a position in :data:`WEEKDAYS`."""


def customer_sections(
    tables: Mapping[str, nw.LazyFrame[Any]],
    *,
    as_of: date,
    time_zone: str,
    definitions: Definitions = DEFAULT_DEFINITIONS,
) -> tuple[MetricSection, ...]:
    """Return the sections that the given tables allow, for :func:`customer_metrics`.

    Parameters
    ----------
    tables : mapping of str to narwhals.LazyFrame
        By name: ``surveys``, ``support_tickets``, ``rewards``, ``events``, ``subscriptions``; any
        may be missing, and then its columns are. Rows as :func:`churnkit.data.sources.load_table`
        keeps them, with times as ``<name>_us``.
    as_of : date
        First business day that is not known. Rows, redemptions and ends at or after it have not
        happened.
    time_zone : str
        Business zone, of days and hours.
    definitions : Definitions
        Scales, variants and names of events.

    Returns
    -------
    tuple of MetricSection
        Columns of :data:`SECTION_COLUMNS` in their order, over all history before the date:

        ``csat``, ``ces``
            The formulas over the customer's answers; null without one.
        ``nps_class``
            ``promoter``, ``passive`` or ``detractor`` by the last answer, the lowest of several at
            one instant; null without one.
        ``support_contacts``, ``contact_rate``
            Tickets opened, 0 without; and per order, null without orders.
        ``rewards_redeemed``, ``redemption_rate``
            Rewards used, 0 without; and in percent of those issued, null without. Absent where the
            table does not say when rewards were used.
        ``sessions_30d``
            Different ``session_id`` of the last 30 business days, 0 without; absent without the
            column.
        ``preferred_channel``
            Of most of the customer's actions, the first by name of several; null without one,
            absent without the column.
        ``best_send_day``, ``best_send_hour``
            Day of the week (``Monday`` ...) and hour (0 to 23, business zone) of most actions, the
            earliest of several; null without an action.
        ``cart_abandonment_rate``
            Percent of the carts whose window has passed; null without one.
        ``mrr``
            Monthly recurring revenue of the subscriptions that run just before the date, 0 without;
            absent without the column.

        Actions are events of ``definitions.user_events``, by default all.

    References
    ----------
    Practice; definitions in docs/metrics.
    """
    as_of_us = midnight_us(as_of, time_zone=time_zone)
    sections: list[MetricSection] = []
    if "surveys" in tables:
        known = tables["surveys"].filter(nw.col("ts_us") < as_of_us)
        sections += _surveys(known, definitions=definitions)
    if "support_tickets" in tables:
        known = tables["support_tickets"].filter(nw.col("opened_at_us") < as_of_us)
        sections.append(_support(known))
    if "rewards" in tables and "redeemed_at_us" in _columns(tables["rewards"]):
        known = tables["rewards"].filter(nw.col("issued_at_us") < as_of_us)
        sections.append(_rewards(known, as_of_us=as_of_us))
    if "events" in tables:
        known = tables["events"].filter(nw.col("ts_us") < as_of_us)
        first_us = midnight_us(as_of - timedelta(days=SESSION_DAYS), time_zone=time_zone)
        sections += _actions(
            known, first_us=first_us, time_zone=time_zone, kinds=definitions.user_events
        )
        sections.append(_carts(known, as_of_us=as_of_us, definitions=definitions))
    if "subscriptions" in tables and "mrr" in _columns(tables["subscriptions"]):
        sections.append(_mrr(tables["subscriptions"], as_of_us=as_of_us))
    return tuple(sections)


def section_metrics(
    customers: nw.LazyFrame[Any], *, sections: Sequence[MetricSection]
) -> nw.LazyFrame[Any]:
    """Return the columns of the sections for customers who have no row of orders.

    Parameters
    ----------
    customers : narwhals.LazyFrame
        ``customer_id``, once each.
    sections : sequence of MetricSection
        See :func:`customer_sections`.
    """
    names = [name for section in sections for name in section.names]
    frame = customers.with_columns(orders=nw.lit(None).cast(nw.Int64))
    for section in sections:
        frame = frame.join(section.rows, on="customer_id", how="left")
        if section.derived:
            frame = frame.with_columns(**section.derived)
    return frame.select("customer_id", *names)


def _columns(frame: nw.LazyFrame[Any]) -> set[str]:
    return set(frame.collect_schema().names())


def _percent(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(100.0)).otherwise(nw.lit(0.0))


def _or_zero(name: str) -> nw.Expr:
    return nw.col(name).fill_null(0)


def _surveys(surveys: nw.LazyFrame[Any], *, definitions: Definitions) -> Iterator[MetricSection]:
    score = nw.col("score")
    lowest = definitions.csat_positive_from or definitions.csat_options - 1
    options = definitions.ces_options
    of_ces = {
        "share_of_scale": score * 100.0 / options,
        "mean": score,
        "top_two_box": _percent(score >= options - 1),
    }[definitions.ces]
    yield _mean_section(
        "csat", surveys.filter(nw.col("survey") == "csat"), _percent(score >= lowest)
    )
    asked = surveys.filter(nw.col("survey") == "nps")
    last = asked.with_columns(last_us=nw.col("ts_us").max().over("customer_id"))
    latest = last.filter(nw.col("ts_us") == nw.col("last_us")).group_by("customer_id")
    grade = (
        nw.when(score >= NPS_PROMOTER_FROM)
        .then(nw.lit("promoter"))
        .otherwise(
            nw.when(score <= NPS_DETRACTOR_TO)
            .then(nw.lit("detractor"))
            .otherwise(nw.lit("passive"))
        )
    )
    yield MetricSection(
        names=("nps_class",),
        rows=latest.agg(score.min()).select("customer_id", nps_class=grade),
    )
    yield _mean_section("ces", surveys.filter(nw.col("survey") == "ces"), of_ces)


def _mean_section(name: str, rows: nw.LazyFrame[Any], value: nw.Expr) -> MetricSection:
    """Return the mean of a value over the rows of each customer."""
    found = rows.select("customer_id", value=value.cast(nw.Float64))
    means = found.group_by("customer_id").agg(nw.col("value").mean().alias(name))
    return MetricSection(names=(name,), rows=means)


def _support(tickets: nw.LazyFrame[Any]) -> MetricSection:
    counted = tickets.group_by("customer_id").agg(nw.len().cast(nw.Int64).alias("support_contacts"))
    contacts, orders = _or_zero("support_contacts"), nw.col("orders")
    return MetricSection(
        names=("support_contacts", "contact_rate"),
        rows=counted,
        derived={
            "support_contacts": contacts,
            "contact_rate": nw.when(orders > 0).then(contacts / orders),
        },
    )


def _rewards(rewards: nw.LazyFrame[Any], *, as_of_us: int) -> MetricSection:
    used = nw.when(nw.col("redeemed_at_us") < as_of_us).then(nw.lit(1)).otherwise(nw.lit(0))
    totals = (
        rewards.select("customer_id", used=used)
        .group_by("customer_id")
        .agg(
            nw.col("used").sum().cast(nw.Int64).alias("rewards_redeemed"),
            nw.len().cast(nw.Int64).alias("rewards_issued"),
        )
    )
    share = nw.col("rewards_redeemed") * 100.0 / nw.col("rewards_issued")
    return MetricSection(
        names=("rewards_redeemed", "redemption_rate"),
        rows=totals,
        derived={"rewards_redeemed": _or_zero("rewards_redeemed"), "redemption_rate": share},
    )


def _actions(
    events: nw.LazyFrame[Any], *, first_us: int, time_zone: str, kinds: tuple[str, ...] | None
) -> Iterator[MetricSection]:
    """Yield sessions, channel and times of what customers did themselves."""
    own = events if kinds is None else events.filter(nw.col("event_type").is_in(list(kinds)))
    columns = _columns(own)
    if "session_id" in columns:
        recent = own.filter(nw.col("ts_us") >= first_us, ~nw.col("session_id").is_null())
        sessions = recent.select("customer_id", "session_id").unique().group_by("customer_id")
        yield MetricSection(
            names=("sessions_30d",),
            rows=sessions.agg(nw.len().cast(nw.Int64).alias("sessions_30d")),
            derived={"sessions_30d": _or_zero("sessions_30d")},
        )
    if "channel" in columns:
        named = own.filter(~nw.col("channel").is_null())
        yield MetricSection(
            names=("preferred_channel",),
            rows=_most_frequent(named, nw.col("channel"), name="preferred_channel"),
        )
    weekday = (business_day(nw.col("ts_us"), time_zone=time_zone) + THURSDAY) % len(WEEKDAYS)
    days = _most_frequent(own, weekday, name="weekday")
    words: nw.Expr = nw.lit(WEEKDAYS[-1])
    for position, word in enumerate(WEEKDAYS[:-1]):
        words = nw.when(nw.col("weekday") == position).then(nw.lit(word)).otherwise(words)
    yield MetricSection(
        names=("best_send_day",), rows=days.select("customer_id", best_send_day=words)
    )
    hour = business_hour(nw.col("ts_us"), time_zone=time_zone)
    yield MetricSection(
        names=("best_send_hour",), rows=_most_frequent(own, hour, name="best_send_hour")
    )


def _most_frequent(rows: nw.LazyFrame[Any], value: nw.Expr, *, name: str) -> nw.LazyFrame[Any]:
    """Return the value that most rows of each customer have, the least of several."""
    counted = (
        rows.select("customer_id", value.alias(name))
        .group_by("customer_id", name)
        .agg(nw.len().cast(nw.Int64).alias("times"))
    )
    most = counted.with_columns(most=nw.col("times").max().over("customer_id"))
    return (
        most.filter(nw.col("times") == nw.col("most"))
        .group_by("customer_id")
        .agg(nw.col(name).min())
    )


def _carts(events: nw.LazyFrame[Any], *, as_of_us: int, definitions: Definitions) -> MetricSection:
    window_us = round(definitions.cart_window_hours * US_PER_DAY / 24)
    carts = abandoned_carts(
        events,
        cart_event=definitions.cart_event,
        purchase_event=definitions.purchase_event,
        window_us=window_us,
        by_session="session_id" in _columns(events),
    )
    decided = carts.filter(nw.col("ts_us") + window_us <= as_of_us)
    return _mean_section("cart_abandonment_rate", decided, nw.col("abandoned") * 100.0)


def _mrr(subscriptions: nw.LazyFrame[Any], *, as_of_us: int) -> MetricSection:
    started, ended = nw.col("started_at_us"), nw.col("ended_at_us")
    running = subscriptions.filter(started < as_of_us, ended.is_null() | (ended >= as_of_us))
    return MetricSection(
        names=("mrr",),
        rows=running.group_by("customer_id").agg(nw.col("mrr").sum()),
        derived={"mrr": nw.col("mrr").fill_null(0.0)},
    )
