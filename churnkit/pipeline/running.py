"""The verb ``run``: everything from the data to the page, reading the data once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.models.bundle import load_bundle
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.metrics import monthly_metrics_in
from churnkit.pipeline.registered import open_bundle
from churnkit.pipeline.reporting import report, report_in
from churnkit.pipeline.results import RunResult
from churnkit.pipeline.scoring import refuse_output, score, score_in
from churnkit.pipeline.session import open_session
from churnkit.pipeline.tables import OTHER_TABLES
from churnkit.pipeline.training import train_in
from churnkit.pipeline.validating import validation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from churnkit.config import Config

__all__ = ["run"]


def run(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    require_skill: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RunResult:
    """Validate, train, test beside the baselines, register, score, compute the metrics and report.

    The data are read once. The scores are the champion's: the new model's if it is no worse, else
    those of the model that stays. The metrics are those of the last full months, 24 at most, and
    go to ``retention.output``; the page goes to ``report.output``.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources.
    require_skill : bool
        As for :func:`churnkit.train`.
    progress : callable, optional
        Told what is being done.
    """
    config = as_config(config)
    refuse_output(config)
    with open_session(config, tables=tables, also=OTHER_TABLES, progress=progress) as session:
        plan = session.plan()
        validation = validation_of(session, plan)
        trained = train_in(session, plan, require_skill=require_skill)
        bundle = load_bundle(trained.bundle_folder) if trained.is_champion else open_bundle(config)
        if not trained.is_champion and dict(bundle.data) != dict(
            load_bundle(trained.bundle_folder).data
        ):
            # The champion reads the data in another way: it needs a session of its own.
            scored = score(config, tables=tables, progress=progress)
            metrics = monthly_metrics_in(session, output=config.retention.output)
            page = report(config, tables=tables, progress=progress)
        else:
            scored = score_in(session, bundle)
            metrics = monthly_metrics_in(session, output=config.retention.output)
            page = report_in(session, bundle, scored=scored, metrics=metrics)
    return RunResult(
        validation=validation, train=trained, score=scored, metrics=metrics, report=page
    )
