"""What a purchase model, fitted to everybody known at the cutoff, expects of each customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.features.build import (
    FEATURE_BUILDERS,
    IS_ORDER,
    Aggregation,
    AtOrderDay,
    Known,
    Phrase,
    ratio,
)
from churnkit.features.purchase_fit import (
    FIRST_DAY,
    LAST_DAY,
    PURCHASE_FEATURES,
    PurchaseFit,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["PurchaseExpectations"]

BINS_PER_E = 100.0  # mean order values are fitted in cells one percent wide
PHRASES = {
    "purchase_model_expected_orders": Phrase(
        text="{value} more orders expected by the rhythm of the orders so far",
        zero="no more orders expected by the rhythm of the orders so far",
        risk="low",
        decimals=1,
    ),
    "purchase_model_order_probability": Phrase(
        text="{value} chance of another order by the rhythm of the orders so far",
        risk="low",
        percent=True,
    ),
    "purchase_model_p_alive": Phrase(
        text="{value} likely to be a customer still, by the rhythm of the orders",
        name="likelihood to be a customer still, by the rhythm of the orders",
        risk="low",
        percent=True,
    ),
    "purchase_model_expected_order_value": Phrase(
        text="{value} expected per order by the orders so far",
        name="amount expected per order by the orders so far",
        decimals=2,
        money=True,
    ),
    "purchase_model_expected_spend": Phrase(
        text="{value} of spend expected by the rhythm of the orders so far",
        zero="no spend expected by the rhythm of the orders so far",
        name="spend expected by the rhythm of the orders so far",
        risk="low",
        decimals=2,
        money=True,
    ),
}


@FEATURE_BUILDERS.register("purchase_model")
@dataclass(frozen=True, kw_only=True)
class PurchaseExpectations:
    """Expectations of a purchase model for the horizon, fitted anew at every cutoff.

    Orders are counted in days with an order, time in weeks from the first order day in the
    observation interval. The value of an order day comes from a Gamma-Gamma model [1]_ of each
    customer's mean, times the share of order value that returns leave. ``p_alive`` is a
    descriptor, not a churn score: one-time buyers have 1 in BG/NBD.

    Parameters
    ----------
    kind : {"bg_nbd", "mbg_nbd", "pareto_nbd"}
        Name in :data:`churnkit.btyd.PURCHASE_MODELS`.

    Raises
    ------
    UnknownNameError
        If there is no purchase model of that name.

    Notes
    -----
    The engine counts customers per cell of equal histories, so that only cells travel to the fit.

    Null: everything for customers who have only returns in the observation interval; the first
    three and the spend for everybody if nobody has ordered on two days or the fit fails; value and
    spend for everybody if no order has a positive value or that fit fails. The log then has a
    warning.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie (2013), "The Gamma-Gamma Model of Monetary Value",
       brucehardie.com/notes/025/.

    Examples
    --------
    >>> PurchaseExpectations(kind="mbg_nbd").feature_names[:2]
    ('purchase_model_expected_orders', 'purchase_model_order_probability')
    """

    kind: str = "bg_nbd"

    def __post_init__(self) -> None:
        from churnkit.btyd import PURCHASE_MODELS

        PURCHASE_MODELS[self.kind]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("orders",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: orders, then money."""
        return PURCHASE_FEATURES

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        return PHRASES

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Fit to the known customers; see :class:`churnkit.features.build.FeatureBuilder`."""
        customers = known.engine.materialize(_customers(known))
        fit = PurchaseFit(
            rhythms=_collect(
                known, _rhythms(customers), sort_by=("order_days", FIRST_DAY, LAST_DAY)
            ),
            values=_collect(known, _values(customers), sort_by=("order_days", "bin")),
            snapshot=known.snapshot,
            cutoff_day=known.cutoff_day,
            kind=self.kind,
        )
        known.engine.forget(customers)
        finish = fit.in_background()
        return [Aggregation(rows=known["orders"], at_order_days=_ends(), finish=finish)]


def _ends() -> dict[str, AtOrderDay]:
    """Return the first and the last order day, days since 1970."""
    day = nw.col("day").cast(nw.Float64)
    return {
        FIRST_DAY: AtOrderDay(mark="is_first_order_day", value=day),
        LAST_DAY: AtOrderDay(mark="is_last_order_day", value=day),
    }


def _customers(known: Known) -> nw.LazyFrame[Any]:
    """Return what both fits need of each customer with an order day."""
    grouped = (
        known["orders"]
        .group_by("customer_id")
        .agg(
            nw.col("is_order_day").cast(nw.Float64).sum().alias("order_days"),
            (IS_ORDER * nw.col("amount")).sum().alias("order_amount"),
            nw.col("amount").sum().alias("net"),
            **{name: at.total for name, at in _ends().items()},
        )
    )
    return grouped.filter(nw.col("order_days") > 0).drop("customer_id")


def _rhythms(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count customers by order days, first and last day."""
    return customers.group_by("order_days", FIRST_DAY, LAST_DAY).agg(customers=nw.len())


def _values(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Count customers by order days and the bin of their mean value; no bin where it is not positive."""
    mean = ratio(nw.col("order_amount"), nw.col("order_days"))
    positive = nw.when(mean > 0).then(mean)
    binned = customers.with_columns(mean=positive, bin=(positive.log() * BINS_PER_E).floor())
    sums = [nw.col(name).sum() for name in ("order_amount", "net")]
    return binned.group_by("order_days", "bin").agg(
        nw.col("mean").mean(), *sums, customers=nw.len()
    )


def _collect(
    known: Known, cells: nw.LazyFrame[Any], *, sort_by: Sequence[str]
) -> dict[str, Floats]:
    """Return cells by column, in an order that does not depend on the engine's threads."""
    table = known.engine.collect(cells.sort(*sort_by))
    return {
        name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in table.column_names
    }
