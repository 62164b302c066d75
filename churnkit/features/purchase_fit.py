"""The fit of the purchase models to everybody known at a cutoff, and what it says of each customer."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.btyd import GammaGamma, PurchaseModel
    from churnkit.data.windows import Snapshot

    Floats = NDArray[np.float64]

__all__ = ["FIRST_DAY", "LAST_DAY", "PURCHASE_FEATURES", "PurchaseFit"]

FIRST_DAY, LAST_DAY = "_purchase_model_first_day", "_purchase_model_last_day"
PURCHASE_FEATURES = tuple(
    f"purchase_model_{name}"
    for name in (
        "expected_orders",
        "order_probability",
        "p_alive",
        "expected_order_value",
        "expected_spend",
    )
)
DAYS_PER_WEEK = 7.0
MOST_DAYS = 1 << 20  # more than any tenure

logger = logging.getLogger("churnkit")


@dataclass(frozen=True, kw_only=True)
class PurchaseFit:
    """Everybody known at a cutoff, counted in cells of equal customers, ready to be fitted to.

    Parameters
    ----------
    rhythms : mapping of str to ndarray of shape (cells,)
        ``order_days``, :data:`FIRST_DAY`, :data:`LAST_DAY` and how many ``customers`` have them.
    values : mapping of str to ndarray of shape (bins,)
        ``order_days``, ``bin`` (NaN where the mean value is not positive), the ``mean`` value of an
        order day, the sums ``order_amount`` and ``net``, and the number of ``customers``.
    snapshot : Snapshot
        The cutoff and the horizon.
    cutoff_day : int
        The cutoff's day, counted as in the cells.
    kind : str
        Name of a purchase model.
    """

    rhythms: Mapping[str, Floats]
    values: Mapping[str, Floats]
    snapshot: Snapshot
    cutoff_day: int
    kind: str

    def in_background(self) -> Callable[[pa.Table], Mapping[str, Floats]]:
        """Start the fit in a thread of its own, and return what makes features once it is done.

        The fit is one thread's work that the engine's aggregates need not wait for.
        """
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="purchase_model")
        fitted = pool.submit(self.fit)
        pool.shutdown(wait=False)
        return _Fitting(fitted)

    def fit(self) -> Fitted:
        """Fit both models; what cannot be fitted is left out with a warning in the log."""
        return Fitted(
            rhythm=self._fit_rhythm(), value=self._fit_value(), cutoff_day=self.cutoff_day
        )

    def _fit_rhythm(self) -> Rhythm | None:
        """Fit the purchase model; None if that cannot be done."""
        from churnkit.btyd import PurchaseHistory, fit_purchase_model

        cells, snapshot = self.rhythms, self.snapshot
        order_days, first = cells["order_days"], cells[FIRST_DAY]
        if not (order_days > 1).any():
            self._warn("no customer has ordered on two days")
            return None
        history = PurchaseHistory(
            repeat_orders=order_days - 1.0,
            recency=(cells[LAST_DAY] - first) / DAYS_PER_WEEK,
            tenure=(self.cutoff_day - first) / DAYS_PER_WEEK,
            count=cells["customers"],
        )
        try:
            model = fit_purchase_model(history, kind=self.kind)
        except ModelGuardError as error:
            self._warn(str(error))
            return None
        keys, at = np.unique(_key(order_days, self.cutoff_day - first), return_index=True)
        orders, probability = model.if_alive(
            repeat_orders=history.repeat_orders[at],
            tenure=history.tenure[at],
            horizon=snapshot.horizon_days / DAYS_PER_WEEK,
            gap=snapshot.gap_days / DAYS_PER_WEEK,
        )
        return Rhythm(model=model, keys=keys, orders=orders, probability=probability)

    def _fit_value(self) -> Value | None:
        """Fit Gamma-Gamma; None if that cannot be done."""
        from churnkit.btyd import fit_gamma_gamma

        cells = self.values
        valued = ~np.isnan(cells["bin"])
        if not valued.any():
            self._warn("no order has a positive value")
            return None
        mean, n, count = (cells[name][valued] for name in ("mean", "order_days", "customers"))
        try:
            model = fit_gamma_gamma(mean, n_orders=n, count=count)
        except ModelGuardError as error:
            self._warn(str(error))
            return None
        kept = float(cells["net"].sum() / cells["order_amount"].sum())
        return Value(model=model, kept=max(kept, 0.0))

    def _warn(self, what: str) -> None:
        cutoff = self.snapshot.cutoff
        logger.warning("purchase_model at %s: %s; its features are null", cutoff, what)


@dataclass(frozen=True, kw_only=True)
class Value:
    """The value of a day with an order, and the share of it that returns leave."""

    model: GammaGamma
    kept: float


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """A purchase model, and what it expects of customers who have not left, by their orders.

    That costs a quadrature, and many customers share an answer.
    """

    model: PurchaseModel
    keys: NDArray[np.int64]
    orders: Floats
    probability: Floats


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was learned from everybody, ready to be applied to any batch of customers."""

    rhythm: Rhythm | None
    value: Value | None
    cutoff_day: int

    def __call__(self, table: pa.Table) -> Mapping[str, Floats]:
        """Return the features of a batch, NaN where nothing can be said."""
        expected, probability, p_alive, value = np.full((4, table.num_rows), np.nan)
        order_days = _numbers(table, "order_days")
        buyers = order_days > 0
        n = order_days[buyers]
        if n.size and self.rhythm is not None:
            first, last = (_numbers(table, name)[buyers] for name in (FIRST_DAY, LAST_DAY))
            tenure_days = self.cutoff_day - first
            alive = self.rhythm.model.p_alive(
                repeat_orders=n - 1.0,
                recency=(last - first) / DAYS_PER_WEEK,
                tenure=tenure_days / DAYS_PER_WEEK,
            )
            at = np.searchsorted(self.rhythm.keys, _key(n, tenure_days))
            expected[buyers] = alive * self.rhythm.orders[at]
            probability[buyers] = alive * self.rhythm.probability[at]
            p_alive[buyers] = alive
        if n.size and self.value is not None:
            mean = _numbers(table, "order_amount")[buyers] / n
            valued = self.value.model.expected_order_value(
                mean, n_orders=np.where(mean > 0, n, 0.0)
            )
            value[buyers] = valued * self.value.kept
        made = (expected, probability, p_alive, value, expected * value)
        return dict(zip(PURCHASE_FEATURES, made, strict=True))


class _Fitting:
    """A fit that may still be going on. Another process gets what came of it."""

    def __init__(self, fitted: Future[Fitted]) -> None:
        self._fitted = fitted

    def __call__(self, table: pa.Table) -> Mapping[str, Floats]:
        return self._fitted.result()(table)

    def __reduce__(self) -> tuple[Callable[..., Fitted], tuple[Fitted]]:
        return _itself, (self._fitted.result(),)


def _itself(fitted: Fitted) -> Fitted:
    return fitted


def _key(order_days: Floats, tenure_days: Floats) -> NDArray[np.int64]:
    """Return one number for what decides the future of a customer who has not left."""
    return order_days.astype(np.int64) * MOST_DAYS + tenure_days.astype(np.int64)


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
