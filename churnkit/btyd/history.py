"""Purchase counts of customers: checked, and grouped where equal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "PurchaseHistory",
    "customer_columns",
    "distinct_rows",
    "group_customers",
    "refuse",
    "refuse_where",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class PurchaseHistory:
    """Purchase counts of customers, one position per customer or per group of equal customers.

    A customer is described by three numbers, all counted from the first order, which is at time
    zero and is not itself a repeat order. The unit of time is the caller's: fit on weeks and
    every duration given to, or returned by, the fitted model is in weeks.

    Parameters
    ----------
    repeat_orders : ndarray of float64, shape (n,)
        Orders after the first (x): whole numbers, 0 or more. Orders at the same instant should
        be merged before they are counted.
    recency : ndarray of float64, shape (n,)
        Time from the first to the last order (t_x), 0 for customers without repeat orders.
    tenure : ndarray of float64, shape (n,)
        Time from the first order to the end of observation (T), at least ``recency``.
    count : ndarray of float64, shape (n,), default 1
        Customers each position stands for; positive. Fractions are allowed and act as weights.

    Raises
    ------
    ParameterError
        If a value breaks its rule, naming the argument and the first position.

    See Also
    --------
    group_customers : Merges equal customers, which is what makes fits fast.
    """

    repeat_orders: Floats
    recency: Floats
    tenure: Floats
    count: Floats = field(default_factory=lambda: np.ones(1))

    def __post_init__(self) -> None:
        where = type(self).__name__
        columns = customer_columns(
            where,
            repeat_orders=self.repeat_orders,
            recency=self.recency,
            tenure=self.tenure,
            count=self.count,
        )
        for name, column in columns.items():
            if column.ndim != 1:
                refuse(where, f"{name} must be one-dimensional", f"{column.ndim} dimensions")
            object.__setattr__(self, name, np.ascontiguousarray(column))
        refuse_where(where, "count must be positive", self.count, self.count <= 0.0)
        if not self.count.size:
            refuse(where, "repeat_orders must hold at least one customer", "none")

    @property
    def n_customers(self) -> float:
        """Customers in all positions together."""
        return float(self.count.sum())


def group_customers(
    *,
    repeat_orders: ArrayLike,
    recency: ArrayLike,
    tenure: ArrayLike,
    count: ArrayLike = 1.0,
) -> PurchaseHistory:
    """Merge customers with equal repeat orders, recency and tenure, adding up their counts.

    The likelihood of a purchase model depends on nothing else, so a fit to the groups equals the
    fit to the customers. Days merge well; microseconds do not merge at all and cost only time.

    Parameters
    ----------
    repeat_orders, recency, tenure : array-like of float, shape (n_customers,)
        See :class:`PurchaseHistory`.
    count : array-like of float, shape (n_customers,) or scalar, default 1
        Customers each position already stands for.

    Returns
    -------
    PurchaseHistory
        Groups in ascending order of repeat orders, recency and tenure.

    Raises
    ------
    ParameterError
        If a value breaks its rule, naming the argument and the first position.

    Examples
    --------
    >>> grouped = group_customers(repeat_orders=[0, 2, 0], recency=[0, 5, 0], tenure=[9, 8, 9])
    >>> grouped.repeat_orders, grouped.count
    (array([0., 2.]), array([2., 1.]))
    """
    columns = customer_columns(
        "group_customers", repeat_orders=repeat_orders, recency=recency, tenure=tenure, count=count
    )
    x, t_x, total, weight = (np.atleast_1d(column) for column in columns.values())
    first, group = distinct_rows(x, t_x, total)
    return PurchaseHistory(
        repeat_orders=x[first],
        recency=t_x[first],
        tenure=total[first],
        count=np.bincount(group, weights=weight).astype(np.float64),
    )


def distinct_rows(*columns: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return positions of the distinct rows, in ascending order, and each row's place among them.

    Examples
    --------
    >>> first, group = distinct_rows(np.array([3.0, 1.0, 3.0]), np.array([0.0, 0.0, 0.0]))
    >>> first.tolist(), group.tolist()
    ([1, 0], [1, 0, 1])
    """
    varying = [column for column in columns if (column != column[:1]).any()] or [columns[0]]
    order = np.lexsort(varying[::-1])
    starts = np.zeros(order.size, dtype=bool)
    starts[:1] = True
    for column in varying:
        ordered = column[order]
        starts[1:] |= ordered[1:] != ordered[:-1]
    group = np.empty(order.size, dtype=np.intp)
    group[order] = np.cumsum(starts) - 1
    return order[starts], group


def customer_columns(where: str, **arguments: ArrayLike) -> dict[str, Floats]:
    """Return the arguments as finite float64 of one shape, checked by the rules of their names."""
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in arguments.items()}
    for name, array in arrays.items():
        refuse_where(where, f"{name} must be finite", array, ~np.isfinite(array))
    try:
        columns = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays.values())
        refuse(where, f"{', '.join(arrays)} must have one length", f"shapes {shapes}")
    x, total = columns["repeat_orders"], columns["tenure"]
    t_x = columns.get("recency", np.zeros_like(total))
    refuse_where(where, "repeat_orders must be whole numbers >= 0", x, (x < 0) | (x != np.rint(x)))
    refuse_where(where, "recency must not be negative", t_x, t_x < 0.0)
    refuse_where(where, "recency must be 0 without repeat orders", t_x, (x == 0) & (t_x > 0.0))
    refuse_where(where, "recency must not exceed tenure", t_x, t_x > total)
    return columns


def refuse(where: str, rule: str, got: object) -> NoReturn:
    """Raise the error of an argument that breaks a rule."""
    msg = f"{where}: {rule}; got {got}"
    raise ParameterError(msg)


def refuse_where(where: str, rule: str, values: Floats, wrong: NDArray[np.bool_]) -> None:
    """Refuse the first of ``values`` at which ``wrong`` is true."""
    if wrong.any():
        first = int(np.argmax(wrong))
        refuse(where, rule, f"{values.flat[first]:g} at position {first}")
