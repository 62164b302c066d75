"""Several metric values as one table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from churnkit.formulas import MetricValue

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MetricTable"]


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

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame with the fields of :class:`~churnkit.formulas.MetricValue` as columns."""
        import pandas as pd

        names = [field.name for field in fields(MetricValue)]
        return pd.DataFrame([row.as_row() for row in self.rows], columns=names)
