"""What a retention campaign earns when churn probabilities decide whom it contacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.evaluation.checks import churn_arrays, finite_vector
from churnkit.evaluation.ranking import rank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from churnkit.evaluation.checks import FloatArray
    from churnkit.evaluation.ranking import Ranking

__all__ = [
    "CAMPAIGN_2013",
    "BestContact",
    "RetentionCampaign",
    "best_share_to_contact",
    "empc",
    "profit_curve",
]


@dataclass(frozen=True, kw_only=True)
class RetentionCampaign:
    r"""What a campaign costs and saves per customer; the defaults are those of the paper [1]_.

    Everybody contacted costs ``contact_cost``. A would-be churner takes the incentive with
    probability :math:`\gamma` and then stays; one who would have stayed anyway takes it for sure.
    So a churner contacted brings :math:`\gamma (V - d) - f`, any other customer :math:`-(d + f)`.

    Parameters
    ----------
    lifetime_value : float, default 200
        :math:`V`, what a customer kept is worth, in currency.
    incentive_cost : float, default 10
        :math:`d`, cost of the incentive when taken. Below ``lifetime_value``.
    contact_cost : float, default 1
        :math:`f`, cost of one contact.
    save_rate_alpha, save_rate_beta : float, default 6 and 14
        The save rate :math:`\gamma` is not known before the campaign: it follows a beta
        distribution with these parameters (mean 0.3, standard deviation 0.1).

    Raises
    ------
    ParameterError
        If a cost is negative, the incentive is not below the lifetime value, or a parameter of the
        beta distribution is not positive.

    References
    ----------
    .. [1] T. Verbraken, W. Verbeke, B. Baesens (2013), "A Novel Profit Maximizing Metric for
       Measuring Classification Performance of Customer Churn Prediction Models", IEEE Transactions
       on Knowledge and Data Engineering 25(5), 961-973, doi:10.1109/TKDE.2012.50.

    Examples
    --------
    >>> RetentionCampaign(lifetime_value=80.0).mean_save_rate
    0.3
    """

    lifetime_value: float = 200.0
    incentive_cost: float = 10.0
    contact_cost: float = 1.0
    save_rate_alpha: float = 6.0
    save_rate_beta: float = 14.0

    def __post_init__(self) -> None:
        for name in ("incentive_cost", "contact_cost"):
            cost = getattr(self, name)
            if not 0.0 <= cost < np.inf:
                msg = f"{name} must be finite and at least 0; got {cost!r}"
                raise ParameterError(msg)
        if not self.incentive_cost < self.lifetime_value < np.inf:
            costs = f"incentive_cost ({self.incentive_cost!r})"
            msg = f"lifetime_value must be finite, above {costs}; got {self.lifetime_value!r}"
            raise ParameterError(msg)
        for name in ("save_rate_alpha", "save_rate_beta"):
            parameter = getattr(self, name)
            if not 0.0 < parameter < np.inf:
                msg = f"{name} must be finite and positive; got {parameter!r}"
                raise ParameterError(msg)

    @property
    def mean_save_rate(self) -> float:
        """Expected share of contacted churners who stay."""
        return self.save_rate_alpha / (self.save_rate_alpha + self.save_rate_beta)


CAMPAIGN_2013 = RetentionCampaign()


@dataclass(frozen=True)
class BestContact:
    """How many customers to contact, and from which probability on.

    Parameters
    ----------
    share : float
        Share of customers to contact, in [0, 1].
    threshold : float or None
        Contact everybody with at least this probability. None when contacting nobody is best.
    profit : float
        Expected profit in currency per customer of the base, contacted or not; 0 or more.
    """

    share: float
    threshold: float | None
    profit: float


def empc(
    churned: ArrayLike, probability: ArrayLike, *, campaign: RetentionCampaign = CAMPAIGN_2013
) -> float:
    r"""Maximum profit expected of a campaign (EMPC), per customer of the base.

    .. math:: \mathrm{EMPC} = \int_0^1 \max_t\; \Bigl[ (\gamma (V - d) - f)\, \pi_1 F_1(t)
              - (d + f)\, \pi_0 F_0(t) \Bigr]\, h(\gamma)\, d\gamma

    with :math:`\pi_1 F_1(t)` and :math:`\pi_0 F_0(t)` the shares of customers who churn, or stay,
    and have a probability of at least :math:`t`, and :math:`h` the beta density of the save rate
    [1]_: each possible save rate gets its best threshold, and the profits are averaged.

    Parameters
    ----------
    churned : array-like of bool or of 0 and 1, shape (n_customers,)
        True where the customer churned.
    probability : array-like of float, shape (n_customers,)
        Predicted probability of churning. Only its order counts; tied customers are contacted
        together.
    campaign : RetentionCampaign, default CAMPAIGN_2013
        Costs and save rate.

    Returns
    -------
    float
        In currency per customer, 0 or more. Also defined when all churned or none did (then 0).

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing value or one outside its range, or the lengths differ.

    Notes
    -----
    Exact. The best threshold for any save rate is a corner of the convex hull of the ROC curve,
    whose edges are the blocks of the antitonic regression of the labels on their rank [2]_. Their
    churn rates fall, so an edge with churners :math:`c` and others :math:`s` is contacted just when
    :math:`\gamma` exceeds :math:`\gamma^* = (f + (d + f)\, s / c) / (V - d)`, and brings
    :math:`\int_{\gamma^*}^1 [(\gamma (V - d) - f)\, c - (d + f)\, s]\, h(\gamma)\, d\gamma`: two
    incomplete beta functions.

    References
    ----------
    .. [1] T. Verbraken, W. Verbeke, B. Baesens (2013), "A Novel Profit Maximizing Metric for
       Measuring Classification Performance of Customer Churn Prediction Models", IEEE Transactions
       on Knowledge and Data Engineering 25(5), 961-973, doi:10.1109/TKDE.2012.50.
    .. [2] T. Fawcett, A. Niculescu-Mizil (2007), "PAV and the ROC Convex Hull", Machine Learning
       68(1), 97-106, doi:10.1007/s10994-007-5011-0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(1, 5, 10_000)
    >>> round(empc(rng.random(10_000) < p, p), 4)
    3.7737
    """
    from scipy.special import betaincc

    y, p = churn_arrays(churned, probability)
    churners, others = _hull_edges(rank(p), y)
    stake = campaign.lifetime_value - campaign.incentive_cost
    cost = campaign.contact_cost * churners
    cost += (campaign.incentive_cost + campaign.contact_cost) * others
    # Above a save rate of 1 nothing is left to integrate; edges without churners start there.
    from_rate = np.ones_like(churners)
    np.divide(cost, stake * churners, out=from_rate, where=cost < stake * churners)
    a, b = campaign.save_rate_alpha, campaign.save_rate_beta
    saved = campaign.mean_save_rate * betaincc(a + 1.0, b, from_rate)
    return float(np.sum(stake * churners * saved - cost * betaincc(a, b, from_rate)) / y.size)


def _hull_edges(ranking: Ranking, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return churners and others on each edge of the ROC convex hull, steepest edge first."""
    from scipy.optimize import isotonic_regression

    customers, caught = np.diff(ranking.ends), np.diff(ranking.cumulative(y))
    starts = isotonic_regression(caught / customers, weights=customers, increasing=False).blocks
    churners = np.add.reduceat(caught, starts[:-1])
    return churners, np.add.reduceat(customers, starts[:-1]) - churners


