"""The simple and the classical predictions that every evaluation shows beside the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from churnkit.formulas import purchase_frequency_per_year
from churnkit.models.contract import ContractValue, fit_contract_value
from churnkit.models.survival import hazard_leaving, leaving_of_population, sbg_leaving
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.contract import Stays
    from churnkit.models.survival import Leaving

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
    """Everybody has the churn rate and the mean spend of the training snapshots.

    Subscribers have the spend that the churn rate and their monthly revenue imply.
    """

    def predict(
        self, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
    ) -> BaselinePrediction:
        """Return the same numbers for everybody."""
        churned, spend = _stacked(train)
        n = len(test.churned)
        value = fit_contract_value(train)
        if test.contracts is not None and value is not None:
            p = np.full(n, churned.mean())
            spend = value.revenue(test.contracts.mrr, p)
            return BaselinePrediction(churn_probability=p, expected_spend=spend)
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
    ) -> BaselinePrediction | None:
        """Return the rate and the mean of each customer's bin."""
        if not _has_orders(test):
            return None
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
    ) -> BaselinePrediction | None:
        """Return the spend of the last horizon and one of two rates."""
        if not _has_orders(test):
            return None
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
    ) -> BaselinePrediction | None:
        """Return the formula's numbers; nothing is learned."""
        if not _has_orders(test):
            return None
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


@dataclass(frozen=True)
class _Survival:
    fit: Callable[[Stays], Leaving | None]

    def predict(
        self, train: Sequence[LabelledSnapshot], test: LabelledSnapshot
    ) -> BaselinePrediction | None:
        """Fit on the stays known at the cutoff, and let everybody leave as others of their tenure."""
        if test.contracts is None:
            return None
        snapshot = test.snapshot
        value = fit_contract_value(train) or ContractValue(horizon_days=snapshot.horizon_days)
        p = leaving_of_population(
            test.contracts.stays,
            self.fit,
            within_days=snapshot.gap_days + snapshot.horizon_days,
            customers=len(test.churned),
        )
        if p is None:
            return None
        spend = value.revenue(test.contracts.mrr, p)
        return BaselinePrediction(churn_probability=p, expected_spend=spend)


@BASELINES.register("kaplan_meier")
def kaplan_meier() -> Baseline:
    """Kaplan-Meier curve of all stays: subscribers leave as those of their tenure did."""
    return _Survival(hazard_leaving)


@BASELINES.register("shifted_beta_geometric")
def shifted_beta_geometric() -> Baseline:
    """Shifted-beta-geometric of Fader and Hardie, fitted to the months of all stays."""
    return _Survival(sbg_leaving)


def _has_orders(snapshot: LabelledSnapshot) -> bool:
    return "orders" in snapshot.base


def _days_silent(snapshot: LabelledSnapshot) -> Floats:
    last = snapshot.eligible_base["last_order_us"]
    return np.asarray((snapshot.snapshot.cutoff_us - last) / US_PER_DAY)
