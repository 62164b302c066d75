"""Collects single customers for the report: reasons, past risk and orders of those most worth saving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.features.build import build_features
from churnkit.models.base import FeatureMatrix, base_numbers, eligible_customers
from churnkit.models.purchase import forecast_purchases
from churnkit.pipeline.session import make_builders
from churnkit.reasons import contributions, phrases_of
from churnkit.reporting import CustomerView, DriverSample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import pyarrow as pa

    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.session import Session
    from churnkit.reasons import Contributions

__all__ = ["customer_views", "driver_sample"]

BATCH_ROWS = 50_000
SAMPLE = 4_000
PAST_CUTOFFS = 6
MOST_FOR_PAST = 200_000
"""Above so many customers, their features are not built again for earlier dates."""


def driver_sample(session: Session, bundle: Bundle, *, scores: pa.Table) -> DriverSample | None:
    """Return features and contributions of scored customers drawn at random, None without any."""
    if not scores.num_rows:
        return None
    rng = np.random.default_rng(session.config.seed)
    rows = np.sort(rng.choice(scores.num_rows, min(SAMPLE, scores.num_rows), replace=False))
    ids = scores.column("customer_id").take(rows).to_pylist()
    _, matrix, found = _explained(session, bundle, ids)
    phrases = phrases_of(make_builders(bundle.features))
    return DriverSample(
        names=bundle.feature_names,
        phrases={name: phrases[name].text.format(value="…") for name in bundle.feature_names},
        values=matrix.values,
        contributions=found.values,
    )


def customer_views(
    session: Session, bundle: Bundle, *, top: pa.Table, scored: int
) -> list[CustomerView]:
    """Return the views of some scored customers, in their order.

    Parameters
    ----------
    session : Session
    bundle : Bundle
    top : pyarrow.Table
        Their rows of the score table.
    scored : int
        How many customers are scored in all.
    """
    if not top.num_rows:
        return []
    ids = top.column("customer_id").to_pylist()
    found_ids, matrix, found = _explained(session, bundle, ids)
    reasons = dict(zip(found_ids, _in_words(bundle, matrix, found), strict=True))
    past = _past(session, bundle, ids) if scored <= MOST_FOR_PAST else {}
    orders = _orders(session, ids)
    return [
        CustomerView(
            scores=row,
            reasons=reasons[row["customer_id"]],
            past=[(day, known.get(row["customer_id"])) for day, known in past.items()],
            orders=orders.get(row["customer_id"], []),
        )
        for row in top.to_pylist()
    ]


def _snapshot(bundle: Bundle, cutoff: date) -> Snapshot:
    return Snapshot(cutoff=cutoff, time_zone=bundle.data["time_zone"], **bundle.snapshot)


def _explained(
    session: Session, bundle: Bundle, ids: Sequence[str]
) -> tuple[list[str], FeatureMatrix, Contributions]:
    """Return some customers with their features now and their contributions, in the engine's order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(ids, pa.string())
    built = build_features(
        session.read.history,
        _snapshot(bundle, session.as_of),
        builders=make_builders(bundle.features),
    )
    kept = [
        batch.filter(pc.is_in(batch.column("customer_id"), wanted))
        for batch in built.batches(rows=BATCH_ROWS)
    ]
    table = pa.concat_tables(kept)
    matrix = FeatureMatrix.from_arrow(table, names=bundle.feature_names)
    found = contributions(bundle.models.churn.learner, matrix)
    return table.column("customer_id").to_pylist(), matrix, found


def _in_words(
    bundle: Bundle, matrix: FeatureMatrix, found: Contributions
) -> list[list[tuple[str, float]]]:
    """Return every contribution of each customer with its feature in words, the strongest first."""
    phrases = phrases_of(make_builders(bundle.features))
    said = []
    for values, weights in zip(matrix.values, found.values, strict=True):
        order = np.argsort(-np.abs(weights), kind="stable")
        said.append(
            [
                (
                    phrases[name].say(float(values[i]), typical=bundle.typical.get(name)),
                    float(weights[i]),
                )
                for i in order
                for name in (found.feature_names[i],)
            ]
        )
    return said


def _past(session: Session, bundle: Bundle, ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the churn probabilities of some customers at earlier cutoffs, oldest first."""
    step = timedelta(days=session.config.snapshots.every_days)
    cutoffs = [session.as_of - step * back for back in range(PAST_CUTOFFS, 0, -1)]
    wanted = set(ids)
    found = {}
    for cutoff in cutoffs:
        if cutoff <= session.read.first_day:
            continue
        session.progress(f"chances of leaving as of {cutoff}")
        found[str(cutoff)] = {
            customer: p for customer, p in _predicted(session, bundle, cutoff) if customer in wanted
        }
    return found


def _predicted(session: Session, bundle: Bundle, cutoff: date) -> list[tuple[str, float]]:
    """Return the churn probability of everybody in the population at a cutoff."""
    snapshot = _snapshot(bundle, cutoff)
    builders = make_builders(bundle.features)
    table = build_features(session.read.history, snapshot, builders=builders).to_arrow()
    base = base_numbers(table)
    eligible = eligible_customers(base, snapshot, **bundle.population)
    if not eligible.any():
        return []
    kept = table.filter(eligible)
    everybody = forecast_purchases(base, snapshot, kind=bundle.models.settings.purchase_kind)
    forecast = None if everybody is None else everybody[eligible]
    matrix = FeatureMatrix.from_arrow(kept, names=bundle.feature_names)
    predicted = bundle.models.predict(matrix, forecast=forecast)
    ids = kept.column("customer_id").to_pylist()
    return list(zip(ids, predicted.churn_probability.tolist(), strict=True))


def _orders(session: Session, ids: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
    """Return day and amount of the orders of some customers, oldest first."""
    rows = session.read.history.tables["orders"].filter(
        nw.col("customer_id").is_in(list(ids)), nw.col("is_order") == 1
    )
    table = session.engine.collect(rows.select("customer_id", "ts_us", "amount"))
    zone = ZoneInfo(session.config.data.time_zone)
    found: dict[str, list[tuple[str, float]]] = {}
    for row in table.sort_by("ts_us").to_pylist():
        found.setdefault(row["customer_id"], []).append(
            (_day(row["ts_us"], zone), float(row["amount"]))
        )
    return found


def _day(ts_us: Any, zone: ZoneInfo) -> str:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(ts_us))
    return str(instant.astimezone(zone).date())
