"""One row for every customer: predictions, reasons and formula metrics, with counts that reconcile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.errors import DataError
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix, base_numbers, eligible_customers
from churnkit.models.drift import bin_counts, stability_index
from churnkit.models.lifetime_value import expected_ltv
from churnkit.models.purchase import forecast_purchases
from churnkit.retention.customer import CUSTOMER_METRIC_COLUMNS, customer_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    import narwhals as nw
    import pyarrow as pa
    from numpy.typing import NDArray

    from churnkit.features.build import FeatureBuilder, History
    from churnkit.models.bundle import Bundle

    Floats = NDArray[np.float64]

__all__ = ["ScoreRequest", "ScoreSummary", "score_customers", "score_schema"]

US_PER_DAY = 86_400_000_000
BATCH_ROWS = 50_000
# Beyond this a "next order" date would be a guess about a customer who hardly ever buys.
NEXT_ORDER_REACH_DAYS = 730.0

PREDICTED = (
    "churn_probability",
    "expected_orders",
    "expected_spend",
    "expected_spend_low",
    "expected_spend_high",
    "expected_ltv",
    "value_at_risk",
    "p_alive",
)
TOTALLED = ("expected_orders", "expected_spend", "expected_ltv", "value_at_risk")
TIMES = {"first_order_us": "first_order_at", "last_order_us": "last_order_at"}
COUNTS = frozenset({"orders", "r_score", "f_score", "m_score"})
TEXTS = frozenset({"rfm_segment"})


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What to score and how to write it.

    Attributes
    ----------
    as_of : date
        First business day that is not known.
    risk_bands : mapping
        ``medium`` and ``high``: probabilities at which the bands begin.
    reason_columns : tuple of str
        Columns that ``explain`` returns, in order.
    explain : callable
        Features of customers → reason columns (see :class:`churnkit.explain.Reasons`).
    scored_at : datetime
        When the run began, UTC.
    """

    as_of: date
    risk_bands: Mapping[str, float]
    reason_columns: tuple[str, ...]
    explain: Callable[[FeatureMatrix], Mapping[str, list[Any]]]
    scored_at: datetime


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """What the manifest says about a scored table.

    Attributes
    ----------
    rows : int
        Rows written.
    statuses, risk_bands : dict of str to int
        Rows by ``status``, and scored rows by band.
    totals : dict of str to float
        Sums over the scored customers.
    level : dict of str to float
        What set the level of the predictions.
    drift : dict of str to float or None
        Population stability index against training by feature, and of ``churn_probability``.
    """

    rows: int
    statuses: dict[str, int]
    risk_bands: dict[str, int]
    totals: dict[str, float]
    level: dict[str, float]
    drift: dict[str, float | None]


def score_schema(*, reason_columns: Sequence[str], time_zone: str) -> pa.Schema:
    """Return the columns and types of the score table, in order."""
    import pyarrow as pa

    moment = pa.timestamp("us", tz=time_zone)
    fields = [
        ("customer_id", pa.string()),
        ("as_of", pa.date32()),
        ("status", pa.string()),
        ("churn_probability", pa.float64()),
        ("risk_band", pa.string()),
        ("risk_rank", pa.int64()),
        *((name, pa.float64()) for name in PREDICTED[1:7]),
        ("expected_next_order_at", moment),
        ("p_alive", pa.float64()),
    ]
    fields += [
        (name, pa.float64() if name.endswith("_contribution") else pa.string())
        for name in reason_columns
    ]
    fields += [
        (TIMES.get(name, name), _metric_type(name, moment)) for name in CUSTOMER_METRIC_COLUMNS[1:]
    ]
    fields += [
        ("model_name", pa.string()),
        ("model_version", pa.string()),
        ("scored_at", pa.timestamp("us", tz="UTC")),
    ]
    return pa.schema(fields)


