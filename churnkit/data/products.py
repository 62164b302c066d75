"""Marks in the lines of orders when a customer last bought the same product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from churnkit.engines import Engine

__all__ = ["mark_products", "product_lines"]


def product_lines(
    lines: nw.LazyFrame[Any], *, columns: frozenset[str], engine: Engine
) -> nw.LazyFrame[Any]:
    """Return lines with the time at which the customer last bought the same product before.

    Parameters
    ----------
    lines : narwhals.LazyFrame
        ``customer_id``, ``ts_us``, ``product_id`` and, where the source has it, ``amount``.
    columns : frozenset of str
        Contract columns that the source has.
    engine : Engine
        Where the table is kept.

    Returns
    -------
    narwhals.LazyFrame
        Those columns and ``previous_product_us``, sorted by customer and time: the instant of the
        customer's last earlier line of the product (of lines at the same instant, one is the
        earlier), null for the first and for lines without a product, returns and lines free of
        charge, which do not count. Different products of an interval are then a count of lines
        whose previous one lies before it.
    """
    has_amount = "amount" in columns
    names = ("customer_id", "ts_us", "product_id", *(("amount",) if has_amount else ()))
    marked = (
        mark_products(part.select(*names), has_amount=has_amount) for part in engine.parts(lines)
    )
    return engine.materialize_all(marked, sort_by=("customer_id", "ts_us"))


def mark_products(lines: nw.LazyFrame[Any], *, has_amount: bool) -> nw.LazyFrame[Any]:
    """Return lines with ``previous_product_us``, lazily; see :func:`product_lines`."""
    product = nw.col("product_id")
    bought = nw.when(nw.col("amount") > 0).then(product) if has_amount else product
    # One window over the customer serves both columns, and leaves each customer's rows together.
    over = {"order_by": ("bought", "ts_us")}
    return (
        lines.with_columns(bought=bought)
        .with_columns(
            before=nw.col("bought").shift(1).over("customer_id", **over),
            before_us=nw.col("ts_us").shift(1).over("customer_id", **over),
        )
        .with_columns(
            previous_product_us=nw.when(nw.col("bought") == nw.col("before")).then(
                nw.col("before_us")
            )
        )
        .drop("bought", "before", "before_us")
    )
