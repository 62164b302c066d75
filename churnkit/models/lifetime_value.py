"""What expected spend is worth at the cutoff: its margin, discounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["expected_ltv"]


def expected_ltv(
    expected_spend: ArrayLike,
    *,
    gross_margin: float,
    yearly_discount_rate: float,
    gap_days: int,
    horizon_days: int,
) -> Floats:
    r"""Return what the expected spend of the horizon is worth at the cutoff.

    Parameters
    ----------
    expected_spend : array-like of float
        Net spend expected in the horizon, in currency.
    gross_margin : float
        Share of spend that is margin: 1.0 leaves revenue.
    yearly_discount_rate : float
        As a fraction: 0.1 is ten percent a year.
    gap_days, horizon_days : int
        Money is taken to arrive evenly over ``[gap, gap + horizon)`` days after the cutoff.

    Notes
    -----
    With force of interest :math:`\delta = \ln(1 + r) / 365.25` per day, the discount factor is
    :math:`e^{-\delta g} (1 - e^{-\delta h}) / (\delta h)`.

    Examples
    --------
    >>> float(expected_ltv(100.0, gross_margin=0.4, yearly_discount_rate=0.0,
    ...                    gap_days=0, horizon_days=90))
    40.0
    """
    force = np.log1p(yearly_discount_rate) / 365.25
    factor = 1.0
    if force > 0.0:
        factor = (
            np.exp(-force * gap_days) * -np.expm1(-force * horizon_days) / (force * horizon_days)
        )
    return np.asarray(np.asarray(expected_spend, dtype=np.float64) * gross_margin * factor)
