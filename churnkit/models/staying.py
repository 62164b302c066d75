"""What the retention curve expects of subscribers: what their churn is blended with and set to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from numpy.typing import NDArray

    from churnkit.data.windows import Snapshot

    Floats = NDArray[np.float64]

__all__ = ["ChurnForecast", "StayForecast", "forecast_stays"]


class ChurnForecast(Protocol):
    """What a classical model, fitted anew at a cutoff, says of churn."""

    @property
    def churn_probability(self) -> Floats:
        """Of each customer, shape (n,)."""
        ...

    @property
    def cutoff(self) -> date:
        """The day the forecast is made on."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class StayForecast:
    """The chance to leave by the retention curve at each customer's tenure.

    Attributes
    ----------
    churn_probability : ndarray of float64, shape (n,)
        P(one of the customer's running stays ends in the gap or the horizon).
    cutoff : date
        The day the forecast is made on.
    """

    churn_probability: Floats
    cutoff: date

    @classmethod
    def of_log_stay(cls, log_stay: Floats, *, cutoff: date) -> StayForecast:
        """Return the forecast of logs of the probability to stay, shape (n,)."""
        return cls(churn_probability=-np.expm1(log_stay), cutoff=cutoff)

    def __getitem__(self, rows: NDArray[Any]) -> StayForecast:
        """Return the chosen customers (a mask or positions)."""
        return StayForecast(churn_probability=self.churn_probability[rows], cutoff=self.cutoff)


def forecast_stays(base: Mapping[str, Floats], snapshot: Snapshot) -> StayForecast | None:
    """Return what the retention curve of a cutoff expects of subscribers.

    Parameters
    ----------
    base : mapping of str to ndarray of float64, shape (n,)
        Base columns of the population: ``log_stay`` comes from the curve, fitted to everybody known
        at the cutoff where the features are built.
    snapshot : Snapshot
        The cutoff.

    Returns
    -------
    StayForecast or None
        None where the customers are no subscribers, or nobody has been seen to leave.
    """
    log_stay = base.get("log_stay")
    if log_stay is None or not np.isfinite(log_stay).all():
        return None
    return StayForecast.of_log_stay(log_stay, cutoff=snapshot.cutoff)
