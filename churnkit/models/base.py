"""What models are fitted on: the feature matrix and labelled snapshots."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.errors import ModelGuardError
from churnkit.models.contract import Contracts, stays_of
from churnkit.models.population import base_numbers, eligible_customers
from churnkit.models.purchase import forecast_purchases
from churnkit.models.staying import forecast_stays

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.models.purchase_forecast import PurchaseForecast
    from churnkit.models.staying import StayForecast

    Floats = NDArray[np.float64]

__all__ = [
    "FeatureMatrix",
    "LabelledSnapshot",
    "label_snapshot",
    "outcomes",
    "side_by_side",
    "stack",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureMatrix:
    """Features of customers with the names of their columns.

    Parameters
    ----------
    names : tuple of str
        One per column, in the order the model was trained on.
    values : ndarray of float32, shape (n_customers, n_features)
        NaN where a feature is not known.
    categories : tuple of str
        Features whose values are positions of levels, not amounts.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    categories: tuple[str, ...] = ()

    @classmethod
    def from_arrow(
        cls, table: pa.Table, *, names: Sequence[str], categories: Sequence[str] = ()
    ) -> FeatureMatrix:
        """Return the named columns of an Arrow table as a matrix; nulls become NaN."""
        values = np.empty((table.num_rows, len(names)), dtype=np.float32)
        for position, name in enumerate(names):
            values[:, position] = table.column(name).to_numpy()
        return cls(names=tuple(names), values=values, categories=tuple(categories))

    def __getitem__(self, rows: NDArray[Any]) -> FeatureMatrix:
        """Return the chosen rows (a mask or positions)."""
        return replace(self, values=self.values[rows])

    def require(self, names: tuple[str, ...]) -> None:
        """Refuse a matrix whose columns are not exactly ``names`` in this order."""
        if self.names == names:
            return
        missing = [n for n in names if n not in self.names]
        extra = [n for n in self.names if n not in names]
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"not known to the model: {', '.join(extra)}"] if extra else []
        parts = parts or ["the columns are in another order than in training"]
        msg = f"features: the columns do not fit the model; {'; '.join(parts)}"
        raise ModelGuardError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSnapshot:
    """Every customer known at a cutoff, which of them are in the population, and what they did next.

    Attributes
    ----------
    snapshot : Snapshot
        The cutoff and its intervals.
    customer_ids : ndarray of str, shape (n_known,)
        Sorted.
    base : dict of str to ndarray of float64, shape (n_known,)
        :data:`churnkit.features.build.BASE_COLUMNS` as numbers.
    eligible : ndarray of bool, shape (n_known,)
        In the population: active and with enough orders.
    features : FeatureMatrix
        Rows of the eligible customers only.
    churned : ndarray of bool, shape (n_eligible,)
        By the label: as a rule, no qualifying order in the horizon.
    future_spend, future_orders : ndarray of float64, shape (n_eligible,)
        Net spend (can be negative) and orders in the horizon.
    contracts : Contracts or None
        What subscribers pay and how long they have stayed, where the label is of subscriptions.
    """

    snapshot: Snapshot
    customer_ids: NDArray[np.object_]
    base: Mapping[str, Floats]
    eligible: NDArray[np.bool_]
    features: FeatureMatrix
    churned: NDArray[np.bool_]
    future_spend: Floats
    future_orders: Floats
    contracts: Contracts | None = None

    @property
    def eligible_base(self) -> dict[str, Floats]:
        """:attr:`base` of the eligible customers."""
        return {name: values[self.eligible] for name, values in self.base.items()}

    @property
    def staying(self) -> StayForecast | None:
        """What the retention curve expects of the population, where they are subscribers."""
        return forecast_stays(self.eligible_base, self.snapshot)

    @cached_property
    def _forecasts(self) -> dict[str, PurchaseForecast | None]:
        return {}

    def forecast(self, kind: str) -> PurchaseForecast | None:
        """Return what a purchase model, fitted to all who are known, expects of the population.

        It is fitted once however often it is asked for. None if it cannot be fitted; see
        :func:`churnkit.models.purchase.forecast_purchases`.
        """
        if kind not in self._forecasts:
            everybody = forecast_purchases(self.base, self.snapshot, kind=kind)
            self._forecasts[kind] = None if everybody is None else everybody[self.eligible]
        return self._forecasts[kind]


