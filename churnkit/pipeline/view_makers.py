"""Computes each view of retention and what it says in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.windows import midnight_us
from churnkit.pipeline.definitions import (
    activity_window_days,
    definitions_of,
    known_margin,
    segments_of,
)
from churnkit.pipeline.hindsight import hindsight_of
from churnkit.retention.budget import budget_split, money_spent
from churnkit.retention.cohorts import cohort_triangle
from churnkit.retention.concentration import power_users, revenue_concentration
from churnkit.retention.customer import customer_metrics
from churnkit.retention.funnels import funnel
from churnkit.retention.lift import lift_scenarios
from churnkit.retention.migration import segment_migration
from churnkit.retention.repurchase import repurchase_ladder
from churnkit.retention.segment_sizes import segment_sizes
from churnkit.retention.subscriptions import subscription_survival

if TYPE_CHECKING:
    from datetime import date

    from churnkit.pipeline.session import Session

__all__ = [
    "Asked",
    "Made",
    "make_budget",
    "make_cohorts",
    "make_concentration",
    "make_funnel",
    "make_hindsight",
    "make_ladder",
    "make_lift",
    "make_migration",
    "make_power_users",
    "make_segments",
    "make_survival",
]

SCENARIOS = (1.0, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What a view is asked for.

    Attributes
    ----------
    session : Session
        Open, with the tables that the view needs.
    start, end : date
        First business day, and the day after the last.
    every : str
        Length of the periods of a view that has some.
    model : str or None
        A model to compare.
    """

    session: Session
    start: date
    end: date
    every: str
    model: str | None

    @property
    def orders(self) -> nw.LazyFrame[Any]:
        """The order table."""
        return self.session.read.history.tables["orders"]

    def rows(self, table: str) -> nw.LazyFrame[Any]:
        """Return the rows of a table beside the orders."""
        return self.session.others[table].rows

    def us(self, day: date) -> int:
        """Return the first instant of a business day."""
        return midnight_us(day, time_zone=self.session.config.data.time_zone)

    @property
    def span_us(self) -> dict[str, int]:
        """First instants of both days, as arguments."""
        return {"start_us": self.us(self.start), "end_us": self.us(self.end)}

    @property
    def chance(self) -> dict[str, Any]:
        """Level and seed of intervals, as arguments."""
        config = self.session.config
        return {"level": config.retention.level, "seed": config.seed}

    def customers(self, day: date) -> nw.LazyFrame[Any]:
        """Return the formula metrics of every customer before a day."""
        rules = segments_of(self.session.config)
        return customer_metrics(self.orders, as_of_us=self.us(day), segments=rules)


Made = tuple[Any, list[str]]
"""The result of a view, and what it says in sentences."""


def make_cohorts(asked: Asked) -> Made:
    """Return the triangle of acquisition cohorts by age."""
    triangle = cohort_triangle(
        asked.orders,
        engine=asked.session.engine,
        time_zone=asked.session.config.data.time_zone,
        start=asked.start,
        end=asked.end,
        every=asked.every,  # type: ignore[arg-type]  # checked by report_periods
        level=asked.session.config.retention.level,
    )
    said = []
    followed = [n for n, row in enumerate(triangle.customers) if row[1:2] not in ((), (None,))]
    acquired = sum(triangle.size[n] for n in followed)
    if acquired:
        back = sum(triangle.customers[n][1] or 0 for n in followed)
        said.append(
            f"Of {acquired:,} customers {100 * back / acquired:.1f} % ordered in the"
            f" {asked.every} after that of their first order."
        )
    return triangle, said


def make_survival(asked: Asked) -> Made:
    """Return the Kaplan-Meier curve of subscriptions."""
    begun = nw.col("started_at_us") >= asked.us(asked.start)
    curve = subscription_survival(
        asked.rows("subscriptions").filter(begun),
        as_of_us=asked.us(asked.end),
        engine=asked.session.engine,
        level=asked.session.config.retention.level,
    )
    median = curve.median_days()
    half = (
        "more than half last longer than was observed"
        if median is None
        else f"half last {median:,.0f} days or less"
    )
    return curve, [f"Of {curve.subscriptions:,} subscriptions {curve.ended:,} have ended; {half}."]


def make_funnel(asked: Asked) -> Made:
    """Return the funnel of the configured steps."""
    chosen = asked.session.config.retention
    found = funnel(
        asked.rows("events"),
        steps=chosen.funnel_steps or (chosen.cart_event, chosen.purchase_event),
        within_hours=chosen.funnel_window_hours,
        by_session=chosen.funnel_by == "session",
        engine=asked.session.engine,
        level=chosen.level,
        **asked.span_us,
    )
    first, last = found.steps[0], found.steps[-1]
    share = last.share_of_first.value
    if share is None:
        return found, [f"No {chosen.funnel_by} had a {first.event_type!r} with its window over."]
    said = f"{share:.1f} % of {first.users:,} {chosen.funnel_by}s go from {first.event_type} to"
    return found, [f"{said} {last.event_type} within {chosen.funnel_window_hours:g} hours."]


