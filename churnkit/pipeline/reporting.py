"""The verb ``report``: collects what a run knows and puts it on one HTML page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from churnkit.data.sinks import refuse_suffix, write_text
from churnkit.data.windows import Snapshot
from churnkit.evaluation.backtest import mean_metrics
from churnkit.features.named import make_builders
from churnkit.pipeline.cards import LEVELS, outcome_of
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.customer_views import (
    customer_views,
    drawn_customers,
    driver_sample,
    explain_customers,
    reason_cohorts,
)
from churnkit.pipeline.metrics import monthly_metrics_in
from churnkit.pipeline.registered import open_bundle
from churnkit.pipeline.scored_customers import most_at_risk, scored_customers
from churnkit.pipeline.scoring import score_in
from churnkit.pipeline.session import now, open_session
from churnkit.pipeline.tables import OTHER_TABLES
from churnkit.reporting import LevelPoint, Report, render_report
from churnkit.retention.cohorts import cohort_triangle
from churnkit.retention.periods import last_boundary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from churnkit.config import Config
    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.metrics import MetricsResult
    from churnkit.pipeline.results import ScoreResult
    from churnkit.pipeline.session import Session
    from churnkit.reporting import CustomerView, TestOutcome
    from churnkit.retention.cohorts import CohortTriangle

__all__ = ["ReportResult", "report", "report_in"]

OF_SUBSCRIBERS = ("mrr", "expected_mrr_retained", "mrr_at_risk")


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """A written page.

    Attributes
    ----------
    output : Path
        The HTML file.
    size : int
        Its size in bytes.
    customers : int
        Customers with a view of their own on it.
    as_of : str
        First day that the page does not know.
    """

    output: Path
    size: int
    customers: int
    as_of: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "output": str(self.output),
            "size": self.size,
            "customers": self.customers,
            "as_of": self.as_of,
        }


def report(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    as_of: date | str | None = None,
    model: str | Path | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ReportResult:
    """Write one self-contained HTML page about customers, their risk and the model behind it.

    Scores and metrics are computed for the page; the score table and the metrics file of earlier
    runs stay as they are.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    as_of, model : optional
        As for :func:`churnkit.score`.
    output : path, optional
        In place of ``report.output``.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ParameterError
        If the registry has no such model, or ``output`` does not end in ``.html``.
    ModelGuardError
        If the model cannot be read, or does not fit the data.
    DataError
        If a table cannot be read or breaks its contract, or the page cannot be written.
    """
    config = as_config(config)
    refuse_suffix(output or config.report.output, ".html")
    bundle = open_bundle(config, model)
    with (
        open_session(
            config,
            tables=tables,
            as_of=as_of,
            bundle=bundle,
            also=OTHER_TABLES,
            progress=progress,
        ) as session,
        TemporaryDirectory(prefix="churnkit-report-") as folder,
    ):
        scored = score_in(session, bundle, output=Path(folder, "scores.parquet"))
        metrics = monthly_metrics_in(session, output=Path(folder, "metrics.parquet"))
        return report_in(session, bundle, scored=scored, metrics=metrics, output=output)


def report_in(
    session: Session,
    bundle: Bundle,
    *,
    scored: ScoreResult,
    metrics: MetricsResult,
    output: Path | str | None = None,
) -> ReportResult:
    """Write the page in an open session that read its tables as the model did; see :func:`report`."""
    config = session.config
    target = Path(output or config.report.output)
    session.progress("making the report")
    reason = ("reason_1", "reason_1_feature") if config.scoring.reasons else ()
    of_mrr = OF_SUBSCRIBERS if bundle.models.contract is not None else ()
    scores = scored_customers(scored, also=(*of_mrr, *reason), time_zone=bundle.data["time_zone"])
    top = most_at_risk(scores)
    views: list[CustomerView] = []
    drivers = None
    if scores.num_rows:
        drawn = drawn_customers(scores, seed=config.seed)
        ids = {*drawn, *top.column("customer_id").to_pylist()}
        explained = explain_customers(session, bundle, ids)
        drivers = driver_sample(bundle, explained, drawn=drawn, scores=scores)
        views = customer_views(session, bundle, explained, top=top, scored=scores.num_rows)
    page = render_report(
        Report(
            name=config.name,
            manifest=scored.manifest,
            scores=scores,
            customers=views,
            means=_means(bundle),
            tests=tuple(_tests(session, bundle)),
            levels=tuple(LevelPoint(**point) for point in bundle.notes.get(LEVELS, ())),
            no_skill=tuple(bundle.notes.get("no_skill", ())),
            drivers=drivers,
            by_reason=reason_cohorts(bundle, scores) if reason else (),
            metrics=metrics.report,
            cohorts=_cohorts(session),
            tables=session.reports,
            made=_made(session, bundle, scored),
            config_text=config.to_yaml(),
        )
    )
    write_text(target, page)
    size = target.stat().st_size
    return ReportResult(output=target, size=size, customers=len(views), as_of=str(session.as_of))


def _means(bundle: Bundle) -> dict[str, dict[str, float | None]]:
    snapshots = bundle.metrics["snapshots"]
    names = list(dict.fromkeys(name for s in snapshots for name in s["models"]))
    return {name: mean_metrics([s["models"].get(name, {}) for s in snapshots]) for name in names}


def _tests(session: Session, bundle: Bundle) -> Iterator[TestOutcome]:
    """Yield what the model says at its test cutoffs, where the data know what then happened."""
    load = replace(
        session.loader(make_builders(bundle.features)),
        active_within_days=bundle.population["active_within_days"],
        min_orders=bundle.population["min_orders"],
    )
    for stored in bundle.metrics["snapshots"]:
        snapshot = Snapshot(
            cutoff=date.fromisoformat(stored["cutoff"]),
            time_zone=bundle.data["time_zone"],
            **bundle.snapshot,
        )
        if snapshot.label_end > min(session.as_of, session.read.end_day):
            continue
        test = load(snapshot)
        if len(test.churned):
            yield outcome_of(bundle.models, test)


def _cohorts(session: Session) -> CohortTriangle | None:
    """Return the monthly triangle, None without orders or where there is no whole month of them."""
    if "orders" not in session.read.history.tables:
        return None
    start, end = session.read.first_day, min(session.as_of, session.read.end_day)
    if last_boundary(end, every="month") <= start:
        return None
    return cohort_triangle(
        session.read.history.tables["orders"],
        engine=session.engine,
        time_zone=session.config.data.time_zone,
        start=start,
        end=end,
    )


def _of_everybody(notes: Mapping[str, Any]) -> list[tuple[str, str]]:
    said = notes.get("trained_on_everybody")
    rows = (
        "" if not said else f"{said['rows']:,} rows of everybody, in {said['tasks']} tasks at once"
    )
    return [("Trees grown on", rows)] if said else []


def _made(session: Session, bundle: Bundle, scored: ScoreResult) -> list[tuple[str, str]]:
    """Return how the page came about, so that it can be made again."""
    provenance, notes = bundle.provenance, bundle.notes
    cutoffs = provenance["train_cutoffs"]
    made = [
        ("Page written", now().isoformat(timespec="seconds")),
        ("churnkit", scored.manifest["churnkit"]),
        ("Configuration", f"{session.config.name}, hash {session.config.hash}"),
        ("Model", f"{bundle.name} version {bundle.version}, trained {bundle.created_at}"),
        ("Configuration of the training", f"hash {provenance['config_hash']}"),
        (
            "Trained on",
            f"{provenance['train_rows']:,} rows at {len(cutoffs)} cutoffs, {cutoffs[0]} to {cutoffs[-1]}",
        ),
        *_of_everybody(notes),
        (
            "Trained with",
            ", ".join(f"{n} {provenance[n]}" for n in ("churnkit", "python", "lightgbm")),
        ),
    ]
    made += [
        (f"Fingerprint of {name}", f"{mark} in training")
        for name, mark in provenance["inputs"].items()
    ]
    made += [
        (f"Fingerprint of {r.table}", f"{r.fingerprint} on this page") for r in session.reports
    ]
    made += [
        (name.replace(".", ": ").replace("_", " "), str(value))
        for name, value in notes.items()
        if isinstance(value, str)
    ]
    return made
