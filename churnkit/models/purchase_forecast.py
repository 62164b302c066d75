"""What the purchase model of a portfolio expects of customers: the baseline beside the models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.clock import business_days
from churnkit.models.lifetime_value import value_ends, worth_of_spend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from churnkit.btyd import GammaGamma, PurchaseModel
    from churnkit.data.windows import Snapshot

    Floats = NDArray[np.float64]

__all__ = ["FittedPurchases", "PurchaseForecast", "histories", "order_ends"]

EPOCH = date(1970, 1, 1)
DAYS_PER_WEEK = 7.0


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
    worth : worth at the cutoff of what is spent over the length of time asked for, per unit of spend
        expected in the horizon.
    cutoff : the day the forecast is made on.
    """

    order_probability: Floats
    expected_orders: Floats
    expected_spend: Floats
    p_alive: Floats
    next_order_days: Floats
    worth: Floats
    cutoff: date

    @property
    def churn_probability(self) -> Floats:
        """P(no order in the horizon)."""
        return 1.0 - self.order_probability

    def __getitem__(self, rows: NDArray[Any]) -> PurchaseForecast:
        """Return the chosen customers (a mask or positions)."""
        return PurchaseForecast(
            order_probability=self.order_probability[rows],
            expected_orders=self.expected_orders[rows],
            expected_spend=self.expected_spend[rows],
            p_alive=self.p_alive[rows],
            next_order_days=self.next_order_days[rows],
            worth=self.worth[rows],
            cutoff=self.cutoff,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedPurchases:
    """A purchase model and the value of a day with an order, fitted to a portfolio at a cutoff.

    Attributes
    ----------
    model : PurchaseModel
    gamma : GammaGamma or None
        None where it could not be fitted; each customer's own mean stands in.
    overall : float
        Value of a day with an order of customers whose own mean is not positive.
    kept : float
        Share of order value that returns leave.
    snapshot : Snapshot
        The cutoff, gap and horizon.
    """

    model: PurchaseModel
    gamma: GammaGamma | None
    overall: float
    kept: float
    snapshot: Snapshot

    def forecast(
        self,
        base: Mapping[str, Floats],
        *,
        value_days: int | None = None,
        yearly_discount_rate: float = 0.0,
    ) -> PurchaseForecast:
        """Return what is expected of customers, of the portfolio or a part of it.

        Parameters
        ----------
        base : mapping of str to ndarray of float64, shape (n,)
            Their base columns.
        value_days : int, optional
            Length of time after the gap that ``worth`` is of; None means the horizon.
        yearly_discount_rate : float
            Discount in ``worth``.
        """
        known = base["order_days"] > 0
        days = base["order_days"][known]
        customer = histories(
            order_days=days,
            **order_ends(base, known, snapshot=self.snapshot),
            snapshot=self.snapshot,
        )
        gap = self.snapshot.gap_days / DAYS_PER_WEEK
        ahead = {"horizon": self.snapshot.horizon_days / DAYS_PER_WEEK, "gap": gap}
        model = self.model
        orders = model.expected_orders(**customer, **ahead)
        horizon = self.snapshot.horizon_days
        ends = value_ends(
            horizon_days=horizon, value_days=horizon if value_days is None else value_days
        )
        further = [
            orders
            if end == horizon
            else model.expected_orders(**customer, horizon=end / DAYS_PER_WEEK, gap=gap)
            for end in ends
        ]
        worth = worth_of_spend(
            np.column_stack([_spread(known, each) for each in further]),
            expected_orders=_spread(known, orders),
            ends_days=ends,
            horizon_days=horizon,
            gap_days=self.snapshot.gap_days,
            yearly_discount_rate=yearly_discount_rate,
        )
        value = self._value_per_order_day(base["order_amount"][known] / days, days)
        median = model.median_time_to_next_order(
            repeat_orders=customer["repeat_orders"], tenure=customer["tenure"]
        )
        return PurchaseForecast(
            order_probability=_spread(known, model.probability_of_order(**customer, **ahead)),
            expected_orders=_spread(known, orders),
            expected_spend=_spread(known, orders * value),
            p_alive=_spread(known, model.p_alive(**customer)),
            next_order_days=_spread(known, median * DAYS_PER_WEEK, missing=np.nan),
            worth=worth,
            cutoff=self.snapshot.cutoff,
        )

    def _value_per_order_day(self, mean: Floats, days: Floats) -> Floats:
        """Return the expected net value of a day with an order, in currency."""
        positive = mean > 0.0
        value = np.full(len(mean), self.overall)
        if self.gamma is None:
            value[positive] = mean[positive]
        else:
            value[positive] = self.gamma.expected_order_value(
                mean[positive], n_orders=days[positive]
            )
        return value * max(self.kept, 0.0)


def histories(
    *, order_days: Floats, first_day: Floats, last_day: Floats, snapshot: Snapshot
) -> dict[str, Floats]:
    """Return repeat orders, recency and tenure in weeks, as the purchase models take them."""
    cutoff_day = (snapshot.cutoff - EPOCH).days
    return {
        "repeat_orders": order_days - 1.0,
        "recency": (last_day - first_day) / DAYS_PER_WEEK,
        "tenure": (cutoff_day - first_day) / DAYS_PER_WEEK,
    }


def order_ends(
    base: Mapping[str, Floats], known: NDArray[np.bool_], *, snapshot: Snapshot
) -> dict[str, Floats]:
    """Return the first and the last order day of known customers, business days since 1970.

    Days, not instants: equal customers merge into one cell, and the papers count days.
    """
    return {
        name: business_days(base[column][known], time_zone=snapshot.time_zone).astype(np.float64)
        for name, column in (("first_day", "first_order_us"), ("last_day", "last_order_us"))
    }


def _spread(known: NDArray[np.bool_], values: Floats, *, missing: float = 0.0) -> Floats:
    full = np.full(len(known), missing)
    full[known] = values
    return full
