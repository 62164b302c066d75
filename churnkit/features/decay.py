"""Weights of rows that halve with every half-life of their age."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["decay_weights"]

MOST_FACTORS = 8


def decay_weights(
    half_lives_days: Sequence[int], *, age_days: nw.Expr | None = None
) -> dict[int, nw.Expr]:
    """Return by half-life what a row weighs, 1 at the cutoff.

    Parameters
    ----------
    half_lives_days : sequence of int
    age_days : narwhals.Expr, optional
        Days before the cutoff; by default the column of this name.

    Examples
    --------
    >>> import polars as pl
    >>> rows = nw.from_native(pl.DataFrame({"age_days": [0.0, 30.0, 60.0]}))
    >>> rows.select(weight=decay_weights([30])[30].round(6))["weight"].to_list()
    [1.0, 0.5, 0.25]
    """
    age = nw.col("age_days") if age_days is None else age_days
    weights: dict[int, nw.Expr] = {}
    for h in sorted(half_lives_days, reverse=True):
        whole = [longer for longer in weights if longer % h == 0 and longer // h <= MOST_FACTORS]
        if whole:
            # 180 days are six times 30: products of weights cost an engine less than exponentials.
            weights[h] = _power(weights[whole[-1]], whole[-1] // h)
        else:
            weights[h] = (age * (-math.log(2.0) / h)).exp()
    return weights


def _power(factor: nw.Expr, times: int) -> nw.Expr:
    """Return the product of a factor with itself; an engine computes equal halves once."""
    if times == 1:
        return factor
    half = _power(factor, times // 2)
    return half * half if times % 2 == 0 else half * half * factor
