"""A band for the total that a portfolio will spend: the luck of the draw, and a level that is off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.models.level import LevelCorrection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import LabelledSnapshot

    Floats = NDArray[np.float64]

__all__ = ["LevelMiss", "TotalBand", "TotalRange", "fit_total_band"]

# What a corrected level misses by, in logs, on 150 origins of twelve histories (see
# benchmarks/README.md): where the season a year before was seen, and where it was not.
USUAL_MISS = {True: 0.12, False: 0.19}
USUAL_WEIGHT = 4  # misses that this experience counts as


@dataclass(frozen=True, kw_only=True)
class TotalRange:
    """Where the total spend of a portfolio should lie.

    Attributes
    ----------
    expected, low, high : float
        Currency.
    coverage : float
        How often the total should lie between low and high.
    level_sd, chance_sd : float
        Standard deviations of the log of the total: for a level that is off, and for what these
        customers happen to do at a given level.
    """

    expected: float
    low: float
    high: float
    coverage: float
    level_sd: float
    chance_sd: float


@dataclass(frozen=True, kw_only=True)
class LevelMiss:
    """What was left of a matured snapshot's miss after the correction that was known by then.

    Attributes
    ----------
    cutoff : date
    log_spend : float
        Log of actual over corrected total spend.
    season_seen : bool
        Whether the same season, a year before, had matured by then.
    """

    cutoff: date
    log_spend: float
    season_seen: bool


@dataclass(frozen=True, kw_only=True)
class TotalBand:
    """How sure a total is, learned from matured snapshots.

    The log of the total is taken to be off by a Student-t error. Its scale joins two parts: the
    variance of the sum over independent customers, each of whom spends nothing or a multiple of
    the expected value as buyers of a later snapshot did; and the misses of the level at matured
    snapshots, pooled with the usual miss on other histories, which counts as four of them. Levels
    are usually off by .19 in logs where the season was not seen the year before, by .12 where it
    was: a miss of one kind stands for one of the other in that proportion. Snapshots that overlap
    count once.

    Attributes
    ----------
    coverage : float
        Nominal.
    misses : tuple of LevelMiss
        Oldest first.
    horizon_days : int
        Of a label, gap included: snapshots nearer to each other overlap.
    """

    coverage: float
    misses: tuple[LevelMiss, ...]
    horizon_days: int

    def range(self, *, expected: float, variance: float, season_seen: bool) -> TotalRange:
        """Return the band around a total.

        Parameters
        ----------
        expected : float
            Total expected spend, > 0.
        variance : float
            Of the total at a known level, currency squared.
        season_seen : bool
            Whether the season a year before the cutoff was seen in training.
        """
        from scipy.stats import t as student

        apart = _apart([m.cutoff for m in self.misses], days=self.horizon_days)
        squares = USUAL_WEIGHT * USUAL_MISS[season_seen] ** 2
        if self.misses:
            usual = USUAL_MISS[season_seen]
            alike = [m.log_spend * usual / USUAL_MISS[m.season_seen] for m in self.misses]
            squares += apart * float(np.mean(np.square(alike)))
        freedom = USUAL_WEIGHT + apart
        level = float(np.sqrt(squares / freedom))
        chance = float(np.sqrt(np.log1p(variance / expected**2)))
        reach = float(student.ppf(0.5 + self.coverage / 2.0, freedom) * np.hypot(level, chance))
        return TotalRange(
            expected=expected,
            low=expected * float(np.exp(-reach)),
            high=expected * float(np.exp(reach)),
            coverage=self.coverage,
            level_sd=level,
            chance_sd=chance,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "coverage": self.coverage,
            "horizon_days": self.horizon_days,
            "misses": [
                {"cutoff": str(m.cutoff), "log_spend": m.log_spend, "season_seen": m.season_seen}
                for m in self.misses
            ],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TotalBand:
        """Return the band written by :meth:`to_dict`."""
        return cls(
            coverage=stored["coverage"],
            horizon_days=stored["horizon_days"],
            misses=tuple(
                LevelMiss(
                    cutoff=date.fromisoformat(m["cutoff"]),
                    log_spend=m["log_spend"],
                    season_seen=m["season_seen"],
                )
                for m in stored["misses"]
            ),
        )


def _apart(cutoffs: Sequence[date], *, days: int) -> int:
    """Return how many of the cutoffs, ascending, can be kept with none nearer than ``days``."""
    kept: list[date] = []
    for cutoff in cutoffs:
        if not kept or (cutoff - kept[-1]).days >= days:
            kept.append(cutoff)
    return len(kept)


def fit_total_band(
    level: LevelCorrection,
    train: Sequence[LabelledSnapshot],
    *,
    coverage: float,
    corrected: bool = True,
) -> TotalBand:
    """Look up what the level would have missed at each training snapshot, knowing what matured before.

    Parameters
    ----------
    level : LevelCorrection
        Learned on the same snapshots.
    train : sequence of LabelledSnapshot
        Oldest first.
    coverage : float
        Nominal, between 0 and 1.
    corrected : bool
        Whether predictions use the correction; if not, the purchase model's own misses count.
    """
    newest = train[-1].snapshot
    days = newest.gap_days + newest.horizon_days
    known = [p for p in level.points if p.log_spend is not None]
    settled = [p for p in known if p.settled] or known
    misses = []
    for point in settled:
        matured = tuple(p for p in level.points if p.cutoff + timedelta(days=days) <= point.cutoff)
        before = LevelCorrection(points=matured if corrected else ())
        misses.append(
            LevelMiss(
                cutoff=point.cutoff,
                log_spend=float(point.log_spend or 0.0) - before.log_spend(point.cutoff),
                season_seen=LevelCorrection(points=matured).sees_season_of(point.cutoff),
            )
        )
    return TotalBand(coverage=coverage, misses=tuple(misses), horizon_days=days)
