"""How a model treats groups of customers: who is said to leave, who does, and who is flagged wrongly."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.evaluation.predictive import auc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from churnkit.reporting.quality import TestOutcome

__all__ = ["GroupRow", "group_rows", "groups_of"]

MOST_GROUPS = 10
LEAST_SHARE = 0.02
"""A value that fewer customers have is put with the others."""

ENOUGH = 50
"""Below so many customers, or so few who left or stayed, rates of a group are not given."""

UNKNOWN, OTHERS = "not known", "others"


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """What was said of a group and what came.

    Attributes
    ----------
    group : str
    customers : int
    left, said : float
        Share that left, and mean predicted probability.
    auc : float or None
    found, false_alarms : float or None
        Share flagged as high risk among those who left, and among those who stayed.
    """

    group: str
    customers: int
    left: float
    said: float
    auc: float | None
    found: float | None
    false_alarms: float | None


def groups_of(values: Sequence[str | None]) -> list[str] | None:
    """Return each customer's group by the value of an attribute; None if it makes no groups.

    Numbers with many values are cut into quarters of the customers; rare texts are put together.
    An attribute with one group, or whose values nearly all differ, such as a name, makes none.

    Examples
    --------
    >>> groups_of(["nl", "de", None, "de"])
    ['nl', 'de', 'not known', 'de']
    >>> groups_of(["a", "a"]) is None
    True
    """
    known = [value for value in values if value is not None]
    counts = Counter(known)
    if len(counts) > MOST_GROUPS:
        numbers = _numbers(known)
        if numbers is not None:
            return _quarters(values, numbers=numbers)
    least = LEAST_SHARE * len(known)
    kept = {value for value, n in counts.most_common(MOST_GROUPS) if n >= least}
    if not kept:
        return None
    groups = [UNKNOWN if v is None else v if v in kept else OTHERS for v in values]
    return groups if len(set(groups)) > 1 else None


def _numbers(known: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        numbers = np.array([float(value) for value in known])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _quarters(values: Sequence[str | None], *, numbers: NDArray[np.float64]) -> list[str]:
    edges = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75], method="lower"))
    place = np.searchsorted(edges, numbers, side="left")
    names = {}
    for part in np.unique(place):
        inside = numbers[place == part]
        names[part] = f"{inside.min():g} to {inside.max():g}"
    of_known = iter(names[part] for part in place)
    return [UNKNOWN if value is None else next(of_known) for value in values]


def group_rows(test: TestOutcome, groups: Sequence[str], *, high: float) -> list[GroupRow]:
    """Return what was said of each group of a test's customers beside what came, largest first.

    Parameters
    ----------
    test : TestOutcome
    groups : sequence of str
        The group of each customer of the test.
    high : float
        Probability from which a customer is flagged as high risk.
    """
    names = np.asarray(groups, dtype=object)
    flagged = test.churn_probability >= high
    rows = []
    for name in sorted(set(groups), key=lambda g: (g in {OTHERS, UNKNOWN}, -groups.count(g), g)):
        mine = names == name
        left, p = test.churned[mine], test.churn_probability[mine]
        gone, stayed = int(left.sum()), int((~left).sum())
        rows.append(
            GroupRow(
                group=name,
                customers=int(mine.sum()),
                left=float(left.mean()),
                said=float(p.mean()),
                auc=auc(left, p) if min(gone, stayed) >= ENOUGH else None,
                found=float(flagged[mine][left].mean()) if gone >= ENOUGH else None,
                false_alarms=float(flagged[mine][~left].mean()) if stayed >= ENOUGH else None,
            )
        )
    return rows
