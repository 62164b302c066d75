"""Scores everybody on the workers of a cluster; only sums, counts and cells reach this process."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.errors import DataError, ModelGuardError
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix
from churnkit.models.drift import bin_counts
from churnkit.retention.customer import customer_metrics
from churnkit.retention.sections import section_metrics
from churnkit.scoring.cells import feature_drift, fit_in_cells, ranks
from churnkit.scoring.predictions import (
    refuse_without_forecast,
    value_days,
    value_terms,
)
from churnkit.scoring.request import ScoreSummary
from churnkit.scoring.spread import Finish, Forecast, Predict, Raw
from churnkit.scoring.spread_tables import (
    Classical,
    forecast_schema,
    predicted_schema,
    raw_schema,
)
from churnkit.scoring.sums import OnCluster, total
from churnkit.scoring.table import OF_SUBSCRIBERS, SUBSCRIBED, TOTALLED, score_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from churnkit.engines import ClusterEngine
    from churnkit.features.build import FeatureBuilder, History
    from churnkit.models.bundle import Bundle
    from churnkit.models.total import TotalRange
    from churnkit.models.training import Level
    from churnkit.scoring.predictions import Drift
    from churnkit.scoring.request import ScoreRequest

__all__ = ["scored_on_cluster"]


@contextmanager
def scored_on_cluster(
    history: History,
    bundle: Bundle,
    *,
    engine: ClusterEngine,
    builders: Sequence[FeatureBuilder],
    request: ScoreRequest,
    without_valid_rows: nw.LazyFrame[Any],
    folder: str,
) -> Iterator[ScoreSummary]:
    """Score everybody seen before ``as_of``; the table appears when the block ends without an error.

    Parameters
    ----------
    history, bundle, builders, request
        See :func:`churnkit.scoring.score_customers`.
    engine : ClusterEngine
        Where the history is.
    without_valid_rows : narwhals.LazyFrame
        ``customer_id`` of customers who have no valid row of orders, once each.
    folder : str
        The rows become the part ``as_of=<date>`` of this folder: columns of
        :func:`churnkit.scoring.score_schema` but ``as_of``, times in UTC.

    Raises
    ------
    ModelGuardError
        If the builders no longer make the features that the model was trained on, or a prediction
        is not a number.
    DataError
        If nobody was seen before ``as_of``.
    """
    snapshot = Snapshot(cutoff=request.as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot)
    # Sections are queries, which stay here.
    bare = replace(request, sections=())
    raw = _raw_scores(
        history, bundle, builders=builders, request=bare, snapshot=snapshot, on=engine
    )
    drift = feature_drift(raw, bundle, engine=engine)
    found = _predicted(raw, bundle, drift=drift, request=request, snapshot=snapshot, engine=engine)
    schema = score_schema(
        reason_columns=request.reason_columns,
        time_zone=bundle.data["time_zone"],
        section_names=request.section_names,
        subscribers=bundle.models.contract is not None,
    )
    finish = Finish(schema=schema, bundle=bundle, request=bare)
    customers = _customers(
        history, bundle, request=request, as_of_us=snapshot.cutoff_us, others=without_valid_rows
    )
    if found.rows is not None:
        customers = customers.join(found.rows, on="customer_id", how="left")
    rows = engine.map_batches(customers, finish, schema=finish.written)
    with engine.writing(rows, folder, part=f"as_of={request.as_of}") as written:
        counted = _count(written, engine=engine)
        if not counted["rows"]:
            msg = f"score: no customer was seen before as_of {request.as_of}"
            raise DataError(msg)
        yield ScoreSummary(
            **counted,
            level={} if found.level is None else asdict(found.level),
            drift=drift.result(),
            total=found.total,
            value_days=value_days(bundle, request=request),
        )


class _Predicted(NamedTuple):
    """What is predicted of the population; nothing where there is nobody in it."""

    rows: nw.LazyFrame[Any] | None = None
    level: Level | None = None
    total: TotalRange | None = None


def _predicted(
    raw: nw.LazyFrame[Any],
    bundle: Bundle,
    *,
    drift: Drift,
    request: ScoreRequest,
    snapshot: Snapshot,
    engine: ClusterEngine,
) -> _Predicted:
    """Set the predictions to the level of the portfolio, and rank them."""
    fitted = None
    if bundle.models.contract is None:
        fitted = fit_in_cells(raw, bundle, snapshot=snapshot, engine=engine)
    refuse_without_forecast(bundle, request=request, forecast=fitted)
    schema = forecast_schema(bundle, request)
    forecasting = Forecast(schema=schema, fitted=fitted, terms=value_terms(bundle, request=request))
    forecast = engine.materialize(
        engine.map_batches(raw.filter(nw.col("eligible")), forecasting, schema=schema)
    )
    n, staying = _counted(forecast, engine=engine)
    if not n:
        return _Predicted()
    classical = Classical(
        purchases=None if fitted is None else request.as_of,
        # As in memory: a curve that knows not everybody sets no level.
        stays=request.as_of if staying == n else None,
    )
    portfolio = OnCluster(frame=forecast, engine=engine, classical=classical)
    level = bundle.models.find_level(portfolio)
    predict = Predict(bundle=bundle, level=level, snapshot=snapshot, classical=classical)
    predicted = engine.materialize(
        engine.map_batches(forecast, predict, schema=predicted_schema(bundle, request))
    )
    _check(predicted, drift, n=n, engine=engine)
    return _Predicted(
        rows=predicted.join(ranks(predicted, engine=engine), on="customer_id", how="left"),
        level=level,
        total=bundle.models.find_total(portfolio, level=level),
    )


def _counted(forecast: nw.LazyFrame[Any], *, engine: ClusterEngine) -> tuple[int, int]:
    """Return the customers of the population, and those of whom the retention curve says something."""
    wanted = {"n": nw.len()}
    if "log_stay" in forecast.collect_schema().names():
        wanted["staying"] = (nw.col("log_stay").abs() < np.inf).cast(nw.Int64).sum()
    found = engine.collect(forecast.select(**wanted)).to_pylist()[0]
    return int(found["n"]), int(found.get("staying") or 0)


def _customers(
    history: History,
    bundle: Bundle,
    *,
    request: ScoreRequest,
    as_of_us: int,
    others: nw.LazyFrame[Any],
) -> nw.LazyFrame[Any]:
    """Return everybody with formula metrics, those without orders included."""
    everybody = others.select("customer_id")
    if request.sections:
        everybody = section_metrics(everybody, sections=request.sections)
    if "orders" in history.tables:
        with_orders = customer_metrics(
            history.tables["orders"],
            as_of_us=as_of_us,
            gross_margin=bundle.value["gross_margin"],
            segments=request.segments,
            lifespan=request.lifespan,
            yearly_churn_probability=request.yearly_churn_probability,
            sections=request.sections,
        )
        everybody = nw.concat([with_orders, everybody], how="diagonal")
    if history.stays is None:
        return everybody
    rows = history.tables["subscriptions"].filter(nw.col("started_at_us") < as_of_us)
    subscribed = rows.select("customer_id").unique().with_columns(nw.lit(1).alias(SUBSCRIBED))
    return everybody.join(subscribed, on="customer_id", how="left")


def _raw_scores(
    history: History,
    bundle: Bundle,
    *,
    builders: Sequence[FeatureBuilder],
    request: ScoreRequest,
    snapshot: Snapshot,
    on: ClusterEngine,
) -> nw.LazyFrame[Any]:
    """Return what the models say of every customer known, those outside the population included."""
    features = build_features(history, snapshot, builders=builders)
    if features.feature_names != bundle.feature_names:
        FeatureMatrix(names=features.feature_names, values=np.zeros((0, 0), np.float32)).require(
            bundle.feature_names
        )
    stage = Raw(bundle=bundle, snapshot=snapshot, request=request, finishing=features.finishing)
    return on.materialize(on.map_batches(features.frame, stage, schema=raw_schema(bundle, request)))


def _check(predicted: nw.LazyFrame[Any], drift: Drift, *, n: int, engine: ClusterEngine) -> None:
    """Refuse predictions that are not numbers, and count the probabilities for drift."""
    names = ("churn_probability", "expected_spend")
    known = engine.collect(
        predicted.select(*(nw.col(name).count().alias(name) for name in names))
    ).to_pylist()[0]
    for name in names:
        if known[name] < n:
            msg = f"score: {name} must be a number for everybody; {n - known[name]:,} of {n:,} are not"
            raise ModelGuardError(msg)
    if "churn_probability" in drift.bundle.distribution:
        edges = drift.bundle.distribution["churn_probability"]["edges"]

        def counted(table: Any) -> NDArray[np.float64]:
            probability = table.column("churn_probability").to_numpy()
            return bin_counts(probability, edges=edges)[None, :].astype(np.float64)

        counts = total(predicted.select("churn_probability"), counted, engine=engine)
        if counts is not None:
            drift.counts["churn_probability"] = np.rint(counts).astype(np.int64)


def _count(written: nw.LazyFrame[Any], *, engine: ClusterEngine) -> dict[str, Any]:
    """Return what the summary says of the rows as they were written."""
    found: dict[str, Any] = {}
    for column, name in (("status", "statuses"), ("risk_band", "risk_bands")):
        groups = engine.collect(written.group_by(column).agg(rows=nw.len())).to_pylist()
        ordered = sorted(groups, key=lambda group: str(group[column]))
        found[name] = {g[column]: int(g["rows"]) for g in ordered if g[column] is not None}
    there = written.collect_schema().names()
    totalled = [name for name in (*TOTALLED, *OF_SUBSCRIBERS) if name in there]
    sums = engine.collect(written.select(*(nw.col(name).sum() for name in totalled)))
    found["totals"] = {k: float(v or 0.0) for k, v in sums.to_pylist()[0].items()}
    return {"rows": sum(found["statuses"].values()), **found}
