"""How well churn probabilities rank and price the customers who really churned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.evaluation.checks import churn_arrays
from churnkit.evaluation.ranking import rank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "auc",
    "average_precision",
    "base_rate",
    "brier",
    "log_loss",
    "top_decile_lift",
]

# A probability of exactly 0 or 1 that proves wrong would cost infinitely much.
SMALLEST_PROBABILITY = 1e-15


def base_rate(churned: ArrayLike, probability: ArrayLike) -> float:
    """Share of customers who churned.

    Parameters
    ----------
    churned : array-like of bool or of 0 and 1, shape (n_customers,)
        True where the customer churned.
    probability : array-like of float, shape (n_customers,)
        Predicted probability of churning. Only checked: the base rate does not depend on it.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ParameterError
        If an array is empty, holds a missing value or one outside its range, or the lengths differ.

    Examples
    --------
    >>> base_rate([1, 0, 0, 1], [0.9, 0.1, 0.4, 0.3])
    0.5
    """
    y, _ = churn_arrays(churned, probability)
    return float(y.mean())


def auc(churned: ArrayLike, probability: ArrayLike) -> float | None:
    """Area under the ROC curve.

    The chance that a churner drawn at random has a higher probability than a customer drawn at
    random who stayed; a tie counts one half [1]_. 0.5 is what a coin reaches.

    Parameters
    ----------
    churned, probability
        As in :func:`base_rate`.

    Returns
    -------
    float or None
        In [0, 1]. None when all customers churned or none did: there is no pair to compare.

    Raises
    ------
    ParameterError
        As in :func:`base_rate`.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil (1982), "The Meaning and Use of the Area under a Receiver
       Operating Characteristic (ROC) Curve", Radiology 143(1), 29-36,
       doi:10.1148/radiology.143.1.7063747.

    Examples
    --------
    >>> auc([1, 0, 0, 1], [0.9, 0.1, 0.4, 0.3])
    0.75
    """
    y, p = churn_arrays(churned, probability)
    ranking = rank(p)
    caught = ranking.cumulative(y)
    bothered = ranking.ends - caught
    pairs = caught[-1] * bothered[-1]
    if pairs == 0:
        return None
    return float(np.sum(np.diff(bothered) * (caught[1:] + caught[:-1])) / (2 * pairs))


def average_precision(churned: ArrayLike, probability: ArrayLike) -> float | None:
    r"""Precision averaged over the churners, as the threshold comes down.

    :math:`\sum_k (R_k - R_{k-1}) P_k` over the distinct probabilities, with recall :math:`R_k` and
    precision :math:`P_k` of contacting everybody at or above the k-th. No line is drawn between
    the points, which would flatter the model [1]_; tied customers come in together. A model that
    ranks at random reaches about the base rate.

    Parameters
    ----------
    churned, probability
        As in :func:`base_rate`.

    Returns
    -------
    float or None
        In (0, 1]. None when nobody churned.

    Raises
    ------
    ParameterError
        As in :func:`base_rate`.

    References
    ----------
    .. [1] J. Davis, M. Goadrich (2006), "The Relationship between Precision-Recall and ROC
       Curves", ICML, 233-240, doi:10.1145/1143844.1143874.

    Examples
    --------
    >>> average_precision([1, 0, 0, 1], [0.9, 0.1, 0.4, 0.3])
    0.8333...
    """
    y, p = churn_arrays(churned, probability)
    ranking = rank(p)
    caught = ranking.cumulative(y)
    if caught[-1] == 0:
        return None
    precision = caught[1:] / ranking.ends[1:]
    return float(np.sum(np.diff(caught) * precision) / caught[-1])


def log_loss(churned: ArrayLike, probability: ArrayLike) -> float:
    r"""Mean of minus the logarithm of the probability given to what happened.

    :math:`-\frac{1}{n}\sum_i y_i \ln p_i + (1 - y_i) \ln(1 - p_i)`, with :math:`p_i` held within
    :math:`[10^{-15}, 1 - 10^{-15}]`. Least, in expectation, for the true probabilities [1]_.

    Parameters
    ----------
    churned, probability
        As in :func:`base_rate`.

    Returns
    -------
    float
        In nats, 0 or more; less is better.

    Raises
    ------
    ParameterError
        As in :func:`base_rate`.

    References
    ----------
    .. [1] I. J. Good (1952), "Rational Decisions", Journal of the Royal Statistical Society B
       14(1), 107-114, doi:10.1111/j.2517-6161.1952.tb00104.x.

    Examples
    --------
    >>> round(log_loss([1, 0, 0, 1], [0.9, 0.1, 0.4, 0.3]), 4)
    0.4814
    """
    y, p = churn_arrays(churned, probability)
    given_to_outcome = np.where(y == 1.0, p, 1.0 - p)
    return float(
        -np.log(given_to_outcome.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)).mean()
    )


def brier(churned: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared difference between probability and outcome [1]_.

    Parameters
    ----------
    churned, probability
        As in :func:`base_rate`.

    Returns
    -------
    float
        In [0, 1]; less is better.

    Raises
    ------
    ParameterError
        As in :func:`base_rate`.

    References
    ----------
    .. [1] G. W. Brier (1950), "Verification of Forecasts Expressed in Terms of Probability",
       Monthly Weather Review 78(1), 1-3,
       doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2. (Half of his sum over both outcomes.)

    Examples
    --------
    >>> round(brier([1, 0, 0, 1], [0.9, 0.1, 0.4, 0.3]), 4)
    0.1675
    """
    y, p = churn_arrays(churned, probability)
    return float(np.square(p - y).mean())


def top_decile_lift(churned: ArrayLike, probability: ArrayLike) -> float | None:
    """Churn rate among the tenth of customers with the highest probability, over the base rate.

    The measure of the churn tournament [1]_. Tied customers share their places: see
    :class:`churnkit.evaluation.ranking.Ranking`.

    Parameters
    ----------
    churned, probability
        As in :func:`base_rate`.

    Returns
    -------
    float or None
        In [0, 10]; 1 is what random contacts reach. None when nobody churned.

    Raises
    ------
    ParameterError
        As in :func:`base_rate`.

    References
    ----------
    .. [1] S. A. Neslin, S. Gupta, W. Kamakura, J. Lu, C. H. Mason (2006), "Defection Detection",
       Journal of Marketing Research 43(2), 204-211, doi:10.1509/jmkr.43.2.204.

    Examples
    --------
    Ten customers, two churn; the one on top does:

    >>> top_decile_lift([1, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0.9, *[0.1] * 9])
    5.0
    """
    y, p = churn_arrays(churned, probability)
    churners = float(y.sum())
    return 10 * rank(p).top_decile(y) / churners if churners else None