def make_ladder(asked: Asked) -> Made:
    """Return the probability of the next order after each."""
    chosen = asked.session.config.retention
    ladder = repurchase_ladder(
        asked.orders,
        as_of_us=asked.us(asked.end),
        engine=asked.session.engine,
        steps=chosen.ladder_steps,
        within_days=chosen.ladder_days,
        level=chosen.level,
    )
    first = ladder.rows[0]
    if first.value is None:
        return ladder, []
    when = "" if chosen.ladder_days is None else f" within {chosen.ladder_days} days"
    return ladder, [f"{100 * first.value:.1f} % of customers with one order order again{when}."]


def make_segments(asked: Asked) -> Made:
    """Return the size of each RFM segment."""
    sizes = segment_sizes(
        asked.customers(asked.end),
        engine=asked.session.engine,
        rules=segments_of(asked.session.config),
    )
    known = [row for row in sizes.rows if row["revenue_percent"] is not None]
    if not known:
        return sizes, []
    best = max(known, key=lambda row: row["net_revenue"])
    return sizes, [
        f"{best['customers_percent']:.1f} % of the customers are {best['segment']}; they brought"
        f" {best['revenue_percent']:.1f} % of the net revenue."
    ]


def make_migration(asked: Asked) -> Made:
    """Return who moved between RFM segments."""
    rules = segments_of(asked.session.config)
    moved = segment_migration(
        asked.customers(asked.start),
        asked.customers(asked.end),
        engine=asked.session.engine,
        rules=rules,
    )
    before = {pair: n for pair, n in moved.customers.items() if pair[0] in rules.segments}
    there = sum(before.values())
    if not there:
        return moved, [f"Nobody had ordered before {asked.start}."]
    stayed = sum(n for (earlier, later), n in before.items() if earlier == later)
    return moved, [f"{100 * stayed / there:.1f} % of {there:,} customers stayed in their segment."]


def make_concentration(asked: Asked) -> Made:
    """Return how concentrated the revenue of the period is."""
    time = nw.col("ts_us")
    span = asked.span_us
    spent = (
        asked.orders.filter(time >= span["start_us"], time < span["end_us"])
        .group_by("customer_id")
        .agg(net_revenue=nw.col("amount").sum())
    )
    found = revenue_concentration(spent, engine=asked.session.engine, **asked.chance)
    share = found.rows[0].value
    return found, [
        f"The 20 % of customers who spend most bring {share:.1f} % of the net revenue."
    ] if share is not None else []


def make_power_users(asked: Asked) -> Made:
    """Return the most active users of the period."""
    kinds = asked.session.config.retention.user_events
    events = asked.rows("events")
    own = events if kinds is None else events.filter(nw.col("event_type").is_in(list(kinds)))
    found = power_users(own, engine=asked.session.engine, **asked.span_us, **asked.chance)
    share = found.share.value
    if share is None:
        return found, ["No actions."]
    return found, [
        f"The 10 % most active users ({found.users.num_rows:,}) did {share:.1f} % of all actions."
    ]


def make_lift(asked: Asked) -> Made:
    """Return what more retention would be worth."""
    config, session = asked.session.config, asked.session
    margin, chosen = known_margin(config), definitions_of(config)
    cost = None
    if margin is not None and "marketing_costs" in session.others:
        cost = money_spent(asked.rows("marketing_costs"), engine=session.engine, **asked.span_us)
    found = lift_scenarios(
        asked.orders,
        engine=session.engine,
        start=asked.start,
        end=asked.end,
        time_zone=config.data.time_zone,
        activity_window_days=activity_window_days(config),
        points=(*SCENARIOS, chosen.lift_points),
        gross_margin=1.0 if margin is None else margin,
        yearly_discount_rate=chosen.yearly_discount_rate,
        marketing_cost=cost,
    )
    if found.retention is None:
        return found, ["No customers at period start, or none with an order in the period."]
    said = [
        f"{each.points:+g} points of retention (from {found.retention:.1f} %):"
        f" lifetime value {each.lifetime_value_lift.value:+.1f} %."
        for each in found.scenarios
        if each.points == chosen.lift_points and each.lifetime_value_lift.value is not None
    ]
    if found.profit is not None and found.profit <= 0:
        said.append(
            f"The profit, margin less marketing costs, is {found.profit:,.0f}: no percentage of it."
        )
    if margin is None:
        said.append("lifetime_value.gross_margin is not given: amounts are revenue, not margin.")
    return found, said


def make_budget(asked: Asked) -> Made:
    """Return how practice would split the marketing costs of the period."""
    split = budget_split(
        asked.rows("marketing_costs"), engine=asked.session.engine, **asked.span_us
    )
    return split, [
        f"{split.budget:,.0f} were spent from {asked.start} to {asked.end} (not included)."
    ]


def make_hindsight(asked: Asked) -> Made:
    """Return how far the formula, and a model, missed what was then spent."""
    return hindsight_of(asked.session, start=asked.start, end=asked.end, model=asked.model)
