"""A portfolio of customers whose predictions are set to one level: in memory, or anywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import numpy as np
    from numpy.typing import NDArray

    from churnkit.models.purchase_forecast import PurchaseForecast
    from churnkit.models.staying import StayForecast

    Floats = NDArray[np.float64]
    Measure = Callable[["Scored"], Floats]

__all__ = ["InMemory", "Portfolio", "Scored"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """What the models said of customers, before the level of the whole portfolio is known.

    Attributes
    ----------
    log_odds : ndarray of float64, shape (n,)
        What the churn model's learner said of each customer.
    value : ndarray of float64, shape (n, 1) or (n, 2)
        What the spend model's learners said; of subscribers, their monthly revenue.
    forecast : PurchaseForecast or None
        The purchase model's predictions for the same customers; None sets no level.
    staying : StayForecast or None
        Of subscribers, what the retention curve says of them; None sets no level.
    """

    log_odds: Floats
    value: Floats
    forecast: PurchaseForecast | None
    staying: StayForecast | None = None


class Portfolio(Protocol):
    """All customers of a population, wherever they are: only sums and counts leave them."""

    @property
    def cutoff(self) -> date | None:
        """The day of the forecast by the purchase model or the retention curve; None without one."""
        ...

    def sums(self, measure: Measure) -> Floats:
        """Return the sums over all customers of what is measured, an array of shape (n, k)."""
        ...

    def distribution(self, measure: Measure) -> tuple[Floats, Floats]:
        """Return values of what is measured, shape (n,), and how many customers have each."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class InMemory:
    """A portfolio in arrays."""

    rows: Scored

    @property
    def cutoff(self) -> date | None:
        """The day of the forecast; see :class:`Portfolio`."""
        made = self.rows.forecast or self.rows.staying
        return None if made is None else made.cutoff

    def sums(self, measure: Measure) -> Floats:
        """Return sums; see :class:`Portfolio`."""
        import numpy as np

        # Column by column: numpy then adds pairwise.
        return np.array([column.sum() for column in measure(self.rows).T.copy()])

    def distribution(self, measure: Measure) -> tuple[Floats, Floats]:
        """Return each customer's value; see :class:`Portfolio`."""
        import numpy as np

        values = measure(self.rows)
        return values, np.ones(len(values))
