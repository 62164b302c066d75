"""Scores everybody seen before a date, and hands the table over batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.errors import DataError
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix
from churnkit.retention.customer import customer_metrics
from churnkit.retention.sections import section_metrics
from churnkit.scoring.predictions import Drift, predictions, raw_scores, value_days
from churnkit.scoring.request import ScoreSummary
from churnkit.scoring.table import Tally, score_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import narwhals as nw
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.features.build import FeatureBuilder, History
    from churnkit.models.bundle import Bundle
    from churnkit.retention.customer import MetricSection
    from churnkit.scoring.request import ScoreRequest

__all__ = ["score_customers"]

BATCH_ROWS = 50_000


def score_customers(
    history: History,
    bundle: Bundle,
    *,
    builders: Sequence[FeatureBuilder],
    request: ScoreRequest,
    without_valid_rows: pa.Table,
    write: Callable[[pa.Table], None],
) -> ScoreSummary:
    """Score everybody seen before ``as_of`` and hand the table to ``write`` in batches.

    Parameters
    ----------
    history : History
        The checked tables; rows at or after ``as_of`` are not looked at.
    bundle : Bundle
        The model, with the features and the population as trained.
    builders : sequence of FeatureBuilder
        Those of ``bundle.features``.
    request : ScoreRequest
    without_valid_rows : pyarrow.Table
        ``customer_id`` of customers who have no valid row of orders: all were set aside, or they
        are known from other tables only.
    write : callable
        Takes Arrow tables of :func:`score_schema`; customers come in no fixed order.

    Raises
    ------
    ModelGuardError
        If the builders no longer make the features that the model was trained on, or a prediction
        is not a number.
    DataError
        If nobody was seen before ``as_of``.
    """
    snapshot = Snapshot(cutoff=request.as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot)
    features = build_features(history, snapshot, builders=builders)
    if features.feature_names != bundle.feature_names:
        FeatureMatrix(names=features.feature_names, values=np.zeros((0, 0), np.float32)).require(
            bundle.feature_names
        )
    drift = Drift(bundle=bundle)
    chunks = [
        raw_scores(batch, bundle, snapshot=snapshot, request=request, drift=drift)
        for batch in features.batches(rows=BATCH_ROWS)
    ]
    predicted, level, total = predictions(chunks, bundle, snapshot=snapshot, request=request)
    if predicted is not None:
        drift.see_scores(predicted.column("churn_probability").to_numpy())
    tally = Tally(
        schema=score_schema(
            reason_columns=request.reason_columns,
            time_zone=bundle.data["time_zone"],
            section_names=request.section_names,
        ),
        bundle=bundle,
        request=request,
        write=write,
    )
    _write_all(
        customer_metrics(
            history.tables["orders"],
            as_of_us=snapshot.cutoff_us,
            gross_margin=bundle.value["gross_margin"],
            segments=request.segments,
            lifespan=request.lifespan,
            yearly_churn_probability=request.yearly_churn_probability,
            sections=request.sections,
        ),
        predicted,
        engine=history.engine,
        finish=tally,
    )
    _write_without_orders(
        without_valid_rows, sections=request.sections, engine=history.engine, finish=tally
    )
    if not tally.rows:
        msg = f"score: no customer was seen before as_of {request.as_of}"
        raise DataError(msg)
    return ScoreSummary(
        rows=tally.rows,
        statuses=tally.statuses,
        risk_bands=tally.risk_bands,
        totals=tally.totals,
        level=level,
        drift=drift.result(),
        total=total,
        value_days=value_days(bundle, request=request),
    )


def _write_all(
    everybody: nw.LazyFrame[Any],
    predicted: pa.Table | None,
    *,
    engine: Engine,
    finish: Callable[[pa.Table], None],
) -> None:
    """Join predictions to everybody in the engine and stream the rows to ``finish``."""
    import pyarrow as pa

    joined = everybody
    if predicted is not None:
        view = engine.select(f"SELECT * FROM {engine.add_arrow(predicted)}")
        joined = everybody.join(view, on="customer_id", how="left")
    for batch in engine.batches(joined, rows=BATCH_ROWS):
        finish(pa.Table.from_batches([batch]))


def _write_without_orders(
    customers: pa.Table,
    *,
    sections: Sequence[MetricSection],
    engine: Engine,
    finish: Callable[[pa.Table], None],
) -> None:
    """Stream what other tables say of customers without a valid row of orders to ``finish``."""
    import pyarrow as pa

    if not customers.num_rows:
        return
    if not sections:
        finish(customers.select(["customer_id"]))
        return
    view = engine.select(f"SELECT customer_id FROM {engine.add_arrow(customers)}")
    for batch in engine.batches(section_metrics(view, sections=sections), rows=BATCH_ROWS):
        finish(pa.Table.from_batches([batch]))
