"""What every purchase model answers about a customer, from three answers of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from churnkit.btyd.history import customer_columns, distinct_rows, refuse, refuse_where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Fitted", "PurchaseModel"]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Where parameters come from, and their way to JSON and back.

    Parameters
    ----------
    log_likelihood : float, optional
        Of the data fitted, in their own units. None for a model that was written down.
    n_customers : float, optional
        Customers fitted, weights added up.
    n_iterations : int, optional
        Steps of the optimiser, which always ends at a maximum: a fit that does not is an error.
    at_bounds : tuple of str, default ()
        Parameters that the data push to the edge of their range.
    """

    log_likelihood: float | None = None
    n_customers: float | None = None
    n_iterations: int | None = None
    at_bounds: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON; :meth:`from_dict` reads them."""
        return asdict(self) | {"at_bounds": list(self.at_bounds)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Return the model that :meth:`to_dict` wrote; refuse missing and unknown keys."""
        known = [field.name for field in fields(cls)]
        if sorted(stored) != sorted(known):
            refuse(f"{cls.__name__}.from_dict", f"keys must be {', '.join(known)}", list(stored))
        return cls(**{**stored, "at_bounds": tuple(stored["at_bounds"])})

    def _require_positive(self, *names: str) -> None:
        """Refuse a parameter that is not a positive, finite number."""
        for name in names:
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0.0):
                refuse(type(self).__name__, f"{name} must be positive and finite", value)


class PurchaseModel(Fitted, ABC):
    """Predictions shared by the purchase models, all made at the end of ``tenure``.

    Customers are given as in :class:`churnkit.btyd.PurchaseHistory`, in the unit of time of the
    history that was fitted. The arguments of a method broadcast; results have the common shape.
    Wrong values raise ParameterError with the name of the argument and the first position.
    """

    kind: str
    r: float
    alpha: float

    def p_alive(self, *, repeat_orders: ArrayLike, recency: ArrayLike, tenure: ArrayLike) -> Floats:
        """Probability that the customer has not left. A descriptor, not a churn score.

        In BG/NBD one-time buyers have 1 however long they have been silent. Use
        :meth:`probability_of_order` to tell who will come back.
        """
        where = f"{type(self).__name__}.p_alive"
        columns = customer_columns(
            where, repeat_orders=repeat_orders, recency=recency, tenure=tenure
        )
        x, t_x, total = (column.ravel() for column in columns.values())
        return np.asarray(self._p_alive(x, t_x, total)).reshape(columns["tenure"].shape)

    def if_alive(
        self,
        *,
        repeat_orders: ArrayLike,
        tenure: ArrayLike,
        horizon: ArrayLike,
        gap: ArrayLike = 0.0,
    ) -> tuple[Floats, Floats]:
        """Orders expected of customers who have not left, and their probability of any order.

        Times :meth:`p_alive` they are :meth:`expected_orders` and :meth:`probability_of_order`.
        ``recency`` does not matter, so that a few results serve many customers.
        """
        columns = self._ahead("if_alive", horizon, gap, repeat_orders=repeat_orders, tenure=tenure)
        shape = columns["tenure"].shape
        x, total, ahead, wait = (column.ravel() for column in columns.values())
        first, group = distinct_rows(x, total, ahead, wait)
        given = (x[first], total[first], ahead[first], wait[first])
        orders, probability = self._orders_if_alive(*given), self._any_order_if_alive(*given)
        return orders[group].reshape(shape), probability[group].reshape(shape)

    def expected_orders(
        self,
        *,
        repeat_orders: ArrayLike,
        recency: ArrayLike,
        tenure: ArrayLike,
        horizon: ArrayLike,
        gap: ArrayLike = 0.0,
    ) -> Floats:
        """Orders expected in ``(tenure + gap, tenure + gap + horizon]``."""
        return self._times_p_alive(
            "expected_orders",
            self._orders_if_alive,
            repeat_orders=repeat_orders,
            recency=recency,
            tenure=tenure,
            horizon=horizon,
            gap=gap,
        )

    def probability_of_order(
        self,
        *,
        repeat_orders: ArrayLike,
        recency: ArrayLike,
        tenure: ArrayLike,
        horizon: ArrayLike,
        gap: ArrayLike = 0.0,
    ) -> Floats:
        """Probability of at least one order in ``(tenure + gap, tenure + gap + horizon]``."""
        return self._times_p_alive(
            "probability_of_order",
            self._any_order_if_alive,
            repeat_orders=repeat_orders,
            recency=recency,
            tenure=tenure,
            horizon=horizon,
            gap=gap,
        )

    def expected_repeat_orders(self, tenure: ArrayLike) -> Floats:
        """Repeat orders that a customer nothing is known about places within ``tenure``."""
        return self.expected_orders(repeat_orders=0, recency=0, tenure=0, horizon=tenure)

    def median_time_to_next_order(self, *, repeat_orders: ArrayLike, tenure: ArrayLike) -> Floats:
        """Time after ``tenure`` by which half of such customers order, if none has left.

        The next order of a customer who stays follows a Lomax distribution, whose mean need not
        exist; its median always does.
        """
        where = f"{type(self).__name__}.median_time_to_next_order"
        x, total = customer_columns(where, repeat_orders=repeat_orders, tenure=tenure).values()
        return np.asarray((self.alpha + total) * np.expm1(np.log(2.0) / (self.r + x)))

    def _times_p_alive(
        self,
        method: str,
        if_alive: Callable[[Floats, Floats, Floats, Floats], Floats],
        *,
        horizon: ArrayLike,
        gap: ArrayLike,
        **customers: ArrayLike,
    ) -> Floats:
        """Multiply the probability of being there by what happens then.

        What a living customer does next does not depend on ``recency``, so the second factor, the
        dear one, is computed once per distinct combination of its arguments.
        """
        columns = self._ahead(method, horizon, gap, **customers)
        shape = columns["tenure"].shape
        x, t_x, total, ahead, wait = (column.ravel() for column in columns.values())
        first, group = distinct_rows(x, total, ahead, wait)
        values = if_alive(x[first], total[first], ahead[first], wait[first])[group]
        return np.asarray(self._p_alive(x, t_x, total) * values).reshape(shape)

    def _ahead(
        self, method: str, horizon: ArrayLike, gap: ArrayLike, **customers: ArrayLike
    ) -> dict[str, Floats]:
        """Return the arguments of a prediction, checked and of one shape."""
        where = f"{type(self).__name__}.{method}"
        columns = customer_columns(where, **customers, horizon=horizon, gap=gap)
        for name in ("horizon", "gap"):
            refuse_where(where, f"{name} must not be negative", columns[name], columns[name] < 0.0)
        return columns

    @abstractmethod
    def _p_alive(self, x: Floats, t_x: Floats, total: Floats) -> Floats:
        """Probability of being there at the end of tenure; all of shape (n,)."""

    @abstractmethod
    def _orders_if_alive(self, x: Floats, total: Floats, horizon: Floats, gap: Floats) -> Floats:
        """Orders expected of somebody who is there; all of shape (n,)."""

    @abstractmethod
    def _any_order_if_alive(self, x: Floats, total: Floats, horizon: Floats, gap: Floats) -> Floats:
        """Probability of an order of somebody who is there; all of shape (n,)."""
