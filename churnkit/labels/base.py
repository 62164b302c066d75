"""The contract of a label, and the names under which labels are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from churnkit.registry import Registry

if TYPE_CHECKING:
    import narwhals as nw

    from churnkit.data.stays import StayRule
    from churnkit.data.windows import Snapshot

__all__ = ["LABELS", "LABEL_COLUMNS", "Label"]

LABEL_COLUMNS = ("future_orders", "future_spend")


class Label(Protocol):
    """Turns what follows a cutoff into labels."""

    @property
    def table(self) -> str:
        """Name of the table that :meth:`build` reads."""
        ...

    @property
    def stays(self) -> StayRule | None:
        """What counts as staying subscribed; None where the label is of orders."""
        ...

    def build(self, rows: nw.LazyFrame[Any], snapshot: Snapshot) -> nw.LazyFrame[Any]:
        """Return ``customer_id`` and :data:`LABEL_COLUMNS`; customers without a row have zeros.

        A label whose meaning of churn is not "no order in the horizon" adds a column ``churned``
        (1 or 0) for every customer known at the cutoff; one of subscriptions also ``future_mrr``.
        """
        ...


LABELS: Registry[Label] = Registry("label")
