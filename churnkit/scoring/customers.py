"""Scores everybody seen before a date, and hands the table over batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.errors import DataError
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix
from churnkit.retention.customer import customer_metrics
from churnkit.retention.sections import section_metrics
from churnkit.scoring.predictions import Drift, predictions, raw_scores, value_days
from churnkit.scoring.request import ScoreSummary
from churnkit.scoring.table import SUBSCRIBED, Tally, score_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from churnkit.features.build import FeatureBuilder, History
    from churnkit.models.bundle import Bundle
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
        are known from other tables only. Without orders, of everybody.
    write : callable
        Takes Arrow tables of :func:`score_schema`, in the same order every time.

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
            subscribers=bundle.models.contract is not None,
        ),
        bundle=bundle,
        request=request,
        write=write,
    )
    engine, joined = history.engine, _Joined(history=history, predicted=predicted)
    if "orders" in history.tables:
        with_orders = customer_metrics(
            history.tables["orders"],
            as_of_us=snapshot.cutoff_us,
            gross_margin=bundle.value["gross_margin"],
            segments=request.segments,
            lifespan=request.lifespan,
            yearly_churn_probability=request.yearly_churn_probability,
            sections=request.sections,
        )
        joined.write(with_orders, as_of_us=snapshot.cutoff_us, finish=tally)
    if without_valid_rows.num_rows:
        ids = engine.select(f"SELECT customer_id FROM {engine.add_arrow(without_valid_rows)}")
        others = section_metrics(ids, sections=request.sections)
        joined.write(others, as_of_us=snapshot.cutoff_us, finish=tally)
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Joined:
    """Joins predictions to customers in the engine and streams the rows."""

    history: History
    predicted: pa.Table | None

    def write(
        self,
        customers: nw.LazyFrame[Any],
        *,
        as_of_us: int,
        finish: Callable[[pa.Table], None],
    ) -> None:
        """Hand the customers with their predictions over in batches."""
        import pyarrow as pa

        engine, joined = self.history.engine, customers
        if self.predicted is not None:
            view = engine.select(f"SELECT * FROM {engine.add_arrow(self.predicted)}")
            joined = joined.join(view, on="customer_id", how="left")
        if self.history.stays is not None:
            rows = self.history.tables["subscriptions"]
            seen = rows.filter(nw.col("started_at_us") < as_of_us).select("customer_id").unique()
            marked = seen.with_columns(nw.lit(1).alias(SUBSCRIBED))
            joined = joined.join(marked, on="customer_id", how="left")
        for batch in engine.batches(joined, rows=BATCH_ROWS, sort_by=("customer_id",)):
            finish(pa.Table.from_batches([batch]))
