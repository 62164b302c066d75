"""What a purchase model, fitted to everybody known at the cutoff, expects of each customer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.features.build import (
    FEATURE_BUILDERS,
    IS_ORDER,
    Aggregation,
    Known,
    Phrase,
    at_order_day,
    ratio,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.btyd import GammaGamma, PurchaseModel

    Floats = NDArray[np.float64]

__all__ = ["PurchaseExpectations"]

DAYS_PER_WEEK = 7.0
MOST_DAYS = 1 << 20  # more than any tenure
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

logger = logging.getLogger("churnkit")


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
        return tuple(PHRASES)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        return PHRASES

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Fit to the known customers; see :class:`churnkit.features.build.FeatureBuilder`."""
        customers = known.engine.materialize(_customers(known))
        fitted = _Fitted(
            rhythm=_fit_orders(customers, known=known, kind=self.kind),
            value=_fit_value(customers, known=known),
            cutoff_day=known.cutoff_day,
        )
        known.engine.forget(customers)
        return [Aggregation(rows=known["orders"], aggregates=_ends(), finish=fitted.expect)]


@dataclass(frozen=True, kw_only=True)
class _Value:
    """The value of a day with an order, and the share of it that returns leave."""

    model: GammaGamma
    kept: float


@dataclass(frozen=True, kw_only=True)
class _Rhythm:
    """A purchase model, and what it expects of customers who have not left, by their orders.

    That costs a quadrature, and many customers share an answer.
    """

    model: PurchaseModel
    keys: NDArray[np.int64]
    orders: Floats
    probability: Floats


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """What was learned from everybody, ready to be applied to any batch of customers."""

    rhythm: _Rhythm | None
    value: _Value | None
    cutoff_day: int

    def expect(self, table: pa.Table) -> Mapping[str, Floats]:
        """Return the features of a batch, NaN where nothing can be said."""
        found = {name: np.full(table.num_rows, np.nan) for name in PHRASES}
        order_days = _numbers(table, "order_days")
        buyers = order_days > 0
        if not buyers.any():
            return found
        n = order_days[buyers]
        orders = found["purchase_model_expected_orders"]
        if self.rhythm is not None:
            first, last = (_numbers(table, name)[buyers] for name in _ends())
            tenure_days = self.cutoff_day - first
            alive = self.rhythm.model.p_alive(
                repeat_orders=n - 1.0,
                recency=(last - first) / DAYS_PER_WEEK,
                tenure=tenure_days / DAYS_PER_WEEK,
            )
            at = np.searchsorted(self.rhythm.keys, _key(n, tenure_days))
            orders[buyers] = alive * self.rhythm.orders[at]
            found["purchase_model_order_probability"][buyers] = alive * self.rhythm.probability[at]
            found["purchase_model_p_alive"][buyers] = alive
        if self.value is not None:
            mean = _numbers(table, "order_amount")[buyers] / n
            valued = self.value.model.expected_order_value(
                mean, n_orders=np.where(mean > 0, n, 0.0)
            )
            found["purchase_model_expected_order_value"][buyers] = valued * self.value.kept
        value = found["purchase_model_expected_order_value"]
        return found | {"purchase_model_expected_spend": orders * value}


def _ends() -> dict[str, nw.Expr]:
    """Return the first and the last order day, days since 1970."""
    day = nw.col("day").cast(nw.Float64)
    return {
        "_purchase_model_first_day": at_order_day(nw.col("is_first_order_day"), day),
        "_purchase_model_last_day": at_order_day(nw.col("is_last_order_day"), day),
    }


def _key(order_days: Floats, tenure_days: Floats) -> NDArray[np.int64]:
    """Return one number for what decides the future of a customer who has not left."""
    return order_days.astype(np.int64) * MOST_DAYS + tenure_days.astype(np.int64)


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _customers(known: Known) -> nw.LazyFrame[Any]:
    """Return what both fits need of each customer with an order day."""
    grouped = (
        known["orders"]
        .group_by("customer_id")
        .agg(
            nw.col("is_order_day").cast(nw.Float64).sum().alias("order_days"),
            (IS_ORDER * nw.col("amount")).sum().alias("order_amount"),
            nw.col("amount").sum().alias("net"),
            *(expr.alias(name) for name, expr in _ends().items()),
        )
    )
    return grouped.filter(nw.col("order_days") > 0).drop("customer_id")


def _fit_orders(customers: nw.LazyFrame[Any], *, known: Known, kind: str) -> _Rhythm | None:
    """Fit to customers counted by order days, first and last day; None if that cannot be done."""
    from churnkit.btyd import PurchaseHistory, fit_purchase_model

    first_day, last_day = _ends()
    by = ("order_days", first_day, last_day)
    cells = _collect(known, customers.group_by(*by).agg(customers=nw.len()), sort_by=by)
    order_days, first = cells["order_days"], cells[first_day]
    if not (order_days > 1).any():
        _warn(known, "no customer has ordered on two days")
        return None
    history = PurchaseHistory(
        repeat_orders=order_days - 1.0,
        recency=(cells[last_day] - first) / DAYS_PER_WEEK,
        tenure=(known.cutoff_day - first) / DAYS_PER_WEEK,
        count=cells["customers"],
    )
    try:
        model = fit_purchase_model(history, kind=kind)
    except ModelGuardError as error:
        _warn(known, str(error))
        return None
    keys, at = np.unique(_key(order_days, known.cutoff_day - first), return_index=True)
    snapshot = known.snapshot
    orders, probability = model.if_alive(
        repeat_orders=history.repeat_orders[at],
        tenure=history.tenure[at],
        horizon=snapshot.horizon_days / DAYS_PER_WEEK,
        gap=snapshot.gap_days / DAYS_PER_WEEK,
    )
    return _Rhythm(model=model, keys=keys, orders=orders, probability=probability)


def _fit_value(customers: nw.LazyFrame[Any], *, known: Known) -> _Value | None:
    """Fit to customers counted by order days and mean value; None if that cannot be done."""
    from churnkit.btyd import fit_gamma_gamma

    mean = ratio(nw.col("order_amount"), nw.col("order_days"))
    positive = nw.when(mean > 0).then(mean)
    binned = customers.with_columns(mean=positive, bin=(positive.log() * BINS_PER_E).floor())
    by = ("order_days", "bin")
    sums = [nw.col(name).sum() for name in ("order_amount", "net")]
    grouped = binned.group_by(*by).agg(nw.col("mean").mean(), *sums, customers=nw.len())
    cells = _collect(known, grouped, sort_by=by)
    valued = ~np.isnan(cells["bin"])
    if not valued.any():
        _warn(known, "no order has a positive value")
        return None
    mean_value, n, count = (cells[name][valued] for name in ("mean", "order_days", "customers"))
    try:
        model = fit_gamma_gamma(mean_value, n_orders=n, count=count)
    except ModelGuardError as error:
        _warn(known, str(error))
        return None
    kept = float(cells["net"].sum() / cells["order_amount"].sum())
    return _Value(model=model, kept=max(kept, 0.0))


def _collect(
    known: Known, cells: nw.LazyFrame[Any], *, sort_by: Sequence[str]
) -> dict[str, Floats]:
    """Return cells by column, in an order that does not depend on the engine's threads."""
    table = known.engine.collect(cells).sort_by([(name, "ascending") for name in sort_by])
    return {name: _numbers(table, name) for name in table.column_names}


def _warn(known: Known, what: str) -> None:
    logger.warning("purchase_model at %s: %s; its features are null", known.snapshot.cutoff, what)
