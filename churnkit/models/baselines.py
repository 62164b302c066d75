"""The simple and the classical predictions that every evaluation shows beside the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from churnkit.formulas import purchase_frequency_per_year
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import LabelledSnapshot

    Floats = NDArray[np.float64]

__all__ = ["BASELINES", "Baseline", "BaselinePrediction"]

US_PER_DAY = 86_400_000_000
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselinePrediction:
    """Churn probability and expected spend of the population at a cutoff, arrays of shape (n,)."""

    churn_probability: Floats
    expected_spend: Floats


class Baseline(Protocol):
    """Predicts a snapshot's population from its base columns and from earlier labels."""

    def predict(
        self, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
    ) -> BaselinePrediction | None:
        """Return predictions for the test population, or None where the method is not defined."""
        ...


BASELINES: Registry[Baseline] = Registry("baseline")


def _stacked(train: Sequence[LabelledSnapshot]) -> tuple[Floats, Floats]:
    churned = np.concatenate([s.churned for s in train]).astype(np.float64)
    return churned, np.concatenate([s.future_spend for s in train])


@BASELINES.register("base_rate")
class BaseRate:
    """Everybody has the churn rate and the mean spend of the training snapshots."""

    def predict(
        self, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
    ) -> BaselinePrediction:
        """Return the same numbers for everybody."""
        churned, spend = _stacked(train)
        n = len(test.churned)
        return BaselinePrediction(
            churn_probability=np.full(n, churned.mean()), expected_spend=np.full(n, spend.mean())
        )


@BASELINES.register("recency")
class Recency:
    """Customers have the rate and the mean spend of those equally long silent in training.

    Twenty bins of equal size of days since the last order, rates smoothed by one customer.
    """

    def predict(
        self, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
    ) -> BaselinePrediction:
        """Return the rate and the mean of each customer's bin."""
        churned, spend = _stacked(train)
        silence = np.concatenate([_days_silent(s) for s in train])
        edges = np.unique(np.quantile(silence, np.linspace(0.0, 1.0, 21)[1:-1]))
        place = np.searchsorted(edges, silence, side="right")
        size = np.bincount(place, minlength=len(edges) + 1)
        rate = (np.bincount(place, churned, len(edges) + 1) + churned.mean()) / (size + 1.0)
        mean = (np.bincount(place, spend, len(edges) + 1) + spend.mean()) / (size + 1.0)
        mine = np.searchsorted(edges, _days_silent(test), side="right")
        return BaselinePrediction(churn_probability=rate[mine], expected_spend=mean[mine])


@BASELINES.register("persistence")
class Persistence:
    """The next horizon is like the last one: the same spend, and the risk of those who did alike.

    The churn probability is the rate in training among customers who did, or did not, order in
    the horizon before the cutoff.
    """

    def predict(
        self, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
    ) -> BaselinePrediction:
        """Return the spend of the last horizon and one of two rates."""
        churned, _ = _stacked(train)
        ordered = np.concatenate([s.eligible_base["horizon_orders"] > 0 for s in train])
        rates = [
            (churned[ordered == state].sum() + churned.mean()) / ((ordered == state).sum() + 1.0)
            for state in (False, True)
        ]
        mine = test.eligible_base
        return BaselinePrediction(
            churn_probability=np.where(mine["horizon_orders"] > 0, rates[1], rates[0]),
            expected_spend=np.maximum(mine["horizon_amount"], 0.0),
        )


@BASELINES.register("formula")
class Formula:
    """Average order value times purchases a year times the horizon in years.

    Churn is what a Poisson process at the customer's own frequency gives: exp(−expected orders).
    """

    def predict(
        self,
        train: Sequence[LabelledSnapshot],  # noqa: ARG002
        test: LabelledSnapshot,
    ) -> BaselinePrediction:
        """Return the formula's numbers; nothing is learned."""
        base = test.eligible_base
        tenure = (test.snapshot.cutoff_us - base["first_order_us"]) / US_PER_DAY
        yearly = purchase_frequency_per_year(base["orders"], tenure_days=tenure)
        expected_orders = yearly * test.snapshot.horizon_days / DAYS_PER_YEAR
        value = base["net_revenue"] / base["orders"]
        return BaselinePrediction(
            churn_probability=np.exp(-expected_orders),
            expected_spend=np.maximum(value, 0.0) * expected_orders,
        )


@dataclass(frozen=True)
class _PurchaseModel:
    kind: str

    def predict(
        self,
        train: Sequence[LabelledSnapshot],  # noqa: ARG002
        test: LabelledSnapshot,
    ) -> BaselinePrediction | None:
        """Fit on the history before the cutoff and forecast the horizon."""
        ours = test.forecast(self.kind)
        if ours is None:
            return None
        return BaselinePrediction(
            churn_probability=1.0 - ours.order_probability, expected_spend=ours.expected_spend
        )


@BASELINES.register("bg_nbd")
def bg_nbd() -> Baseline:
    """BG/NBD for orders, Gamma-Gamma for their value."""
    return _PurchaseModel("bg_nbd")


@BASELINES.register("mbg_nbd")
def mbg_nbd() -> Baseline:
    """MBG/NBD for orders, Gamma-Gamma for their value."""
    return _PurchaseModel("mbg_nbd")


def _days_silent(snapshot: LabelledSnapshot) -> Floats:
    last = snapshot.eligible_base["last_order_us"]
    return np.asarray((snapshot.snapshot.cutoff_us - last) / US_PER_DAY)
