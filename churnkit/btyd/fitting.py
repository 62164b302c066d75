"""Maximum likelihood within a box, made fast by a pilot on few customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from churnkit.errors import ModelGuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from scipy.optimize import OptimizeResult

    from churnkit.btyd.history import PurchaseHistory

    Floats = NDArray[np.float64]
    Objective: TypeAlias = Callable[[Floats], tuple[float, Floats]]

__all__ = [
    "LOG_MEAN",
    "LOG_SHAPE",
    "Maximum",
    "maximise",
    "mean_tenure",
    "weighted_sum",
]

# Ranges of what is searched, as logarithms. A shape of 0.002 is a population in which nearly
# everybody sits at zero; at 10,000 its members differ by one percent. Rates are per mean tenure.
# Beyond, the data cannot tell and predictions no longer move.
LOG_SHAPE = (float(np.log(2e-3)), float(np.log(1e4)))
LOG_MEAN = (float(np.log(1e-6)), float(np.log(1e6)))

_PILOT_CUSTOMERS = 8_000
# Largest slope at a maximum, per customer, in units of the bend, and relative to the loss, whose
# rounding it must exceed.
_FLAT = 1e-6
# No coordinate is searched further than e^3 from where the pilot ended; if it must, plain search.
_LONGEST_STEP = 3.0


class Maximum(NamedTuple):
    """Where the likelihood is highest, and how sure that is."""

    point: Floats
    log_likelihood: float
    n_iterations: int
    at_bounds: tuple[str, ...]


def maximise(
    objective_for: Callable[[Sequence[Floats], Floats], Objective],
    columns: Sequence[Floats],
    count: Floats,
    *,
    starts: Sequence[Sequence[float]],
    box: Mapping[str, tuple[float, float]],
    where: str,
) -> Maximum:
    """Find the point with the highest likelihood.

    A pilot on 8,000 customers, taken evenly through the sorted groups, starts from every point of
    ``starts``; its curvature then scales the search on all customers, which needs few steps
    because of that. Both use L-BFGS-B. Models choose coordinates in which the curvature is mild:
    logarithms of means and shapes rather than of the parameters in print.

    Parameters
    ----------
    objective_for : callable
        ``objective_for(columns, count)`` gives a function from a point to the summed
        log-likelihood and its gradient.
    columns, count : sequence of ndarray of shape (n,), ndarray of shape (n,)
        Data of each group of customers, and the customers in it.
    starts : sequence of sequence of float
        Points to start from.
    box : mapping of str to (float, float)
        Name and range of each coordinate, in order.
    where : str
        What is being fitted, for the message.

    Raises
    ------
    ModelGuardError
        If the search ends anywhere but at a maximum.
    """
    bounds = np.array(list(box.values()))
    at, pilot_count = _even_sample(count)
    pilot = _mean_loss(objective_for([column[at] for column in columns], pilot_count), pilot_count)
    trials = [_minimise(pilot, np.clip(start, *bounds.T), bounds) for start in starts]
    best = min(trials, key=lambda trial: float(trial.fun))

    loss = _mean_loss(objective_for(columns, count), count)
    curvature = _curvature(pilot, best.x)
    result = _minimise_scaled(loss, best.x, bounds, curvature=curvature)
    if result is None:
        result = _minimise(loss, best.x, bounds)
    # Where the likelihood bends sharply, a slope of the same size is a point much less far off.
    bend = np.sqrt(np.maximum(np.diag(curvature), 1.0))
    slope = float(np.abs(_free_gradient(result.x, result.jac, bounds) / bend).max())
    if not slope <= _FLAT * (10.0 + abs(float(result.fun))):
        msg = (
            f"{where}: the likelihood must have a maximum; got none after {result.nit} steps on "
            f"{count.sum():g} customers (slope {slope:.2g}, optimiser: {result.message})"
        )
        raise ModelGuardError(msg)
    stuck = np.abs(result.x[:, None] - bounds).min(axis=1) < 1e-6
    return Maximum(
        point=result.x,
        log_likelihood=-float(result.fun) * float(count.sum()),
        n_iterations=int(best.nit + result.nit),
        at_bounds=tuple(name for name, at_bound in zip(box, stuck, strict=True) if at_bound),
    )


def weighted_sum(weights: Floats, values: Floats) -> float:
    """Return the sum of products of two long vectors, the same on every machine.

    BLAS would share it among threads, whose number then decides the last digits, on which a search
    that is nearly at its end stops or goes on; and it costs ten times the arithmetic to wait for
    them where the cores are busy.

    Examples
    --------
    >>> weighted_sum(np.array([2.0, 3.0]), np.array([0.5, 1.0]))
    4.0
    """
    return float((weights * values).sum())


def mean_tenure(history: PurchaseHistory, *, where: str) -> float:
    """Return the unit of time in which a fit is well conditioned."""
    mean = weighted_sum(history.count, history.tenure) / history.n_customers
    if not mean > 0.0:
        msg = (
            f"{where}: tenure must be positive for somebody; got 0 for all "
            f"{history.n_customers:g} customers, so there is nothing to learn from"
        )
        raise ModelGuardError(msg)
    return mean


def _even_sample(count: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return groups hit by equally spaced customers, and the hits of each."""
    cumulative = np.cumsum(count)
    if count.size <= _PILOT_CUSTOMERS:
        return np.arange(count.size), count
    ranks = (np.arange(_PILOT_CUSTOMERS) + 0.5) * (cumulative[-1] / _PILOT_CUSTOMERS)
    hits = np.bincount(np.searchsorted(cumulative, ranks), minlength=count.size)
    at = np.flatnonzero(hits)
    return at, hits[at].astype(np.float64)


