"""One view of retention beside the company's metrics: its request, its result, its files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.data.sinks import open_sink, write_json, write_text
from churnkit.data.windows import as_day
from churnkit.errors import ConfigError, ParameterError
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.rejected import write_rejected
from churnkit.pipeline.session import open_session
from churnkit.pipeline.tables import history_of
from churnkit.pipeline.view_list import VIEWS
from churnkit.pipeline.view_makers import Asked
from churnkit.registry import did_you_mean
from churnkit.retention.cohorts import MEASURES
from churnkit.retention.order_counts import YEAR_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from churnkit.config import Config
    from churnkit.data.contracts import TableReport
    from churnkit.pipeline.session import Session

__all__ = [
    "SUFFIXES",
    "ViewResult",
    "a_year_before",
    "check_output",
    "plain",
    "refuse_backwards",
    "retention_view",
    "write_result",
]

SUFFIXES = (".csv", ".html", ".json", ".parquet")


@dataclass(frozen=True, kw_only=True)
class ViewResult:
    """A view, and over what it was computed.

    Attributes
    ----------
    name : str
        Of the configuration.
    view : str
        Which view.
    start, end : date
        First business day, and the day after the last.
    every : str or None
        Length of the periods of ``cohorts``.
    level : float
        Level of the intervals.
    data : object
        The result of the view: a CohortTriangle, SurvivalCurve, Funnel, MetricTable,
        SegmentMigration, SegmentSizes, PowerUsers, RetentionLift, BudgetSplit or Hindsight.
    says : tuple of str
        What it says, in sentences.
    tables : tuple of TableReport
        What was read.
    measure : str or None
        What of ``cohorts`` is drawn and printed.
    output : Path or None
        Where it was written.
    rejected_rows : dict
        By table, where the rows set aside were written and how many.
    """

    name: str
    view: str
    start: date
    end: date
    every: str | None
    level: float
    data: Any = field(repr=False)
    says: tuple[str, ...]
    tables: tuple[TableReport, ...] = field(repr=False)
    measure: str | None = None
    output: Path | None = None
    rejected_rows: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_arrow(self) -> pa.Table:
        """Return the view as a long table: the rows that files hold."""
        return self.data.to_arrow()

    def to_pandas(self) -> Any:
        """Return :meth:`to_arrow` as pandas."""
        return self.to_arrow().to_pandas()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "view": self.view,
            "start": str(self.start),
            "end": str(self.end),
            "every": self.every,
            "level": self.level,
            "says": list(self.says),
            "rows": [plain(row) for row in self.to_arrow().to_pylist()],
            "inputs": {report.table: report.to_dict() for report in self.tables},
            "output": None if self.output is None else str(self.output),
            "rejected_rows": dict(self.rejected_rows),
        }

    def plot(self, **options: Any) -> Any:
        """Return the view as a Plotly figure.

        Parameters
        ----------
        **options
            Of the figure: ``measure`` of ``cohorts``, one of
            :data:`churnkit.retention.cohorts.MEASURES`.
        """
        if self.measure is not None:
            options = {"measure": self.measure, **options}
        return VIEWS[self.view].draw(self.data, **options)


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for JSON: days as text, null for what is no number."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, date):
            found[name] = str(value)
        else:
            found[name] = None if isinstance(value, float) and not math.isfinite(value) else value
    return found


def check_output(output: Path | str | None) -> None:
    """Refuse a file whose suffix names no format.

    Raises
    ------
    ParameterError
        If it is none of :data:`SUFFIXES`.
    """
    if output is not None and Path(output).suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        msg = f"metrics: output must end in a known suffix; got {str(output)!r}. Known: {known}."
        raise ParameterError(msg)


def retention_view(
    config: Config,
    *,
    view: str,
    tables: Mapping[str, Any] | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    every: str | None = None,
    measure: str | None = None,
    model: str | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ViewResult:
    """Compute one view; see :func:`churnkit.retention_metrics`."""
    config = as_config(config)
    _check(config, view, tables=tables or {}, every=every, measure=measure, model=model)
    chosen = VIEWS[view]
    wanted = [name for name in (chosen.needs, *chosen.also) if name != "orders"]
    with open_session(
        config, tables=tables, also=wanted, needs_orders=False, progress=progress
    ) as session:
        whole = history_of(session.history, session.others, chosen.needs)
        zone = config.data.time_zone
        after = as_day(end, time_zone=zone, name="end") or whole[1]
        first = as_day(start, time_zone=zone, name="start")
        if first is not None and chosen.begins == "always":
            msg = (
                f"metrics: start is not for the view {view!r}, which counts all history before end;"
                f" got {first}"
            )
            raise ParameterError(msg)
        first = first or _beginning(chosen.begins, whole[0], after, config=config)
        refuse_backwards(first, after, time_zone=zone)
        length = (every or "month") if "every" in chosen.options else None
        session.progress(f"computing {view} from {first} to {after} (not included)")
        data, said = chosen.make(
            Asked(session=session, start=first, end=after, every=length or "", model=model)
        )
        result = ViewResult(
            name=config.name,
            view=view,
            start=first,
            end=after,
            every=length,
            level=config.retention.level,
            data=data,
            says=tuple(said),
            tables=session.reports,
            measure=(measure or "rate") if "measure" in chosen.options else None,
        )
        return result if output is None else write_result(session, result, Path(output))


def refuse_backwards(start: date | str | None, end: date | str | None, *, time_zone: str) -> None:
    """Refuse an end that is not after the start, where both are given.

    Raises
    ------
    ParameterError
        Also if one is no day.
    """
    first = as_day(start, time_zone=time_zone, name="start")
    after = as_day(end, time_zone=time_zone, name="end")
    if first is not None and after is not None and after <= first:
        msg = f"metrics: end must be after start ({first}); got {after}"
        raise ParameterError(msg)


def _beginning(begins: str, oldest: date, after: date, *, config: Config) -> date:
    """Return where a view begins that was not told."""
    if begins == "horizon":
        return after - timedelta(days=config.snapshots.horizon_days)
    if begins in ("history", "always"):
        return oldest
    return a_year_before(after, oldest=oldest)


def a_year_before(after: date, *, oldest: date) -> date:
    """Return the day a year before, or the middle of a shorter history.

    At the beginning of a history nobody was there before.
    """
    year_before = after - timedelta(days=YEAR_DAYS)
    return year_before if year_before > oldest else oldest + (after - oldest) // 2


def _check(config: Config, view: str, *, tables: Mapping[str, Any], **options: str | None) -> None:
    """Refuse a view that there is not, options that it has not, and a table that is not configured."""
    names = ("company", *VIEWS)
    if view not in VIEWS:
        guess = did_you_mean(view, names)
        msg = f"metrics: view must be a known name; got {view!r}.{guess} Known: {', '.join(names)}."
        raise ParameterError(msg)
    for name, value in options.items():
        if value is not None and name not in VIEWS[view].options:
            whose = [each for each in VIEWS if name in VIEWS[each].options]
            whose += ["company"] if name == "every" else []
            msg = f"metrics: {name} is only for the view {' or '.join(whose)}; the view is {view!r}"
            raise ParameterError(msg)
    if (measure := options.get("measure")) is not None and measure not in MEASURES:
        guess, known = did_you_mean(measure, MEASURES), ", ".join(MEASURES)
        msg = f"metrics: measure must be known; got {measure!r}.{guess} Known: {known}."
        raise ParameterError(msg)
    needed = VIEWS[view].needs
    if getattr(config.data, needed) is None and needed not in tables:
        msg = f"{config.name}: data.{needed}: required key is missing: the view {view!r} needs it"
        raise ConfigError(msg)


def write_result(session: Session, result: Any, target: Path) -> Any:
    """Write a result in the format of the suffix, and the rows set aside beside it."""
    done = replace(result, output=target, rejected_rows=write_rejected(session, target))
    if target.suffix.lower() == ".json":
        write_json(target, done.to_dict())
    elif target.suffix.lower() == ".html":
        write_text(target, done.plot().to_html(include_plotlyjs=True, full_html=True))
    else:
        table = done.to_arrow()
        with open_sink(target, schema=table.schema) as sink:
            sink.write(table)
    return done
