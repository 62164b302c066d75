"""The shapes a simulated shop can have: rates of ordering, leaving, growth, season and rhythm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from churnkit.errors import ParameterError, UnknownNameError
from churnkit.registry import did_you_mean

__all__ = ["SCENARIOS", "Scenario", "scenario_named"]

_LIMITS: dict[str, tuple[float, float]] = {
    "orders_per_year": (1e-9, 365.0),
    "rate_cv": (0.0, 5.0),
    "drift_per_month": (0.0, 10.0),
    "recover_per_month": (0.0, 10.0),
    "leave_per_month": (0.0, 10.0),
    "drifting_orders": (0.0, 1.0),
    "growth_per_year": (-0.99, 10.0),
    "season_amplitude": (0.0, 0.99),
    "season_peak_day": (1, 366),
    "burst_days": (1.0, math.inf),
    "lull_days": (0.0, 3650.0),
    "lull_phases": (1, 20),
    "order_value": (0.01, 1e9),
    "value_sd_between": (0.0, 3.0),
    "value_sd_within": (0.0, 3.0),
    "lines_per_order": (1.0, 100.0),
    "products": (1, 1_000_000),
    "refund_rate": (0.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that shapes a simulated shop but its size, length and seed.

    A customer is *engaged*, *drifting* or *gone*, and may change at every midnight. Orders are
    Poisson with the customer's own rate, times the state's factor, the season's and the rhythm's.

    Parameters
    ----------
    orders_per_year : float
        Mean over customers of the yearly orders of an engaged customer.
    rate_cv : float
        Coefficient of variation of that rate between customers (gamma); 0 makes all equal.
    drift_per_month, recover_per_month, leave_per_month : float
        Hazards engaged → drifting, drifting → engaged, drifting → gone, per month of 30.4375 days.
        Drift is scaled by the acquisition channel. If nobody can leave, nobody joins either.
    drifting_orders : float
        Order rate while drifting, as a share of the engaged rate.
    growth_per_year : float
        New customers per day grow by this share a year, beside the season; 0 keeps the portfolio
        stationary.
    season_amplitude : float
        Yearly cosine on order rate and new customers: its peak is ``1 + season_amplitude`` times the mean.
    season_peak_day : int
        Day of the year at the peak.
    burst_days, lull_days : float
        Mean lengths of ordering bursts and of the silence between them. No lull means no bursts.
    lull_phases : int
        Steps through which a lull runs: 1 leaves its end to chance, many make bursts regular.
    order_value : float
        Mean value of an order before refunds.
    value_sd_between, value_sd_within : float
        Standard deviations of log order value between customers and within one (lognormal).
    lines_per_order : float
        Mean order lines.
    products : int
        Size of the catalogue; popularity follows Zipf's law.
    refund_rate : float
        Share of orders half of whose value is paid back two to twenty days later.
    subscription_churn_per_month : tuple of 3 floats
        Hazard with which an engaged, drifting, gone customer ends a subscription, per month.

    Raises
    ------
    ParameterError
        If a value lies outside its range.
    """

    orders_per_year: float = 8.0
    rate_cv: float = 0.8
    drift_per_month: float = 0.10
    recover_per_month: float = 0.15
    leave_per_month: float = 0.25
    drifting_orders: float = 0.7
    growth_per_year: float = 0.0
    season_amplitude: float = 0.0
    season_peak_day: int = 340
    burst_days: float = 7.0
    lull_days: float = 0.0
    lull_phases: int = 1
    order_value: float = 40.0
    value_sd_between: float = 0.5
    value_sd_within: float = 0.5
    lines_per_order: float = 2.0
    products: int = 500
    refund_rate: float = 0.03
    subscription_churn_per_month: tuple[float, float, float] = (0.02, 0.08, 0.40)

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                msg = f"scenario: {name} must lie in [{low:g}, {high:g}]; got {value!r}"
                raise ParameterError(msg)
        if 0.0 < self.lull_days < self.lull_phases:
            msg = (
                "scenario: lull_days must be 0 or at least lull_phases, a day for each phase;"
                f" got {self.lull_days!r} for {self.lull_phases} phases"
            )
            raise ParameterError(msg)
        churn = self.subscription_churn_per_month
        if len(churn) != 3 or not all(0.0 <= value < math.inf for value in churn):
            msg = f"scenario: subscription_churn_per_month must be 3 rates >= 0; got {churn!r}"
            raise ParameterError(msg)

    @property
    def nobody_leaves(self) -> bool:
        """Whether no customer can ever be gone."""
        return self.drift_per_month == 0.0 or self.leave_per_month == 0.0

    @property
    def burst_share(self) -> float:
        """Share of time that falls in bursts; 1 without lulls."""
        return self.burst_days / (self.burst_days + self.lull_days) if self.lull_days else 1.0


SCENARIOS: dict[str, Scenario] = {
    "stationary": Scenario(),
    "seasonal": Scenario(season_amplitude=0.5),
    "growing": Scenario(growth_per_year=1.5),
    "shrinking": Scenario(growth_per_year=-0.8),
    "clumpy": Scenario(orders_per_year=15.0, burst_days=7.0, lull_days=50.0),
    "rhythmic": Scenario(
        orders_per_year=24.0, rate_cv=0.3, burst_days=2.0, lull_days=28.0, lull_phases=12
    ),
    "heavy_tailed": Scenario(value_sd_between=1.6, value_sd_within=1.0),
    "no_churn": Scenario(
        rate_cv=0.0, drift_per_month=0.0, subscription_churn_per_month=(0.0, 0.0, 0.0)
    ),
}


def scenario_named(scenario: str | Scenario) -> Scenario:
    """Return a scenario by name, or the one given.

    Raises
    ------
    UnknownNameError
        If no scenario has this name; the message offers the nearest one.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if scenario not in SCENARIOS:
        guess = did_you_mean(scenario, SCENARIOS)
        msg = f"unknown scenario {scenario!r}.{guess} Known: {', '.join(SCENARIOS)}."
        raise UnknownNameError(msg)
    return SCENARIOS[scenario]
