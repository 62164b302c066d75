"""Several metric values as one table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from churnkit.formulas import MetricValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

NUMBERS = ("value", "numerator", "denominator", "ci_low", "ci_high")

__all__ = ["METRIC_KINDS", "MetricTable", "arrow_of"]

METRIC_KINDS = {
    name: {"n": "count"}.get(name, "number" if name in NUMBERS else "text")
    for name in (field.name for field in fields(MetricValue))
}
"""Columns of a metric value, each with its kind."""


def arrow_of(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> pa.Table:
    """Return rows as Arrow with columns of given kinds: ``text``, ``number``, ``count`` or ``day``."""
    import pyarrow as pa

    types = {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "day": pa.date32()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


@dataclass(frozen=True, kw_only=True)
class MetricTable:
    """Metric values in the order of their computation.

    Parameters
    ----------
    rows : tuple of MetricValue
        One row each.

    Examples
    --------
    >>> from churnkit.formulas import repurchase_probability
    >>> first = repurchase_probability(
    ...     order_number=1, customers_at_risk=1000, customers_ordering_again=270
    ... )
    >>> MetricTable(rows=(first,)).to_pandas()[["metric", "value", "n", "variant"]]
                       metric  value     n variant
    0  repurchase_probability   0.27  1000     k=1
    """

    rows: tuple[MetricValue, ...]

    def to_arrow(self) -> pa.Table:
        """Return the fields of :class:`~churnkit.formulas.MetricValue` as columns, a row each."""
        return arrow_of([row.as_row() for row in self.rows], METRIC_KINDS)

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame
