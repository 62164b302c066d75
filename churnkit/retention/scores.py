"""Recency, frequency and money of customers as scores from 1 to 5."""

from __future__ import annotations

from typing import Any

import narwhals as nw

__all__ = ["CLASSES", "SCORE_COLUMNS", "rfm_scores"]

CLASSES = 5
SCORE_COLUMNS = ("r_score", "f_score", "m_score")


def rfm_scores(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add ``r_score``, ``f_score`` and ``m_score``, each from 1 to 5, 5 being the best.

    Parameters
    ----------
    customers : narwhals.LazyFrame
        One row per customer: ``last_order_us``, ``orders``, ``net_revenue``.

    Returns
    -------
    narwhals.LazyFrame
        The same rows. Without nulls: customers without an order score 1 three times, and do not
        count when the others are scored.

    Notes
    -----
    A score is ``1 + floor(5 * worse / n)`` of the n customers with an order, of whom ``worse`` have
    an earlier last order, fewer orders or a lower net revenue: 4 says that at least three fifths
    are worse. Equal values therefore share a class, however many they are, and without ties the
    classes are fifths. The best value has 5 even if so many share it that few are worse; where all
    are alike, nobody is better or worse, and all have the middle class, 3. Revenue is compared to
    the millionth of a unit of currency, since sums of equal amounts in another order differ in
    their last bits.

    References
    ----------
    A. M. Hughes (1994), Strategic Database Marketing, Chicago: Probus (quintile coding of recency,
    frequency and money).
    """
    values = (nw.col("last_order_us"), nw.col("orders"), nw.col("net_revenue").round(6))
    by = "_has_order"
    compared = customers.with_columns((nw.col("orders") > 0).alias(by)).with_columns(
        nw.col("orders").count().over(by).cast(nw.Int64).alias("_n"),
        *(
            (value.rank("min").over(by).cast(nw.Int64) - 1).alias(f"_{name}_worse")
            for name, value in zip(SCORE_COLUMNS, values, strict=True)
        ),
        *(
            (value == value.max().over(by)).alias(f"_{name}_best")
            for name, value in zip(SCORE_COLUMNS, values, strict=True)
        ),
    )
    scored = compared.with_columns(_score(name).alias(name) for name in SCORE_COLUMNS)
    return scored.drop(
        by, "_n", *(f"_{name}_{what}" for name in SCORE_COLUMNS for what in ("worse", "best"))
    )


def _score(name: str) -> nw.Expr:
    worse, is_best = nw.col(f"_{name}_worse"), nw.col(f"_{name}_best")
    score = nw.lit(1)
    for steps in range(1, CLASSES):
        score = score + (worse * CLASSES >= nw.col("_n") * steps).cast(nw.Int64)
    best = nw.when(worse == 0).then(nw.lit((CLASSES + 1) // 2)).otherwise(nw.lit(CLASSES))
    among = nw.when(is_best).then(best).otherwise(score)
    return nw.when(nw.col("_has_order")).then(among).otherwise(nw.lit(1)).cast(nw.Int64)
