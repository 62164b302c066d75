"""Scores everybody on the workers of a cluster; only sums, counts and cells reach this process."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.errors import ConfigError, DataError, ModelGuardError
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix
from churnkit.models.drift import bin_counts
from churnkit.models.purchase import OrderCells, ValueCells, fit_purchase_cells
from churnkit.retention.customer import customer_metrics
from churnkit.retention.sections import section_metrics
from churnkit.scoring.predictions import (
    Drift,
    refuse_without_forecast,
    value_days,
    value_terms,
)
from churnkit.scoring.request import ScoreSummary
from churnkit.scoring.spread import (
    Finish,
    Forecast,
    OnCluster,
    Predict,
    Raw,
    forecast_schema,
    predicted_schema,
    raw_schema,
    total,
)
from churnkit.scoring.table import TOTALLED, score_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from churnkit.engines import ClusterEngine
    from churnkit.features.build import FeatureBuilder, History
    from churnkit.models.bundle import Bundle
    from churnkit.models.purchase import FittedPurchases
    from churnkit.scoring.request import ScoreRequest

__all__ = ["scored_on_cluster"]

US_PER_DAY = 86_400_000_000
# Mean order values are fitted in cells this narrow: a fit on single values differs by less than 1e-6.
VALUE_CELLS_PER_E = 1000.0
RANK_CELLS = 10_000


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
    ConfigError
        If the model is of subscriptions.
    """
    if bundle.models.contract is not None:
        msg = (
            "score: a model of subscriptions is not scored on a cluster yet; use engine.kind duckdb"
        )
        raise ConfigError(msg)
    snapshot = Snapshot(cutoff=request.as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot)
    # Sections are queries, which stay here.
    bare = replace(request, sections=())
    raw = _raw_scores(
        history, bundle, builders=builders, request=bare, snapshot=snapshot, on=engine
    )
    drift = _feature_drift(raw, bundle, engine=engine)
    fitted = _fit(raw, bundle, snapshot=snapshot, engine=engine)
    refuse_without_forecast(bundle, request=request, forecast=fitted)
    forecast = engine.materialize(
        engine.map_batches(
            raw.filter(nw.col("eligible")),
            Forecast(fitted=fitted, terms=value_terms(bundle, request=request)),
            schema=forecast_schema(bundle, request),
        )
    )
    portfolio = OnCluster(
        frame=forecast, engine=engine, cutoff=None if fitted is None else request.as_of
    )
    n = int(engine.collect(forecast.select(n=nw.len()))["n"][0].as_py())
    level = bundle.models.find_level(portfolio) if n else None
    band = None if level is None else bundle.models.find_total(portfolio, level=level)
    everybody = customer_metrics(
        history.tables["orders"],
        as_of_us=snapshot.cutoff_us,
        gross_margin=bundle.value["gross_margin"],
        segments=request.segments,
        lifespan=request.lifespan,
        yearly_churn_probability=request.yearly_churn_probability,
        sections=request.sections,
    )
    if level is not None:
        predict = Predict(bundle=bundle, level=level, snapshot=snapshot, cutoff=portfolio.cutoff)
        predicted = engine.materialize(
            engine.map_batches(forecast, predict, schema=predicted_schema(request))
        )
        _check(predicted, drift, n=n, engine=engine)
        ranked = predicted.join(_ranks(predicted, engine=engine), on="customer_id", how="left")
        everybody = everybody.join(ranked, on="customer_id", how="left")
    schema = score_schema(
        reason_columns=request.reason_columns,
        time_zone=bundle.data["time_zone"],
        section_names=request.section_names,
    )
    finish = Finish(schema=schema, bundle=bundle, request=bare)
    others = without_valid_rows.select("customer_id")
    if request.sections:
        others = section_metrics(others, sections=request.sections)
    parts = [engine.map_batches(f, finish, schema=finish.written) for f in (everybody, others)]
    with engine.writing(nw.concat(parts), folder, part=f"as_of={request.as_of}") as written:
        rows = _count(written, engine=engine)
        if not rows["rows"]:
            msg = f"score: no customer was seen before as_of {request.as_of}"
            raise DataError(msg)
        yield ScoreSummary(
            **rows,
            level={} if level is None else asdict(level),
            drift=drift.result(),
            total=band,
            value_days=value_days(bundle, request=request),
        )


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


