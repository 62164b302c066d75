"""The customers whom the orders do not know: from rows that were set aside, and from other tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.quarantine import customers_set_aside
from churnkit.features.cut import first_time

if TYPE_CHECKING:
    from churnkit.pipeline.session import Session

__all__ = ["customers_without_orders"]

WITHOUT_CUSTOMERS = "marketing_costs"


def customers_without_orders(session: Session, *, as_of_us: int) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` of everybody in the inputs before a date who has no valid order row.

    They have order rows that were all set aside, or rows of other tables, set aside or not. A table
    without time is taken to have been known always.
    """
    read = session.read
    parts = [read.loaded["orders"].rejected_customers()] if "orders" in read.loaded else []
    for name, table in session.others.items():
        if name == WITHOUT_CUSTOMERS:
            continue
        time = first_time(name)
        good, marked = table.rows, table.marked
        if time is not None and time.removesuffix("_us") in table.columns:
            # A row without a readable time was there, as far as is known.
            known = nw.col(time).is_null() | (nw.col(time) < as_of_us)
            good, marked = good.filter(known), marked.filter(known)
        parts += [good.select("customer_id"), customers_set_aside(marked)]
    seen = nw.concat(parts).unique()
    if "orders" not in read.loaded:
        return seen
    ordered = read.loaded["orders"].rows.select("customer_id").unique()
    return seen.join(ordered, on="customer_id", how="anti")
