"""The result of a retention report: rows of metrics, and which metrics are absent and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from churnkit.errors import UnknownNameError
from churnkit.formulas import MetricValue
from churnkit.retention.metric_table import METRIC_KINDS, arrow_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    import pyarrow as pa

    from churnkit.retention.movements import MrrMovement
    from churnkit.retention.periods import Period

__all__ = ["ALL", "REPORT_COLUMNS", "AbsentMetric", "ReportRow", "RetentionReport"]

ALL = "all"
"""Segment of rows over all customers."""

REPORT_COLUMNS = (
    *(field.name for field in fields(MetricValue)),
    "source",
    "period_start",
    "period_end",
    "segment",
)
"""Columns of a report in order: those of a metric, then of what it was computed over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRow:
    """One metric of one period and segment.

    Parameters
    ----------
    metric : MetricValue
        The value with what it takes to recompute it.
    source : str
        Tables that it rests on, such as ``orders`` or ``marketing_costs, orders``.
    period : Period
        The period.
    segment : str
        The segment, :data:`ALL` for everybody.
    """

    metric: MetricValue
    source: str
    period: Period
    segment: str

    def as_row(self) -> dict[str, Any]:
        """Return the fields by :data:`REPORT_COLUMNS`."""
        return self.metric.as_row() | {
            "source": self.source,
            "period_start": self.period.start,
            "period_end": self.period.end,
            "segment": self.segment,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class AbsentMetric:
    """A metric that could not be computed, and the reason in words."""

    metric: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RetentionReport:
    """All retention metrics of a company over some periods.

    Parameters
    ----------
    rows : tuple of ReportRow
        By segment (everybody first), metric and time; see :meth:`to_pandas`.
    absent : tuple of AbsentMetric
        Metrics that have no rows: their table, column or setting was not given.
    movements : tuple of MrrMovement
        How the recurring revenue moved in each period and segment; empty without subscriptions.
    """

    rows: tuple[ReportRow, ...]
    absent: tuple[AbsentMetric, ...]
    movements: tuple[MrrMovement, ...]

    def values(self, metric: str, *, segment: str = ALL, source: str | None = None) -> list[Any]:
        """Return the values of a metric over the periods; null where a period has none.

        Raises
        ------
        UnknownNameError
            If the report has no row of the metric; the message gives the reason.
        """
        found = [
            row.metric.value
            for row in self.rows
            if row.metric.metric == metric and row.segment == segment
            if source is None or row.source == source
        ]
        if not found:
            reasons = [gone.reason for gone in self.absent if gone.metric == metric]
            msg = (
                f"report: no {metric!r} for segment {segment!r}; {'; '.join(reasons) or 'unknown'}"
            )
            raise UnknownNameError(msg)
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame with a row per metric, period and segment and :data:`REPORT_COLUMNS`."""
        import pandas as pd

        return pd.DataFrame([row.as_row() for row in self.rows], columns=list(REPORT_COLUMNS))

    def to_arrow(self) -> pa.Table:
        """Return :meth:`to_pandas` as Arrow, with dates as dates and nulls as nulls."""
        kinds = {**METRIC_KINDS, "source": "text", "period_start": "day", "period_end": "day"}
        return arrow_of([row.as_row() for row in self.rows], {**kinds, "segment": "text"})

    def absent_to_pandas(self) -> pd.DataFrame:
        """Return ``metric`` and ``reason`` of the absent metrics."""
        import pandas as pd

        return pd.DataFrame([asdict(gone) for gone in self.absent], columns=["metric", "reason"])

    def movements_to_pandas(self) -> pd.DataFrame:
        """Return the movements of recurring revenue, a row per period and segment."""
        import pandas as pd

        from churnkit.retention.movements import MOVEMENT_COLUMNS

        rows: Iterable[dict[str, Any]] = (moved.as_row() for moved in self.movements)
        return pd.DataFrame(rows, columns=list(MOVEMENT_COLUMNS))
