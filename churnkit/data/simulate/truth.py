"""What only the simulator knows: hidden states, true rates, and the best possible predictions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.simulate.chain import ACQUISITION, STATES, season_factors
from churnkit.data.simulate.knowable import code_probabilities
from churnkit.data.simulate.orders import REFUNDED_SHARE
from churnkit.data.simulate.portfolio import MESSAGE_CHANNELS
from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from churnkit.data.simulate.portfolio import Portfolio

__all__ = ["Truth"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The truth behind a simulated history.

    Attributes
    ----------
    rates : dict of str to float
        What the tables must show in expectation, named as the retention metrics where there is
        one: ``repeat_purchase_rate``, ``csat``, ``nps``, ``ces``, ``contact_rate``,
        ``redemption_rate``, ``subscription_churn_per_month_engaged``, … Percentages are 0-100.
        Holds only what belongs to the tables that were made.
    """

    rates: dict[str, float]
    _shop: Portfolio

    def customers(self) -> pd.DataFrame:
        """Return what each customer was drawn with, indexed by ``customer_id``.

        Returns
        -------
        pandas.DataFrame, shape (n_customers, 7)
            ``joined_on`` (missing for those who were customers before the history),
            ``acquisition_channel``, ``orders_per_year`` (while engaged, season left out),
            ``mean_order_value`` (net of refunds), ``best_channel`` and ``best_hour`` (at which
            messages are opened most), ``lives_until`` (first day of being gone; missing for those
            still there at the end).
        """
        import pandas as pd

        shop = self._shop
        refunds = 1.0 - REFUNDED_SHARE * shop.scenario.refund_rate
        gone = np.full(shop.size, -1)
        ended = shop.chain.state_of[shop.lives.code] == STATES.index("gone")
        gone[shop.lives.customer[ended]] = shop.lives.first[ended]
        return pd.DataFrame(
            {
                "joined_on": self._dates(shop.join_day),
                "lives_until": self._dates(gone),
                "acquisition_channel": np.array(list(ACQUISITION))[shop.channel],
                "orders_per_year": shop.orders_per_day * 365.25,
                "mean_order_value": shop.order_value * refunds,
                "best_channel": np.array(MESSAGE_CHANNELS)[shop.best_channel],
                "best_hour": shop.best_hour.astype(np.int64),
            },
            index=_index(np.arange(shop.size)),
        )

    def hidden_state(self, cutoff: date | str) -> pd.Series:
        """Return the state in which each customer spent the last day before a cutoff.

        Parameters
        ----------
        cutoff : date or str
            A day of the history after its first, or the day after its last.

        Returns
        -------
        pandas.Series of str, indexed by ``customer_id``
            ``engaged``, ``drifting`` or ``gone``, for those who joined before the cutoff.

        Raises
        ------
        ParameterError
            If the cutoff lies outside the history.
        """
        import pandas as pd

        day = self._day(cutoff)
        known = self._shop.known_on(day)
        states = np.array(STATES)[self._shop.state_on(known, day - 1)]
        return pd.Series(states, index=_index(known), name="hidden_state")

    def true_churn_probability(self, cutoff: date | str, horizon_days: int) -> pd.Series:
        r"""Return each customer's probability of no order in ``[cutoff, cutoff + horizon_days)``.

        It is exact given the hidden state on the last day before the cutoff and the customer's own
        order rate, which no model sees: its AUC and log loss are the best that can be hoped for.

        Parameters
        ----------
        cutoff : date or str
            A day of the history after its first, or the day after its last.
        horizon_days : int
            At least 1; may reach past the end of the history.

        Returns
        -------
        pandas.Series of float64, indexed by ``customer_id``
            In [0, 1], for those who joined before the cutoff; 1 for those who are gone.

        Raises
        ------
        ParameterError
            If the cutoff lies outside the history or the horizon is empty.

        Notes
        -----
        With daily transitions :math:`P`, order rate :math:`\lambda` times the code's factor
        :math:`f_s` and the season's :math:`g_d`, the probability :math:`v_d(s)` of no order from
        day :math:`d` on obeys
        :math:`v_d(s) = e^{-\lambda f_s g_d} \sum_{s'} P_{s s'} v_{d+1}(s')`, the forward algorithm
        of a hidden Markov model run backwards over the days of the horizon.
        """
        import pandas as pd

        shop, known, code, factors = self._at(cutoff, horizon_days)
        silent = _silence(shop, known, factors)[np.arange(len(known)), code]
        return pd.Series(silent, index=_index(known), name="true_churn_probability")

    def knowable_churn_probability(
        self, tables: Mapping[str, Any], cutoff: date | str, horizon_days: int
    ) -> pd.Series:
        """Return the probability of no order given what tables show before a cutoff.

        What is hidden in :meth:`true_churn_probability` is inferred: the best that anybody can say
        from the tables, if they knew all rates of the simulation and each customer's own. Without
        ``events`` it is the best that orders alone allow.

        Parameters
        ----------
        tables : mapping of str to pyarrow.Table
            Of the shop; ``orders``, and ``events`` if they are to be used.
        cutoff : date or str
            A day of the history after its first, or the day after its last.
        horizon_days : int
            At least 1.

        Returns
        -------
        pandas.Series of float64, indexed by ``customer_id``
            In [0, 1], for those who joined before the cutoff.

        Raises
        ------
        ParameterError
            If the cutoff lies outside the history or the horizon is empty.

        Examples
        --------
        >>> from churnkit.data.simulate import simulate_shop
        >>> shop = simulate_shop(customers=200, days=365, seed=7, tables=["orders", "events"])
        >>> truth = shop.truth.true_churn_probability("2023-10-01", 90)
        >>> known = shop.truth.knowable_churn_probability(shop.tables, "2023-10-01", 90)
        >>> bool((abs(known - truth)).mean() < 0.2)
        True
        """
        import pandas as pd

        shop, known, _, factors = self._at(cutoff, horizon_days)
        codes = code_probabilities(shop, tables, day=self._day(cutoff))[known]
        silent = (codes * _silence(shop, known, factors)).sum(axis=1)
        return pd.Series(silent, index=_index(known), name="knowable_churn_probability")

    def true_expected_orders(self, cutoff: date | str, horizon_days: int) -> pd.Series:
        """Return each customer's expected number of orders in the horizon.

        Parameters, errors and conditions are those of :meth:`true_churn_probability`; times
        ``mean_order_value`` of :meth:`customers` it is the expected spend.

        Returns
        -------
        pandas.Series of float64, indexed by ``customer_id``
        """
        import pandas as pd

        shop, known, code, factors = self._at(cutoff, horizon_days)
        per_rate = np.zeros(shop.chain.transition.shape[:2])
        for factor in factors[::-1]:
            per_rate = np.einsum(
                "gij,gj->gi", shop.chain.transition, per_rate + factor * shop.chain.order_factor
            )
        expected = shop.orders_per_day[known] * per_rate[shop.channel[known], code]
        return pd.Series(expected, index=_index(known), name="true_expected_orders")

    def _at(
        self, cutoff: date | str, horizon_days: int
    ) -> tuple[Portfolio, NDArray[np.int32], NDArray[np.int8], NDArray[np.float64]]:
        """Return customers and codes known at a cutoff, and the season of the horizon."""
        if horizon_days < 1:
            msg = f"truth: horizon_days must be at least 1; got {horizon_days!r}"
            raise ParameterError(msg)
        shop, day = self._shop, self._day(cutoff)
        known = shop.known_on(day)
        at = shop.lives.stretch_at(known, np.full(len(known), day - 1, dtype=np.int32))
        factors = season_factors(
            shop.scenario, start=shop.start, first=day, last=day + horizon_days
        )
        return shop, known, shop.lives.code[at], factors

    def _day(self, cutoff: date | str) -> int:
        """Return a cutoff as days after the start, or refuse it."""
        when = date.fromisoformat(cutoff) if isinstance(cutoff, str) else cutoff
        day = when.toordinal() - self._shop.start.toordinal()
        if not 1 <= day <= self._shop.days:
            first, last = (self._shop.start + timedelta(days=d) for d in (1, self._shop.days))
            msg = f"truth: cutoff must lie from {first} to {last}; got {when}"
            raise ParameterError(msg)
        return day

    def _dates(self, days: NDArray[np.int32]) -> NDArray[np.datetime64]:
        """Return days counted from the start as dates, negative ones as missing."""
        start = np.datetime64(self._shop.start, "s")
        dates = start + days.astype("timedelta64[D]")
        return np.where(days < 0, np.datetime64("NaT", "s"), dates)


def _silence(
    shop: Portfolio, known: NDArray[np.int32], factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability of no order in the horizon from each code, shape (n_known, n_codes)."""
    no_order = np.ones((len(known), len(shop.chain.state_of)))
    levels, level = np.unique(shop.chain.order_factor, return_inverse=True)
    for channel, transition in enumerate(shop.chain.transition):
        mine = np.flatnonzero(shop.channel[known] == channel)
        rate = shop.orders_per_day[known[mine]]
        after = no_order[mine].T
        for factor in factors[::-1]:
            silent = np.exp(-levels[:, None] * (factor * rate))
            after = transition @ (after * silent[level])
        no_order[mine] = after.T
    return no_order


def _index(positions: NDArray[Any]) -> pd.Index:
    import pandas as pd

    return pd.Index(positions.astype(np.int64) + 1, name="customer_id")
