"""Checks that a model must pass before it is believed: skill, level, and features that know too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.evaluation.churn import auc
from churnkit.features.build import build_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import ArrayLike, NDArray

    from churnkit.data.windows import Snapshot
    from churnkit.features.build import FeatureBuilder, History
    from churnkit.models.base import FeatureMatrix

__all__ = [
    "LEVEL_TOLERANCE",
    "Skill",
    "churn_skill",
    "coverage_is_off",
    "features_that_see_the_future",
    "implausible_features",
    "level_is_off",
]

LEVEL_TOLERANCE = 0.10
COVERAGE_TOLERANCE = 0.05
IMPLAUSIBLE_AUC = 0.97
Z_95 = 1.959963984540054
# A cluster adds sums in another order every time, and a fit to them multiplies that; models read
# numbers of seven digits.
SAME = 1e-6


@dataclass(frozen=True, kw_only=True)
class Skill:
    """Whether churn probabilities rank customers better than chance, beyond noise.

    Attributes
    ----------
    auc : float or None
        None where all churned or none did.
    auc_low, auc_high : float or None
        95 % interval, as wide as it would be without skill.
    has_skill : bool
        Whether the interval lies above one half.
    """

    auc: float | None
    auc_low: float | None
    auc_high: float | None
    has_skill: bool


def churn_skill(churned: ArrayLike, probability: ArrayLike) -> Skill:
    """Say whether a model is better than the base rate, which ranks nobody above anybody.

    Parameters
    ----------
    churned : array-like of bool, shape (n_customers,)
    probability : array-like of float, shape (n_customers,)

    Returns
    -------
    Skill

    Notes
    -----
    Without skill the AUC is a Mann-Whitney statistic over its number of pairs, with mean 1/2 and
    variance ``(m + n + 1) / (12 m n)`` for m churned and n others [1]_ (ties only make it smaller).
    The level is not judged here: a ranker with the wrong level has skill.

    References
    ----------
    .. [1] H. B. Mann, D. R. Whitney (1947), "On a Test of Whether one of Two Random Variables is
       Stochastically Larger than the Other", Annals of Mathematical Statistics 18(1), 50-60.

    Examples
    --------
    >>> churn_skill([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5]).has_skill
    False
    """
    found = auc(churned, probability)
    gone = np.asarray(churned, dtype=bool)
    m, n = int(gone.sum()), int((~gone).sum())
    if found is None:
        return Skill(auc=None, auc_low=None, auc_high=None, has_skill=False)
    error = float(np.sqrt((m + n + 1) / (12.0 * m * n)))
    low, high = found - Z_95 * error, found + Z_95 * error
    return Skill(auc=found, auc_low=low, auc_high=high, has_skill=low > 0.5)


def level_is_off(total_bias: float | None) -> bool:
    """Return whether total expected spend missed the actual total by more than ten percent.

    Examples
    --------
    >>> level_is_off(0.12), level_is_off(-0.05), level_is_off(None)
    (True, False, False)
    """
    return total_bias is not None and abs(total_bias) > LEVEL_TOLERANCE


def coverage_is_off(covered: float, *, stated: float) -> bool:
    """Return whether intervals hold five points more or less of the customers than they say.

    Examples
    --------
    >>> coverage_is_off(0.93, stated=0.8), coverage_is_off(0.78, stated=0.8)
    (True, False)
    """
    return abs(covered - stated) > COVERAGE_TOLERANCE


def implausible_features(features: FeatureMatrix, churned: ArrayLike) -> dict[str, float]:
    """Return features that alone tell who churned almost perfectly: they may know the outcome.

    Parameters
    ----------
    features : FeatureMatrix
    churned : array-like of bool, shape (n_customers,)

    Returns
    -------
    dict of str to float
        Feature → AUC of its values, or of their negative, where it is at least 0.97. Customers
        without the value are ranked lowest.
    """
    found = {}
    for position, name in enumerate(features.names):
        values = np.asarray(features.values[:, position], dtype=np.float64)
        known = np.isfinite(values)
        if not known.any():
            continue
        distinct, rank = np.unique(values[known], return_inverse=True)
        place = np.zeros(len(values))
        place[known] = (rank + 1.0) / (len(distinct) + 1.0)
        alone = auc(churned, place)
        if alone is not None and max(alone, 1.0 - alone) >= IMPLAUSIBLE_AUC:
            found[name] = max(alone, 1.0 - alone)
    return found


def features_that_see_the_future(
    history: History, past: History, *, snapshot: Snapshot, builders: Sequence[FeatureBuilder]
) -> tuple[str, ...]:
    """Return features whose values change when the rows at and after the cutoff were never there.

    Parameters
    ----------
    history : History
        Made of all rows.
    past : History
        Made, by the same steps, of the rows before the cutoff only.
    snapshot : Snapshot
        The cutoff.
    builders : sequence of FeatureBuilder
        What to build from both.

    Returns
    -------
    tuple of str
        ``customer_id`` if the histories do not even know the same customers.
    """
    seeing, blind = (
        build_features(h, snapshot, builders=builders).to_arrow() for h in (history, past)
    )
    if not seeing.column("customer_id").equals(blind.column("customer_id")):
        return ("customer_id",)
    return tuple(
        name
        for name in seeing.column_names[1:]
        if not np.allclose(
            _numbers(seeing, name), _numbers(blind, name), rtol=SAME, atol=1e-9, equal_nan=True
        )
    )


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table.column(name).cast("double").to_numpy(), dtype=np.float64)
