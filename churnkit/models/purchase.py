"""Fits the purchase model of a portfolio at a cutoff, to customers or to cells of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.btyd import fit_gamma_gamma, fit_purchase_model, group_customers
from churnkit.errors import ModelGuardError
from churnkit.models.purchase_forecast import FittedPurchases, histories, order_ends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.models.purchase_forecast import PurchaseForecast

    Floats = NDArray[np.float64]

__all__ = [
    "OrderCells",
    "ValueCells",
    "fit_purchase_cells",
    "fit_purchases",
    "forecast_purchases",
]

logger = logging.getLogger("churnkit")


@dataclass(frozen=True, kw_only=True, eq=False)
class OrderCells:
    """Customers with an order, counted by order days, first and last order day; shape (n_cells,).

    Attributes
    ----------
    order_days : days with an order, 1 or more.
    first_day, last_day : business days since 1970.
    customers : how many there are of each.
    """

    order_days: Floats
    first_day: Floats
    last_day: Floats
    customers: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueCells:
    """Customers with an order, counted by order days and the mean value of one; shape (n_cells,).

    Attributes
    ----------
    mean : mean value of a day with an order, in currency.
    order_days : days with an order, 1 or more.
    customers : how many there are of each.
    order_amount, net_revenue : float
        Sums over all customers.
    """

    mean: Floats
    order_days: Floats
    customers: Floats
    order_amount: float
    net_revenue: float


def forecast_purchases(
    base: Mapping[str, Floats],
    snapshot: Snapshot,
    *,
    kind: str = "bg_nbd",
    value_days: int | None = None,
    yearly_discount_rate: float = 0.0,
) -> PurchaseForecast | None:
    """Fit a purchase model and Gamma-Gamma on everybody known at a cutoff, and forecast the horizon.

    Time is counted in weeks from the first order in the observation interval; orders of one day are
    one purchase. The value of a purchase is the customer's mean per order day, shrunk by the
    Gamma-Gamma model; spend is corrected by the share of order value that returns take back.

    Parameters
    ----------
    base : mapping of str to ndarray of float64, shape (n,)
        Base columns of all known customers (:data:`churnkit.features.build.BASE_COLUMNS`).
    snapshot : Snapshot
        The cutoff, gap and horizon.
    kind : str
        ``bg_nbd``, ``mbg_nbd`` or ``pareto_nbd``.
    value_days, yearly_discount_rate
        See :meth:`.purchase_forecast.FittedPurchases.forecast`.

    Returns
    -------
    PurchaseForecast or None
        None, with a warning in the log, when no model can be fitted (nobody has ordered twice);
        None where the customers are subscribers: nothing is forecast of their orders.
    """
    fitted = fit_purchases(base, snapshot, kind=kind)
    if fitted is None:
        return None
    return fitted.forecast(base, value_days=value_days, yearly_discount_rate=yearly_discount_rate)


def fit_purchases(
    base: Mapping[str, Floats], snapshot: Snapshot, *, kind: str = "bg_nbd"
) -> FittedPurchases | None:
    """Fit to everybody known at a cutoff; see :func:`forecast_purchases`."""
    if "order_days" not in base:
        return None
    known = base["order_days"] > 0
    days, amount = base["order_days"][known], base["order_amount"][known]
    one = np.ones(len(days))
    orders = OrderCells(
        order_days=days,
        **order_ends(base, known, snapshot=snapshot),
        customers=one,
    )
    value = ValueCells(
        mean=np.divide(amount, days),
        order_days=days,
        customers=one,
        order_amount=float(amount.sum()),
        net_revenue=float(base["net_revenue"][known].sum()),
    )
    return fit_purchase_cells(orders, value=value, snapshot=snapshot, kind=kind)


def fit_purchase_cells(
    orders: OrderCells, *, value: ValueCells, snapshot: Snapshot, kind: str = "bg_nbd"
) -> FittedPurchases | None:
    """Fit to customers counted in cells; see :func:`forecast_purchases`.

    Customers of equal order days, first and last day are one cell of the purchase model without
    loss. The mean values of a cell must lie close together.
    """
    if not (orders.order_days > 1.0).any():
        # A fit would say that nobody ever comes back, with certainty.
        logger.warning(
            "purchase model %s at %s: no customer has ordered on two days", kind, snapshot.cutoff
        )
        return None
    weeks = histories(
        order_days=orders.order_days,
        first_day=orders.first_day,
        last_day=orders.last_day,
        snapshot=snapshot,
    )
    try:
        model = fit_purchase_model(group_customers(**weeks, count=orders.customers), kind=kind)
    except ModelGuardError as error:
        logger.warning("purchase model %s at %s: %s", kind, snapshot.cutoff, error)
        return None
    positive = value.mean > 0.0
    gamma = None
    try:
        gamma = fit_gamma_gamma(
            value.mean[positive],
            n_orders=value.order_days[positive],
            count=value.customers[positive],
        )
    except ModelGuardError as error:
        logger.warning("gamma-gamma: %s; each customer's own mean stands in", error)
    return FittedPurchases(
        model=model,
        gamma=gamma,
        overall=value.order_amount / float((value.order_days * value.customers).sum()),
        kept=value.net_revenue / value.order_amount if value.order_amount > 0.0 else 0.0,
        snapshot=snapshot,
    )
