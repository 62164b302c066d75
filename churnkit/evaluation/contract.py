"""How well the monthly revenue of subscribers was foreseen: retained, lost and at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import ParameterError
from churnkit.evaluation.checks import finite_vector
from churnkit.evaluation.ranking import rank

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["mrr_metrics"]


def mrr_metrics(
    mrr: ArrayLike,
    *,
    future_mrr: ArrayLike,
    churned: ArrayLike,
    expected_mrr_retained: ArrayLike,
    mrr_at_risk: ArrayLike,
) -> dict[str, float | None]:
    """Every metric of monthly recurring revenue (MRR), by the name under which it is recorded.

    Parameters
    ----------
    mrr, future_mrr : array-like of float, shape (n_customers,)
        At the cutoff and at the end of the horizon, in currency a month.
    churned : array-like of bool, shape (n_customers,)
    expected_mrr_retained, mrr_at_risk : array-like of float, shape (n_customers,)
        Predictions: what of ``mrr`` is kept to the end of the horizon, and what leaving takes.

    Returns
    -------
    dict of str to float or None
        ``mrr.at_risk_share``
            Predicted share of MRR that leaving takes.
        ``mrr.lost_share``
            Actual share of MRR lost by those who left.
        ``mrr.downgrade_share``
            Actual share of MRR lost by those who stayed and pay less: downgrades, apart from churn.
        ``mrr.retained_bias``
            Predicted over actual MRR kept (expansion left out), minus 1.
        ``mrr.top_decile_capture``
            Share of the lost MRR that those tenth of the customers held whose MRR at risk was the
            highest.

        None where there is nothing to divide by.

    Raises
    ------
    ParameterError
        If an array is empty or holds a value that is not finite, or the lengths differ.

    Examples
    --------
    >>> found = mrr_metrics([100.0, 100.0], future_mrr=[0.0, 80.0], churned=[True, False],
    ...                     expected_mrr_retained=[40.0, 90.0], mrr_at_risk=[60.0, 10.0])
    >>> found["mrr.at_risk_share"], found["mrr.lost_share"], found["mrr.downgrade_share"]
    (0.35, 0.5, 0.1)
    """
    now = finite_vector("mrr", mrr)
    later = finite_vector("future_mrr", future_mrr)
    gone = finite_vector("churned", churned) > 0.0
    kept = finite_vector("expected_mrr_retained", expected_mrr_retained)
    risk = finite_vector("mrr_at_risk", mrr_at_risk)
    if len({a.size for a in (now, later, gone, kept, risk)}) > 1:
        sizes = ", ".join(str(a.size) for a in (now, later, gone, kept, risk))
        msg = f"mrr_metrics: the arrays must have one length; got {sizes}"
        raise ParameterError(msg)
    fallen = now - np.minimum(now, later)
    total, lost = float(now.sum()), float(fallen[gone].sum())
    actual = float(np.minimum(now, later).sum())
    return {
        "mrr.at_risk_share": float(risk.sum()) / total if total > 0.0 else None,
        "mrr.lost_share": lost / total if total > 0.0 else None,
        "mrr.downgrade_share": float(fallen[~gone].sum()) / total if total > 0.0 else None,
        "mrr.retained_bias": float(kept.sum()) / actual - 1.0 if actual > 0.0 else None,
        "mrr.top_decile_capture": rank(risk).top_decile(np.where(gone, fallen, 0.0)) / lost
        if lost > 0.0
        else None,
    }
