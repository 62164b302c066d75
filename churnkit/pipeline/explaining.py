"""The verb ``explain``: what drives churn or spend, over everybody and for single customers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.sinks import open_sink
from churnkit.data.windows import as_day, midnight_us
from churnkit.errors import DataError, ParameterError
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.contribution_table import contribution_schema
from churnkit.pipeline.customer_page import customer_pages
from churnkit.pipeline.definitions import definitions_of
from churnkit.pipeline.explained import ExplainResult
from churnkit.pipeline.population import explain_population
from churnkit.pipeline.registered import open_bundle
from churnkit.pipeline.session import open_session
from churnkit.pipeline.tables import CUSTOMER_TABLES
from churnkit.reasons import change_of_drivers, drivers_by_segment
from churnkit.registry import did_you_mean
from churnkit.retention.customer import customer_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from churnkit.config import Config
    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.population import ExplainedPopulation, Target
    from churnkit.pipeline.session import Session

__all__ = ["explain"]

INTERACTION_ROWS = 1_000
MOST_PAIRS = 20
TARGETS = ("churn", "spend")


def explain(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    customers: str | int | Sequence[str | int] = (),
    as_of: date | str | None = None,
    compare: date | str | None = None,
    by: str = "risk_band",
    target: Target = "churn",
    model: str | Path | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ExplainResult:
    """Say what drives churn, or expected spend, over the population and for single customers.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    customers : str, int, or sequence of these
        Customers to explain one by one; each must be in the population at ``as_of``.
    as_of, model : optional
        As for :func:`score`.
    compare : date or ISO text, optional
        Another date: how the drivers changed from it to ``as_of``.
    by : str, default "risk_band"
        Segments: ``risk_band``, ``rfm_segment`` or a column of the table ``customers``.
    target : {"churn", "spend"}
        What is explained: the log-odds of churning, or the log of the spend that is expected.
    output : path, optional
        ``.parquet`` or ``.csv`` file for the contributions of everybody in the population.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    DataError
        If nobody, or not every customer asked for, is in the population.
    ParameterError
        If ``by``, ``target`` or a date is not one.
    """
    config = as_config(config)
    if target not in TARGETS:
        msg = f"explain: target must be churn or spend; got {target!r}"
        raise ParameterError(msg)
    # Ids are text in every table; one alone is no sequence of letters.
    if isinstance(customers, str) or not isinstance(customers, Iterable):
        customers = [customers]
    wanted = [str(one) for one in customers]
    bundle = open_bundle(config, model)
    with open_session(
        config, tables=tables, as_of=as_of, bundle=bundle, also=CUSTOMER_TABLES, progress=progress
    ) as session:
        _check_by(session, by)
        then = as_day(compare, time_zone=bundle.data["time_zone"], name="compare")
        found = _explained(session, bundle, target=target, wanted=wanted, output=output)
        if unknown := sorted(set(wanted) - set(found.rows)):
            raise DataError(_why_unknown(session, unknown))
        changes = []
        if then is not None:
            earlier = explain_population(session, bundle, as_of=then, target=target)
            changes = change_of_drivers(
                found.sums, earlier.sums, names=bundle.feature_names, says=found.sample.says
            )
        return ExplainResult(
            target=target,
            as_of=str(session.as_of),
            model_version=bundle.version,
            population=len(found.rows),
            method=found.method,
            drivers=found.sums.rows(bundle.feature_names, found.sample.says),
            groups=found.groups,
            by=by,
            segments=drivers_by_segment(
                found.sample.contributions,
                _segments(session, bundle, found, by=by),
                names=bundle.feature_names,
                says=found.sample.says,
            ),
            cohorts=found.cohorts,
            interactions=_interactions(bundle, found, target=target),
            sample=found.sample,
            compared_with=None if then is None else str(then),
            changes=changes,
            customers=customer_pages(session, bundle, found, ids=list(dict.fromkeys(wanted))),
            output=None if output is None else Path(output),
        )


def _why_unknown(session: Session, customers: Sequence[str]) -> str:
    """Return why nothing can be explained: nobody of that id, or nobody who has a prediction."""
    table = session.read.history.tables[session.label.table]
    rows = table.filter(nw.col("customer_id").is_in(list(customers))).select("customer_id")
    outside = sorted(session.engine.collect(rows.unique())["customer_id"].to_pylist())
    strangers = [customer for customer in customers if customer not in outside]
    said = []
    if strangers:
        said.append(
            f"no such customer in the population as of {session.as_of}: {', '.join(strangers)}"
        )
    if outside:
        said.append(
            f"outside the population as of {session.as_of}, so that there is no prediction to"
            f" explain (see status in the score table): {', '.join(outside)}"
        )
    return f"explain: {'; '.join(said)}"


def _explained(
    session: Session,
    bundle: Bundle,
    *,
    target: Target,
    wanted: Sequence[str],
    output: Path | str | None,
) -> ExplainedPopulation:
    """Explain everybody as of the session's date, and write the contributions if wanted."""
    session.progress(f"explaining as of {session.as_of}")
    asked: dict[str, Any] = {"as_of": session.as_of, "target": target, "wanted": set(wanted)}
    if output is None:
        return explain_population(session, bundle, **asked)
    with open_sink(output, schema=contribution_schema(bundle.feature_names)) as sink:
        return explain_population(session, bundle, **asked, write=sink.write)


