"""What subscribers pay and will pay: monthly revenue retained, and at risk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import US_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.models.base import LabelledSnapshot

    Floats = NDArray[np.float64]

__all__ = ["ContractValue", "Contracts", "Stays", "fit_contract_value", "stays_of"]

DAYS_PER_MONTH = 365.25 / 12
# Before anybody was seen to leave: those who leave keep nothing, and go half-way on average.
LEFT_KEEP, LEFT_PAY = 0.0, 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Stays:
    """How long subscribers have stayed, as known at a cutoff; arrays of shape (n_stays,).

    Attributes
    ----------
    customer : ndarray of int
        Position of the subscriber in the population, -1 for those who are not in it.
    days : ndarray of float64
        From the start to the end or, while it runs, to the cutoff.
    ended : ndarray of bool
    entered : ndarray of float64
        Days from the start to when the stay came under observation, 0 where that was at its start.
        A table that was begun late knows of the older stays only those that had not ended.
    """

    customer: NDArray[np.int64]
    days: Floats
    ended: NDArray[np.bool_]
    entered: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Contracts:
    """The subscriptions of a labelled snapshot.

    Attributes
    ----------
    mrr, future_mrr : ndarray of float64, shape (n_eligible,)
        Monthly revenue at the cutoff, and at the end of the horizon.
    stays : Stays
        Of everybody known at the cutoff.
    """

    mrr: Floats
    future_mrr: Floats
    stays: Stays


def stays_of(table: pa.Table, *, population: Sequence[str], snapshot: Snapshot) -> Stays:
    """Return stays read from an engine, with the place of each subscriber in the population.

    Parameters
    ----------
    table : pyarrow.Table
        From :func:`churnkit.data.stays.stays_at`.
    population : sequence of str
        Their ``customer_id``.
    snapshot : Snapshot
        The cutoff at which the stays are known.

    Notes
    -----
    Nothing says when a table was begun, so observation begins a day before the first known ending, as
    for :func:`churnkit.btyd.fit_retention_curve`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    place = pc.index_in(table["customer_id"], value_set=pa.array(population, pa.string()))
    begun, gone = (
        np.asarray(table[name].cast("double").to_numpy(), dtype=np.float64)
        for name in ("started_at_us", "ended_at_us")
    )
    ended = np.isfinite(gone)
    watched_us = gone[ended].min() - US_PER_DAY if ended.any() else begun.min(initial=np.inf)
    return Stays(
        customer=np.asarray(pc.fill_null(place, -1).to_numpy(), dtype=np.int64),
        days=(np.where(ended, gone, snapshot.cutoff_us) - begun) / US_PER_DAY,
        ended=ended,
        entered=np.maximum(watched_us - begun, 0.0) / US_PER_DAY,
    )


@dataclass(frozen=True, kw_only=True)
class ContractValue:
    """What is kept of the monthly revenue, and paid in the horizon, by those who stay and who leave.

    Attributes
    ----------
    horizon_days : int
    kept_by_staying, kept_by_leaving : float
        Share of the monthly revenue at the cutoff that still runs at the end of the horizon;
        expansion does not count.
    paid_by_staying, paid_by_leaving : float
        Revenue in the horizon over what the revenue at the cutoff would bring in it, expansion and
        new subscriptions included.
    """

    horizon_days: int
    kept_by_staying: float = 1.0
    kept_by_leaving: float = LEFT_KEEP
    paid_by_staying: float = 1.0
    paid_by_leaving: float = LEFT_PAY

    def retained(self, mrr: Floats, probability: Floats) -> Floats:
        """Return the monthly revenue expected to be kept to the end of the horizon."""
        return mrr * _mixed(probability, self.kept_by_staying, self.kept_by_leaving)

    def at_risk(self, mrr: Floats, probability: Floats) -> Floats:
        """Return the monthly revenue expected to end: what leaving takes, times its probability."""
        return mrr * probability * (1.0 - self.kept_by_leaving)

    def revenue(self, mrr: Floats, probability: Floats) -> Floats:
        """Return the revenue expected in the horizon."""
        months = self.horizon_days / DAYS_PER_MONTH
        return mrr * months * _mixed(probability, self.paid_by_staying, self.paid_by_leaving)

    def lost_by_leaving(self, mrr: Floats) -> Floats:
        """Return how much less a customer who leaves pays in the horizon than one who stays."""
        months = self.horizon_days / DAYS_PER_MONTH
        return mrr * months * max(self.paid_by_staying - self.paid_by_leaving, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ContractValue:
        """Return the value written by :meth:`to_dict`."""
        return cls(**stored)


def _mixed(probability: Floats, staying: float, leaving: float) -> Floats:
    return (1.0 - probability) * staying + probability * leaving


def fit_contract_value(train: Sequence[LabelledSnapshot]) -> ContractValue | None:
    """Learn the shares from training snapshots, weighted by revenue; None without subscriptions."""
    seen = [(s, s.contracts) for s in train if s.contracts is not None]
    if not seen:
        return None
    mrr = np.concatenate([c.mrr for _, c in seen])
    kept = np.minimum(np.concatenate([c.future_mrr for _, c in seen]), mrr)
    churned = np.concatenate([s.churned for s, _ in seen])
    spend = np.concatenate([s.future_spend for s, _ in seen])
    horizon = seen[-1][0].snapshot.horizon_days
    full = mrr * (horizon / DAYS_PER_MONTH)
    return ContractValue(
        kept_by_staying=_share(kept[~churned], mrr[~churned], otherwise=1.0),
        kept_by_leaving=_share(kept[churned], mrr[churned], otherwise=LEFT_KEEP),
        paid_by_staying=_share(spend[~churned], full[~churned], otherwise=1.0),
        paid_by_leaving=_share(spend[churned], full[churned], otherwise=LEFT_PAY),
        horizon_days=horizon,
    )


def _share(part: Floats, whole: Floats, *, otherwise: float) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total > 0.0 else otherwise
