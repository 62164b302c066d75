"""The level of a portfolio's predictions: a classical model's, corrected by what it missed before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import US_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.models.base import LabelledSnapshot

__all__ = ["LevelCorrection", "LevelPoint", "fit_level"]

YEAR = timedelta(days=365)
SEASON_REACH_DAYS = 20
# Each constant was chosen on 150 origins of twelve histories; see benchmarks/README.md.
NOISE = 0.06  # what a miss varies by without season or trend, in logs
# A smaller mean miss is none, and its square would vanish.
LEAST_MISS = 1e-9
KEPT_MEAN = 0.6  # how much of the mean miss lasts, where the season has been seen
SCATTER_WEIGHT = 3.0  # how fast scatter takes away trust in the mean miss, elsewhere
FARTHEST = float(np.log(3.0))


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
    """

    cutoff: date
    log_odds: float | None
    log_spend: float | None
    settled: bool = True


@dataclass(frozen=True, kw_only=True)
class LevelCorrection:
    """What to add to the classical model's level at a cutoff, learned from matured snapshots.

    A purchase model knows no season, and misses by about the same year after year. With m the mean
    miss of the training snapshots, sd their standard deviation and s the miss at the snapshot one
    year before the cutoff (at most twenty days off, and not in the first two horizons of the
    history), the correction is

    ``sd² / (sd² + 0.06²) · (s − m) + 0.6 · m``,

    and where that season has not been seen, ``m² / (m² + 3 sd²) · m``: a miss that scatters little
    around its mean is a bias and lasts, one that scatters is weather.
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
            trust = scatter**2 / (scatter**2 + NOISE**2)
            found = trust * (season - mean) + KEPT_MEAN * mean
        elif len(misses) > 1 and abs(mean) > LEAST_MISS:
            found = mean * mean**2 / (mean**2 + SCATTER_WEIGHT * scatter**2)
        else:
            found = 0.0
        return float(np.clip(found, -FARTHEST, FARTHEST))

    def _year_before(self, kind: str, cutoff: date) -> float | None:
        then = cutoff - YEAR
        near = [
            (abs((p.cutoff - then).days), value)
            for p in self.points
            if p.settled and (value := getattr(p, kind)) is not None
        ]
        if not near:
            return None
        days, value = min(near)
        return float(value) if days <= SEASON_REACH_DAYS else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "points": [
                {
                    "cutoff": str(p.cutoff),
                    "log_odds": p.log_odds,
                    "log_spend": p.log_spend,
                    "settled": p.settled,
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