def _check_by(session: Session, by: str) -> None:
    of_orders = ["rfm_segment"] if "orders" in session.read.history.tables else []
    known = ["risk_band", *of_orders, *_attributes(session)]
    if by not in known:
        guess = did_you_mean(by, known)
        msg = f"explain: by must name a segment; got {by!r}.{guess} Known: {', '.join(known)}."
        raise ParameterError(msg)


def _attributes(session: Session) -> list[str]:
    if "customers" not in session.others:
        return []
    names = session.others["customers"].rows.collect_schema().names()
    return [name for name in names if name != "customer_id" and not name.endswith("_us")]


def _segments(
    session: Session, bundle: Bundle, found: ExplainedPopulation, *, by: str
) -> list[str]:
    """Return the segment of each customer of the sample."""
    ids = found.sample.customer_ids
    if by == "risk_band":
        bands = session.config.scoring.risk_bands
        rows = np.array([found.rows[name] for name in ids])
        p = found.predictions.churn_probability[rows]
        return list(np.where(p >= bands.high, "high", np.where(p >= bands.medium, "medium", "low")))
    if by == "rfm_segment":
        frame = customer_metrics(
            session.read.history.tables["orders"],
            as_of_us=midnight_us(session.as_of, time_zone=bundle.data["time_zone"]),
            gross_margin=bundle.value["gross_margin"],
            segments=definitions_of(session.config).segments,
        )
    else:
        frame = session.others["customers"].rows
    table = session.engine.collect(frame.select("customer_id", by))
    known = dict(zip(*(table.column(c).to_pylist() for c in ("customer_id", by)), strict=True))
    return [str(known.get(name) or "unknown") for name in ids]


def _interactions(
    bundle: Bundle, found: ExplainedPopulation, *, target: Target
) -> list[dict[str, Any]] | None:
    """Return the pairs with the largest joint effect, on a part of the sample."""
    models, sample = bundle.models, found.sample
    learner = models.churn.learner if target == "churn" else models.spending.learners[0]
    pairs = learner.interactions(
        sample.matrix[np.arange(min(INTERACTION_ROWS, len(sample.values)))]
    )
    if pairs is None:
        return None
    names, says = sample.feature_names, sample.says
    return [
        {
            "feature": names[a],
            "with": names[b],
            "says": says[names[a]],
            "with_says": says[names[b]],
            "mean_joint_effect": size,
        }
        for (a, b), size in sorted(pairs.items(), key=lambda pair: -pair[1])[:MOST_PAIRS]
    ]
