"""The views of retention beside the company's metrics: what each shows, needs and accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from churnkit.pipeline import view_makers
from churnkit.reporting import plots, view_plots

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnkit.pipeline.view_makers import Asked, Made

__all__ = ["VIEWS", "View"]


@dataclass(frozen=True, kw_only=True)
class View:
    """One view.

    Attributes
    ----------
    what : str
        What it shows, in words.
    needs : str
        The table that must be configured.
    make : callable
        Returns the result and what it says in sentences.
    draw : callable
        Returns the figure of the result.
    also : tuple of str
        Tables that are used where they are configured.
    begins : str
        Where it begins unless told otherwise: with the ``history``, or a ``horizon``
        (``snapshots.horizon_days``) or a ``year`` before its end; in the middle of a history that
        is shorter than a year. ``always`` begins with the history and cannot be told otherwise.
    options : tuple of str
        Of ``every``, ``measure`` and ``model``, those that it has.
    """

    what: str
    needs: str
    make: Callable[[Asked], Made]
    draw: Callable[..., Any]
    also: tuple[str, ...] = ()
    begins: Literal["history", "always", "year", "horizon"] = "history"
    options: tuple[str, ...] = ()


VIEWS = {
    "budget": View(
        what="how practice splits the marketing costs between acquisition and retention, by stage",
        needs="marketing_costs",
        make=view_makers.make_budget,
        draw=view_plots.plot_budget,
    ),
    "cohorts": View(
        what="customers acquired together, by age: how many order, and for how much",
        needs="orders",
        make=view_makers.make_cohorts,
        draw=plots.plot_cohorts,
        options=("every", "measure"),
    ),
    "concentration": View(
        what="how much of the revenue few customers bring: Pareto share, top decile",
        needs="orders",
        make=view_makers.make_concentration,
        draw=view_plots.plot_concentration,
    ),
    "funnel": View(
        what="who goes through retention.funnel_steps in order, drop-off and median time",
        needs="events",
        make=view_makers.make_funnel,
        draw=plots.plot_funnel,
    ),
    "hindsight": View(
        what="what the lifetime value formula said at --start, against what was spent until --end",
        needs="orders",
        make=view_makers.make_hindsight,
        draw=view_plots.plot_hindsight,
        begins="horizon",
        options=("model",),
    ),
    "ladder": View(
        what="how likely the next order is after the first, second, third …",
        needs="orders",
        make=view_makers.make_ladder,
        draw=view_plots.plot_ladder,
        begins="always",
    ),
    "lift": View(
        what="what each point of retention more would be worth, from the figures of the last year",
        needs="orders",
        make=view_makers.make_lift,
        draw=view_plots.plot_lift,
        also=("marketing_costs",),
        begins="year",
    ),
    "migration": View(
        what="who moved from which RFM segment to which between --start and --end",
        needs="orders",
        make=view_makers.make_migration,
        draw=view_plots.plot_migration,
        begins="horizon",
    ),
    "power_users": View(
        what="the 10 % most active users and their share of all actions",
        needs="events",
        make=view_makers.make_power_users,
        draw=view_plots.plot_power_users,
    ),
    "segments": View(
        what="RFM segments at --end: customers, revenue, recency",
        needs="orders",
        make=view_makers.make_segments,
        draw=view_plots.plot_segments,
        begins="always",
    ),
    "survival": View(
        what="how long subscriptions last (Kaplan-Meier), as known at --end",
        needs="subscriptions",
        make=view_makers.make_survival,
        draw=plots.plot_survival,
    ),
}
"""Views by name."""
