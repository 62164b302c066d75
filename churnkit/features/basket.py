"""What an order of a customer looks like: lines, pieces, products, returns and discounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.products import mark_products
from churnkit.features.build import (
    FEATURE_BUILDERS,
    IS_ORDER,
    Aggregation,
    Count,
    Known,
    Phrase,
    ratio,
    sum_if,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Basket"]

PHRASES = {
    "lines_per_order": Phrase(text="{value} kinds of items per order", decimals=1),
    "one_line_order_share": Phrase(
        text="{value} of the orders hold one kind of item",
        name="share of the orders with one kind of item",
        percent=True,
    ),
    "quantity_per_order": Phrase(text="{value} pieces per order", decimals=1),
    "line_amount_mean": Phrase(
        text="{value} spent per kind of item on an order",
        name="spend per kind of item on an order",
        decimals=2,
        money=True,
    ),
    "distinct_products": Phrase(text="{value} different products bought", risk="low"),
    "refund_share": Phrase(
        text="{value} of the money was paid back", name="share of the money paid back", percent=True
    ),
    "discount_share": Phrase(
        text="{value} of the full price was taken off by discounts",
        name="share of the full price taken off by discounts",
        percent=True,
    ),
}


@FEATURE_BUILDERS.register("basket")
@dataclass(frozen=True, kw_only=True)
class Basket:
    """Size, variety, returns and discounts of a customer's orders.

    The lines, pieces and money of an order are those of its first day, on which it was placed;
    what happens to it on later days counts in ``refund_share``: money returned over money charged,
    which passes 1 where the purchase lies before the observation interval. ``discount_share`` is
    the discount over the orders' price before it.

    ``distinct_products`` reads the table ``lines``: the checked rows of the orders source, with
    ``customer_id``, ``ts_us``, ``product_id`` and, where the source has it, ``amount``. A history
    has that table only where the source has product ids; without it, the feature is null.

    Notes
    -----
    Null: everything per order without an order in the observation interval that still stands;
    ``refund_share`` without a charge; ``quantity_per_order``, ``discount_share`` and
    ``distinct_products`` where the source has no such column. A cell that is empty in a column that
    the source has counts as 0 pieces or no discount.

    Examples
    --------
    >>> Basket().phrases["lines_per_order"].say(2.25)
    '2.2 kinds of items per order'
    """

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs; ``lines`` is used where it exists."""
        return ("orders",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: size, variety, returns, discounts."""
        return tuple(PHRASES)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        return PHRASES

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        is_order, lines = nw.col("is_order") == 1, nw.col("lines")
        discount = nw.col("_basket_discount")
        aggregates = {
            "_basket_lines": (IS_ORDER * lines.cast(nw.Float64)).sum(),
            "_basket_gross": nw.col("gross_amount").sum(),
            "_basket_refund": nw.col("refund_amount").sum(),
            "_basket_order_gross": (IS_ORDER * nw.col("gross_amount")).sum(),
            "_basket_discount": nw.when(is_order).then(nw.col("discount")).sum(),
            "_basket_discounts": nw.when(is_order).then(nw.col("discount")).count(),
            "quantity_per_order": nw.when(is_order).then(nw.col("quantity")).mean(),
        }
        counts = {"_basket_one_line": Count(mark="is_order", where=lines == 1)}
        orders = nw.col("orders")
        known_discount = nw.when(nw.col("_basket_discounts") > 0).then(discount)
        features = {
            "lines_per_order": ratio(nw.col("_basket_lines"), orders),
            "one_line_order_share": ratio(nw.col("_basket_one_line"), orders),
            "line_amount_mean": ratio(nw.col("order_amount"), nw.col("_basket_lines")),
            "refund_share": ratio(nw.col("_basket_refund"), nw.col("_basket_gross")),
            "discount_share": ratio(known_discount, nw.col("_basket_order_gross") + discount),
        }
        plan = Aggregation(
            rows=known["orders"], aggregates=aggregates, counts=counts, features=features
        )
        return [plan, _products(known)]


def _products(known: Known) -> Aggregation:
    """Return the number of different products in lines that are not returns or free of charge."""
    rows = known.tables.get("lines")
    if rows is None:
        return Aggregation(rows=known["orders"], features=unknown("distinct_products"))
    columns = rows.collect_schema().names()
    is_bought = ~nw.col("product_id").is_null()
    if "amount" in columns:
        is_bought = is_bought & (nw.col("amount") > 0)
    if "previous_product_us" not in columns:
        rows = mark_products(rows, has_amount="amount" in columns)
    before = nw.col("previous_product_us")
    is_first = before.is_null() | (before < known.snapshot.observation_start_us)
    return Aggregation(rows=rows, aggregates={"distinct_products": sum_if(is_bought & is_first)})