def _metric_type(name: str, moment: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if name in TIMES:
        return moment
    if name == "is_repeat_customer":
        return pa.bool_()
    if name in TEXTS:
        return pa.string()
    return pa.int64() if name in COUNTS else pa.float64()


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
        ``customer_id`` of customers whose every row was set aside.
    write : callable
        Takes Arrow tables of :func:`score_schema`.

    Raises
    ------
    ModelGuardError
        If the builders no longer make the features that the model was trained on.
    DataError
        If nobody was seen before ``as_of``.
    """
    snapshot = Snapshot(cutoff=request.as_of, time_zone=bundle.data["time_zone"], **bundle.snapshot)
    features = build_features(history, snapshot, builders=builders)
    if features.feature_names != bundle.feature_names:
        FeatureMatrix(names=features.feature_names, values=np.zeros((0, 0), np.float32)).require(
            bundle.feature_names
        )
    chunks, drift = [], _Drift(bundle=bundle)
    for batch in features.batches(rows=BATCH_ROWS):
        chunks.append(_raw_scores(batch, bundle, snapshot=snapshot, request=request, drift=drift))
    predicted, level = _predictions(chunks, bundle, snapshot=snapshot, request=request)
    if predicted is not None:
        drift.see_scores(predicted.column("churn_probability").to_numpy())
    tally = _Tally(
        schema=score_schema(
            reason_columns=request.reason_columns, time_zone=bundle.data["time_zone"]
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
        ),
        predicted,
        history=history,
        finish=tally,
        without_valid_rows=without_valid_rows,
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
    )


@dataclass(kw_only=True, eq=False)
class _Chunk:
    """Model outputs of one batch, before the level of the whole portfolio is known."""

    customer_ids: pa.Array
    base: dict[str, Floats]
    eligible: NDArray[np.bool_]
    log_odds: Floats
    value: Floats
    low: Floats | None
    high: Floats | None
    reasons: Mapping[str, list[Any]]


def _raw_scores(
    batch: pa.Table,
    bundle: Bundle,
    *,
    snapshot: Snapshot,
    request: ScoreRequest,
    drift: _Drift,
) -> _Chunk:
    base = base_numbers(batch)
    eligible = eligible_customers(base, snapshot, **bundle.population)
    kept = batch.filter(eligible)
    matrix = FeatureMatrix.from_arrow(kept, names=bundle.feature_names)
    drift.see_features(matrix)
    models = bundle.models
    low = high = None
    if models.interval is not None:
        low, high = models.interval.bounds(matrix)
    return _Chunk(
        customer_ids=kept.column("customer_id").combine_chunks(),
        base=base,
        eligible=eligible,
        log_odds=models.churn.log_odds(matrix),
        value=models.spend.value(matrix),
        low=low,
        high=high,
        reasons=request.explain(matrix),
    )


def _predictions(
    chunks: Sequence[_Chunk], bundle: Bundle, *, snapshot: Snapshot, request: ScoreRequest
) -> tuple[pa.Table | None, dict[str, float]]:
    """Set the level over all scored customers and return their predicted columns."""
    import pyarrow as pa

    if not chunks or not any(chunk.eligible.any() for chunk in chunks):
        return None, {}
    models = bundle.models
    base = {n: np.concatenate([c.base[n] for c in chunks]) for n in chunks[0].base}
    eligible = np.concatenate([c.eligible for c in chunks])
    forecast = forecast_purchases(base, snapshot, kind=models.settings.purchase_kind)
    ours = None if forecast is None else forecast[eligible]
    log_odds = np.concatenate([c.log_odds for c in chunks])
    raw = np.concatenate([c.value for c in chunks])
    probability, spend, level = models.at_level(log_odds, raw, forecast=ours)
    ltv = expected_ltv(
        spend,
        gross_margin=bundle.value["gross_margin"],
        yearly_discount_rate=bundle.value["yearly_discount_rate"],
        gap_days=snapshot.gap_days,
        horizon_days=snapshot.horizon_days,
    )
    columns: dict[str, Any] = {
        "customer_id": pa.concat_arrays([c.customer_ids for c in chunks]),
        "churn_probability": probability,
        "expected_spend": spend,
        "expected_ltv": ltv,
        # Value given an order is ltv / P(order): what is lost if the customer does not order.
        "value_at_risk": probability * ltv / np.maximum(1.0 - probability, 1e-9),
        "risk_rank": _rank(probability),
    }
    if models.interval is not None:
        low, high = (np.concatenate([getattr(c, end) for c in chunks]) for end in ("low", "high"))
        columns["expected_spend_low"] = np.minimum(low, spend)
        columns["expected_spend_high"] = np.maximum(high, spend)
    if ours is not None:
        # Orders given one order, by the purchase model; P(order) by ours, so the two agree.
        per_buyer = np.maximum(
            ours.expected_orders / np.maximum(ours.order_probability, 1e-12), 1.0
        )
        columns["expected_orders"] = (1.0 - probability) * per_buyer
        columns["p_alive"] = ours.p_alive
        days = np.where(ours.next_order_days <= NEXT_ORDER_REACH_DAYS, ours.next_order_days, np.nan)
        columns["next_order_us"] = snapshot.cutoff_us + days * US_PER_DAY
    for name in request.reason_columns:
        columns[name] = [v for chunk in chunks for v in chunk.reasons[name]]
    table = pa.table({n: pa.array(v, from_pandas=True) for n, v in columns.items()})
    return table, {"log_odds_shift": level.log_odds_shift, "spend_factor": level.spend_factor}


def _rank(probability: Floats) -> NDArray[np.int64]:
    """Return 1 for the highest risk; equal risks share the better rank."""
    ordered = np.sort(-probability)
    return np.searchsorted(ordered, -probability, side="left").astype(np.int64) + 1


def _write_all(
    everybody: nw.LazyFrame[Any],
    predicted: pa.Table | None,
    *,
    history: History,
    finish: Callable[[pa.Table], None],
    without_valid_rows: pa.Table,
) -> None:
    """Join predictions to everybody in the engine and stream the rows to ``finish``."""
    import pyarrow as pa

    engine = history.engine
    joined = everybody
    if predicted is not None:
        view = engine.select(f"SELECT * FROM {engine.add_arrow(predicted)}")
        joined = everybody.join(view, on="customer_id", how="left")
    for batch in engine.batches(joined, rows=BATCH_ROWS):
        finish(pa.Table.from_batches([batch]))
    if without_valid_rows.num_rows:
        finish(without_valid_rows.select(["customer_id"]))


@dataclass(kw_only=True, eq=False)
class _Tally:
    """Finishes rows, writes them, and counts what was written."""

    schema: pa.Schema
    bundle: Bundle
    request: ScoreRequest
    write: Callable[[pa.Table], None]
    rows: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    risk_bands: dict[str, int] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TOTALLED, 0.0))

    def __call__(self, table: pa.Table) -> None:
        import pyarrow.compute as pc

        ready = _score_rows(table, schema=self.schema, bundle=self.bundle, request=self.request)
        self.write(ready)
        self.rows += ready.num_rows
        for column, seen in (("status", self.statuses), ("risk_band", self.risk_bands)):
            for entry in ready.column(column).value_counts().to_pylist():
                if entry["values"] is not None:
                    seen[entry["values"]] = seen.get(entry["values"], 0) + entry["counts"]
        for name in self.totals:
            self.totals[name] += pc.sum(ready.column(name)).as_py() or 0.0


def _score_rows(
    table: pa.Table, *, schema: pa.Schema, bundle: Bundle, request: ScoreRequest
) -> pa.Table:
    """Return rows of the score table's columns from joined metrics and predictions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n = table.num_rows
    have = set(table.column_names)

    def column(name: str) -> Any:
        return table.column(name) if name in have else pa.nulls(n, schema.field(name).type)

    probability = column("churn_probability")
    scored = pc.is_valid(probability)
    ordered = (
        pc.fill_null(pc.greater(table.column("orders"), 0), False)
        if "orders" in have
        else pa.array([False] * n)
    )
    bands = request.risk_bands
    fixed = {
        "as_of": request.as_of,
        "model_name": bundle.name,
        "model_version": bundle.version,
        "scored_at": request.scored_at,
    }
    made = {name: pa.array([value] * n, schema.field(name).type) for name, value in fixed.items()}
    made["status"] = pc.case_when(
        pc.make_struct(scored, ordered), "scored", "inactive", "no_valid_orders"
    )
    made["risk_band"] = pc.case_when(
        pc.make_struct(
            pc.invert(scored),
            pc.fill_null(pc.greater_equal(probability, bands["high"]), False),
            pc.fill_null(pc.greater_equal(probability, bands["medium"]), False),
        ),
        pa.scalar(None, pa.string()),
        "high",
        "medium",
        "low",
    )
    for inside, outside in {**TIMES, "next_order_us": "expected_next_order_at"}.items():
        micros = table.column(inside) if inside in have else pa.nulls(n, pa.int64())
        whole = pc.floor(micros) if pa.types.is_floating(micros.type) else micros
        made[outside] = whole.cast(pa.int64()).cast(schema.field(outside).type)
    arrays = [(made[f.name] if f.name in made else column(f.name)).cast(f.type) for f in schema]
    return pa.table(arrays, schema=schema)


@dataclass(kw_only=True, eq=False)
class _Drift:
    """Population stability index of what is scored against what was trained on.

    PSI = sum over bins of (scored share − training share) · ln(scored share / training share),
    with the training's own bins, missing values a bin of their own, shares kept above 1e-4.
    """

    bundle: Bundle
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def see_features(self, matrix: FeatureMatrix) -> None:
        """Count the features of a batch into the training's bins."""
        for position, name in enumerate(matrix.names):
            self._see(name, matrix.values[:, position])

    def see_scores(self, probability: Floats) -> None:
        """Count predicted probabilities into the training's bins."""
        self._see("churn_probability", probability)

    def _see(self, name: str, values: NDArray[Any]) -> None:
        if name in self.bundle.distribution:
            edges = self.bundle.distribution[name]["edges"]
            self.counts[name] = self.counts.get(name, 0) + bin_counts(values, edges=edges)

    def result(self) -> dict[str, float | None]:
        """Return the index by name, None where nothing was scored."""
        return {
            name: stability_index(self.bundle.distribution[name]["shares"], counts)
            for name, counts in self.counts.items()
        }
