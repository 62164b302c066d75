"""Whether a churn model of subscribers knows more than a base rate: one for all, or by time subscribed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.evaluation.guards import Z_95, Skill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from churnkit.models.base import LabelledSnapshot

    Floats = NDArray[np.float64]

__all__ = [
    "ContractSkill",
    "Gain",
    "SnapshotGains",
    "contract_skill",
    "gain_over",
    "pooled_skill",
    "snapshot_gains",
]

EQUALS = 10  # customers of the nearest time subscribed who are compared with each other
DIGITS = 12  # of a chance: what rounding in another order of sums leaves alone


@dataclass(frozen=True, kw_only=True, eq=False)
class Gain:
    """What a ranking gains over chance at one cutoff, by customer; arrays of shape (n,).

    Attributes
    ----------
    customer_ids : ndarray of object
    points : ndarray of float64
        They add up to the pairs ranked right, beyond half of all.
    spread : ndarray of float64
        The same, as wide as their sum of squares needs to be for the variance of that surplus.
    pairs : float
        Pairs of one who left and one who stayed, as weighted.
    """

    customer_ids: NDArray[np.object_]
    points: Floats
    spread: Floats
    pairs: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotGains:
    """Of subscribers at one cutoff: the gain over the base rate, and over that by time subscribed.

    Attributes
    ----------
    over_base_rate : Gain
    over_curve : Gain or None
        None where nobody was seen to leave before, so that there is no retention curve.
    """

    over_base_rate: Gain
    over_curve: Gain | None


@dataclass(frozen=True, kw_only=True)
class ContractSkill:
    """What all test cutoffs together say of a churn model of subscribers.

    Attributes
    ----------
    cutoffs : tuple of str
    base_rate : Skill
        Whether it ranks customers better than chance.
    retention_curve : Skill or None
        Whether it does among customers who have been subscribed equally long.
    """

    cutoffs: tuple[str, ...]
    base_rate: Skill
    retention_curve: Skill | None

    @property
    def statement(self) -> str | None:
        """What the model is no better than, as a sentence; None if it is better than both."""
        judged = (
            (self.base_rate, "the base rate", ""),
            (
                self.retention_curve,
                "the base rate by time subscribed (retention curve): the features add nothing",
                "among customers subscribed equally long, ",
            ),
        )
        for skill, what, whom in judged:
            if skill is not None and skill.auc is not None and not skill.has_skill:
                first, last = self.cutoffs[0], self.cutoffs[-1]
                where = f"test at {first}"
                if first != last:
                    where = f"tests at {len(self.cutoffs)} cutoffs from {first} to {last}"
                return (
                    f"{where}: the model is no better than {what}"
                    f" ({whom}AUC {skill.auc:.3f}, 95 % interval from {skill.auc_low:.3f})"
                )
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        named = {"base_rate": self.base_rate, "retention_curve": self.retention_curve}
        shown = {
            name: None
            if skill is None
            else {
                "auc": skill.auc,
                "auc_low": skill.auc_low,
                "auc_high": skill.auc_high,
                "better": skill.has_skill,
            }
            for name, skill in named.items()
        }
        return {**shown, "statement": self.statement}


def gain_over(
    churned: ArrayLike,
    probability: ArrayLike,
    *,
    customer_ids: NDArray[np.object_],
    alike: Sequence[ArrayLike] = (),
) -> Gain:
    """Return what a ranking gains over chance, among all customers or among those who are alike.

    Parameters
    ----------
    churned : array-like of bool, shape (n,)
    probability : array-like of float, shape (n,)
    customer_ids : ndarray of object, shape (n,)
    alike : sequence of array-like of float, each of shape (n,), optional
        Only customers next to each other by such a value, ten at a time, are compared; by several
        values, each counts the same.

    Notes
    -----
    A group of n customers of whom m left has the Mann-Whitney statistic of its ranks r, weighted by
    ``1 / (n + 1)`` as van Elteren [1]_ showed to be best: the points of a customer are
    ``(y - m/n) (r - mean r) / (n + 1)``. Whoever is left to chance within a group gives points that
    are zero on average, whatever the groups' own rates are.

    References
    ----------
    .. [1] P. H. van Elteren (1960), "On the Combination of Independent Two-Sample Tests of Wilcoxon",
       Bulletin of the International Statistical Institute 37, 351-361.

    Examples
    --------
    >>> gain = gain_over([1, 0, 1, 0], [0.9, 0.2, 0.3, 0.4], customer_ids=np.array(list("abcd")))
    >>> float(0.5 + gain.points.sum() / gain.pairs)  # the AUC
    0.75
    """
    y, p = np.asarray(churned, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    ways = [_among(_groups(value), y, p) for value in alike]
    if not ways:
        ways = [_among(np.zeros(len(y), dtype=np.int64), y, p)]
    points, spread, pairs = (sum(part) / len(ways) for part in zip(*ways, strict=True))
    return Gain(customer_ids=customer_ids, points=points, spread=spread, pairs=float(pairs))


def _groups(alike: ArrayLike) -> NDArray[np.int64]:
    """Return the group of each customer: ten of nearly the same value, ties in the order of rows."""
    order = np.argsort(np.asarray(alike, dtype=np.float64), kind="stable")
    count = len(order)
    group = np.empty(count, dtype=np.int64)
    group[order] = np.arange(count) * max(1, count // EQUALS) // max(count, 1)
    return group


def _among(group: NDArray[np.int64], y: Floats, p: Floats) -> tuple[Floats, Floats, float]:
    """Return points, spread and pairs of comparisons within groups."""
    size = np.bincount(group).astype(np.float64)
    left = np.bincount(group, y)
    weight = 1.0 / (size + 1.0)
    above = _ranks_within(group, p) - (size[group] + 1.0) / 2.0
    points = weight[group] * (y - (left / size)[group]) * above
    # Deviations from a group's own mean are too small by this factor.
    wider = np.sqrt(size / np.maximum(size - 1.0, 1.0))
    return points, points * wider[group], float((weight * left * (size - left)).sum())


def _ranks_within(group: NDArray[np.int64], value: Floats) -> Floats:
    """Return each one's rank in its group, from 1; those who tie share the mean of their ranks."""
    order = np.lexsort((value, group))
    g, v = group[order], value[order]
    starts = np.flatnonzero(np.r_[True, (g[1:] != g[:-1]) | (v[1:] != v[:-1])][: len(g)])
    ends = np.r_[starts[1:], len(g)]
    first_of_group = np.searchsorted(g, g[starts]) if len(g) else starts
    shared = (starts + ends + 1) / 2.0 - first_of_group
    rank = np.empty(len(g))
    rank[order] = np.repeat(shared, ends - starts)
    return rank


