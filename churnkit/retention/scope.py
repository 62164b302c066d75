"""What every part of a report is computed over: periods, segments and definitions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.formulas import SMALL_N, MetricValue, quotient
from churnkit.retention.order_counts import with_segments
from churnkit.retention.report import ALL, ReportRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import narwhals as nw
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.engines import Engine
    from churnkit.formulas import Interval, Unit
    from churnkit.retention.definitions import Definitions
    from churnkit.retention.periods import Period, Periods
    from churnkit.retention.resampling import Resampling

__all__ = ["Scope", "no_value", "with_interval"]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The cells of a report: some of its periods, by segment.

    Parameters
    ----------
    engine : Engine
        Where the tables are.
    periods : Periods
        All periods of the report.
    positions : tuple of int
        The periods wanted here.
    segments : narwhals.LazyFrame or None
        ``customer_id``, once each, and ``segment``; None for everybody together.
    window_days : int
        Business days for which an order keeps its customer active.
    gross_margin : float or None
        Share of revenue left after the cost of goods, if known.
    definitions : Definitions
        Variants.
    resampling : Resampling
        Intervals of money.
    names : frozenset of str
        Segments that get rows of every metric, also of tables that have no row of theirs.
    """

    engine: Engine
    periods: Periods
    positions: tuple[int, ...]
    segments: nw.LazyFrame[Any] | None
    window_days: int
    gross_margin: float | None
    definitions: Definitions
    resampling: Resampling
    names: frozenset[str] = frozenset()

    def period(self, position: int) -> Period:
        """Return a period by its position."""
        return self.periods.each[position]

    def cells(self, found: Mapping[tuple[int, str], Any]) -> list[tuple[int, str]]:
        """Return the cells that get a row, whether or not anything was found in them."""
        everybody = {ALL} if self.segments is None else set()
        names = {segment for _, segment in found} | self.names | everybody
        return [(position, name) for name in sorted(names) for position in self.positions]

    def row(self, cell: tuple[int, str], metric: MetricValue, source: str) -> ReportRow:
        """Return a row of the report."""
        return ReportRow(metric=metric, source=source, period=self.period(cell[0]), segment=cell[1])

    def arrays(
        self, frame: nw.LazyFrame[Any], *columns: str
    ) -> dict[str, list[NDArray[np.float64]]]:
        """Return columns of a frame with ``customer_id`` as float arrays, by segment."""
        if self.segments is None:
            table = self.engine.collect(frame.select(*columns))
            return {ALL: [_floats(table[name]) for name in columns]}
        table = self.engine.collect(with_segments(frame, self.segments).select("segment", *columns))
        encoded = table["segment"].combine_chunks().dictionary_encode()
        code = np.asarray(encoded.indices)
        arrays = [_floats(table[name]) for name in columns]
        return {
            name: [array[code == position] for array in arrays]
            for position, name in enumerate(encoded.dictionary.to_pylist())
        }


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def with_interval(value: MetricValue, bounds: Interval | None, *, n: int) -> MetricValue:
    """Return a metric computed of totals with the interval and the number of its customers."""
    if value.value is None:
        return replace(value, n=n)
    scale = 100.0 if value.unit in ("percent", "points") else 1.0
    low, high = (None, None) if bounds is None else (scale * bounds[0], scale * bounds[1])
    small = n < SMALL_N
    return replace(
        value,
        n=n,
        ci_low=low,
        ci_high=high,
        status="small_n" if small else "ok",
        reason=f"n = {n} is below {SMALL_N}" if small else "",
    )


def no_value(metric: str, *, unit: Unit, reason: str, variant: str = "") -> MetricValue:
    """Return a metric that cannot be had because another that it is made of has no value."""
    return quotient(
        metric, numerator=0.0, denominator=0.0, unit=unit, empty=reason, variant=variant
    )
