"""Turns the retention section of a configuration into the definitions that the metrics use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.errors import ParameterError
from churnkit.retention.definitions import Definitions
from churnkit.retention.segments import DEFAULT_RULES, SegmentRules

if TYPE_CHECKING:
    from churnkit.config import Config

__all__ = ["activity_window_days", "definitions_of", "faults_of_definitions", "known_margin"]


def segments_of(config: Config) -> SegmentRules:
    """Return the rules of ``rfm_segment``.

    Raises
    ------
    ParameterError
        If the table in the configuration has a gap, an overlap or a range that is none.
    """
    table = config.retention.segments
    return DEFAULT_RULES if table is None else SegmentRules.from_table(table)


def definitions_of(config: Config) -> Definitions:
    """Return the definitions that a configuration asks for.

    Raises
    ------
    ParameterError
        As for :func:`faults_of_definitions`, which finds it before any data are read.
    """
    chosen = config.retention
    return Definitions(
        churn=chosen.churn,
        repeat=chosen.repeat,
        net_revenue=chosen.net_revenue,
        ces=chosen.ces,
        lifespan=chosen.lifespan,
        csat_options=chosen.csat_options,
        csat_positive_from=chosen.csat_positive_from,
        ces_options=chosen.ces_options,
        user_events=chosen.user_events,
        cart_event=chosen.cart_event,
        purchase_event=chosen.purchase_event,
        cart_window_hours=chosen.cart_window_hours,
        segments=segments_of(config),
        level=chosen.level,
        seed=config.seed,
    )


def faults_of_definitions(config: Config) -> list[str]:
    """Return what is wrong with the table of segments, with its path."""
    try:
        segments_of(config)
    except ParameterError as error:
        return [f"retention.segments: {str(error).removeprefix('segment rules: ')}"]
    return []


def activity_window_days(config: Config) -> int:
    """Return for how many days an order keeps its customer active."""
    return config.retention.activity_window_days or config.population.active_within_days


def known_margin(config: Config) -> float | None:
    """Return the gross margin, None where the configuration leaves spend as it is."""
    margin = config.lifetime_value.gross_margin
    return None if margin == 1.0 else margin
