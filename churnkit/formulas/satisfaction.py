"""What customers say in surveys: satisfaction, recommendation and effort."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from churnkit.errors import ParameterError
from churnkit.formulas.bootstrap import bootstrap_ratio_interval
from churnkit.formulas.catalogue import FORMULAS, described
from churnkit.formulas.checks import choice, column, count_column, counts
from churnkit.formulas.intervals import net_share_interval, wilson_interval
from churnkit.formulas.metric import MetricValue, Unit, quotient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from churnkit.formulas.intervals import Interval

__all__ = ["CES_VARIANTS", "NPS_DETRACTOR_TO", "NPS_PROMOTER_FROM", "ces", "csat", "nps"]

NPS_PROMOTER_FROM = 9
"""Lowest score of a promoter."""

NPS_DETRACTOR_TO = 6
"""Highest score of a detractor."""

CES_VARIANTS = {
    "share_of_scale": "(sum of scores / respondents) / number of options * 100",
    "mean": "sum of scores / respondents",
    "top_two_box": "answers with one of the two highest scores / answers * 100",
}
"""Definitions of the effort score; the first is the default."""

NO_ANSWERS = "no answers"


@FORMULAS.register("csat")
@described(
    unit="percent",
    formula="positive answers / answers * 100",
    zero_cases=({"scores": []}, {"scores": [4, 5], "counts": [0, 0]}),
)
def csat(
    *,
    scores: ArrayLike,
    counts: ArrayLike | None = None,
    options: int = 5,
    positive_from: int | None = None,
    level: float = 0.95,
) -> MetricValue:
    """Share of satisfied answers: customer satisfaction.

    Parameters
    ----------
    scores : array-like of int, shape (n_answers,) or (n_scores,)
        Answers from 1 to ``options``; with ``counts``, the scores that were counted.
    counts : array-like of int, shape (n_scores,), optional
        How often each of ``scores`` was given.
    options : int, default 5
        Number of options of the scale, >= 2.
    positive_from : int, optional
        Lowest positive score, in 2 to ``options``; the top two options if not given.
    level : float, default 0.95
        Level of the Wilson interval.

    Returns
    -------
    MetricValue
        In percent; ``n`` is the number of answers.

    Raises
    ------
    ParameterError
        If a score is not a whole number on the scale, or an argument is out of its range.

    Notes
    -----
    Customers who did not answer are not in it, and they differ from those who did.

    References
    ----------
    Practice; definition in docs/metrics.

    Examples
    --------
    >>> csat(scores=[5, 4, 4, 2]).value
    75.0
    >>> csat(scores=[1, 2, 3, 4, 5], counts=[3, 4, 8, 35, 50]).value
    85.0
    """
    where = "csat"
    _scale(where, options)
    lowest = options - 1 if positive_from is None else positive_from
    if not 2 <= lowest <= options:
        msg = f"{where}: positive_from must lie in 2 to {options}; got {positive_from!r}"
        raise ParameterError(msg)
    given, often = _answers(where, scores, counts, 1, options)
    return _share(where, float(often[given >= lowest].sum()), float(often.sum()), level)


@FORMULAS.register("nps")
@described(
    unit="points",
    formula="% promoters (9-10) - % detractors (0-6)",
    zero_cases=({"scores": []}, {"scores": [0, 10], "counts": [0, 0]}),
)
def nps(*, scores: ArrayLike, counts: ArrayLike | None = None, level: float = 0.95) -> MetricValue:
    """Share of promoters minus share of detractors: the net promoter score.

    Parameters
    ----------
    scores : array-like of int, shape (n_answers,) or (n_scores,)
        Answers from 0 to 10 to "How likely is it that you would recommend us to a friend or
        colleague?"; with ``counts``, the scores that were counted.
    counts : array-like of int, shape (n_scores,), optional
        How often each of ``scores`` was given.
    level : float, default 0.95
        Level of the interval from the multinomial variance.

    Returns
    -------
    MetricValue
        In points from -100 to 100; ``n`` is the number of answers.

    Raises
    ------
    ParameterError
        If a score is not a whole number from 0 to 10, or a count not a whole number >= 0.

    Notes
    -----
    Answers of 7 and 8 count in the denominator only. If all answers are of one class there is no
    interval, because their variance is zero.

    References
    ----------
    .. [1] F. F. Reichheld (2003), "The One Number You Need to Grow", Harvard Business Review
       81(12), 46-54.
    .. [2] B. Rocks (2016), "Interval Estimation for the 'Net Promoter Score'", The American
       Statistician 70(4), 365-372.

    Examples
    --------
    >>> nps(scores=[10, 9, 8, 3]).value
    25.0
    >>> nps(scores=[10, 7, 5], counts=[50, 30, 20]).value
    30.0
    """
    where = "nps"
    given, often = _answers(where, scores, counts, 0, 10)
    promoters = float(often[given >= NPS_PROMOTER_FROM].sum())
    detractors = float(often[given <= NPS_DETRACTOR_TO].sum())
    answers = float(often.sum())
    return quotient(
        where,
        numerator=promoters - detractors,
        denominator=answers,
        unit="points",
        n=answers,
        empty=NO_ANSWERS,
        interval=partial(net_share_interval, promoters, detractors, answers, level=level),
    )


@FORMULAS.register("ces")
@described(
    unit="percent",
    formula="(sum of scores / respondents) / number of options * 100",
    variants=CES_VARIANTS,
    zero_cases=(
        {"scores": []},
        {"scores": [], "variant": "mean"},
        {"scores": [], "variant": "top_two_box"},
    ),
)
def ces(
    *,
    scores: ArrayLike,
    counts: ArrayLike | None = None,
    options: int = 7,
    variant: Literal["share_of_scale", "mean", "top_two_box"] = "share_of_scale",
    level: float = 0.95,
    seed: int = 0,
) -> MetricValue:
    """How easy customers find it to get what they want: the customer effort score.

    Parameters
    ----------
    scores : array-like of int, shape (n_answers,) or (n_scores,)
        Answers from 1 to ``options``, the highest for the least effort; with ``counts``, the
        scores that were counted.
    counts : array-like of int, shape (n_scores,), optional
        How often each of ``scores`` was given.
    options : int, default 7
        Number of options of the scale, >= 2.
    variant : {"share_of_scale", "mean", "top_two_box"}
        Definition, see :data:`CES_VARIANTS`.
    level : float, default 0.95
        Level of the interval: Wilson for ``top_two_box``, else bootstrap over the answers.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    MetricValue
        In percent, for ``mean`` in points of the scale (unit ``score``); ``n`` is the number of
        answers.

    Raises
    ------
    ParameterError
        If a score is not a whole number on the scale, an argument is out of its range, or the
        variant is unknown.

    Notes
    -----
    ``share_of_scale`` starts at 100 / ``options``, not at 0, because the lowest score is 1. On a
    scale that asks for effort (highest = hardest), turn the scores round first.

    References
    ----------
    M. Dixon, K. Freeman, N. Toman (2010), "Stop Trying to Delight Your Customers", Harvard
    Business Review 88(7/8), 116-122.

    Examples
    --------
    >>> ces(scores=[5, 6], counts=[40, 60]).value
    80.0
    >>> ces(scores=[5, 6], counts=[40, 60], variant="mean").value
    5.6
    """
    where = "ces"
    choice(where, variant=variant, known=CES_VARIANTS)
    _scale(where, options)
    given, often = _answers(where, scores, counts, 1, options)
    answers = float(often.sum())
    if variant == "top_two_box":
        return _share(where, float(often[given >= options - 1].sum()), answers, level, variant)
    steps = 1.0 if variant == "mean" else float(options)
    unit: Unit = "score" if variant == "mean" else "percent"

    def interval() -> Interval | None:
        every = np.repeat(given, often.astype(np.int64))
        return bootstrap_ratio_interval(every, np.full(len(every), steps), level=level, seed=seed)

    return quotient(
        where,
        numerator=float(given @ often),
        denominator=answers * steps,
        unit=unit,
        n=answers,
        empty=NO_ANSWERS,
        interval=interval,
        variant=variant,
    )


def _share(
    where: str, positive: float, answers: float, level: float, variant: str = ""
) -> MetricValue:
    return quotient(
        where,
        numerator=positive,
        denominator=answers,
        unit="percent",
        n=answers,
        empty=NO_ANSWERS,
        interval=partial(wilson_interval, positive, answers, level=level),
        variant=variant,
    )


def _scale(where: str, options: int) -> None:
    (number,) = counts(where, options=options)
    if number < 2:
        msg = f"{where}: options must be >= 2; got {options!r}"
        raise ParameterError(msg)


def _answers(
    where: str, scores: ArrayLike, often: ArrayLike | None, low: int, high: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distinct scores and how often each was given."""
    given = column(where, "scores", scores)
    broken = (given < low) | (given > high) | (given != np.floor(given))
    if broken.any():
        position = int(np.argmax(broken))
        got = f"{float(given[position]):g} at position {position}"
        msg = f"{where}: scores must be whole numbers from {low} to {high}; got {got}"
        raise ParameterError(msg)
    times = np.ones_like(given) if often is None else count_column(where, "counts", often)
    if len(times) != len(given):
        msg = f"{where}: counts must be as long as scores ({len(given)}); got length {len(times)}"
        raise ParameterError(msg)
    distinct, place = np.unique(given, return_inverse=True)
    return distinct, np.bincount(place, weights=times, minlength=len(distinct)).astype(np.float64)
