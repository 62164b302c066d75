"""What expected spend is worth at the cutoff, over any length of time: its margin, discounted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["discount_factor", "expected_ltv", "value_ends", "worth_of_spend"]

DAYS_PER_YEAR = 365.25
MOST_PIECES = 24


def discount_factor(*, yearly_discount_rate: float, start_days: int, length_days: int) -> float:
    r"""Return what one unit of money, arriving evenly over an interval, is worth at the cutoff.

    Parameters
    ----------
    yearly_discount_rate : float
        As a fraction: 0.1 is ten percent a year.
    start_days, length_days : int
        The interval: ``[start, start + length)`` days after the cutoff.

    Notes
    -----
    With force of interest :math:`\delta = \ln(1 + r) / 365.25` per day, the factor is
    :math:`e^{-\delta s} (1 - e^{-\delta l}) / (\delta l)`.

    Examples
    --------
    >>> round(discount_factor(yearly_discount_rate=0.1, start_days=365, length_days=1), 3)
    0.909
    """
    force = float(np.log1p(yearly_discount_rate)) / DAYS_PER_YEAR
    if force <= 0.0:
        return 1.0
    over = force * length_days
    return float(np.exp(-force * start_days) * -np.expm1(-over) / over)


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
        Money is taken to arrive evenly over ``[gap, gap + horizon)`` days after the cutoff; see
        :func:`discount_factor`.

    Examples
    --------
    >>> float(expected_ltv(100.0, gross_margin=0.4, yearly_discount_rate=0.0,
    ...                    gap_days=0, horizon_days=90))
    40.0
    """
    factor = discount_factor(
        yearly_discount_rate=yearly_discount_rate, start_days=gap_days, length_days=horizon_days
    )
    return np.asarray(np.asarray(expected_spend, dtype=np.float64) * gross_margin * factor)


def value_ends(*, horizon_days: int, value_days: int) -> tuple[int, ...]:
    """Return where the pieces end into which a length of time is cut, in days after the gap.

    The first piece is the horizon of the labels, the others are about as long; where these would be
    more than 24 in all, each is longer than the one before. A shorter length is one piece.

    Parameters
    ----------
    horizon_days : int
        Length of the horizon that the models were trained on.
    value_days : int
        Length over which value is wanted.

    Raises
    ------
    ParameterError
        If ``value_days`` is below 1.

    Examples
    --------
    >>> value_ends(horizon_days=90, value_days=365)
    (90, 182, 274, 365)
    >>> value_ends(horizon_days=90, value_days=30)
    (30,)
    """
    if value_days < 1:
        msg = f"expected_ltv: value_days must be at least 1; got {value_days}"
        raise ParameterError(msg)
    if value_days <= horizon_days:
        return (value_days,)
    rest = value_days - horizon_days
    pieces = max(int(np.rint(rest / horizon_days)), 1)
    if pieces < MOST_PIECES:
        steps = np.ceil(rest * np.arange(1, pieces + 1) / pieces).astype(int)
        return (horizon_days, *(horizon_days + int(step) for step in steps))
    # Equal pieces would be long where orders are still many: each is longer than the one before.
    times = (value_days / horizon_days) ** (np.arange(1, MOST_PIECES) / (MOST_PIECES - 1))
    ends = np.ceil(np.round(horizon_days * times, 6)).astype(int)
    return (horizon_days, *(int(end) for end in np.unique(ends)))


def worth_of_spend(
    orders_ahead: Floats,
    *,
    expected_orders: Floats,
    ends_days: Sequence[int],
    horizon_days: int,
    gap_days: int,
    yearly_discount_rate: float,
) -> Floats:
    r"""Return what any length of time is worth for each unit of spend expected in the horizon.

    Spend follows the orders that the purchase model expects, which says how fast customers stop
    buying: with :math:`E_i(t)` a customer's orders expected within t days after the gap, and
    :math:`d_k` the :func:`discount_factor` of the piece from :math:`t_{k-1}` to :math:`t_k`, it is
    :math:`\sum_k d_k (E_i(t_k) - E_i(t_{k-1})) / E_i(h)`. At the horizon h of the models there is
    one piece, and this is the discount factor of :func:`expected_ltv`.

    Parameters
    ----------
    orders_ahead : ndarray of float64, shape (n, n_ends)
        Orders that the purchase model expects within each of ``ends_days``.
    expected_orders : ndarray of float64, shape (n,)
        Orders that it expects in the horizon of the models. Who has none expected is worth nothing
        beyond it, and the same every day within it.
    ends_days : sequence of int
        From :func:`value_ends`.
    horizon_days : int
        The horizon of the models.
    gap_days : int
        Days between the cutoff and the first piece.
    yearly_discount_rate : float
        As in :func:`expected_ltv`.

    Examples
    --------
    Twice the orders are expected within a year as within half a year, and money is not discounted:

    >>> worth_of_spend(np.array([[2.0, 4.0]]), expected_orders=np.array([2.0]), gap_days=0,
    ...                ends_days=(182, 365), horizon_days=182, yearly_discount_rate=0.0)
    array([2.])
    """
    known = expected_orders > 0.0
    evenly = np.minimum(np.asarray(ends_days, dtype=np.float64) / horizon_days, 1.0)
    ratio = np.broadcast_to(evenly, orders_ahead.shape).copy()
    np.divide(orders_ahead, expected_orders[:, None], out=ratio, where=known[:, None])
    starts = (0, *ends_days[:-1])
    factors = [
        discount_factor(
            yearly_discount_rate=yearly_discount_rate,
            start_days=gap_days + start,
            length_days=end - start,
        )
        for start, end in zip(starts, ends_days, strict=True)
    ]
    return np.asarray(np.diff(ratio, axis=1, prepend=0.0) @ np.array(factors))
