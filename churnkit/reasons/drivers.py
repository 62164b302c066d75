"""What drives a population: mean |contribution| with interval, by segment, over a value, between dates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "DriverSums",
    "change_of_drivers",
    "dependence",
    "drivers_by_group",
    "drivers_by_segment",
]

Z = 1.959963984540054  # two-sided 95 %
BINS = 12


@dataclass(kw_only=True, eq=False)
class DriverSums:
    """Sums over the contributions of a population that comes in batches.

    The interval is that of a mean over customers, ± 1.96 standard errors: how far the mean may lie
    from that of the customers to come, not how sure the model is.
    """

    customers: int = 0
    size: Floats = field(default_factory=lambda: np.zeros(0))
    square: Floats = field(default_factory=lambda: np.zeros(0))
    signed: Floats = field(default_factory=lambda: np.zeros(0))

    def see(self, contributions: Floats) -> None:
        """Add the contributions of some customers, shape (n, n_features)."""
        if not self.size.size:
            self.size, self.square, self.signed = (
                np.zeros(contributions.shape[1]) for _ in range(3)
            )
        self.customers += len(contributions)
        self.size += np.abs(contributions).sum(axis=0)
        self.square += (contributions**2).sum(axis=0)
        self.signed += contributions.sum(axis=0)

    @property
    def mean(self) -> Floats:
        """Mean |contribution| of each feature."""
        return self.size / self.customers

    @property
    def mean_signed(self) -> Floats:
        """Mean contribution of each feature."""
        return self.signed / self.customers

    @property
    def error(self) -> Floats:
        """Standard error of the mean |contribution|, NaN for one customer."""
        if self.customers < 2:
            return np.full(len(self.size), np.nan)
        variance = np.maximum(self.square / self.customers - self.mean**2, 0.0)
        return np.sqrt(variance / (self.customers - 1))

    def rows(self, names: Sequence[str], says: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return one row for each feature, the strongest first.

        ``feature``, ``says``, ``mean_contribution`` (mean of the sizes), ``low`` and ``high`` (its
        95 % interval, None for one customer), ``mean_signed`` (mean with signs).
        """
        mean, error, signed = self.mean, self.error, self.mean_signed
        return [
            {
                "feature": names[i],
                "says": says[names[i]],
                "mean_contribution": float(mean[i]),
                **_interval(mean[i], error[i], least=0.0),
                "mean_signed": float(signed[i]),
            }
            for i in np.argsort(-mean, kind="stable")
        ]


def drivers_by_group(
    sums: DriverSums,
    of_groups: DriverSums,
    *,
    grouped: Sequence[Sequence[int]],
    names: Sequence[str],
    says: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return one row for each group of features that are one reason, the strongest first.

    Parameters
    ----------
    sums, of_groups : DriverSums
        Over the contributions of the features, and over their sums by group.
    grouped : sequence of sequence of int
        Positions of the features of each group.
    names : sequence of str
        Of the features.
    says : mapping of str to str
        What each feature is, in words.

    Returns
    -------
    list of dict
        As :meth:`DriverSums.rows`, ``feature`` being the strongest of the group, with ``features``:
        all of them, the strongest first.
    """
    ranked = [sorted(positions, key=lambda i: -sums.mean[i]) for positions in grouped]
    leading = [names[positions[0]] for positions in ranked]
    members = {names[p[0]]: [names[i] for i in p] for p in ranked}
    rows = of_groups.rows(leading, says)
    return [{**row, "features": members[row["feature"]]} for row in rows]


def _interval(mean: float, error: float, *, least: float = -np.inf) -> dict[str, float | None]:
    if np.isnan(error):
        return {"low": None, "high": None}
    return {"low": float(max(mean - Z * error, least)), "high": float(mean + Z * error)}


def change_of_drivers(
    now: DriverSums, then: DriverSums, *, names: Sequence[str], says: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return how the drivers changed between two dates, the largest change of size first.

    ``mean_contribution`` and ``mean_contribution_then``; ``change`` with its 95 % interval ``low`` to
    ``high``, the two populations taken for independent, which is too wide where many customers are in
    both; ``change_signed``: what the feature did to the mean log-odds. The ``change_signed`` of all
    features add up to the change of the mean log-odds.
    """
    change = now.mean - then.mean
    error = np.sqrt(now.error**2 + then.error**2)
    signed = now.mean_signed - then.mean_signed
    return [
        {
            "feature": names[i],
            "says": says[names[i]],
            "mean_contribution": float(now.mean[i]),
            "mean_contribution_then": float(then.mean[i]),
            "change": float(change[i]),
            **_interval(change[i], error[i]),
            "change_signed": float(signed[i]),
        }
        for i in np.argsort(-np.abs(change), kind="stable")
    ]


def drivers_by_segment(
    contributions: Floats,
    segments: Sequence[str],
    *,
    names: Sequence[str],
    says: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the rows of :meth:`DriverSums.rows` for each segment, the largest segment first."""
    labels = np.asarray(segments, dtype=object).astype(str)
    found, counts = np.unique(labels, return_counts=True)
    rows = []
    for segment in found[np.argsort(-counts, kind="stable")]:
        sums = DriverSums()
        sums.see(contributions[labels == segment])
        rows += [
            {"segment": str(segment), "customers": sums.customers, **row}
            for row in sums.rows(names, says)
        ]
    return rows


def dependence(values: NDArray[Any], contributions: Floats) -> list[dict[str, Any]]:
    """Return the contribution over a feature's value, in bins of about equal size.

    Parameters
    ----------
    values, contributions : ndarray, shape (n,)
        NaN values have a last row of their own, whose value is None.

    Returns
    -------
    list of dict
        ``value`` (mean of the bin), ``customers``, ``mean``, ``low`` and ``high`` (10 % and 90 %
        quantiles of the contribution).

    Examples
    --------
    >>> dependence(np.array([1.0, 1.0, np.nan]), np.array([0.5, 0.7, 0.0]))[0]["mean"]
    0.6
    """
    known = np.isfinite(values)
    rows = []
    if known.any():
        present = values[known].astype(np.float64)
        edges = np.unique(np.quantile(present, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
        place = np.searchsorted(edges, present, side="left")
        rows = [
            _bin(float(present[place == b].mean()), contributions[known][place == b])
            for b in np.unique(place)
        ]
    if not known.all():
        rows.append(_bin(None, contributions[~known]))
    return rows


def _bin(value: float | None, weights: Floats) -> dict[str, Any]:
    low, high = np.quantile(weights, [0.1, 0.9])
    return {
        "value": value,
        "customers": len(weights),
        "mean": float(weights.mean()),
        "low": float(low),
        "high": float(high),
    }
