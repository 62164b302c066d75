"""The strongest contributions of each customer in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.features.phrases import NumberFormat, Phrase
from churnkit.reasons.groups import members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from churnkit.features.build import FeatureBuilder
    from churnkit.models.base import FeatureMatrix
    from churnkit.reasons.contributions import Contributions

    Floats = NDArray[np.float64]

__all__ = ["Reason", "Reasons", "phrases_of", "typical_values"]


LEAST = 0.02
"""Log-odds below which a group is no reason: at most half a percentage point of the chance."""


def phrases_of(builders: Sequence[FeatureBuilder]) -> dict[str, Phrase]:
    """Return the phrase of every feature of the builders."""
    return {name: phrase for builder in builders for name, phrase in builder.phrases.items()}


def typical_values(
    values: Floats, *, names: Sequence[str], phrases: Mapping[str, Phrase]
) -> dict[str, float | None]:
    """Return the value of each feature typical of some customers, None where none is known.

    Parameters
    ----------
    values : ndarray of float64, shape (n, n_features)
        NaN where not known.
    names : sequence of str
        Of the columns.
    phrases : mapping of str to Phrase
        A feature said in words has its most frequent value, every other the median.

    Examples
    --------
    >>> said = {"plan": Phrase(text="on plan {value}", words=("a", "b", "c"))}
    >>> typical_values(np.array([[0.0], [2.0], [0.0]]), names=["plan"], phrases=said)
    {'plan': 0.0}
    """
    found: dict[str, float | None] = {}
    for position, name in enumerate(names):
        known = values[np.isfinite(values[:, position]), position]
        if not known.size:
            found[name] = None
        elif phrases[name].words:
            kinds, counts = np.unique(known, return_counts=True)
            found[name] = float(kinds[np.argmax(counts)])
        else:
            found[name] = float(np.median(known))
    return found


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What a group of correlated features says of one customer.

    Attributes
    ----------
    says : str
        The strongest member in words.
    feature : str
        That member.
    features : tuple of str
        All members of the group.
    contribution : float
        Their sum, in log-odds: above 0 raises the risk, below 0 keeps the customer.
    """

    says: str
    feature: str
    features: tuple[str, ...]
    contribution: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "features": list(self.features)}


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """Puts the strongest risk-raising contributions of each customer into words.

    Correlated features are one reason: their contributions are added, and the one that adds most in
    the direction of the sum is said. What says nothing counts in the sum and is never said: the date
    of the run, a missing value, a value that looks like the typical one, and a value whose side of
    the typical one would contradict common sense (see :class:`~churnkit.features.phrases.Phrase`). A
    group without anything to say, or that moves the chance by less than half a percentage point
    (:data:`LEAST`), is no reason.

    Parameters
    ----------
    phrases : mapping of str to Phrase
        By feature.
    typical : mapping of str to float or None
        Value of each feature typical of customers who stayed.
    count : int
        Reasons per customer; fewer where fewer features raise the risk.
    groups : mapping of str to str, optional
        By feature, its group (see :func:`.groups.correlated_groups`); by default each its own.
    numbers : NumberFormat, optional
        How numbers are written.
    """

    phrases: Mapping[str, Phrase]
    typical: Mapping[str, float | None]
    count: int
    groups: Mapping[str, str] = field(default_factory=dict)
    numbers: NumberFormat = field(default_factory=NumberFormat)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Columns of :meth:`columns`: words, then feature and contribution of each."""
        return tuple(
            name
            for i in range(1, self.count + 1)
            for name in (f"reason_{i}", f"reason_{i}_feature", f"reason_{i}_contribution")
        )

    def columns(self, features: FeatureMatrix, explained: Contributions) -> dict[str, list[Any]]:
        """Return the reason columns, None where a customer has fewer reasons.

        Parameters
        ----------
        features : FeatureMatrix, shape (n, n_features)
        explained : Contributions
            Of the same rows, of the churn model: positive values raise the risk.
        """
        made = {name: np.full(len(features.values), None) for name in self.column_names}
        if self.count and len(features.values):
            sums, said = self.sums(features, explained.values)
            for i, chosen in enumerate(_strongest(sums, self.count), start=1):
                rows = np.flatnonzero(np.take_along_axis(sums, chosen[:, None], 1)[:, 0] > 0.0)
                positions = said[rows, chosen[rows]]
                made[f"reason_{i}_contribution"][rows] = sums[rows, chosen[rows]]
                for position in np.unique(positions):
                    these = rows[positions == position]
                    made[f"reason_{i}"][these] = self._say(features, these, int(position))
                    made[f"reason_{i}_feature"][these] = features.names[position]
        return {name: values.tolist() for name, values in made.items()}

    def sums(
        self, features: FeatureMatrix, weights: Floats, *, raising: bool = True
    ) -> tuple[Floats, NDArray[np.intp]]:
        """Return the contribution of each group, and the position of the member that is said.

        Returns
        -------
        sums : ndarray of float64, shape (n, n_groups)
            0 where the group is no reason in the wanted direction.
        said : ndarray of int, shape (n, n_groups)
        """
        sign = 1.0 if raising else -1.0
        groups = self.groups_of(features.names)
        told = self._telling(features, raising=raising)
        wanted = np.where(told, sign * weights, -np.inf)
        sums = np.empty((len(weights), len(groups)))
        said = np.empty(sums.shape, dtype=np.intp)
        for g, positions in enumerate(groups):
            best = np.argmax(wanted[:, positions], axis=1)
            said[:, g] = np.asarray(positions)[best]
            total = weights[:, positions].sum(axis=1)
            strongest = np.take_along_axis(wanted, said[:, g][:, None], 1)[:, 0]
            sums[:, g] = np.where((strongest > 0.0) & (sign * total >= LEAST), total, 0.0)
        return sums, said

    def of_customer(
        self, features: FeatureMatrix, weights: Floats, *, raising: bool
    ) -> list[Reason]:
        """Return all reasons for one customer's risk, or what keeps the customer, strongest first.

        Parameters
        ----------
        features : FeatureMatrix, shape (1, n_features)
        weights : ndarray of float64, shape (1, n_features)
            Contributions to the log-odds of churning.
        raising : bool
            Whether what raises the risk is wanted; else what lowers it.
        """
        sums, said = self.sums(features, weights, raising=raising)
        groups = self.groups_of(features.names)
        order = np.argsort(-np.abs(sums[0]), kind="stable")
        return [
            Reason(
                says=self.say(features, 0, features.names[said[0, g]]),
                feature=features.names[said[0, g]],
                features=tuple(features.names[i] for i in groups[g]),
                contribution=float(sums[0, g]),
            )
            for g in order
            if sums[0, g] != 0.0
        ]

    def parts(self, features: FeatureMatrix, weights: Floats) -> list[Reason]:
        """Return every group of one customer with what it adds, reason or not, the largest first.

        A group is said by its member that adds most in the direction of its sum.

        Parameters
        ----------
        features : FeatureMatrix, shape (1, n_features)
        weights : ndarray of float64, shape (1, n_features)
            Contributions to the log-odds of churning.
        """
        told = {True: self._telling(features, raising=True)[0]}
        told[False] = self._telling(features, raising=False)[0]
        made = []
        for positions in self.groups_of(features.names):
            total = float(weights[0, positions].sum())
            sign, tells = (1.0 if total >= 0 else -1.0), told[total >= 0]
            ranks = [(tells[i], sign * weights[0, i], -i) for i in positions]
            said = -max(ranks)[2]
            made.append(
                Reason(
                    says=self.say(features, 0, features.names[said]),
                    feature=features.names[said],
                    features=tuple(features.names[i] for i in positions),
                    contribution=total,
                )
            )
        return sorted(made, key=lambda part: -abs(part.contribution))

    def say(self, features: FeatureMatrix, row: int, feature: str) -> str:
        """Return what a feature of a customer says, reason or not."""
        return self._say(features, np.array([row]), features.names.index(feature))[0]

    def _say(self, features: FeatureMatrix, rows: NDArray[np.intp], position: int) -> list[str]:
        name = features.names[position]
        phrase = self.phrases[name]
        beside = None
        if phrase.beside is not None and phrase.beside[0] in features.names:
            beside = features.values[rows, features.names.index(phrase.beside[0])]
        return phrase.say_all(
            features.values[rows, position].astype(np.float64),
            typical=self.typical.get(name),
            beside=beside,
            numbers=self.numbers,
        )

    def groups_of(self, names: tuple[str, ...]) -> list[list[int]]:
        """Return the positions of the features of each group, in the order of :meth:`sums`."""
        return members(self.groups, names)

    def _telling(self, features: FeatureMatrix, *, raising: bool) -> NDArray[np.bool_]:
        """Return which values can be said as a reason, shape (n, n_features)."""
        told = np.isfinite(features.values)
        for position, name in enumerate(features.names):
            phrase, typical = self.phrases[name], self.typical.get(name)
            if not phrase.sayable:
                told[:, position] = False
                continue
            values = features.values[:, position].astype(np.float64)
            told[:, position] &= phrase.tells(values, typical)
            told[:, position] &= ~phrase.against(values, typical, raising=raising)
        return told


def _strongest(sums: Floats, count: int) -> list[NDArray[np.intp]]:
    """Return, for each of the strongest places, the group of every row."""
    order = np.argsort(-sums, axis=1, kind="stable")[:, :count]
    return list(order.T)
