"""How many customers moved from which segment to which between two dates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.errors import ParameterError
from churnkit.retention.metric_table import arrow_of
from churnkit.retention.segments import ABSENT, DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.retention.segments import SegmentRules

__all__ = ["MIGRATION_COLUMNS", "SegmentMigration", "segment_migration"]

MIGRATION_COLUMNS = {"earlier": "text", "later": "text", "customers": "count", "percent": "number"}
"""Columns of a migration as a table, each with its kind."""


@dataclass(frozen=True, kw_only=True)
class SegmentMigration:
    """How many customers went from which segment to which.

    Parameters
    ----------
    states : tuple of str
        The segments in the order of their rules, then :data:`ABSENT`.
    customers : mapping of (str, str) to int
        Customers by state at the earlier and at the later date; pairs without customers are left
        out.
    """

    states: tuple[str, ...]
    customers: Mapping[tuple[str, str], int]

    def to_arrow(self) -> pa.Table:
        """Return ``earlier``, ``later``, ``customers`` and ``percent`` of the earlier state's customers."""
        totals: dict[str, int] = defaultdict(int)
        for (earlier, _), n in self.customers.items():
            totals[earlier] += n
        rows = [
            {"earlier": a, "later": b, "customers": n, "percent": 100.0 * n / totals[a]}
            for a in self.states
            for b in self.states
            if (n := self.customers.get((a, b), 0))
        ]
        return arrow_of(rows, MIGRATION_COLUMNS)

    def to_pandas(self, *, percent: bool = False) -> pd.DataFrame:
        """Return a square frame: a row per earlier state, a column per later one.

        Parameters
        ----------
        percent : bool, default False
            Give percent of each row's customers, NaN in rows without customers, instead of counts.
        """
        import pandas as pd

        counts = pd.DataFrame(
            [[self.customers.get((a, b), 0) for b in self.states] for a in self.states],
            index=pd.Index(self.states, name="earlier"),
            columns=pd.Index(self.states, name="later"),
        )
        return counts.div(counts.sum(axis=1), axis=0) * 100.0 if percent else counts


def segment_migration(
    earlier: nw.LazyFrame[Any],
    later: nw.LazyFrame[Any],
    *,
    engine: Engine,
    rules: SegmentRules = DEFAULT_RULES,
) -> SegmentMigration:
    """Count customers by their segment at two dates.

    Parameters
    ----------
    earlier, later : narwhals.LazyFrame
        ``customer_id``, once each, and ``rfm_segment``, as
        :func:`churnkit.retention.customer.customer_metrics` returns them for two ``as_of``. Scores
        are relative to the customers of their own date.
    engine : Engine
        Where the frames are.
    rules : SegmentRules
        The rules that both were made with; they give the order of the states.

    Returns
    -------
    SegmentMigration
        Customers in one frame only are :data:`ABSENT` in the other: those who came in between.

    Raises
    ------
    ParameterError
        If a frame holds a segment that the rules do not have.
    """
    segment, nothing = nw.col("rfm_segment"), nw.lit(None).cast(nw.String)
    both = nw.concat(
        [
            earlier.select("customer_id", segment.alias("earlier"), nothing.alias("later")),
            later.select("customer_id", nothing.alias("earlier"), segment.alias("later")),
        ]
    )
    states = both.group_by("customer_id").agg(nw.col("earlier", "later").max())
    filled = states.with_columns(nw.col("earlier", "later").fill_null(ABSENT))
    pairs = filled.group_by("earlier", "later").agg(nw.len().cast(nw.Int64).alias("customers"))
    counts = {
        (row["earlier"], row["later"]): row["customers"]
        for row in engine.collect(pairs).to_pylist()
    }
    known = (*rules.segments, ABSENT)
    if foreign := sorted({name for pair in counts for name in pair}.difference(known)):
        msg = (
            f"segment_migration: rules must be those that made rfm_segment; got {foreign[0]!r} in"
            f" it. Known: {', '.join(rules.segments)}."
        )
        raise ParameterError(msg)
    return SegmentMigration(states=known, customers=counts)
