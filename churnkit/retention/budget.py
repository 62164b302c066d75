"""How practice splits a marketing budget between winning and keeping customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.formulas import BUDGET_MIX, budget_mix
from churnkit.retention.metric_table import arrow_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine

__all__ = ["BUDGET_COLUMNS", "BudgetSplit", "budget_split", "money_spent"]

BUDGET_COLUMNS = {
    "stage": "text",
    "acquisition_percent": "number",
    "retention_percent": "number",
    "acquisition": "number",
    "retention": "number",
}
"""Columns of the table of stages, each with its kind."""


@dataclass(frozen=True, kw_only=True)
class BudgetSplit:
    """What of a budget practice gives to acquisition and to retention, by stage of the brand.

    Parameters
    ----------
    budget : float
        In currency; amounts are null where it is not positive.
    """

    budget: float

    def to_arrow(self) -> pa.Table:
        """Return a row per stage with :data:`BUDGET_COLUMNS`."""
        rows: list[dict[str, Any]] = []
        for stage in BUDGET_MIX:
            row: dict[str, Any] = {"stage": stage}
            for variant in ("acquisition", "retention"):
                row[f"{variant}_percent"] = budget_mix(stage=stage, variant=variant).value
                mix = budget_mix(stage=stage, budget=self.budget, variant=variant)
                row[variant] = None if mix.value is None else mix.numerator
            rows.append(row)
        return arrow_of(rows, BUDGET_COLUMNS)

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def money_spent(costs: nw.LazyFrame[Any], *, start_us: int, end_us: int, engine: Engine) -> float:
    """Return the sum of ``amount`` in ``[start, end)``, microseconds since 1970 UTC."""
    inside = costs.filter(nw.col("ts_us") >= start_us, nw.col("ts_us") < end_us)
    return float(engine.collect(inside.select(nw.col("amount").sum()))["amount"][0].as_py() or 0.0)


def budget_split(
    costs: nw.LazyFrame[Any], *, start_us: int, end_us: int, engine: Engine
) -> BudgetSplit:
    """Return how practice would split what was spent on marketing in a period.

    Parameters
    ----------
    costs : narwhals.LazyFrame
        ``ts_us``, ``amount``.
    start_us, end_us : int
        The period ``[start, end)``, microseconds since 1970 UTC.
    engine : Engine
        Where the costs are.
    """
    return BudgetSplit(budget=money_spent(costs, start_us=start_us, end_us=end_us, engine=engine))
