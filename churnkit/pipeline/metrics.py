"""The verb ``retention_metrics``: every metric that the configured tables allow."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import narwhals as nw

from churnkit.data.windows import as_day, midnight_us
from churnkit.errors import ParameterError
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.definitions import activity_window_days, definitions_of, known_margin
from churnkit.pipeline.metrics_result import MetricsResult
from churnkit.pipeline.session import Session, open_session
from churnkit.pipeline.tables import OTHER_TABLES, history_of
from churnkit.pipeline.views import (
    ViewResult,
    a_year_before,
    check_output,
    refuse_backwards,
    retention_view,
    write_result,
)
from churnkit.retention.company import retention_metrics as compute
from churnkit.retention.segmented import RFM
from churnkit.retention.subscriptions import subscription_survival

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from churnkit.config import Config
    from churnkit.retention.subscriptions import SurvivalCurve

__all__ = ["MetricsResult", "metrics_in", "monthly_metrics_in", "retention_metrics"]

logger = logging.getLogger("churnkit")

MONTHS_IN_A_RUN = 24


@overload
def retention_metrics(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    view: Literal["company"] = "company",
    tables: Mapping[str, Any] | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    every: str | None = None,
    by: str | None = None,
    measure: str | None = None,
    model: str | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> MetricsResult: ...


@overload
def retention_metrics(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    view: str,
    tables: Mapping[str, Any] | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    every: str | None = None,
    by: str | None = None,
    measure: str | None = None,
    model: str | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Any: ...


def retention_metrics(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    view: str = "company",
    tables: Mapping[str, Any] | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    every: str | None = None,
    by: str | None = None,
    measure: str | None = None,
    model: str | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> MetricsResult | ViewResult:
    """Compute every retention metric that the configured tables allow, or one view of retention.

    Parameters
    ----------
    config : Config, mapping or path
        ``data.orders`` may be missing where another table has metrics.
    view : str, default "company"
        All metrics of the company; or ``budget``, ``cohorts``, ``concentration``, ``funnel``,
        ``hindsight``, ``ladder``, ``lift``, ``migration``, ``power_users``, ``segments`` or
        ``survival``, which ``churnkit list views`` describes.
    tables : mapping of str to frame, optional
        Frames in place of configured sources, by table.
    start, end : date or ISO text, optional
        First business day, and the day after the last; by default the first and the day after the
        last on which a row of a customer begins: an order, an event, an answer, the start of a
        subscription, the opening of a ticket, the issue of a reward. Ends may be planned, and do
        not prove that the history reaches so far. ``hindsight`` and ``migration`` begin
        ``snapshots.horizon_days`` before the end; ``lift`` and, without ``every``, RFM segments a
        year, or in the middle of a shorter history: before the first day nobody is in a segment.
    every : {"month", "quarter", "year"}, optional
        Cut the time into a series; by default it is one period. For ``cohorts`` the length of the
        periods, by default months.
    by : str, optional
        A column of ``customers``, or ``rfm_segment``: the same metrics once more for each segment.
        RFM segments are those at the start of a period. Only for ``company``.
    measure : str, optional
        What of ``cohorts`` is drawn and printed, see :data:`churnkit.retention.cohorts.MEASURES`.
    model : str, optional
        Only for ``hindsight``: a folder or reference of a model to compare.
    output : path, optional
        ``.csv`` or ``.parquet`` file for the rows, ``.json`` for everything, or ``.html`` for the
        figure; rows set aside go to ``<output>.<table>.rejected.parquet``.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    MetricsResult or ViewResult
        Both have ``to_pandas()``, ``to_arrow()``, ``to_dict()`` and ``plot()``.

    Raises
    ------
    ConfigError
        If the configuration is wrong, or the table that a view needs is not in it.
    ParameterError
        If a view, a date, ``every``, ``by``, ``measure`` or the suffix of ``output`` is not one of
        those allowed, or an option does not belong to the view.
    DataError
        If a table cannot be read or breaks its contract, or counts contradict each other.
    """
    check_output(output)
    config = as_config(config)
    # Before anything is read, and before anything else is said of it.
    refuse_backwards(start, end, time_zone=config.data.time_zone)
    if view != "company":
        if by is not None:
            msg = f"metrics: by is only for the view company; the view is {view!r}"
            raise ParameterError(msg)
        return retention_view(
            config,
            view=view,
            tables=tables,
            start=start,
            end=end,
            every=every,
            measure=measure,
            model=model,
            output=output,
            progress=progress,
        )
    for name, value, whose in (("measure", measure, "cohorts"), ("model", model, "hindsight")):
        if value is not None:
            msg = f"metrics: {name} is only for the view {whose}; the view is 'company'"
            raise ParameterError(msg)
    with open_session(
        config, tables=tables, also=OTHER_TABLES, needs_orders=False, progress=progress
    ) as session:
        return metrics_in(session, start=start, end=end, every=every, by=by, output=output)


def metrics_in(
    session: Session,
    *,
    start: date | str | None = None,
    end: date | str | None = None,
    every: str | None = None,
    by: str | None = None,
    output: Path | str | None = None,
) -> MetricsResult:
    """Compute metrics in an open session; see :func:`retention_metrics`."""
    config, zone = session.config, session.config.data.time_zone
    whole = history_of(session.history, session.others)
    after = as_day(end, time_zone=zone, name="end") or whole[1]
    first = as_day(start, time_zone=zone, name="start")
    if first is None:
        segmented = by == RFM and every is None
        first = a_year_before(after, oldest=whole[0]) if segmented else whole[0]
    refuse_backwards(first, after, time_zone=zone)
    session.progress(f"computing metrics from {first} to {after} (not included)")
    frames = {name: table.rows for name, table in session.others.items()}
    window = activity_window_days(config)
    if session.history is not None and "orders" in session.history.history.tables:
        frames["orders"] = session.history.history.tables["orders"]
        if (after - whole[0]).days <= window:
            logger.warning(
                "an order keeps its customer active for %d days, the whole history has %d: nobody can"
                " have left; see retention.activity_window_days",
                window,
                (after - whole[0]).days,
            )
    report = compute(
        frames,
        engine=session.engine,
        time_zone=zone,
        start=first,
        end=after,
        every=every,
        by=by,
        activity_window_days=window,
        gross_margin=known_margin(config),
        definitions=definitions_of(config),
    )
    result = MetricsResult(
        name=config.name,
        start=first,
        end=after,
        every=every,
        by=by,
        report=report,
        survival=_survival_at(session, midnight_us(after, time_zone=zone)),
        level=config.retention.level,
        tables=session.reports,
    )
    return result if output is None else write_result(session, result, Path(output))


def monthly_metrics_in(session: Session, *, output: Path | str) -> MetricsResult:
    """Compute the metrics of the last full months, or of the whole history if there is none."""
    first, after = history_of(session.history, session.others)
    month = after.year * 12 + after.month - 1
    oldest = first.year * 12 + first.month - 1 + (first.day > 1)
    months = min(month - oldest, MONTHS_IN_A_RUN)
    if months < 1:
        return metrics_in(session, output=output)
    start, end = (date(m // 12, m % 12 + 1, 1) for m in (month - months, month))
    return metrics_in(session, start=start, end=end, every="month", output=output)


def _survival_at(session: Session, as_of_us: int) -> SurvivalCurve | None:
    """Return the curve of subscriptions as known at an instant; None where none has started."""
    if "subscriptions" not in session.others:
        return None
    rows = session.others["subscriptions"].rows
    begun = rows.filter(nw.col("started_at_us") < as_of_us).select("started_at_us").head(1)
    if not session.engine.collect(begun).num_rows:
        return None
    level = session.config.retention.level
    return subscription_survival(rows, as_of_us=as_of_us, engine=session.engine, level=level)
