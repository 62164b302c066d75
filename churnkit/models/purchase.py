"""The purchase model of a portfolio at a cutoff: the baseline beside the models, and their level."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.btyd import fit_gamma_gamma, fit_purchase_model, group_customers
from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot

    Floats = NDArray[np.float64]

__all__ = ["PurchaseForecast", "forecast_purchases"]

US_PER_WEEK = 7 * 86_400_000_000
DAYS_PER_WEEK = 7.0

logger = logging.getLogger("churnkit")


@dataclass(frozen=True, kw_only=True, eq=False)
class PurchaseForecast:
    """What a purchase model expects of customers in the horizon, arrays of shape (n,).

    Customers who never ordered (only returns) have an order probability and spend of 0.

    Attributes
    ----------
    order_probability : P(at least one order in the horizon).
    expected_orders : orders expected in the horizon, counted in days with an order.
    expected_spend : net spend expected in the horizon, in currency.
    p_alive : P(not dropped out); a descriptor, not a churn score.
    next_order_days : median days to the next order of a customer who stays; NaN if unknown.
    cutoff : the day the forecast is made on.
    """

    order_probability: Floats
    expected_orders: Floats
    expected_spend: Floats
    p_alive: Floats
    next_order_days: Floats
    cutoff: date

    def __getitem__(self, rows: NDArray[Any]) -> PurchaseForecast:
        """Return the chosen customers (a mask or positions)."""
        return PurchaseForecast(
            order_probability=self.order_probability[rows],
            expected_orders=self.expected_orders[rows],
            expected_spend=self.expected_spend[rows],
            p_alive=self.p_alive[rows],
            next_order_days=self.next_order_days[rows],
            cutoff=self.cutoff,
        )


def forecast_purchases(
    base: Mapping[str, Floats], snapshot: Snapshot, *, kind: str = "bg_nbd"
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

    Returns
    -------
    PurchaseForecast or None
        None, with a warning in the log, when no model can be fitted (nobody has ordered twice).
    """
    days = base["order_days"]
    known = days > 0
    repeat = np.maximum(days - 1.0, 0.0)[known]
    if not (repeat > 0.0).any():
        # A fit would say that nobody ever comes back, with certainty.
        logger.warning(
            "purchase model %s at %s: no customer has ordered on two days", kind, snapshot.cutoff
        )
        return None
    first, last = base["first_order_us"][known], base["last_order_us"][known]
    # Days, not instants: equal customers merge into one cell, and the papers count days.
    first_day, last_day = np.floor(first / 86_400_000_000), np.floor(last / 86_400_000_000)
    cutoff_day = snapshot.cutoff_us / 86_400_000_000
    recency = (last_day - first_day) / DAYS_PER_WEEK
    tenure = np.maximum(np.floor(cutoff_day - first_day), last_day - first_day) / DAYS_PER_WEEK
    try:
        model = fit_purchase_model(
            group_customers(repeat_orders=repeat, recency=recency, tenure=tenure), kind=kind
        )
    except ModelGuardError as error:
        logger.warning("purchase model %s at %s: %s", kind, snapshot.cutoff, error)
        return None
    customer = {"repeat_orders": repeat, "recency": recency, "tenure": tenure}
    ahead = {
        "horizon": snapshot.horizon_days / DAYS_PER_WEEK,
        "gap": snapshot.gap_days / DAYS_PER_WEEK,
    }
    orders = model.expected_orders(**customer, **ahead)
    value = _value_per_order_day(base, known)
    median = model.median_time_to_next_order(repeat_orders=repeat, tenure=tenure) * DAYS_PER_WEEK
    return PurchaseForecast(
        order_probability=_spread(known, model.probability_of_order(**customer, **ahead)),
        expected_orders=_spread(known, orders),
        expected_spend=_spread(known, orders * value),
        p_alive=_spread(known, model.p_alive(**customer)),
        next_order_days=_spread(known, median, missing=np.nan),
        cutoff=snapshot.cutoff,
    )


def _spread(known: NDArray[np.bool_], values: Floats, *, missing: float = 0.0) -> Floats:
    full = np.full(len(known), missing)
    full[known] = values
    return full


def _value_per_order_day(base: Mapping[str, Floats], known: NDArray[np.bool_]) -> Floats:
    """Return the expected net value of a day with an order, in currency."""
    days, amount = base["order_days"][known], base["order_amount"][known]
    mean = np.divide(amount, days)
    positive = mean > 0.0
    overall = float(amount.sum() / days.sum())
    value = np.full(len(days), overall)
    try:
        gamma = fit_gamma_gamma(mean[positive], n_orders=days[positive])
        value[positive] = gamma.expected_order_value(mean[positive], n_orders=days[positive])
    except ModelGuardError as error:
        logger.warning("gamma-gamma: %s; each customer's own mean stands in", error)
        value[positive] = mean[positive]
    kept = float(base["net_revenue"][known].sum() / amount.sum())
    return value * max(kept, 0.0)