def _feature_drift(raw: nw.LazyFrame[Any], bundle: Bundle, *, engine: ClusterEngine) -> Drift:
    """Return the counts of the features in the training's bins, added up over the workers."""
    drift = Drift(bundle=bundle)
    names = [name for name in bundle.feature_names if name in bundle.distribution]
    sizes = [len(bundle.distribution[name]["edges"]) + 2 for name in names]
    seen = raw.filter(~nw.col("drift").is_null()).select("drift")
    counts = total(seen, _listed, engine=engine)
    if counts is not None:
        parts = np.split(np.rint(counts).astype(np.int64), np.cumsum(sizes)[:-1])
        drift.counts = dict(zip(names, parts, strict=True))
    return drift


def _listed(table: Any) -> NDArray[np.float64]:
    return np.array(table.column("drift").to_pylist(), dtype=np.float64)


def _fit(
    raw: nw.LazyFrame[Any], bundle: Bundle, *, snapshot: Snapshot, engine: ClusterEngine
) -> FittedPurchases | None:
    """Fit the purchase model to customers counted in cells."""
    known = raw.filter(nw.col("order_days") > 0)
    first, last = (
        (nw.col(name) / US_PER_DAY).floor() for name in ("first_order_us", "last_order_us")
    )
    by = ("order_days", "first_day", "last_day")
    counted = known.with_columns(first_day=first, last_day=last).group_by(*by)
    orders = _arrays(engine, counted.agg(customers=nw.len()), sort_by=by)
    if not len(orders["customers"]):
        return None
    mean = nw.col("order_amount") / nw.col("order_days")
    bin_of = nw.when(mean > 0).then((mean.log() * VALUE_CELLS_PER_E).floor())
    valued = known.with_columns(mean=mean).with_columns(bin=bin_of).group_by("order_days", "bin")
    values = _arrays(
        engine,
        valued.agg(
            nw.col("mean").mean(),
            nw.col("order_amount").sum(),
            nw.col("net_revenue").sum(),
            customers=nw.len(),
        ),
        sort_by=("order_days", "bin"),
    )
    return fit_purchase_cells(
        OrderCells(**orders),
        value=ValueCells(
            mean=values["mean"],
            order_days=values["order_days"],
            customers=values["customers"],
            order_amount=float(values["order_amount"].sum()),
            net_revenue=float(values["net_revenue"].sum()),
        ),
        snapshot=snapshot,
        kind=bundle.models.settings.purchase_kind,
    )


def _arrays(
    engine: ClusterEngine, cells: nw.LazyFrame[Any], *, sort_by: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return cells by column, in an order that does not depend on the workers."""
    table = engine.collect(cells).sort_by([(name, "ascending") for name in sort_by])
    return {name: np.asarray(table[name].to_numpy(), np.float64) for name in table.column_names}


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


def _ranks(predicted: nw.LazyFrame[Any], *, engine: ClusterEngine) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` and ``risk_rank``; equal risks share the better rank.

    Ranked within narrow cells of probability, so that no worker must hold everybody.
    """
    import pyarrow as pa

    cell = (nw.col("churn_probability") * RANK_CELLS).floor().cast(nw.Int64)
    celled = predicted.select("customer_id", "churn_probability", cell=cell)
    cells = engine.collect(celled.group_by("cell").agg(customers=nw.len()))
    cells = cells.sort_by([("cell", "descending")])
    customers = cells["customers"].to_numpy()
    before = pa.table({"cell": cells["cell"], "before": np.cumsum(customers) - customers})
    offsets = engine.select(f"SELECT * FROM {engine.add_arrow(before)}")
    within = nw.col("churn_probability").rank("min", descending=True).over("cell")
    return (
        celled.with_columns(within=within)
        .join(offsets, on="cell", how="left")
        .select("customer_id", risk_rank=(nw.col("before") + nw.col("within")).cast(nw.Int64))
    )


def _count(written: nw.LazyFrame[Any], *, engine: ClusterEngine) -> dict[str, Any]:
    """Return what the summary says of the rows as they were written."""
    found: dict[str, Any] = {}
    for column, name in (("status", "statuses"), ("risk_band", "risk_bands")):
        groups = engine.collect(written.group_by(column).agg(rows=nw.len())).to_pylist()
        ordered = sorted(groups, key=lambda group: str(group[column]))
        found[name] = {g[column]: int(g["rows"]) for g in ordered if g[column] is not None}
    sums = engine.collect(written.select(*(nw.col(name).sum() for name in TOTALLED)))
    found["totals"] = {k: float(v or 0.0) for k, v in sums.to_pylist()[0].items()}
    return {"rows": sum(found["statuses"].values()), **found}