def profit_curve(
    churned: ArrayLike,
    probability: ArrayLike,
    *,
    shares: ArrayLike | None = None,
    campaign: RetentionCampaign = CAMPAIGN_2013,
) -> dict[str, FloatArray]:
    """Profit expected of contacting the customers with the highest probabilities, by their share.

    The save rate is at its mean. Where a share cuts through tied customers, those contacted are
    drawn from them at random, and the expected profit is given.

    Parameters
    ----------
    churned, probability, campaign
        As in :func:`empc`.
    shares : array-like of float, optional
        Shares of customers contacted, in [0, 1]. By default every percent from 0 to 1.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_shares,)
        Columns ``share``, ``threshold`` (lowest probability contacted; the highest of all at share
        0) and ``profit`` (currency per customer of the base).

    Raises
    ------
    ParameterError
        As in :func:`empc`, or if a share lies outside [0, 1].

    Examples
    --------
    >>> curve = profit_curve([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1], shares=[0, 0.25, 0.5, 1])
    >>> curve["threshold"], curve["profit"]
    (array([0.9, 0.9, 0.6, 0.1]), array([ 0.  , 14.  , 11.25, 22.5 ]))
    """
    y, p = churn_arrays(churned, probability)
    at = np.linspace(0.0, 1.0, 101) if shares is None else finite_vector("shares", shares)
    outside = (at < 0.0) | (at > 1.0)
    if outside.any():
        first = int(outside.argmax())
        msg = f"shares must lie in [0, 1]; got {float(at[first])!r} at position {first}"
        raise ParameterError(msg)
    ranking = rank(p)
    profit = ranking.at(at * y.size, _expected_profit(y, campaign)) / y.size
    # The hair taken off keeps 0.07 * 100 = 7.000000000000001 from counting an eighth customer.
    last = np.ceil(at * y.size - 1e-9).clip(1, y.size).astype(np.intp) - 1
    return {"share": at, "threshold": p[ranking.order[last]], "profit": profit}


def best_share_to_contact(
    churned: ArrayLike, probability: ArrayLike, *, campaign: RetentionCampaign = CAMPAIGN_2013
) -> BestContact:
    """Find the share of customers whose contact earns most, and its threshold.

    The save rate is at its mean: this is one decision for one campaign, where :func:`empc`
    decides anew for each possible save rate and so is never less. Choose the threshold on one
    snapshot and use it on a later one: on its own snapshot the profit is flattering.

    Parameters
    ----------
    churned, probability, campaign
        As in :func:`empc`.

    Returns
    -------
    BestContact
        The smallest best share, its threshold, and the expected profit per customer.

    Raises
    ------
    ParameterError
        As in :func:`empc`.

    Examples
    --------
    >>> best_share_to_contact([1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1])
    BestContact(share=0.75, threshold=0.4, profit=25.25)
    """
    y, p = churn_arrays(churned, probability)
    ranking = rank(p)
    profit = ranking.cumulative(_expected_profit(y, campaign)) / y.size
    best = int(profit.argmax())
    contacted = int(ranking.ends[best])
    return BestContact(
        share=contacted / y.size,
        threshold=float(p[ranking.order[contacted - 1]]) if contacted else None,
        profit=float(profit[best]),
    )


def _expected_profit(y: FloatArray, campaign: RetentionCampaign) -> FloatArray:
    """Return what contacting each customer brings at the mean save rate."""
    stake = campaign.lifetime_value - campaign.incentive_cost
    from_churner = campaign.mean_save_rate * stake - campaign.contact_cost
    from_other = -(campaign.incentive_cost + campaign.contact_cost)
    return np.where(y == 1.0, from_churner, from_other)
