"""What customers say when asked: the last answer, the usual one, and whether they answer at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals as nw

from churnkit.data.tables import SURVEYS
from churnkit.features.build import FEATURE_BUILDERS, Aggregation, Known, Phrase, unknown
from churnkit.features.counts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Survey"]

WORDS = {"csat": "satisfaction", "nps": "readiness to recommend", "ces": "ease"}


def _phrases() -> dict[str, Phrase]:
    said: dict[str, Phrase] = {}
    for kind in SURVEYS:
        words = WORDS[kind]
        said |= {
            f"{kind}_last": Phrase(
                text=f"last answer on {words}: {{value}}",
                name=f"last answer on {words}",
                risk="low",
            ),
            f"{kind}_mean": Phrase(
                text=f"answers on {words}: {{value}} on average",
                name=f"answers on {words} on average",
                risk="low",
                decimals=1,
            ),
            f"{kind}_change": Phrase(
                text=f"last answer on {words} {{value}} than those before",
                zero=f"last answer on {words} like those before",
                name=f"change of the answers on {words}",
                risk="low",
                decimals=1,
                change=("higher", "lower"),
            ),
            f"days_since_{kind}": Phrase(
                text=f"last answer on {words} {{value}} days ago",
                name=f"days since the last answer on {words}",
                zero=f"answer on {words} within the last day",
            ),
        }
    said["survey_answers"] = Phrase(text="answered {value} surveys", name="surveys answered")
    said["survey_silent"] = Phrase(
        text="{value}",
        name="whether a survey was ever answered",
        risk="high",
        words=("has answered a survey", "never answered a survey"),
    )
    return said


@FEATURE_BUILDERS.register("survey")
@dataclass(frozen=True, kw_only=True)
class Survey:
    """Answers to satisfaction, recommendation and effort surveys, from the table ``surveys``.

    For ``csat``, ``nps`` and ``ces``, each on its own scale: the last score, the mean, the last
    against the mean of those before, and the days since. Answers of one instant count as one with
    their mean score in ``last``. ``survey_silent`` is 1 for customers without any answer, which says
    more than a missing score: those who do not answer leave more often.

    Notes
    -----
    Null: scores and days of surveys that the customer did not answer in the observation interval;
    a change with fewer than two instants of answers; ``survey_answers`` and ``survey_silent`` for
    everybody where nobody has answered before the cutoff.

    Examples
    --------
    >>> Survey().feature_names[:4]
    ('csat_last', 'csat_mean', 'csat_change', 'days_since_csat')
    """

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that :meth:`build` needs."""
        return ("surveys",)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features in order: by survey, then answering at all."""
        return tuple(self.phrases)

    @property
    def phrases(self) -> Mapping[str, Phrase]:
        """How each feature is said to people."""
        return _phrases()

    def build(self, known: Known) -> Sequence[Aggregation]:
        """Return what to aggregate; see :class:`churnkit.features.build.FeatureBuilder`."""
        latest = nw.col("ts_us").max().over("customer_id", "survey")
        rows = known["surveys"].with_columns(latest_us=latest)
        score, is_last = nw.col("score"), nw.col("ts_us") == nw.col("latest_us")
        aggregates = {"_survey_answers": score.count().cast(nw.Float64)}
        features: dict[str, nw.Expr] = {}
        for kind in SURVEYS:
            mine = nw.col("survey") == kind
            aggregates |= {
                f"{kind}_last": nw.when(mine & is_last).then(score).mean(),
                f"{kind}_mean": nw.when(mine).then(score).mean(),
                f"_survey_{kind}_before": nw.when(mine & ~is_last).then(score).mean(),
                f"days_since_{kind}": nw.when(mine).then(nw.col("age_days")).min(),
            }
            features[f"{kind}_change"] = nw.col(f"{kind}_last") - nw.col(f"_survey_{kind}_before")
        if known.reaches_back(1, table="surveys"):
            answers = counted("_survey_answers")
            features["survey_answers"] = answers
            silent = nw.when(answers == 0).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
            features["survey_silent"] = silent
        else:
            features |= unknown("survey_answers", "survey_silent")
        return [Aggregation(rows=rows, aggregates=aggregates, features=features)]
