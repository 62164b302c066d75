"""How likely subscribers leave at their tenure: the classical answers of the contractual setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from churnkit.btyd import fit_sbg
from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from churnkit.models.contract import Stays

    Floats = NDArray[np.float64]

__all__ = ["DAYS_PER_PERIOD", "hazard_leaving", "leaving_of_population", "sbg_leaving"]

DAYS_PER_PERIOD = 365.25 / 12
FEWEST_AT_RISK = 20
DIGITS = 12  # the order of sums, which differs between engines, must split no tie


class Leaving(Protocol):
    """P(leaves within some days | has stayed so many days)."""

    def __call__(self, tenure_days: Floats, *, within_days: float) -> Floats:
        """Return a probability for each tenure."""
        ...


def hazard_leaving(stays: Stays) -> Leaving | None:
    """Return the Kaplan-Meier curve of stays as a chance to leave at a tenure; None if nobody left.

    A stay is at risk from the age at which it came under observation (late entry, [2]_). At ages at
    which fewer than 20 stays are under observation the hazard is that of all ages together: a curve
    of a handful of stays says little.

    References
    ----------
    .. [1] E. L. Kaplan, P. Meier (1958), "Nonparametric Estimation from Incomplete Observations",
       Journal of the American Statistical Association 53(282), 457-481.
    .. [2] W.-Y. Tsai, N. P. Jewell, M.-C. Wang (1987), "A Note on the Product-Limit Estimator under
       Right Censoring and Left Truncation", Biometrika 74(4), 883-886, doi:10.1093/biomet/74.4.883.
    """
    days = np.maximum(stays.days, 0.0)
    if not stays.ended.any():
        return None
    ages, place = np.unique(days, return_inverse=True)
    ended = np.bincount(place, stays.ended.astype(np.float64), minlength=len(ages))
    left = np.bincount(place, minlength=len(ages))
    late = np.sort(stays.entered[stays.entered > 0.0])
    not_yet = len(late) - np.searchsorted(late, ages, side="left")
    at_risk = len(days) - np.concatenate([[0], np.cumsum(left)[:-1]]) - not_yet
    seen = at_risk >= min(FEWEST_AT_RISK, at_risk.max())
    overall = float(stays.ended.sum()) / max(float((days - stays.entered).sum()), 1e-9)
    # log(1 - d / n), summed: minus infinity would make everybody leave at the last age.
    known = np.log1p(-np.minimum(ended / np.maximum(at_risk, 1), 1.0 - 1e-9))
    steps = np.where(seen, known, -overall * np.diff(ages, prepend=0.0))
    last = int(np.flatnonzero(seen)[-1]) + 1
    log_survival = np.concatenate([[0.0], np.cumsum(steps[:last])])
    ages, reach = ages[:last], float(ages[last - 1])

    def log_survival_at(age: Floats) -> Floats:
        known = log_survival[np.searchsorted(ages, np.minimum(age, reach), side="right")]
        return np.asarray(known - overall * np.maximum(age - reach, 0.0))

    def leaving(tenure_days: Floats, *, within_days: float) -> Floats:
        stay = log_survival_at(tenure_days + within_days) - log_survival_at(tenure_days)
        return np.asarray(-np.expm1(stay))

    return leaving


def sbg_leaving(stays: Stays) -> Leaving | None:
    """Return the shifted-beta-geometric of stays in months; None if it cannot be fitted."""
    months = np.maximum(stays.days, 0.0) / DAYS_PER_PERIOD
    # Whoever left within a month did so at its end; whoever stays has survived the whole months.
    periods = np.where(stays.ended, np.maximum(np.ceil(months), 1.0), np.floor(months))
    # Of a stay that came under observation late it is only known that it lasted so many months.
    entered = np.minimum(np.floor(stays.entered / DAYS_PER_PERIOD), periods - stays.ended)
    cells, count = np.unique(np.stack([periods, stays.ended, entered]), axis=1, return_counts=True)
    try:
        model = fit_sbg(cells[0], ended=cells[1] > 0, count=count, entered=cells[2])
    except ModelGuardError:
        return None

    def leaving(tenure_days: Floats, *, within_days: float) -> Floats:
        tenure = tenure_days / DAYS_PER_PERIOD
        return model.leaving_probability(tenure, horizon=within_days / DAYS_PER_PERIOD)

    return leaving


def leaving_of_population(
    stays: Stays, fit: Callable[[Stays], Leaving | None], *, within_days: float, customers: int
) -> Floats | None:
    """Return P(one of the running stays of a customer ends), shape (customers,); None without a fit.

    A customer with several stays leaves one of them with 1 - (1 - p1)(1 - p2)...
    """
    leaving = fit(stays)
    if leaving is None:
        return None
    mine = (stays.customer >= 0) & ~stays.ended
    p = np.clip(leaving(stays.days[mine], within_days=within_days), 0.0, 1.0 - 1e-9)
    log_stay = np.bincount(stays.customer[mine], np.log1p(-p), minlength=customers)
    return np.asarray(np.round(-np.expm1(log_stay), DIGITS), dtype=np.float64)
