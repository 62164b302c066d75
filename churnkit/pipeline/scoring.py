"""The verbs ``score``, ``explain`` and ``run``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit import __version__
from churnkit.data.sinks import open_sink, write_json
from churnkit.data.windows import Snapshot
from churnkit.errors import DataError
from churnkit.explain import Reasons, contributions, phrases_of
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix, base_numbers, eligible_customers
from churnkit.models.bundle import load_bundle
from churnkit.pipeline.results import ExplainResult, RunResult, ScoreResult
from churnkit.pipeline.session import (
    Session,
    as_config,
    as_day,
    make_builders,
    now,
    open_session,
)
from churnkit.pipeline.training import MODELS_FOLDER, train_in, validation_of
from churnkit.scoring import ScoreRequest, score_customers, score_schema
from churnkit.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from churnkit.config import Config
    from churnkit.models.bundle import Bundle
    from churnkit.scoring import ScoreSummary

__all__ = ["explain", "run", "score"]

BATCH_ROWS = 50_000


def score(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    as_of: date | str | None = None,
    model: str | Path | None = None,
    output: Path | str | None = None,
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
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ModelGuardError
        If there is no such model, or it does not fit the data.
    """
    config = as_config(config)
    bundle = _load(config, model)
    with open_session(
        config, tables=tables, as_of=as_day(as_of), bundle=bundle, progress=progress
    ) as session:
        return score_in(session, bundle, output=output)


def _load(config: Config, model: str | Path | None) -> Bundle:
    reference = str(model or f"models:/{config.tracking.registered_model}@champion")
    return load_bundle(Tracker(config.tracking.uri, folder=MODELS_FOLDER).download(reference))


def score_in(session: Session, bundle: Bundle, *, output: Path | str | None = None) -> ScoreResult:
    """Score in an open session; see :func:`score`."""
    config = session.config
    target = Path(output or config.scoring.output)
    builders = make_builders(bundle.features)
    reasons = Reasons(
        phrases=phrases_of(builders), typical=bundle.typical, count=config.scoring.reasons
    )

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
    )
    session.progress(f"scoring as of {session.as_of}")
    schema = score_schema(reason_columns=request.reason_columns, time_zone=bundle.data["time_zone"])
    without = session.read.customers_without_valid_rows()
    with open_sink(target, schema=schema) as sink:
        summary = score_customers(
            session.read.history,
            bundle,
            builders=builders,
            request=request,
            without_valid_rows=without,
            write=sink.write,
        )
        _reconcile(session, summary, extra=without.num_rows)
    rejected = _write_rejected(session, target)
    manifest = _manifest(session, bundle, summary, request=request, target=target)
    manifest["rejected_rows"] = rejected
    write_json(f"{target}.manifest.json", manifest)
    return ScoreResult(output=target, manifest=manifest)


def _reconcile(session: Session, summary: ScoreSummary, *, extra: int) -> None:
    """Count the customers in the inputs by another way than scoring did, and compare."""
    import narwhals as nw

    zone = session.config.data.time_zone
    cutoff = Snapshot(cutoff=session.as_of, observation_days=1, horizon_days=1, time_zone=zone)
    rows = session.read.loaded["orders"].rows.filter(nw.col("ts_us") < cutoff.cutoff_us)
    counted = session.engine.collect(rows.select(n=nw.col("customer_id").n_unique()))
    seen = int(counted.to_pylist()[0]["n"]) + extra
    if summary.rows != seen:
        msg = f"score: {seen:,} customers were read and {summary.rows:,} rows scored; nothing is written"
        raise DataError(msg)


def _write_rejected(session: Session, target: Path) -> dict[str, Any]:
    """Write the rows set aside beside the scores, or remove those of an earlier run."""
    written: dict[str, Any] = {}
    for name, table in session.read.loaded.items():
        suffix = ".rejected.parquet" if name == "orders" else f".{name}.rejected.parquet"
        path = Path(f"{target}{suffix}")
        if not table.report.rows_set_aside:
            path.unlink(missing_ok=True)
            continue
        rows = session.engine.batches(table.rejected, rows=BATCH_ROWS)
        first = next(iter(rows), None)
        if first is None:
            continue
        import pyarrow as pa

        with open_sink(path, schema=first.schema) as sink:
            sink.write(pa.Table.from_batches([first]))
            for batch in rows:
                sink.write(pa.Table.from_batches([batch]))
        written[name] = {"path": str(path), "rows": table.report.rows_set_aside}
    return written


def _manifest(
    session: Session, bundle: Bundle, summary: ScoreSummary, *, request: ScoreRequest, target: Path
) -> dict[str, Any]:
    return {
        "name": session.config.name,
        "output": str(target),
        "as_of": str(request.as_of),
        "horizon_days": bundle.snapshot["horizon_days"],
        "gap_days": bundle.snapshot["gap_days"],
        "scored_at": request.scored_at.isoformat(timespec="seconds"),
        "rows": summary.rows,
        "statuses": summary.statuses,
        "risk_bands": summary.risk_bands,
        "totals": summary.totals,
        "level": summary.level,
        "drift": {
            "churn_probability": summary.drift.get("churn_probability"),
            "features": {k: v for k, v in summary.drift.items() if k != "churn_probability"},
        },
        "inputs": {report.table: report.to_dict() for report in session.read.reports},
        "model": {
            "name": bundle.name,
            "version": bundle.version,
            "created_at": bundle.created_at,
            "provenance": dict(bundle.provenance),
        },
        "config_hash": session.config.hash,
        "churnkit": __version__,
    }


