"""Turns the retention section of a configuration into the definitions that the metrics use."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from churnkit.errors import ParameterError
from churnkit.retention.definitions import Definitions
from churnkit.retention.segments import DEFAULT_RULES, SegmentRules
from churnkit.retention.yearly_churn import yearly_churn_probability

if TYPE_CHECKING:
    from datetime import date

    from churnkit.config import Config
    from churnkit.pipeline.session import Session

__all__ = [
    "activity_window_days",
    "definitions_of",
    "faults_of_definitions",
    "known_margin",
    "yearly_churn_of",
]

logger = logging.getLogger("churnkit")


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
        discounted=chosen.discounted,
        yearly_discount_rate=(
            config.lifetime_value.yearly_discount_rate
            if chosen.yearly_discount_rate is None
            else chosen.yearly_discount_rate
        ),
        lift_points=chosen.lift_points,
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


def yearly_churn_of(session: Session, as_of: date, *, time_zone: str) -> float | None:
    """Return the yearly churn for lifespans of 1 / churn; None for the observed one or without orders.

    Where nobody was active a year before the date it is 0 and a warning is logged: a lifespan that
    is not known gives no number, as one without an end.
    """
    config = session.config
    if config.retention.lifespan == "observed" or "orders" not in session.read.history.tables:
        return None
    found = yearly_churn_probability(
        session.read.history.tables["orders"],
        as_of=as_of,
        time_zone=time_zone,
        activity_window_days=activity_window_days(config),
        engine=session.engine,
    )
    if found is None:
        logger.warning(
            "retention.lifespan is churn, and nobody was active a year before %s: formula_ltv is null",
            as_of,
        )
    return found or 0.0


def known_margin(config: Config) -> float | None:
    """Return the gross margin, None where the configuration leaves spend as it is."""
    margin = config.lifetime_value.gross_margin
    return None if margin == 1.0 else margin
