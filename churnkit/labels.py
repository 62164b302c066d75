"""What happened after the cutoff: who ordered in the horizon, how often and for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.data.orders import known_at
from churnkit.registry import Registry

if TYPE_CHECKING:
    from churnkit.data.windows import Snapshot

__all__ = ["LABELS", "LABEL_COLUMNS", "Label", "NoOrder"]

LABEL_COLUMNS = ("future_orders", "future_spend")


class Label(Protocol):
    """Turns what follows a cutoff into labels."""

    def build(self, orders: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return ``customer_id`` and :data:`LABEL_COLUMNS`; customers without a row have zeros."""
        ...


LABELS: Registry[Label] = Registry("label")


@LABELS.register("no_order")
class NoOrder:
    """Churned: no qualifying order in ``[label_start, label_end)``.

    An order qualifies when it is net positive and not refunded by the end of the horizon.
    ``future_orders`` counts them; a customer with none has churned. ``future_spend`` is the net of
    all rows in the horizon, returns of earlier orders included, so it can be negative.
    """

    def build(self, orders: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return one row for every customer with any row in the horizon; see :class:`Label`."""
        after = known_at(orders, start_us=snapshot.label_start_us, cutoff_us=snapshot.label_end_us)
        return after.group_by("customer_id").agg(
            nw.col("is_order").cast(nw.Float64).sum().alias("future_orders"),
            nw.col("amount").sum().alias("future_spend"),
        )
