"""How much of the recurring revenue stays: churn, gross and net retention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.bootstrap import bootstrap_ratio_interval
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import aligned, choice, counts, needed, part_of, total
from churnkit.formulas.metric import MetricValue, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "NET_VARIANTS",
    "gross_revenue_retention",
    "net_revenue_retention",
    "revenue_churn_rate",
]

NET_VARIANTS = {
    "closed": "customers of the start only: cancellations, downgrades and expansions",
    "with_reactivations": "the same plus the MRR of customers who came back in the period",
}
"""Definitions of net revenue retention; the first is the default."""

NOTHING_STARTED: dict[str, object] = {"starting_mrr": 0.0, "cancelled_mrr": 0.0}


@FORMULAS.register("revenue_churn_rate")
@described(
    unit="percent",
    formula="(MRR cancelled + MRR downgraded) / MRR at start * 100",
    zero_cases=(NOTHING_STARTED,),
)
def revenue_churn_rate(
    *,
    starting_mrr: ArrayLike,
    cancelled_mrr: ArrayLike,
    downgraded_mrr: ArrayLike = 0.0,
    customers: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> MetricValue:
    """Share of the recurring revenue at the start that is cancelled or downgraded in the period.

    Parameters
    ----------
    starting_mrr : float or array-like of float, shape (n_customers,)
        Monthly recurring revenue at the start, in the currency of the input: the total, or one
        value per customer.
    cancelled_mrr, downgraded_mrr : float or array-like of float, shape (n_customers,)
        What of it was cancelled and what was lost to smaller plans, as numbers >= 0, in the same
        form.
    customers : int, optional
        Number of starting customers, for ``n`` with totals.
    level : float, default 0.95
        Level of the bootstrap interval, which needs values per customer.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of customers with a starting MRR.

    Raises
    ------
    ParameterError
        If a lost amount is negative, more is lost than was there (in total or of one customer),
        or the arguments differ in form.

    Notes
    -----
    Only the MRR of customers who were there at the start counts. A starting MRR below zero
    (credits) has the status ``negative_base``.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> revenue_churn_rate(
    ...     starting_mrr=50_000.0, cancelled_mrr=1_500.0, downgraded_mrr=500.0
    ... ).value
    4.0
    """
    where = "revenue_churn_rate"
    moved = _movements(where, customers, starting_mrr, cancelled_mrr, downgraded_mrr)
    return _share_of_start(where, moved.lost, moved, level=level, seed=seed)


@FORMULAS.register("gross_revenue_retention")
@described(
    unit="percent",
    formula="(MRR at start - cancelled - downgraded) / MRR at start * 100",
    zero_cases=(NOTHING_STARTED,),
)
def gross_revenue_retention(
    *,
    starting_mrr: ArrayLike,
    cancelled_mrr: ArrayLike,
    downgraded_mrr: ArrayLike = 0.0,
    customers: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> MetricValue:
    """Share of the recurring revenue at the start that is neither cancelled nor downgraded.

    Parameters
    ----------
    starting_mrr, cancelled_mrr, downgraded_mrr, customers, level, seed
        As in :func:`revenue_churn_rate`.

    Returns
    -------
    MetricValue
        In percent, never above 100; ``n`` is the number of customers with a starting MRR.

    Raises
    ------
    ParameterError
        As in :func:`revenue_churn_rate`.

    Notes
    -----
    Equals 100 - revenue churn.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> gross_revenue_retention(
    ...     starting_mrr=50_000.0, cancelled_mrr=1_500.0, downgraded_mrr=500.0
    ... ).value
    96.0
    """
    where = "gross_revenue_retention"
    moved = _movements(where, customers, starting_mrr, cancelled_mrr, downgraded_mrr)
    return _share_of_start(where, moved.start - moved.lost, moved, level=level, seed=seed)


@FORMULAS.register("net_revenue_retention")
@described(
    unit="percent",
    formula="(MRR at start - cancelled - downgraded + expanded) / MRR at start * 100",
    variants=NET_VARIANTS,
    zero_cases=(
        NOTHING_STARTED,
        {**NOTHING_STARTED, "reactivated_mrr": 10.0, "variant": "with_reactivations"},
    ),
)
def net_revenue_retention(
    *,
    starting_mrr: ArrayLike,
    cancelled_mrr: ArrayLike,
    downgraded_mrr: ArrayLike = 0.0,
    expanded_mrr: ArrayLike = 0.0,
    reactivated_mrr: ArrayLike | None = None,
    variant: Literal["closed", "with_reactivations"] = "closed",
    customers: float | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> MetricValue:
    """Recurring revenue of the starting customers at the end, per unit of it at the start.

    Parameters
    ----------
    starting_mrr, cancelled_mrr, downgraded_mrr
        As in :func:`revenue_churn_rate`.
    expanded_mrr : float or array-like of float, shape (n_customers,)
        What customers of the start pay more, as a number >= 0.
    reactivated_mrr : float or array-like of float, shape (n_customers,), optional
        What customers pay who came back, as a number >= 0; their starting MRR is 0. Needed by
        ``with_reactivations``, not looked at by ``closed``.
    variant : {"closed", "with_reactivations"}
        Definition, see :data:`NET_VARIANTS`.
    customers, level, seed
        As in :func:`revenue_churn_rate`.

    Returns
    -------
    MetricValue
        In percent, above 100 where expansion outweighs losses; ``n`` is the number of customers
        with a starting MRR.

    Raises
    ------
    ParameterError
        As in :func:`revenue_churn_rate`, or if the variant is unknown or lacks its argument.

    Notes
    -----
    New customers never count, whichever the variant.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> net_revenue_retention(
    ...     starting_mrr=50_000.0, cancelled_mrr=1_500.0, downgraded_mrr=500.0, expanded_mrr=4_500.0
    ... ).value
    105.0
    """
    where = "net_revenue_retention"
    choice(where, variant=variant, known=NET_VARIANTS)
    gains: dict[str, ArrayLike] = {"expanded_mrr": expanded_mrr}
    if variant == "with_reactivations":
        needed(where, variant=variant, reactivated_mrr=reactivated_mrr)
        gains["reactivated_mrr"] = 0.0 if reactivated_mrr is None else reactivated_mrr
    moved = _movements(where, customers, starting_mrr, cancelled_mrr, downgraded_mrr, **gains)
    ending = moved.start - moved.lost + moved.gained
    return _share_of_start(where, ending, moved, level=level, seed=seed, variant=variant)


@dataclass(frozen=True)
class _Movements:
    """Columns of MRR, one row per customer or one row of totals."""

    start: NDArray[np.float64]
    lost: NDArray[np.float64]
    gained: NDArray[np.float64]
    n: float | None
    per_customer: bool


def _movements(
    where: str,
    customers: float | None,
    starting_mrr: ArrayLike,
    cancelled_mrr: ArrayLike,
    downgraded_mrr: ArrayLike,
    **gains: ArrayLike,
) -> _Movements:
    """Return the movements of the MRR, or say what is impossible about them."""
    losses = {"cancelled_mrr": cancelled_mrr, "downgraded_mrr": downgraded_mrr}
    columns, per_customer = aligned(where, starting_mrr=starting_mrr, **losses, **gains)
    start = columns.pop("starting_mrr")
    for name, values in columns.items():
        if (values < 0.0).any():
            worst = float(values.min())
            msg = (
                f"{where}: {name} must be >= 0, a loss written as a positive number; got {worst!r}"
            )
            raise ParameterError(msg)
    lost = columns["cancelled_mrr"] + columns["downgraded_mrr"]
    for position in np.flatnonzero((start >= 0.0) & (lost > start)):
        whole = float(start[position])
        part_of(
            where, "cancelled_mrr + downgraded_mrr", float(lost[position]), "starting_mrr", whole
        )
        lost[position] = whole
    n = None if customers is None else counts(where, customers=customers)[0]
    if per_customer:
        starting = float(np.count_nonzero(start))
        if n not in (None, starting):
            rule = f"customers must be those with a starting_mrr ({starting:.0f})"
            msg = f"{where}: {rule}; got {customers!r}"
            raise ParameterError(msg)
        n = starting
    gained = np.sum([columns[name] for name in gains], axis=0) if gains else np.zeros_like(start)
    return _Movements(start=start, lost=lost, gained=gained, n=n, per_customer=per_customer)


def _share_of_start(
    where: str,
    part: NDArray[np.float64],
    moved: _Movements,
    *,
    level: float,
    seed: int,
    variant: str = "",
) -> MetricValue:
    """Return a part of the MRR as a share of the MRR at the start."""
    interval = partial(bootstrap_ratio_interval, part, moved.start, level=level, seed=seed)
    return quotient(
        where,
        numerator=total(part),
        denominator=total(moved.start),
        unit="percent",
        n=moved.n,
        empty="no MRR at period start",
        negative="MRR at period start is negative",
        interval=interval if moved.per_customer else None,
        variant=variant,
    )
