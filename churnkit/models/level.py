"""The level of a portfolio's predictions: a classical model's, corrected by what it missed before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import US_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from churnkit.models.base import LabelledSnapshot

    Floats = NDArray[np.float64]

__all__ = ["LevelCorrection", "LevelPoint", "fit_level"]

YEAR = timedelta(days=365)
SEASON_REACH_DAYS = 20
# Each constant was chosen on 150 origins of twelve histories; see benchmarks/README.md.
NOISE = 0.06  # what a miss varies by without season, trend or the luck of few customers, in logs
# A smaller mean miss is none, and its square would vanish.
LEAST_MISS = 1e-9
KEPT_MEAN = 0.6  # how much of the mean miss lasts, where the season has been seen
SCATTER_WEIGHT = 3.0  # how fast scatter takes away trust in the mean miss, elsewhere
# Charities and shops of gifts have seasons of a factor of eight and more; further lie accidents.
FARTHEST = float(np.log(20.0))


@dataclass(frozen=True, kw_only=True)
class LevelPoint:
    """What the purchase model or, of subscribers, the retention curve missed at one matured snapshot.

    Attributes
    ----------
    cutoff : date
    log_odds : float or None
        Log-odds of the share that churned, minus those of the mean churn probability; None if all
        or none did.
    log_spend : float or None
        Log of actual over expected total spend; None if either is not positive, and of subscribers.
    settled : bool
        Whether two horizons of history lay before the cutoff. A younger purchase model has hardly
        seen anybody leave, and what it misses says little about the season. Never of subscribers.
    chance_log_odds, chance_log_spend : float
        Variance of either by chance: large where customers are few, or where one of them spends a
        good part of all. 0 of subscribers, of whom no season is learned.
    """

    cutoff: date
    log_odds: float | None
    log_spend: float | None
    settled: bool = True
    chance_log_odds: float = 0.0
    chance_log_spend: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LevelCorrection:
    """What to add to the classical model's level at a cutoff, learned from matured snapshots.

    A purchase model knows no season, and misses by about the same year after year. With m the mean
    miss of the training snapshots, sd their standard deviation and s the miss at the snapshot one
    year before the cutoff (at most twenty days off, and not in the first two horizons of the
    history), and c² the variance of s by chance, the correction is

    ``sd² / (sd² + 0.06² + c²) · (s − m) + 0.6 · m``,

    and where that season has not been seen, ``m² / (m² + 3 sd²) · m``: a miss that scatters little
    around its mean is a bias and lasts, one that scatters is weather. Of few customers, or of one
    who spends as much as the others together, a season is mostly luck, and is believed less.
    """

    points: tuple[LevelPoint, ...] = ()

    def log_odds(self, cutoff: date) -> float:
        """Return what to add to the log-odds of the mean churn probability."""
        return self._correction("log_odds", cutoff)

    def log_spend(self, cutoff: date) -> float:
        """Return what to add to the log of total expected spend."""
        return self._correction("log_spend", cutoff)

    def sees_season_of(self, cutoff: date) -> bool:
        """Return whether a training snapshot lies a year before the cutoff."""
        return self._year_before("log_spend", cutoff) is not None

    def _correction(self, kind: str, cutoff: date) -> float:
        misses = [v for p in self.points if (v := getattr(p, kind)) is not None]
        if not misses:
            return 0.0
        mean, scatter = float(np.mean(misses)), float(np.std(misses))
        season = self._year_before(kind, cutoff)
        if season is not None:
            chance = getattr(season, f"chance_{kind}")
            trust = scatter**2 / (scatter**2 + NOISE**2 + chance)
            found = trust * (getattr(season, kind) - mean) + KEPT_MEAN * mean
        elif len(misses) > 1 and abs(mean) > LEAST_MISS:
            found = mean * mean**2 / (mean**2 + SCATTER_WEIGHT * scatter**2)
        else:
            found = 0.0
        return float(np.clip(found, -FARTHEST, FARTHEST))

    def _year_before(self, kind: str, cutoff: date) -> LevelPoint | None:
        then = cutoff - YEAR
        known = [p for p in self.points if p.settled and getattr(p, kind) is not None]
        near = min(known, key=lambda p: abs((p.cutoff - then).days), default=None)
        if near is None or abs((near.cutoff - then).days) > SEASON_REACH_DAYS:
            return None
        return near

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "points": [
                {
                    "cutoff": str(p.cutoff),
                    "log_odds": p.log_odds,
                    "log_spend": p.log_spend,
                    "settled": p.settled,
                    "chance_log_odds": p.chance_log_odds,
                    "chance_log_spend": p.chance_log_spend,
                }
                for p in self.points
            ]
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> LevelCorrection:
        """Return the correction written by :meth:`to_dict`."""
        return cls(
            points=tuple(
                LevelPoint(
                    cutoff=date.fromisoformat(p["cutoff"]),
                    log_odds=p["log_odds"],
                    log_spend=p["log_spend"],
                    settled=p["settled"],
                    chance_log_odds=p["chance_log_odds"],
                    chance_log_spend=p["chance_log_spend"],
                )
                for p in stored["points"]
            )
        )


def fit_level(train: Sequence[LabelledSnapshot], *, kind: str) -> LevelCorrection:
    """Compare the purchase model or the retention curve with what happened at training snapshots.

    Parameters
    ----------
    train : sequence of LabelledSnapshot
        Matured: their labels lie before anything that is predicted.
    kind : str
        Purchase model, fitted anew at each cutoff.
    """
    points = []
    for s in train:
        if not len(s.churned):
            continue
        if (staying := s.staying) is not None:
            leaving = float(staying.churn_probability.mean())
            gap = _gap(float(s.churned.mean()), leaving)
            points.append(
                LevelPoint(cutoff=s.snapshot.cutoff, log_odds=gap, log_spend=None, settled=False)
            )
            continue
        ours = s.forecast(kind)
        if ours is None:
            continue
        points.append(
            LevelPoint(
                cutoff=s.snapshot.cutoff,
                log_odds=_gap(
                    float(s.churned.mean()), float(np.mean(1.0 - ours.order_probability))
                ),
                log_spend=_log_ratio(float(s.future_spend.sum()), float(ours.expected_spend.sum())),
                settled=_history_days(s) >= 2 * s.snapshot.horizon_days,
                chance_log_odds=_chance_of_rate(s.churned, ours.churn_probability),
                chance_log_spend=_chance_of_total(s.future_spend, ours.expected_spend),
            )
        )
    return LevelCorrection(points=tuple(points))


def _history_days(s: LabelledSnapshot) -> float:
    first = s.base["first_order_us"]
    known = first[np.isfinite(first)]
    return (s.snapshot.cutoff_us - float(known.min())) / US_PER_DAY if len(known) else 0.0


def _gap(actual: float, expected: float) -> float | None:
    if not (0.0 < actual < 1.0 and 0.0 < expected < 1.0):
        return None
    return float(np.log(actual / (1.0 - actual)) - np.log(expected / (1.0 - expected)))


def _log_ratio(actual: float, expected: float) -> float | None:
    return float(np.log(actual / expected)) if actual > 0.0 and expected > 0.0 else None


def _chance_of_rate(churned: NDArray[np.bool_], probability: Floats) -> float:
    """Return the variance of the log-odds of a share, of customers who churn independently."""
    rate = float(churned.mean())
    if not 0.0 < rate < 1.0:
        return 0.0
    each = float(np.mean(probability * (1.0 - probability)))
    return each / len(churned) / (rate * (1.0 - rate)) ** 2


def _chance_of_total(spend: Floats, expected: Floats) -> float:
    """Return the variance of the log of a total, of customers who spend independently."""
    total, theirs = float(spend.sum()), float(expected.sum())
    if total <= 0.0 or theirs <= 0.0:
        return 0.0
    return float(np.sum((spend - expected * (total / theirs)) ** 2)) / total**2
