"""Compares what the lifetime value formula, and a model, said at a past date with what happened."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from churnkit.data.windows import Snapshot
from churnkit.errors import ParameterError
from churnkit.evaluation.backtest import predict_snapshot
from churnkit.features.named import make_builders
from churnkit.pipeline.definitions import yearly_churn_of
from churnkit.pipeline.registered import open_bundle
from churnkit.retention.hindsight import formula_hindsight

if TYPE_CHECKING:
    import narwhals as nw

    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.session import Session
    from churnkit.retention.hindsight import Hindsight

__all__ = ["hindsight_of"]


def hindsight_of(
    session: Session, *, start: date, end: date, model: str | None
) -> tuple[Hindsight, list[str]]:
    """Return the errors over ``[start, end)`` and what they say.

    Parameters
    ----------
    session : Session
    start : date
        The past date: the first business day that the formula did not know.
    end : date
        Day after the last whose spend counts.
    model : str or None
        Folder or reference of a model to compare, trained before ``start``.

    Raises
    ------
    ParameterError
        If the model looks another number of days ahead, reads the data in another way, or was
        trained on what happened at or after ``start``.
    """
    zone = session.config.data.time_zone
    predictions = None
    if model is not None:
        bundle = open_bundle(session.config, model)
        _check(session, bundle, start=start, end=end)
        predictions = _predictions(session, bundle, start)
    found = formula_hindsight(
        session.read.history.tables["orders"],
        as_of=start,
        horizon_days=(end - start).days,
        time_zone=zone,
        engine=session.engine,
        predictions=predictions,
        lifespan=session.config.retention.lifespan,
        yearly_churn_probability=yearly_churn_of(session, start, time_zone=zone),
        level=session.config.retention.level,
        seed=session.config.seed,
    )
    said = [f"{error.sentence[0].upper()}{error.sentence[1:]}." for error in found.errors]
    if model is None:
        name = session.config.tracking.registered_model
        said.append(f"To compare a model: --model models:/{name}@champion")
    return found, said


def _check(session: Session, bundle: Bundle, *, start: date, end: date) -> None:
    gap, horizon = bundle.snapshot["gap_days"], bundle.snapshot["horizon_days"]
    if (gap, horizon) != (0, (end - start).days):
        after = f" after a gap of {gap}" if gap else ""
        msg = (
            f"hindsight: start and end must be as far apart as the model looks ahead, {horizon}"
            f" days{after}; got {start} and {end}"
        )
        raise ParameterError(msg)
    data = session.config.data
    ours = {"time_zone": data.time_zone, "refunds": data.refunds, "duplicates": data.duplicates}
    if differing := [key for key, value in ours.items() if bundle.data[key] != value]:
        msg = (
            f"hindsight: model must read the data as the configuration; data.{differing[0]} differs"
        )
        raise ParameterError(msg)
    last = max(date.fromisoformat(day) for day in bundle.provenance["train_cutoffs"])
    if (knows := last + timedelta(days=horizon)) > start:
        msg = (
            f"hindsight: model must not know what happened after start; it was trained on all before"
            f" {knows}, and start is {start}"
        )
        raise ParameterError(msg)


def _predictions(session: Session, bundle: Bundle, start: date) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` and ``expected_spend`` as the model says them at a date."""
    import pyarrow as pa

    snapshot = Snapshot(cutoff=start, time_zone=bundle.data["time_zone"], **bundle.snapshot)
    known = session.loader(make_builders(bundle.features))(snapshot)
    table = pa.table(
        {
            "customer_id": pa.array(known.customer_ids[known.eligible], pa.string()),
            "expected_spend": predict_snapshot(bundle.models, known).expected_spend,
        }
    )
    return session.engine.select(f"SELECT * FROM {session.engine.add_arrow(table)}")
