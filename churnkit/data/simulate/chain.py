"""The hidden daily Markov chain that customers live through, and the season that all of them feel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from churnkit.data.simulate.scenario import Scenario

__all__ = ["ACQUISITION", "DAYS_PER_MONTH", "STATES", "Acquisition", "Chain", "season_factors"]

STATES = ("engaged", "drifting", "gone")
DAYS_PER_MONTH = 365.25 / 12
WEEKDAY_FACTORS = np.array([0.95, 0.95, 0.98, 1.02, 1.15, 1.15, 0.80])  # Monday first; mean 1


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """A channel through which customers come: its share, its effect on drift, its cost a head."""

    share: float
    drift_factor: float
    cost: float


ACQUISITION: dict[str, Acquisition] = {
    "referral": Acquisition(share=0.20, drift_factor=0.5, cost=8.0),
    "search": Acquisition(share=0.40, drift_factor=1.0, cost=25.0),
    "social": Acquisition(share=0.25, drift_factor=1.3, cost=35.0),
    "discount": Acquisition(share=0.15, drift_factor=2.0, cost=15.0),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Engaged and drifting, each in every phase of the rhythm, then gone.

    A *code* is ``state * n_phases + phase``, ``gone`` the last; phase 0 is a burst, the others are
    steps of a lull. Everybody joins in code 0.

    Attributes
    ----------
    transition : ndarray of float64, shape (n_channels, n_codes, n_codes)
        Probability of moving from one day to the next, per acquisition channel.
    order_factor : ndarray of float64, shape (n_codes,)
        Order rate as a multiple of the customer's own.
    state_of : ndarray of int8, shape (n_codes,)
        Position in :data:`STATES`.
    """

    transition: NDArray[np.float64]
    order_factor: NDArray[np.float64]
    state_of: NDArray[np.int8]

    @classmethod
    def of(cls, scenario: Scenario) -> Chain:
        """Build the chain of a scenario."""
        phases = 1 + (scenario.lull_phases if scenario.lull_days else 0)
        rhythm = np.eye(phases)
        if phases > 1:
            move = np.full(phases, scenario.lull_phases / scenario.lull_days)
            move[0] = 1.0 / scenario.burst_days
            rhythm = np.diag(1.0 - move) + np.roll(np.diag(move), 1, axis=1)
        recover, leave = _daily(scenario.recover_per_month), _daily(scenario.leave_per_month)
        transition = np.zeros((len(ACQUISITION), 2 * phases + 1, 2 * phases + 1))
        for matrix, channel in zip(transition, ACQUISITION.values(), strict=True):
            drift = _daily(scenario.drift_per_month * channel.drift_factor)
            moods = np.array(
                [
                    [1.0 - drift, drift],
                    [(1.0 - leave) * recover, (1.0 - leave) * (1.0 - recover)],
                ]
            )
            matrix[:-1, :-1] = np.kron(moods, rhythm)
            matrix[phases:-1, -1] = leave
            matrix[-1, -1] = 1.0
        burst = np.zeros(phases)
        burst[0] = 1.0 / scenario.burst_share
        return cls(
            transition=transition,
            order_factor=np.concatenate([burst, scenario.drifting_orders * burst, [0.0]]),
            state_of=np.repeat(np.arange(3), [phases, phases, 1]).astype(np.int8),
        )

    def alive_per_joiner(self) -> NDArray[np.float64]:
        r"""Return how many customers of each living code one joiner a day sustains.

        With :math:`T` the transitions among the living, those who joined in code 0 on each of the
        days :math:`-1, -2, \dots` number :math:`\sum_{k \ge 1} e_0 T^k` on day 0. A portfolio
        that starts so and is joined at a constant rate is stationary in expectation.

        Returns
        -------
        ndarray of float64, shape (n_channels, n_codes - 1)
        """
        alive = self.transition[:, :-1, :-1]
        return np.asarray((np.linalg.inv(np.eye(alive.shape[1]) - alive) @ alive)[:, 0, :])

    def long_run(self) -> NDArray[np.float64]:
        """Return the distribution over living codes after a long time, where nobody can leave.

        Returns
        -------
        ndarray of float64, shape (n_channels, n_codes - 1)
        """
        alive = self.transition[:, :-1, :-1]
        return np.asarray(np.linalg.matrix_power(alive, 1 << 16)[:, 0, :])


def _daily(rate_per_month: float) -> float:
    """Return the probability that an event of a monthly rate happens within one day."""
    return float(-np.expm1(-rate_per_month / DAYS_PER_MONTH))


def season_factors(
    scenario: Scenario, *, start: date, first: int, last: int
) -> NDArray[np.float64]:
    """Return the factor on all order rates for the days ``[first, last)`` counted from ``start``.

    Examples
    --------
    >>> from datetime import date
    >>> from churnkit.data.simulate.scenario import Scenario
    >>> monday_first = season_factors(Scenario(), start=date(2024, 1, 1), first=0, last=7)
    >>> monday_first.round(2).tolist()
    [0.95, 0.95, 0.98, 1.02, 1.15, 1.15, 0.8]
    """
    # Day 1 of the proleptic calendar is a Monday and a first of January.
    days = np.arange(first, last) + start.toordinal()
    phase = 2.0 * np.pi * (days - scenario.season_peak_day) / 365.2425
    yearly = 1.0 + scenario.season_amplitude * np.cos(phase)
    return np.asarray(yearly * WEEKDAY_FACTORS[(days - 1) % 7])