def pooled_skill(gains: Sequence[Gain]) -> Skill:
    """Return the skill that several cutoffs show together.

    Notes
    -----
    What one customer gains at several cutoffs, whose horizons may overlap, is added up first: only
    customers are independent of each other, and the variance is the sum of their squares.
    """
    pairs = sum(gain.pairs for gain in gains)
    if not pairs > 0.0:
        return Skill(auc=None, auc_low=None, auc_high=None, has_skill=False)
    ids = np.concatenate([gain.customer_ids for gain in gains])
    _, place = np.unique(ids.astype(str), return_inverse=True)
    spread = np.bincount(place, np.concatenate([gain.spread for gain in gains]))
    error = float(np.sqrt(np.square(spread).sum())) / pairs
    auc = 0.5 + float(sum(gain.points.sum() for gain in gains)) / pairs
    low, high = auc - Z_95 * error, auc + Z_95 * error
    # Of one customer who left and many tied, nothing varies.
    return Skill(auc=auc, auc_low=low, auc_high=high, has_skill=error > 0.0 and low > 0.5)


def contract_skill(gains: Mapping[str, SnapshotGains]) -> ContractSkill:
    """Return what the cutoffs, by their date, show together."""
    beyond = [gain.over_curve for gain in gains.values() if gain.over_curve is not None]
    return ContractSkill(
        cutoffs=tuple(gains),
        base_rate=pooled_skill([gain.over_base_rate for gain in gains.values()]),
        retention_curve=pooled_skill(beyond) if beyond else None,
    )


def snapshot_gains(test: LabelledSnapshot, probability: Floats) -> SnapshotGains | None:
    """Return what a ranking of subscribers gains at one cutoff; None where nobody subscribes.

    Alike are those whom the retention curve gives the same chance and, where nobody holds several
    subscriptions, also those of the same tenure: a curve knows renewal days that a few weeks of
    tenure blur, and is blurred itself where endings are few.
    """
    if test.contracts is None:
        return None
    ids = test.customer_ids[test.eligible]
    over_curve = None
    if test.staying is not None:
        alike = [np.round(test.staying.churn_probability, DIGITS)]
        stays = test.contracts.stays
        mine = (stays.customer >= 0) & ~stays.ended
        whose = stays.customer[mine]
        if (np.bincount(whose, minlength=len(ids)) == 1).all():
            alike.append(stays.days[mine][np.argsort(whose)])
        over_curve = gain_over(test.churned, probability, customer_ids=ids, alike=alike)
    return SnapshotGains(
        over_base_rate=gain_over(test.churned, probability, customer_ids=ids),
        over_curve=over_curve,
    )
