"""Prints what drives a population, and hands single customers to their own page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.cli.show_customer import customer_page
from churnkit.cli.tables import add_row, plain_table

if TYPE_CHECKING:
    from churnkit.cli.console import Console
    from churnkit.pipeline.explained import ExplainResult

__all__ = ["explanation"]

MOST_DRIVERS = 15
MOST_OF_SEGMENT = 3
MOST_COHORTS = 8
MOST_PAIRS = 5
UNITS = {"churn": "log-odds of churning", "spend": "log of expected spend"}


def explanation(console: Console, result: ExplainResult) -> None:
    """Show the pages of the customers asked for, or the drivers of everybody."""
    for number, page in enumerate(result.customers.values()):
        if number:
            console.say("")
        customer_page(console, page)
    if not result.customers:
        _drivers(console, result)
        _segments(console, result)
        if result.cohorts:
            _cohorts(console, result)
        if result.interactions:
            _interactions(console, result)
        console.say(f"Computed by {result.method}.")
    if result.changes:
        _changes(console, result)
    if result.output is not None:
        console.place("Contributions:", result.output)


def _drivers(console: Console, result: ExplainResult) -> None:
    title = (
        f"Drivers of {result.target} as of {result.as_of}: {result.population:,} customers, model"
        f" version {result.model_version}"
    )
    table = plain_table(title, "what", "size", "95 % interval", right=("size", "95 % interval"))
    for row in result.groups[:MOST_DRIVERS]:
        others = len(row["features"]) - 1
        add_row(
            table,
            row["says"] + (f" (and {others} that move with it)" if others else ""),
            f"{row['mean_contribution']:.3f}",
            _interval(row["low"], row["high"]),
        )
    console.print(table)
    console.say(
        f"Size: mean of what a driver adds to, or takes from, the learner's {UNITS[result.target]}."
        " Features that move together are one driver, as in the reasons."
    )


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None else f"{low:.3f} to {high:.3f}"


def _segments(console: Console, result: ExplainResult) -> None:
    table = plain_table(
        f"Strongest features by {result.by.replace('_', ' ')}, on"
        f" {len(result.sample.customer_ids):,} customers",
        "segment",
        "customers",
        "what",
        "size",
        right=("customers", "size"),
    )
    shown: dict[str, int] = {}
    for row in result.segments:
        place = shown.get(row["segment"], 0)
        shown[row["segment"]] = place + 1
        if place < MOST_OF_SEGMENT:
            first = (row["segment"], f"{row['customers']:,}") if not place else ("", "")
            add_row(table, *first, row["says"], f"{row['mean_contribution']:.3f}")
    console.print(table)


def _cohorts(console: Console, result: ExplainResult) -> None:
    numbers = ("customers", "share", "mean risk")
    table = plain_table("Customers by their strongest reason", "reason", *numbers, right=numbers)
    for row in result.cohorts[:MOST_COHORTS]:
        add_row(
            table,
            row["says"],
            f"{row['customers']:,}",
            f"{row['share']:.0f} %",
            f"{row['churn_probability']:.0%}",
        )
    console.print(table)


def _interactions(console: Console, result: ExplainResult) -> None:
    table = plain_table(
        "Pairs of features", "what", "with", "joint effect", right=("joint effect",)
    )
    for row in (result.interactions or [])[:MOST_PAIRS]:
        add_row(table, row["says"], row["with_says"], f"{row['mean_joint_effect']:.3f}")
    console.print(table)


def _changes(console: Console, result: ExplainResult) -> None:
    numbers = ("then", "now", "change", "95 % interval", "on mean")
    table = plain_table(f"Features since {result.compared_with}", "what", *numbers, right=numbers)
    for row in result.changes[:MOST_DRIVERS]:
        add_row(
            table,
            row["says"],
            f"{row['mean_contribution_then']:.3f}",
            f"{row['mean_contribution']:.3f}",
            f"{row['change']:+.3f}",
            _interval(row["low"], row["high"]),
            f"{row['change_signed']:+.3f}",
        )
    console.print(table)
    total = sum(row["change_signed"] for row in result.changes)
    console.say(
        f"On mean: what the feature did to the mean {UNITS[result.target]}; all features {total:+.3f}."
    )
