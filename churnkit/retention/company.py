"""All retention metrics of a company over periods, by segment, with what is absent and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError, ParameterError
from churnkit.registry import did_you_mean
from churnkit.retention.daily import daily_subscribers
from churnkit.retention.definitions import DEFAULT_DEFINITIONS
from churnkit.retention.engagement import (
    cart_metrics,
    event_metrics,
    reward_metrics,
    survey_metrics,
)
from churnkit.retention.marketing import cost_metrics
from churnkit.retention.order_metrics import order_metrics
from churnkit.retention.periods import report_periods
from churnkit.retention.prepare import absent_metrics, columns_of, prepare
from churnkit.retention.report import ALL, RetentionReport
from churnkit.retention.resampling import Resampling
from churnkit.retention.scope import Scope
from churnkit.retention.segmented import RFM, segmented
from churnkit.retention.subscriptions import subscription_metrics
from churnkit.retention.support import support_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import narwhals as nw

    from churnkit.engines import Engine
    from churnkit.retention.definitions import Definitions
    from churnkit.retention.movements import MrrMovement
    from churnkit.retention.order_counts import CustomerCounts, OrderCounts
    from churnkit.retention.prepare import Prepared
    from churnkit.retention.report import ReportRow

__all__ = ["COMPANY_TABLES", "retention_metrics"]

COMPANY_TABLES = (
    "orders",
    "events",
    "subscriptions",
    "support_tickets",
    "surveys",
    "rewards",
    "customers",
    "marketing_costs",
)
"""Tables that a report can use."""


def retention_metrics(
    tables: Mapping[str, nw.LazyFrame[Any]],
    *,
    engine: Engine,
    time_zone: str,
    start: date,
    end: date,
    every: str | None = None,
    by: str | None = None,
    activity_window_days: int = 365,
    gross_margin: float | None = None,
    definitions: Definitions = DEFAULT_DEFINITIONS,
) -> RetentionReport:
    """Compute every company metric that the given tables allow, over periods and by segment.

    What holds at a boundary is what held just before its first instant: an order or a change at
    midnight of the first day belongs to the period that begins there. A customer is active at a
    boundary with an order in the ``activity_window_days`` business days before it, or with a
    subscription that began before it and has not ended before it.

    Parameters
    ----------
    tables : mapping of str to narwhals.LazyFrame
        By name, see :data:`COMPANY_TABLES`; any of them may be missing. ``orders`` is an order
        table (:func:`churnkit.data.orders.order_table`), the others are the rows that
        :func:`churnkit.data.sources.load_table` keeps, with times as ``<name>_us``.
    engine : Engine
        Where the tables are.
    time_zone : str
        Business zone, in which days begin.
    start, end : date
        First business day, and the day after the last.
    every : {"month", "quarter", "year"}, optional
        Cut the time into a series; by default it is one period.
    by : str, optional
        A column of ``customers``, or ``rfm_segment``: the same metrics once more for each segment;
        the value ``all`` of a column makes the segment ``<column>=all``. RFM segments are those just
        before each period's first instant, so that what happens in it does not decide who is where;
        customers who came later are ``absent``.
    activity_window_days : int, default 365
        Business days for which an order keeps its customer active, >= 1.
    gross_margin : float, optional
        Share of revenue left after the cost of goods, as a fraction <= 1; without it the metrics
        of the margin are absent.
    definitions : Definitions
        Variants, scales, names of events, level and seed of intervals.

    Returns
    -------
    RetentionReport
        Rows, absent metrics with the reason, movements of recurring revenue.

    Raises
    ------
    ParameterError
        If a table or ``by`` is unknown, or an argument is out of its range.
    DataError
        If counts contradict each other: ``E = S - lost + new + reactivated``, the MRR and its
        movements, or the end of one period and the start of the next.

    Notes
    -----
    An order is one ``order_id``, on the first day on which its net is positive. A later refund
    takes its money back on the day that it happens and does not unmake the order, so that what was
    once reported of a period stays so. The orders are read once, to a row per customer and period.
    """
    _check(tables, by=by, window_days=activity_window_days)
    periods = report_periods(start=start, end=end, every=every, time_zone=time_zone)
    scope = Scope(
        engine=engine,
        periods=periods,
        positions=tuple(range(len(periods.each))),
        segments=None,
        window_days=activity_window_days,
        gross_margin=gross_margin,
        definitions=definitions,
        resampling=Resampling(level=definitions.level, seed=definitions.seed),
    )
    prepared = prepare(tables, scope=scope)
    rows: list[ReportRow] = []
    movements: list[MrrMovement] = []
    for each in (scope, *segmented(tables, prepared, by=by, scope=scope)):
        measured = _measure(tables, prepared, scope=each)
        rows += measured.rows
        movements += measured.movements
        if len(each.positions) > 1:
            _check_continuity(measured.counts)
    first = {row.metric.metric: number for number, row in reversed(list(enumerate(rows)))}
    rows.sort(
        key=lambda row: (
            row.segment != ALL,
            row.segment,
            first[row.metric.metric],
            row.source,
            row.period.start,
        )
    )
    return RetentionReport(
        rows=tuple(rows),
        absent=tuple(
            absent_metrics(tables, prepared, by=by, gross_margin=gross_margin, scope=scope)
        ),
        movements=tuple(movements),
    )


def _check(tables: Mapping[str, nw.LazyFrame[Any]], *, by: str | None, window_days: int) -> None:
    where = "retention_metrics"
    for name in tables:
        if name not in COMPANY_TABLES:
            guess, known = did_you_mean(name, COMPANY_TABLES), ", ".join(COMPANY_TABLES)
            msg = f"{where}: tables must be known; got {name!r}.{guess} Known: {known}."
            raise ParameterError(msg)
    if window_days < 1:
        msg = f"{where}: activity_window_days must be >= 1; got {window_days!r}"
        raise ParameterError(msg)
    if by is None:
        return
    attributes = (
        columns_of(tables["customers"]) - {"customer_id"} if "customers" in tables else set()
    )
    known_by = sorted(attributes | ({RFM} if "orders" in tables else set()))
    if by not in known_by:
        msg = (
            f"{where}: by must be a column of customers or, with orders, {RFM!r}; got {by!r}."
            f"{did_you_mean(by, known_by)} Known: {', '.join(known_by) or 'none'}."
        )
        raise ParameterError(msg)


@dataclass(frozen=True, kw_only=True)
class _Measured:
    rows: list[ReportRow]
    movements: list[MrrMovement]
    counts: dict[str, Mapping[tuple[int, str], CustomerCounts]]


def _measure(
    tables: Mapping[str, nw.LazyFrame[Any]], prepared: Prepared, *, scope: Scope
) -> _Measured:
    """Return everything that is known of the cells of a scope."""
    rows: list[ReportRow] = []
    movements: list[MrrMovement] = []
    counts: dict[str, Mapping[tuple[int, str], CustomerCounts]] = {}
    ordered: dict[tuple[int, str], OrderCounts] = {}
    if prepared.buckets is not None:
        found, ordered = order_metrics(prepared.buckets, orders=tables["orders"], scope=scope)
        rows += found
        counts["orders"] = ordered
    if prepared.states is not None:
        days = {}
        if scope.definitions.churn == "mean_of_daily":
            days = daily_subscribers(
                tables["subscriptions"],
                periods=scope.periods,
                segments=scope.segments,
                engine=scope.engine,
            )
        subscribed = subscription_metrics(
            prepared.states, days=days, has_mrr=prepared.has_mrr, scope=scope
        )
        rows += subscribed[0]
        movements += subscribed[1]
        counts["subscriptions"] = subscribed[2]
    if "surveys" in tables:
        rows += survey_metrics(tables["surveys"], kinds=prepared.surveys, scope=scope)
    if prepared.has_redeemed:
        rows += reward_metrics(tables["rewards"], scope=scope)
    if "support_tickets" in tables:
        tickets = tables["support_tickets"]
        rows += support_metrics(tickets, counts=counts, columns=columns_of(tickets), scope=scope)
    if prepared.days is not None:
        rows += event_metrics(prepared.days, scope=scope)
    if prepared.has_carts and prepared.has_purchases:
        sessions = "session_id" in columns_of(tables["events"])
        rows += cart_metrics(tables["events"], has_sessions=sessions, scope=scope)
    if "marketing_costs" in tables and counts and scope.segments is None:
        source = next(iter(counts))
        margin = scope.gross_margin is not None
        lifetime = f"customer_lifetime_value{'_margin' if margin else ''}"
        starts = {scope.period(position).start: position for position in scope.positions}
        rows += cost_metrics(
            tables["marketing_costs"],
            joined=counts[source],
            source=source,
            counts=ordered,
            lifetime={
                starts[row.period.start]: row.metric
                for row in rows
                if row.metric.metric == lifetime
            },
            scope=scope,
        )
    return _Measured(rows=rows, movements=movements, counts=counts)


def _check_continuity(counts: Mapping[str, Mapping[tuple[int, str], CustomerCounts]]) -> None:
    """Refuse a period that does not start with the customers with which the one before ended."""
    for source, cells in counts.items():
        for (position, segment), found in cells.items():
            before = cells.get((position - 1, segment))
            if before is not None and before.end != found.start:
                msg = (
                    f"{source}: segment {segment!r}: customers at the start of period {position}"
                    f" must be those at the end of the one before; got {found.start} and"
                    f" {before.end}"
                )
                raise DataError(msg)
