"""The verb ``validate``: what is read, what is wrong with it, and what could be learned from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.features.named import make_builders
from churnkit.labels import horizon_advice
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.results import ValidationResult
from churnkit.pipeline.session import Session, open_session
from churnkit.pipeline.tables import OTHER_TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from churnkit.config import Config
    from churnkit.data.windows import SnapshotPlan
    from churnkit.labels import HorizonAdvice

__all__ = ["validate", "validation_of"]


def validate(
    config: Config | Mapping[str, Any] | str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] | None = None,
) -> ValidationResult:
    """Check a configuration and the data behind it, and nothing else.

    Parameters
    ----------
    config : Config, mapping or path
    tables : mapping of str to frame, optional
        Frames in place of configured sources: ``{"orders": frame}``.
    progress : callable, optional
        Told what is being done.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    DataError
        If a table cannot be read, breaks its contract, or is too short to train on.
    """
    with open_session(
        as_config(config), tables=tables, also=OTHER_TABLES, needs_orders=False, progress=progress
    ) as session:
        return validation_of(session, None if session.history is None else session.plan())


def validation_of(session: Session, plan: SnapshotPlan | None) -> ValidationResult:
    """Return what an open session has read and planned; nothing is planned without orders."""
    first, after = session.span()
    return ValidationResult(
        name=session.config.name,
        config_hash=session.config.hash,
        tables=session.reports,
        first_day=str(first),
        end_day=str(after),
        train_cutoffs=() if plan is None else tuple(str(s.cutoff) for s in plan.train),
        test_cutoffs=() if plan is None else tuple(str(s.cutoff) for s in plan.test),
        skipped={} if plan is None else {str(s.cutoff): s.reason for s in plan.skipped},
        horizons=None if plan is None or session.label.stays is not None else _horizons(session),
        uncounted_event_types=session.uncounted_event_types(make_builders(session.config.features)),
    )


def _horizons(session: Session) -> HorizonAdvice:
    return horizon_advice(
        session.read.history.tables["orders"],
        engine=session.engine,
        active_within_days=session.config.population.active_within_days,
    )
