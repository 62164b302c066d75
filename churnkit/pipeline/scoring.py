"""The verb ``score``."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit import __version__
from churnkit.data.sinks import open_sink, write_json
from churnkit.data.windows import Snapshot, midnight_us
from churnkit.engines import ClusterEngine
from churnkit.errors import DataError, ParameterError
from churnkit.features.learned import unknown_values
from churnkit.features.named import make_builders
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.definitions import definitions_of, yearly_churn_of
from churnkit.pipeline.elsewhere import customers_without_orders
from churnkit.pipeline.reasoning import reasons_of
from churnkit.pipeline.registered import open_bundle
from churnkit.pipeline.rejected import write_rejected
from churnkit.pipeline.results import ScoreResult
from churnkit.pipeline.session import (
    Session,
    now,
    open_session,
)
from churnkit.pipeline.tables import CUSTOMER_TABLES
from churnkit.reasons import contributions
from churnkit.retention.sections import customer_sections
from churnkit.scoring import (
    ScoreRequest,
    score_customers,
    score_schema,
    scored_on_cluster,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from churnkit.config import Config
    from churnkit.features.build import FeatureBuilder
    from churnkit.models.base import FeatureMatrix
    from churnkit.models.bundle import Bundle
    from churnkit.scoring import ScoreSummary

__all__ = ["refuse_output", "score", "score_in"]


def score(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    as_of: date | str | None = None,
    model: str | Path | None = None,
    output: Path | str | None = None,
    value_days: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> ScoreResult:
    """Write one row for every customer seen before ``as_of``, and a manifest that accounts for them.

    Features, columns and the way the data are read are those that the model was trained with.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    as_of : date or ISO text, optional
        First business day that is not known; by default ``scoring.as_of``, else the day after the
        last in the data.
    model : str or path, optional
        A bundle folder, ``models:/name@alias`` or ``models:/name/version``; by default the champion.
    output : path, optional
        In place of ``scoring.output``; ``.parquet`` or ``.csv``.
    value_days : int, optional
        Length of time over which ``expected_ltv`` counts, in place of the one that the model was
        trained with (``lifetime_value.horizon_days``).
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ParameterError
        If the registry has no such model, ``value_days`` is below 1, or the output is no Parquet on
        a cluster.
    ModelGuardError
        If the model cannot be read, or does not fit the data.
    DataError
        If a table cannot be read or breaks its contract, or nobody was seen before ``as_of``.
    """
    config = as_config(config)
    refuse_output(config, output)
    bundle = open_bundle(config, model)
    with open_session(
        config, tables=tables, as_of=as_of, bundle=bundle, also=CUSTOMER_TABLES, progress=progress
    ) as session:
        return score_in(session, bundle, output=output, value_days=value_days)


def refuse_output(config: Config, output: Path | str | None = None) -> None:
    """Refuse, before any work is done, a file where a cluster writes a folder of files."""
    target = Path(output or config.scoring.output)
    if config.engine.kind == "spark" and target.suffix.lower() != ".parquet":
        msg = f"output on a cluster must end in .parquet, a folder of files; got {str(target)!r}"
        raise ParameterError(msg)


def score_in(
    session: Session,
    bundle: Bundle,
    *,
    output: Path | str | None = None,
    value_days: int | None = None,
) -> ScoreResult:
    """Score in an open session; see :func:`score`."""
    config = session.config
    target = Path(output or config.scoring.output)
    manifest_path = Path(f"{target}.manifest.json")
    zone, definitions = bundle.data["time_zone"], definitions_of(config)
    builders = make_builders(bundle.features)
    reasons = reasons_of(config, bundle)

    def explained(features: FeatureMatrix) -> Mapping[str, list[Any]]:
        return reasons.columns(features, contributions(bundle.models.churn.learner, features))

    request = ScoreRequest(
        as_of=session.as_of,
        risk_bands={
            "medium": config.scoring.risk_bands.medium,
            "high": config.scoring.risk_bands.high,
        },
        reason_columns=reasons.column_names,
        explain=explained,
        scored_at=now(),
        sections=customer_sections(
            {name: table.rows for name, table in session.others.items()},
            as_of=session.as_of,
            time_zone=zone,
            definitions=definitions,
        ),
        segments=definitions.segments,
        lifespan=definitions.lifespan,
        yearly_churn_probability=yearly_churn_of(session, session.as_of, time_zone=zone),
        value_days=value_days,
    )
    session.progress(f"scoring as of {session.as_of}")
    with _scored(session, bundle, builders=builders, request=request, target=target) as summary:
        _reconcile(session, bundle, summary)
    # Until the last line, the new table has no manifest rather than that of the old one.
    manifest_path.unlink(missing_ok=True)
    rejected = write_rejected(session, target)
    manifest = _manifest(session, bundle, summary, request=request, target=target)
    manifest["rejected_rows"] = rejected
    manifest["uncounted_event_types"] = session.uncounted_event_types(builders)
    now_known = Snapshot(cutoff=session.as_of, time_zone=zone, **bundle.snapshot)
    manifest["unknown_values"] = unknown_values(builders, session.read.history.known(now_known))
    write_json(manifest_path, manifest)
    return ScoreResult(output=target, manifest=manifest)


@contextmanager
def _scored(
    session: Session,
    bundle: Bundle,
    *,
    builders: Sequence[FeatureBuilder],
    request: ScoreRequest,
    target: Path,
) -> Iterator[ScoreSummary]:
    """Score where the rows are; the table appears when the block ends without an error."""
    zone, engine = bundle.data["time_zone"], session.engine
    without = customers_without_orders(session, as_of_us=midnight_us(session.as_of, time_zone=zone))
    given: dict[str, Any] = {"builders": builders, "request": request}
    if isinstance(engine, ClusterEngine):
        with scored_on_cluster(
            session.read.history,
            bundle,
            engine=engine,
            without_valid_rows=without,
            folder=str(target),
            **given,
        ) as summary:
            yield summary
        return
    schema = score_schema(
        reason_columns=request.reason_columns,
        time_zone=zone,
        section_names=request.section_names,
        subscribers=bundle.models.contract is not None,
    )
    known = engine.collect(without).sort_by("customer_id")
    with open_sink(target, schema=schema) as sink:
        yield score_customers(
            session.read.history, bundle, without_valid_rows=known, write=sink.write, **given
        )


def _reconcile(session: Session, bundle: Bundle, summary: ScoreSummary) -> None:
    """Count the customers in the inputs by another way than scoring did, and compare."""
    cutoff_us = midnight_us(session.as_of, time_zone=bundle.data["time_zone"])
    without = customers_without_orders(session, as_of_us=cutoff_us)
    seen = int(session.engine.collect(without.select(n=nw.len()))["n"][0].as_py())
    if "orders" in session.read.loaded:
        rows = session.read.loaded["orders"].rows.filter(nw.col("ts_us") < cutoff_us)
        counted = session.engine.collect(rows.select(n=nw.col("customer_id").n_unique()))
        seen += int(counted.to_pylist()[0]["n"])
    if summary.rows != seen:
        msg = f"score: {seen:,} customers were read and {summary.rows:,} rows scored; nothing is written"
        raise DataError(msg)


def _manifest(
    session: Session, bundle: Bundle, summary: ScoreSummary, *, request: ScoreRequest, target: Path
) -> dict[str, Any]:
    return {
        "name": session.config.name,
        "output": str(target),
        "as_of": str(request.as_of),
        "horizon_days": bundle.snapshot["horizon_days"],
        "gap_days": bundle.snapshot["gap_days"],
        "label": dict(bundle.label),
        "scored_at": request.scored_at.isoformat(timespec="seconds"),
        "rows": summary.rows,
        "statuses": summary.statuses,
        "risk_bands": summary.risk_bands,
        "totals": summary.totals,
        "level": summary.level,
        "expected_spend_total": None if summary.total is None else asdict(summary.total),
        "lifetime_value": {**bundle.value, "horizon_days": summary.value_days},
        "drift": {
            "churn_probability": summary.drift.get("churn_probability"),
            "features": {k: v for k, v in summary.drift.items() if k != "churn_probability"},
        },
        "inputs": {report.table: report.to_dict() for report in session.reports},
        "model": {
            "name": bundle.name,
            "version": bundle.version,
            "created_at": bundle.created_at,
            "provenance": dict(bundle.provenance),
            "cautions": list(bundle.notes.get("cautions", ())),
            "contact": bundle.notes.get("contact"),
            "search": list(bundle.notes.get("search", ())),
        },
        "formula_ltv": {
            "lifespan": request.lifespan,
            "yearly_churn_probability": request.yearly_churn_probability,
        },
        "config_hash": session.config.hash,
        "churnkit": __version__,
    }
