"""What ``retention_metrics`` returns of the whole company: rows, files, figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.pipeline.views import plain
from churnkit.reporting.plots import plot_mrr_bridge
from churnkit.reporting.series import plot_metric
from churnkit.retention.report import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from churnkit.data.contracts import TableReport
    from churnkit.retention.report import RetentionReport
    from churnkit.retention.subscriptions import SurvivalCurve

__all__ = ["MetricsResult"]

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
    report: RetentionReport = field(repr=False)
    survival: SurvivalCurve | None = field(repr=False)
    level: float
    tables: tuple[TableReport, ...] = field(repr=False)
    output: Path | None = None
    rejected_rows: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "start": str(self.start),
            "end": str(self.end),
            "every": self.every,
            "by": self.by,
            "level": self.level,
            "metrics": [plain(row.as_row()) for row in self.report.rows],
            "absent": {gone.metric: gone.reason for gone in self.report.absent},
            "mrr_movements": [plain(moved.as_row()) for moved in self.report.movements],
            "survival": None if self.survival is None else _survival(self.survival),
            "inputs": {report.table: report.to_dict() for report in self.tables},
            "output": None if self.output is None else str(self.output),
            "rejected_rows": dict(self.rejected_rows),
        }

    def to_arrow(self) -> pa.Table:
        """Return a row per metric, period and segment: the rows that files hold."""
        return self.report.to_arrow()

    def to_pandas(self) -> Any:
        """Return a frame with a row per metric, period and segment."""
        return self.report.to_pandas()

    def plot(self, metric: str | None = None, **options: Any) -> Any:
        """Return a metric over the periods with its interval, as a Plotly figure.

        Parameters
        ----------
        metric : str, optional
            Which; by default the retention rate, or the first metric where there is none.
        **options
            ``segments`` and ``source``, see :func:`churnkit.reporting.series.plot_metric`.
        """
        known = [row.metric.metric for row in self.report.rows]
        usual = "customer_retention_rate"
        first = usual if usual in known or not known else known[0]
        return plot_metric(self.report, metric=metric or first, **options)

    def plot_mrr_bridge(self, *, segment: str = ALL) -> Any:
        """Return how the recurring revenue came from start to end, as a Plotly figure."""
        return plot_mrr_bridge(self.report, segment=segment)


def _survival(curve: SurvivalCurve) -> dict[str, Any]:
    ages = [age for age in SURVIVAL_AGES if age <= curve.days.max()]
    return {
        "subscriptions": curve.subscriptions,
        "ended": curve.ended,
        "median_days": curve.median_days(),
        "share_lasting_longer_than_days": {str(age): curve.at(age) for age in ages},
    }
