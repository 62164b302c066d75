"""The verb ``retention_metrics``: every metric that the configured tables allow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.sinks import open_sink, write_json
from churnkit.data.windows import as_day, midnight_us
from churnkit.errors import DataError, ParameterError
from churnkit.pipeline.definitions import activity_window_days, definitions_of, known_margin
from churnkit.pipeline.rejected import write_rejected
from churnkit.pipeline.session import Session, as_config, open_session
from churnkit.pipeline.tables import OTHER_TABLES, span_of
from churnkit.retention.company import retention_metrics as compute
from churnkit.retention.subscriptions import subscription_survival

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from churnkit.config import Config
    from churnkit.data.contracts import TableReport
    from churnkit.retention.report import RetentionReport
    from churnkit.retention.subscriptions import SurvivalCurve

__all__ = ["MetricsResult", "metrics_in", "monthly_metrics_in", "retention_metrics"]

MONTHS_IN_A_RUN = 24
SUFFIXES = (".csv", ".json", ".parquet")
SURVIVAL_AGES = (30, 90, 180, 365, 730)


@dataclass(frozen=True, kw_only=True)
class MetricsResult:
    """Retention metrics, and over what they were computed.

    Attributes
    ----------
    name : str
        Of the configuration.
    start, end : date
        First business day, and the day after the last.
    every, by : str or None
        Periods and segments.
    report : RetentionReport
        Rows, absent metrics with their reasons, movements of recurring revenue.
    survival : SurvivalCurve or None
        How long subscriptions last, as known at ``end``; None without any.
    level : float
        Level of the intervals.
    tables : tuple of TableReport
        What was read.
    output : Path or None
        Where the metrics were written.
    rejected_rows : dict
        By table, where the rows set aside were written and how many.
    """

    name: str
    start: date
    end: date
    every: str | None
    by: str | None
    report: RetentionReport
    survival: SurvivalCurve | None
    level: float
    tables: tuple[TableReport, ...]
    output: Path | None = None
    rejected_rows: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "start": str(self.start),
            "end": str(self.end),
            "every": self.every,
            "by": self.by,
            "level": self.level,
            "metrics": [_plain(row.as_row()) for row in self.report.rows],
            "absent": {gone.metric: gone.reason for gone in self.report.absent},
            "mrr_movements": [_plain(moved.as_row()) for moved in self.report.movements],
            "survival": None if self.survival is None else _survival(self.survival),
            "inputs": {report.table: report.to_dict() for report in self.tables},
            "output": None if self.output is None else str(self.output),
            "rejected_rows": dict(self.rejected_rows),
        }

    def to_pandas(self) -> Any:
        """Return a frame with a row per metric, period and segment."""
        return self.report.to_pandas()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, date) else value for name, value in row.items()}


def _survival(curve: SurvivalCurve) -> dict[str, Any]:
    ages = [age for age in SURVIVAL_AGES if age <= curve.days.max()]
    return {
        "subscriptions": curve.subscriptions,
        "ended": curve.ended,
        "median_days": curve.median_days(),
        "share_lasting_longer_than_days": {str(age): curve.at(age) for age in ages},
    }


def retention_metrics(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    every: str | None = None,
    by: str | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> MetricsResult:
    """Compute every retention metric that the configured tables allow.

    Parameters
    ----------
    config : Config, mapping or path
        ``data.orders`` may be missing where another table has metrics.
    tables : mapping of str to frame, optional
        Frames in place of configured sources, by table.
    start, end : date or ISO text, optional
        First business day, and the day after the last; by default the first and the day after the
        last on which a row of a customer begins: an order, an event, an answer, the start of a
        subscription, the opening of a ticket, the issue of a reward. Ends may be planned, and do
        not prove that the history reaches so far.
    every : {"month", "quarter", "year"}, optional
        Cut the time into a series; by default it is one period.
    by : str, optional
        A column of ``customers``, or ``rfm_segment``: the same metrics once more for each segment.
    output : path, optional
        ``.csv`` or ``.parquet`` file for the rows, or ``.json`` for everything; rows set aside go
        to ``<output>.<table>.rejected.parquet``.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    ParameterError
        If a date, ``every``, ``by`` or the suffix of ``output`` is not one of those allowed.
    DataError
        If a table cannot be read or breaks its contract, or counts contradict each other.
    """
    if output is not None and Path(output).suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        msg = f"metrics: output must end in a known suffix; got {str(output)!r}. Known: {known}."
        raise ParameterError(msg)
    with open_session(
        as_config(config), tables=tables, also=OTHER_TABLES, needs_orders=False, progress=progress
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
    whole = _whole_history(session)
    first = as_day(start, time_zone=zone, name="start") or whole[0]
    after = as_day(end, time_zone=zone, name="end") or whole[1]
    session.progress(f"computing metrics from {first} to {after} (not included)")
    frames = {name: table.rows for name, table in session.others.items()}
    if session.history is not None:
        frames["orders"] = session.history.history.tables["orders"]
    report = compute(
        frames,
        engine=session.engine,
        time_zone=zone,
        start=first,
        end=after,
        every=every,
        by=by,
        activity_window_days=activity_window_days(config),
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
    return result if output is None else _written(session, result, Path(output))


def monthly_metrics_in(session: Session, *, output: Path | str) -> MetricsResult:
    """Compute the metrics of the last full months, or of the whole history if there is none."""
    first, after = _whole_history(session)
    month = after.year * 12 + after.month - 1
    oldest = first.year * 12 + first.month - 1 + (first.day > 1)
    months = min(month - oldest, MONTHS_IN_A_RUN)
    if months < 1:
        return metrics_in(session, output=output)
    start, end = (date(m // 12, m % 12 + 1, 1) for m in (month - months, month))
    return metrics_in(session, start=start, end=end, every="month", output=output)


def _whole_history(session: Session) -> tuple[date, date]:
    """Return the first business day with a customer in it, and the day after the last."""
    spans = []
    if session.history is not None:
        spans.append((session.history.first_day, session.history.end_day))
    # Costs before the first customer and after the last make no period of a customer's life.
    others = [table for name, table in session.others.items() if name != "marketing_costs"]
    if (found := span_of(others)) is not None:
        spans.append(found)
    if not spans:
        msg = "metrics: no table of customers has a time"
        raise DataError(msg)
    return min(first for first, _ in spans), max(after for _, after in spans)


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


def _written(session: Session, result: MetricsResult, target: Path) -> MetricsResult:
    if target.suffix.lower() == ".json":
        done = replace(result, output=target, rejected_rows=write_rejected(session, target))
        write_json(target, done.to_dict())
        return done
    table = result.report.to_arrow()
    with open_sink(target, schema=table.schema) as sink:
        sink.write(table)
    return replace(result, output=target, rejected_rows=write_rejected(session, target))