def _mean_loss(objective: Objective, count: Floats) -> Objective:
    """Return minus the log-likelihood per customer, so that tolerances fit every size of data."""
    customers = count.sum()

    def loss(point: Floats) -> tuple[float, Floats]:
        value, gradient = objective(point)
        return -value / customers, -gradient / customers

    return loss


def _minimise(loss: Objective, start: Floats, bounds: Floats) -> OptimizeResult:
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    options = {"maxiter": 1_000, "maxfun": 5_000, "ftol": 1e-15, "gtol": 1e-8, "maxcor": 20}
    # A step on four numbers is no work to share: by BLAS on all cores it took thirty times as long.
    with threadpool_limits(1, user_api="blas"):
        return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)


def _minimise_scaled(
    loss: Objective, start: Floats, bounds: Floats, *, curvature: Floats
) -> OptimizeResult | None:
    """Search in coordinates in which the curvature is one, or return None if they do not fit."""
    size, direction = np.linalg.eigh(curvature)
    if not _inside(start, bounds) or not size[-1] > 0.0:
        return None
    axes = direction / np.sqrt(np.maximum(size, 1e-6 * size[-1]))

    def scaled(steps: Floats) -> tuple[float, Floats]:
        value, gradient = loss(start + axes @ steps)
        return value, axes.T @ gradient

    reach = _LONGEST_STEP / np.abs(axes).max(axis=0)
    limits = np.stack([-reach, reach], axis=1)
    result = _minimise(scaled, np.zeros(start.size), limits)
    if not _inside(result.x, limits):
        return None
    result.x = start + axes @ result.x
    result.jac = np.linalg.solve(axes.T, result.jac)
    return result if _inside(result.x, bounds) else None


def _inside(point: Floats, bounds: Floats) -> bool:
    """Return whether every coordinate lies strictly between its bounds."""
    return bool(((point > bounds[:, 0]) & (point < bounds[:, 1])).all())


def _curvature(loss: Objective, at: Floats) -> Floats:
    """Return the second derivatives of a loss, from differences of its gradients."""
    step = 1e-4
    rows = [(loss(at + e)[1] - loss(at - e)[1]) / (2 * step) for e in step * np.eye(at.size)]
    return (np.array(rows) + np.array(rows).T) / 2.0


def _free_gradient(point: Floats, gradient: Floats, bounds: Floats) -> Floats:
    """Return the gradient without what pushes against a bound."""
    return np.clip(point - gradient, *bounds.T) - point
