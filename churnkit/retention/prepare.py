"""What a report reads from its tables once, and which metrics they cannot give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.retention.engagement import EVENT_METRICS, SURVEY_METRICS, event_days
from churnkit.retention.lifetime import MARGIN_METRICS
from churnkit.retention.marketing import COST_METRICS
from churnkit.retention.movements import subscription_states
from churnkit.retention.order_counts import order_buckets
from churnkit.retention.order_metrics import ORDER_METRICS
from churnkit.retention.report import AbsentMetric
from churnkit.retention.subscriptions import MRR_METRICS, SUBSCRIBER_METRICS
from churnkit.retention.support import RESOLVED_METRICS, SUPPORT_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from churnkit.engines import Engine
    from churnkit.retention.scope import Scope

TICKET_TIMES = {"first_response_at": ("first_response_hours",), "resolved_at": RESOLVED_METRICS}
"""Metrics that need a time of the tickets."""

__all__ = ["Prepared", "absent_metrics", "columns_of", "prepare"]


def columns_of(frame: nw.LazyFrame[Any]) -> set[str]:
    """Return the names of a frame's columns."""
    return set(frame.collect_schema().names())


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is read from the tables once, and which of their optional columns there are."""

    buckets: nw.LazyFrame[Any] | None
    states: nw.LazyFrame[Any] | None
    has_mrr: bool
    days: nw.LazyFrame[Any] | None
    has_carts: bool
    has_purchases: bool
    surveys: tuple[str, ...]
    has_redeemed: bool
    ticket_times: frozenset[str]


def prepare(tables: Mapping[str, nw.LazyFrame[Any]], *, scope: Scope) -> Prepared:
    """Read the tables once, to rows per customer and period."""
    engine, periods = scope.engine, scope.periods
    buckets = states = days = None
    has_mrr = has_carts = has_purchases = False
    if "orders" in tables:
        found = order_buckets(tables["orders"], periods=periods, window_days=scope.window_days)
        buckets = engine.materialize(found)
    if "subscriptions" in tables:
        has_mrr = "mrr" in columns_of(tables["subscriptions"])
        states = engine.materialize(
            subscription_states(
                tables["subscriptions"], periods=periods, has_mrr=has_mrr, engine=engine
            )
        )
    if "events" in tables:
        kinds = scope.definitions.user_events
        if kinds is None or _has_event(tables["events"], *kinds, engine=engine):
            days = engine.materialize(event_days(tables["events"], periods=periods, kinds=kinds))
        if "event_type" in columns_of(tables["events"]):
            chosen = scope.definitions
            has_carts, has_purchases = (
                _has_event(tables["events"], kind, engine=engine)
                for kind in (chosen.cart_event, chosen.purchase_event)
            )
    surveys: tuple[str, ...] = ()
    if "surveys" in tables:
        kinds_asked = engine.collect(tables["surveys"].select("survey").unique())
        surveys = tuple(
            name for name in SURVEY_METRICS if name in kinds_asked["survey"].to_pylist()
        )
    return Prepared(
        buckets=buckets,
        states=states,
        has_mrr=has_mrr,
        days=days,
        has_carts=has_carts,
        has_purchases=has_purchases,
        surveys=surveys,
        has_redeemed="rewards" in tables and "redeemed_at_us" in columns_of(tables["rewards"]),
        ticket_times=frozenset(
            name
            for name in TICKET_TIMES
            if "support_tickets" in tables and f"{name}_us" in columns_of(tables["support_tickets"])
        ),
    )


def _has_event(events: nw.LazyFrame[Any], *kinds: str, engine: Engine) -> bool:
    rows = events.filter(nw.col("event_type").is_in(kinds)).select("customer_id").head(1)
    return bool(engine.collect(rows).num_rows)


def absent_metrics(
    tables: Mapping[str, nw.LazyFrame[Any]],
    prepared: Prepared,
    *,
    by: str | None,
    gross_margin: float | None,
    scope: Scope,
) -> Iterator[AbsentMetric]:
    """Yield the metrics without rows and the first reason of each."""
    reasons: dict[str, str] = {}

    def missing(names: tuple[str, ...], reason: str, *, when: bool) -> None:
        for name in names if when else ():
            reasons.setdefault(name, reason)

    def table(name: str) -> bool:
        return name not in tables

    customers = table("orders") and table("subscriptions")
    for name in ORDER_METRICS:
        shared = name in SUBSCRIBER_METRICS
        needed = "orders and subscriptions are" if shared else "orders is"
        missing((name,), f"{needed} not given", when=customers if shared else table("orders"))
    missing(MRR_METRICS, "subscriptions is not given", when=table("subscriptions"))
    missing(MRR_METRICS, "subscriptions has no column mrr", when=not prepared.has_mrr)
    missing(SURVEY_METRICS, "surveys is not given", when=table("surveys"))
    for name in SURVEY_METRICS:
        missing((name,), f"surveys has no survey {name!r}", when=name not in prepared.surveys)
    missing(("redemption_rate",), "rewards is not given", when=table("rewards"))
    missing(
        ("redemption_rate",), "rewards has no column redeemed_at", when=not prepared.has_redeemed
    )
    missing(SUPPORT_METRICS, "support_tickets is not given", when=table("support_tickets"))
    missing(("contact_rate",), "orders and subscriptions are not given", when=customers)
    for column, names in TICKET_TIMES.items():
        missing(
            names,
            f"support_tickets has no column {column}",
            when=column not in prepared.ticket_times,
        )
    missing((*EVENT_METRICS, "cart_abandonment_rate"), "events is not given", when=table("events"))
    # A wrong name would say that nobody is active.
    kinds = " or ".join(repr(kind) for kind in scope.definitions.user_events or ())
    missing(EVENT_METRICS, f"events has no event_type {kinds}", when=prepared.days is None)
    # Without purchases every cart would look abandoned.
    for kind, there in (
        (scope.definitions.cart_event, prepared.has_carts),
        (scope.definitions.purchase_event, prepared.has_purchases),
    ):
        missing(("cart_abandonment_rate",), f"events has no event_type {kind!r}", when=not there)
    missing(COST_METRICS, "marketing_costs is not given", when=table("marketing_costs"))
    missing(COST_METRICS, "orders and subscriptions are not given", when=customers)
    missing(COST_METRICS[1:], "orders is not given", when=table("orders"))
    margin = (*MARGIN_METRICS, "cac_payback_months")
    missing(margin, "gross_margin is not given", when=gross_margin is None)
    for name in sorted(reasons):
        yield AbsentMetric(metric=name, reason=reasons[name])
    if by is not None and not table("marketing_costs"):
        for name in (name for name in COST_METRICS if name not in reasons):
            yield AbsentMetric(metric=name, reason=f"marketing_costs are not known by {by}")