def explain(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    customers: Sequence[str] = (),
    as_of: date | str | None = None,
    model: str | Path | None = None,
    output: Path | str | None = None,
    progress: Callable[[str], None] | None = None,
) -> ExplainResult:
    """Say what drives churn, over the population and for single customers.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    customers : sequence of str
        Customers to explain one by one; each must be in the population at ``as_of``.
    as_of, model : optional
        As for :func:`score`.
    output : path, optional
        ``.parquet`` or ``.csv`` file for the contributions of everybody in the population.
    progress : callable, optional
        Told what is being done.
    """
    config = as_config(config)
    bundle = _load(config, model)
    with open_session(
        config, tables=tables, as_of=as_day(as_of), bundle=bundle, progress=progress
    ) as session:
        builders = make_builders(bundle.features)
        session.progress(f"explaining as of {session.as_of}")
        explained = _Explained(bundle=bundle, wanted=frozenset(customers))
        snapshot = Snapshot(
            cutoff=session.as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot
        )
        batches = build_features(session.read.history, snapshot, builders=builders).batches(
            rows=BATCH_ROWS
        )
        if output is None:
            for batch in batches:
                explained.see(batch, snapshot)
        else:
            with open_sink(output, schema=_contribution_schema(bundle)) as sink:
                for batch in batches:
                    sink.write(explained.see(batch, snapshot))
    if unknown := sorted(set(customers) - set(explained.customers)):
        msg = (
            f"explain: no such customer in the population as of {session.as_of}:"
            f" {', '.join(unknown)}"
        )
        raise DataError(msg)
    phrases = phrases_of(builders)
    return ExplainResult(
        as_of=str(session.as_of),
        model_version=bundle.version,
        drivers=explained.drivers({name: p.text for name, p in phrases.items()}),
        customers={
            name: [
                {**row, "says": phrases[row["feature"]].say(row["value"], typical=row["typical"])}
                for row in explained.customers[name]
            ]
            for name in customers
        },
        output=None if output is None else Path(output),
    )


def _contribution_schema(bundle: Bundle) -> Any:
    import pyarrow as pa

    numbers = ("base", *bundle.feature_names)
    return pa.schema([("customer_id", pa.string()), *((name, pa.float64()) for name in numbers)])


@dataclass(kw_only=True, eq=False)
class _Explained:
    """Sums of contributions over a population, and the rows of customers asked for."""

    bundle: Bundle
    wanted: frozenset[str]
    rows: int = 0
    total: Any = 0.0
    customers: dict[str, list[dict[str, Any]]] | Any = None

    def __post_init__(self) -> None:
        self.customers = {}

    def see(self, batch: Any, snapshot: Snapshot) -> Any:
        """Explain the eligible customers of a batch and return their contributions as a table."""
        import pyarrow as pa

        names = self.bundle.feature_names
        eligible = eligible_customers(base_numbers(batch), snapshot, **self.bundle.population)
        kept = batch.filter(eligible)
        matrix = FeatureMatrix.from_arrow(kept, names=names)
        found = contributions(self.bundle.models.churn.learner, matrix)
        self.rows += len(found.values)
        self.total = self.total + np.abs(found.values).sum(axis=0)
        ids = kept.column("customer_id").to_pylist()
        for position, customer in enumerate(ids):
            if customer in self.wanted:
                self.customers[customer] = self._one(
                    matrix.values[position], found.values[position]
                )
        base = np.full(len(ids), found.base)
        columns = [pa.array(ids, pa.string()), pa.array(base), *map(pa.array, found.values.T)]
        return pa.table(columns, schema=_contribution_schema(self.bundle))

    def _one(self, values: Any, weights: Any) -> list[dict[str, Any]]:
        order = np.argsort(-np.abs(weights), kind="stable")
        return [
            {
                "feature": self.bundle.feature_names[i],
                "value": None if np.isnan(values[i]) else float(values[i]),
                "typical": self.bundle.typical.get(self.bundle.feature_names[i]),
                "contribution": float(weights[i]),
            }
            for i in order
        ]

    def drivers(self, texts: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return mean |contribution| by feature, the strongest first."""
        if not self.rows:
            msg = "explain: nobody is in the population"
            raise DataError(msg)
        mean = np.asarray(self.total) / self.rows
        return [
            {
                "feature": self.bundle.feature_names[i],
                "mean_contribution": float(mean[i]),
                "says": texts[self.bundle.feature_names[i]].format(value="…"),
            }
            for i in np.argsort(-mean, kind="stable")
        ]


def run(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
) -> RunResult:
    """Validate, train, test beside the baselines, register and score, reading the data once.

    The scores are the champion's: the new model's if it is no worse, else those of the model that
    stays.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    progress : callable, optional
        Told what is being done.
    """
    config = as_config(config)
    with open_session(config, tables=tables, progress=progress) as session:
        plan = session.plan()
        validation = validation_of(session, plan)
        trained = train_in(session, plan)
        bundle = load_bundle(trained.bundle_folder) if trained.is_champion else _load(config, None)
        if not trained.is_champion and dict(bundle.data) != dict(
            load_bundle(trained.bundle_folder).data
        ):
            # The champion reads the data in another way: it needs a session of its own.
            scored = score(config, tables=tables, progress=progress)
        else:
            scored = score_in(session, bundle)
    return RunResult(validation=validation, train=trained, score=scored)
