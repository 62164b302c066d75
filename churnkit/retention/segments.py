"""The segments that one table of rules makes of RFM scores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean
from churnkit.retention.report import ALL
from churnkit.retention.scores import CLASSES, SCORE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

__all__ = [
    "ABSENT",
    "DEFAULT_RULES",
    "SegmentRule",
    "SegmentRules",
]

CELLS = tuple(product(range(1, CLASSES + 1), repeat=3))

ABSENT = "absent"
"""State of a customer at a date at which they had no row yet."""


def _is_range(given: object) -> bool:
    """Return whether this is a tuple of two scores, the lower first."""
    if not isinstance(given, tuple) or len(given) != 2:
        return False
    if not all(isinstance(end, int) and not isinstance(end, bool) for end in given):
        return False
    low, high = given
    return bool(1 <= low <= high <= CLASSES)


def _as_range(given: object) -> Any:
    """Return a list as a tuple and a single score as a range of it; what is neither is refused later."""
    if isinstance(given, list):
        return tuple(given)
    return (given, given) if isinstance(given, int) else given


def _cell(scores: tuple[object, ...]) -> str:
    return " ".join(f"{name}={score}" for name, score in zip("rfm", scores, strict=True))


@dataclass(frozen=True, kw_only=True)
class SegmentRule:
    """A box of RFM scores that belongs to one segment; a segment may have several boxes.

    Parameters
    ----------
    segment : str
        Name of the segment.
    r, f, m : tuple of int
        Lowest and highest score of recency, frequency and money, both included, in 1 to 5.
    """

    segment: str
    r: tuple[int, int] = (1, CLASSES)
    f: tuple[int, int] = (1, CLASSES)
    m: tuple[int, int] = (1, CLASSES)

    def __post_init__(self) -> None:
        if not isinstance(self.segment, str) or self.segment in {"", ABSENT, ALL}:
            msg = (
                f"segment rule: segment must be a name other than {ABSENT!r} and {ALL!r};"
                f" got {self.segment!r}"
            )
            raise ParameterError(msg)
        for name in ("r", "f", "m"):
            if not _is_range(given := getattr(self, name)):
                msg = (
                    f"segment rule {self.segment!r}: {name} must be two whole numbers, lowest and"
                    f" highest score, within 1 to {CLASSES}; got {given!r}"
                )
                raise ParameterError(msg)

    def holds(self, *, r: int, f: int, m: int) -> bool:
        """Return whether a score cell lies in the box."""
        pairs = ((r, self.r), (f, self.f), (m, self.m))
        return all(low <= score <= high for score, (low, high) in pairs)

    def condition(self) -> nw.Expr:
        """Return :meth:`holds` over the columns :data:`SCORE_COLUMNS`."""
        ranges = zip(SCORE_COLUMNS, (self.r, self.f, self.m), strict=True)
        inside = [nw.col(name).is_between(low, high) for name, (low, high) in ranges]
        return nw.all_horizontal(*inside, ignore_nulls=False)


@dataclass(frozen=True, kw_only=True)
class SegmentRules:
    """A table of rules that gives each of the 125 score cells exactly one segment.

    Parameters
    ----------
    rules : tuple of SegmentRule
        In any order; checked here, so that rules in use have neither gap nor overlap.

    Raises
    ------
    ParameterError
        If a cell has no rule or several, with the number of such cells and examples.

    Examples
    --------
    >>> DEFAULT_RULES.segment(r=5, f=5, m=5), DEFAULT_RULES.segment(r=1, f=5, m=5)
    ('champions', 'cannot_lose_them')
    >>> SegmentRules(rules=(SegmentRule(segment="recent", r=(3, 5)),))
    Traceback (most recent call last):
    churnkit.errors.ParameterError: segment rules: rules must give each of the 125 score cells one
    segment; 50 cells have none (e.g. r=1 f=1 m=1, r=1 f=1 m=2, r=1 f=1 m=3)
    """

    rules: tuple[SegmentRule, ...]

    def __post_init__(self) -> None:
        found = {
            (r, f, m): [rule.segment for rule in self.rules if rule.holds(r=r, f=f, m=m)]
            for r, f, m in CELLS
        }
        gaps = [_cell(cell) for cell, names in found.items() if not names]
        overlaps = [
            f"{_cell(cell)}: {' and '.join(names)}"
            for cell, names in found.items()
            if len(names) > 1
        ]
        faults = [
            f"{len(cells)} cells have {what} (e.g. {', '.join(cells[:3])})"
            for cells, what in ((gaps, "none"), (overlaps, "several"))
            if cells
        ]
        if faults:
            msg = (
                f"segment rules: rules must give each of the {len(CELLS)} score cells one segment;"
                f" {'; '.join(faults)}"
            )
            raise ParameterError(msg)

    @classmethod
    def from_table(cls, table: Iterable[Mapping[str, Any]]) -> SegmentRules:
        """Return the rules of a table with the columns ``segment``, ``r``, ``f``, ``m``.

        Parameters
        ----------
        table : iterable of mapping
            One mapping a rule, as YAML gives them. A range is ``[lowest, highest]`` or one score;
            one that is left out means any score.

        Raises
        ------
        ParameterError
            If a column is unknown or missing, a range is not one, or as for the class.

        Examples
        --------
        >>> rules = SegmentRules.from_table(
        ...     [{"segment": "recent", "r": [3, 5]}, {"segment": "gone", "r": [1, 2]}]
        ... )
        >>> rules.segment(r=4, f=1, m=2)
        'recent'
        """
        known = ("segment", "r", "f", "m")
        rules = []
        for position, row in enumerate(table):
            if unknown := [name for name in row if name not in known]:
                guess = did_you_mean(str(unknown[0]), known)
                msg = (
                    f"segment rules: rules[{position}]: unknown column {unknown[0]!r}.{guess}"
                    f" Known: {', '.join(known)}."
                )
                raise ParameterError(msg)
            if "segment" not in row:
                msg = f"segment rules: rules[{position}] must name its segment; got {dict(row)!r}"
                raise ParameterError(msg)
            ranges = {name: _as_range(row[name]) for name in known[1:] if name in row}
            rules.append(SegmentRule(segment=row["segment"], **ranges))
        return cls(rules=tuple(rules))

    @property
    def segments(self) -> tuple[str, ...]:
        """Names of the segments, each once, in the order of the rules."""
        return tuple(dict.fromkeys(rule.segment for rule in self.rules))

    def segment(self, *, r: int, f: int, m: int) -> str:
        """Return the segment of one cell.

        Raises
        ------
        ParameterError
            If a score is not a whole number from 1 to 5.
        """
        for rule in self.rules:
            if (r, f, m) in CELLS and rule.holds(r=r, f=f, m=m):
                return rule.segment
        msg = f"segment: scores must be whole numbers from 1 to {CLASSES}; got {_cell((r, f, m))}"
        raise ParameterError(msg)

    def expression(self) -> nw.Expr:
        """Return the segment as an expression over the columns :data:`SCORE_COLUMNS`."""
        # The last rule needs no condition: what the others leave is its box.
        chosen = nw.lit(self.rules[-1].segment)
        for rule in reversed(self.rules[:-1]):
            chosen = nw.when(rule.condition()).then(nw.lit(rule.segment)).otherwise(chosen)
        return chosen

    def to_pandas(self) -> pd.DataFrame:
        """Return the table: ``segment`` and the lowest and highest of each score."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"segment": rule.segment}
                | {
                    f"{name}_{end}": getattr(rule, name)[i]
                    for name in ("r", "f", "m")
                    for i, end in enumerate(("low", "high"))
                }
                for rule in self.rules
            ]
        )