def label_snapshot(
    features: Iterable[pa.Table],
    labels: pa.Table,
    *,
    snapshot: Snapshot,
    feature_names: Sequence[str],
    active_within_days: int,
    min_orders: int,
    category_names: Sequence[str] = (),
    stays: pa.Table | None = None,
) -> LabelledSnapshot:
    """Join features and labels; customers without a label row did nothing in the horizon.

    Parameters
    ----------
    features : iterable of pyarrow.Table
        Base columns and features, ordered by ``customer_id``, one row per known customer, in
        batches: at no time are all of them held in double precision.
    labels : pyarrow.Table
        ``customer_id``, ``future_orders``, ``future_spend``, and ``churned`` where that is not "no
        order in the horizon"; customers not yet known are ignored.
    snapshot : Snapshot
        The cutoff.
    feature_names : sequence of str
        Columns of the matrix, in order.
    active_within_days, min_orders : int
        The population.
    category_names : sequence of str
        Features whose values are positions of levels.
    stays : pyarrow.Table, optional
        From :func:`churnkit.data.stays.stays_at`, where the label is of subscriptions; it then has
        ``future_mrr``.
    """
    import pyarrow as pa

    ids, bases, masks, known_ids, parts = [], [], [], [], []
    for batch in features:
        found = base_numbers(batch)
        mask = eligible_customers(
            found, snapshot, active_within_days=active_within_days, min_orders=min_orders
        )
        kept = batch.filter(mask)
        matrix = FeatureMatrix.from_arrow(kept, names=feature_names, categories=category_names)
        ids.append(batch.select(["customer_id"]))
        bases.append(found)
        masks.append(mask)
        known_ids.append(kept.select(["customer_id"]))
        parts.append(matrix.values)
    base = {name: np.concatenate([part[name] for part in bases]) for name in bases[0]}
    population = pa.concat_tables(known_ids)
    joined = population.join(labels, keys="customer_id").sort_by("customer_id")
    churned, spend, orders = outcomes(joined)
    names = pa.concat_tables(ids).column("customer_id").to_pylist()
    everybody = np.asarray(names, dtype=object)
    eligible = np.concatenate(masks)
    contracts = None
    if stays is not None:
        contracts = Contracts(
            mrr=base["mrr"][eligible],
            future_mrr=np.nan_to_num(joined.column("future_mrr").to_numpy().astype(np.float64)),
            stays=stays_of(stays, population=everybody[eligible].tolist(), snapshot=snapshot),
        )
    return LabelledSnapshot(
        contracts=contracts,
        snapshot=snapshot,
        customer_ids=everybody,
        base=base,
        eligible=eligible,
        features=replace(matrix, values=np.concatenate(parts)),
        churned=churned,
        future_spend=spend,
        future_orders=orders,
    )


def outcomes(labels: pa.Table) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Return churn, spend and orders of customers from their labels, nulls where there was no row."""
    found = {
        name: np.nan_to_num(labels.column(name).to_numpy().astype(np.float64))
        for name in ("future_orders", "future_spend", "churned")
        if name in labels.column_names
    }
    orders = found["future_orders"]
    churned = found["churned"] > 0 if "churned" in found else orders == 0
    return churned, found["future_spend"], orders


def side_by_side(snapshots: list[LabelledSnapshot]) -> list[LabelledSnapshot]:
    """Return the same snapshots with their features in one matrix, so that :func:`stack` copies none.

    The list that is given is emptied on the way, so that there is never more than one snapshot twice.
    """
    rows = np.cumsum([0, *(len(s.features.values) for s in snapshots)])
    whole = np.empty((rows[-1], len(snapshots[0].features.names)), dtype=np.float32)
    made = []
    for start, stop in itertools.pairwise(rows):
        s = snapshots.pop(0)
        whole[start:stop] = s.features.values
        made.append(replace(s, features=replace(s.features, values=whole[start:stop])))
    return made


def stack(snapshots: Sequence[LabelledSnapshot]) -> FeatureMatrix:
    """Return the features of all snapshots, one below the other."""
    parts = [s.features.values for s in snapshots]
    if len(parts) == 1:
        return snapshots[0].features
    whole = parts[0].base
    neighbours = all(
        a.base is whole and b.base is whole and a.ctypes.data + a.nbytes == b.ctypes.data
        for a, b in itertools.pairwise(parts)
    )
    # Of an array that was unpickled the base is bytes.
    if not (isinstance(whole, np.ndarray) and neighbours):
        return replace(snapshots[0].features, values=np.concatenate(parts))
    start = (parts[0].ctypes.data - whole.ctypes.data) // parts[0].strides[0]
    together: NDArray[np.float32] = whole[start : start + sum(len(part) for part in parts)]
    return replace(snapshots[0].features, values=together)