DEFAULT_RULES = SegmentRules(
    rules=(
        SegmentRule(segment="champions", r=(4, 5), f=(4, 5), m=(4, 5)),
        SegmentRule(segment="loyal", r=(4, 5), f=(4, 5), m=(1, 3)),
        SegmentRule(segment="loyal", r=(3, 3), f=(4, 5)),
        SegmentRule(segment="potential_loyalist", r=(4, 5), f=(2, 3)),
        SegmentRule(segment="new", r=(5, 5), f=(1, 1)),
        SegmentRule(segment="promising", r=(4, 4), f=(1, 1)),
        SegmentRule(segment="needs_attention", r=(3, 3), f=(3, 3)),
        SegmentRule(segment="needs_attention", r=(3, 3), f=(1, 2), m=(4, 5)),
        SegmentRule(segment="about_to_sleep", r=(3, 3), f=(1, 2), m=(1, 3)),
        SegmentRule(segment="at_risk", r=(1, 2), f=(3, 3)),
        SegmentRule(segment="at_risk", r=(1, 2), f=(4, 5), m=(1, 3)),
        SegmentRule(segment="cannot_lose_them", r=(1, 2), f=(4, 5), m=(4, 5)),
        SegmentRule(segment="hibernating", r=(2, 2), f=(1, 2)),
        SegmentRule(segment="lost", r=(1, 1), f=(1, 2)),
    )
)
"""The eleven segments of practice, cut so that money decides only where it changes what to do."""
