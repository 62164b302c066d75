"""Collects single customers for the report: what explains them, their past risk, what they did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.windows import Snapshot
from churnkit.features.build import build_features
from churnkit.features.named import make_builders
from churnkit.models.base import FeatureMatrix
from churnkit.models.population import base_numbers, eligible_customers
from churnkit.models.purchase import forecast_purchases
from churnkit.models.staying import forecast_stays
from churnkit.pipeline.happenings import happenings_of, orders_of
from churnkit.pipeline.reasoning import reasons_of
from churnkit.reasons import contributions, group_sums, leaders, members, phrases_of
from churnkit.reporting import CustomerView, DriverSample

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    import pyarrow as pa

    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.session import Session
    from churnkit.reasons import Contributions

__all__ = [
    "ExplainedCustomers",
    "customer_views",
    "drawn_customers",
    "driver_sample",
    "explain_customers",
    "past_probabilities",
    "reason_cohorts",
]

BATCH_ROWS = 50_000
SAMPLE = 4_000
NO_REASON = "nothing raises the risk above the average"
PAST_CUTOFFS = 6
MOST_FOR_PAST = 200_000
"""Above so many customers, their features are not built again for earlier dates."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedCustomers:
    """Features now and contributions of some customers; ``rows`` says where each is."""

    rows: Mapping[str, int]
    matrix: FeatureMatrix
    found: Contributions


def explain_customers(session: Session, bundle: Bundle, ids: Collection[str]) -> ExplainedCustomers:
    """Return the features and contributions of some scored customers, in one pass over all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(ids), pa.string())
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
    names = table.column("customer_id").to_pylist()
    return ExplainedCustomers(
        rows={name: row for row, name in enumerate(names)},
        matrix=matrix,
        found=contributions(bundle.models.churn.learner, matrix),
    )


def drawn_customers(scores: pa.Table, *, seed: int) -> list[str]:
    """Return scored customers drawn at random, at most :data:`SAMPLE`."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(scores.num_rows, min(SAMPLE, scores.num_rows), replace=False))
    drawn: list[str] = scores.column("customer_id").take(rows).to_pylist()
    return drawn


def driver_sample(
    bundle: Bundle, explained: ExplainedCustomers, *, drawn: Sequence[str], scores: pa.Table
) -> DriverSample:
    """Return what the page says of the drivers, from customers drawn at random.

    Correlated features are one driver, in the groups of the reasons.
    """
    names = bundle.feature_names
    phrases = phrases_of(make_builders(bundle.features))
    rows = np.array([explained.rows[name] for name in drawn])
    weights = explained.found.values[rows]
    grouped = members(bundle.groups, names)
    leading = leaders(np.abs(weights).mean(axis=0), grouped)
    return DriverSample(
        names=tuple(names[i] for i in leading),
        phrases={name: phrases[name].label for name in names},
        bands=_bands_of(scores, drawn),
        levels={name: phrases[name].words for name in names if phrases[name].words},
        values=explained.matrix.values[np.ix_(rows, np.array(leading))],
        contributions=group_sums(weights, grouped),
        others=tuple(
            tuple(names[i] for i in positions if i != leader)
            for leader, positions in zip(leading, grouped, strict=True)
        ),
    )


def _bands_of(scores: pa.Table, ids: Sequence[str]) -> list[str]:
    columns = (scores.column(name).to_pylist() for name in ("customer_id", "risk_band"))
    band = dict(zip(*columns, strict=True))
    return [band[name] for name in ids]


def reason_cohorts(bundle: Bundle, scores: pa.Table) -> list[dict[str, Any]]:
    """Return the scored customers by the group of their main reason, the largest group first.

    ``says`` names the feature that is said most often, ``customers``, ``share`` in [0, 1],
    ``churn_probability`` (mean) and ``value_at_risk`` (sum).
    """
    phrases = phrases_of(make_builders(bundle.features))
    features = scores.column("reason_1_feature").to_pylist()
    groups = np.array([bundle.groups.get(name, name) or "" for name in features], dtype=object)
    chance, at_risk = (
        scores.column(name).to_numpy().astype(np.float64)
        for name in ("churn_probability", "value_at_risk")
    )
    found = []
    for group in sorted(set(groups)):
        inside = groups == group
        said = Counter(features[i] for i in np.flatnonzero(inside)).most_common(1)[0][0]
        found.append(
            {
                "says": NO_REASON if said is None else phrases[said].label,
                "customers": int(inside.sum()),
                "share": float(inside.mean()),
                "churn_probability": float(chance[inside].mean()),
                "value_at_risk": float(np.nansum(at_risk[inside])),
            }
        )
    return sorted(found, key=lambda row: -int(row["customers"]))


def customer_views(
    session: Session,
    bundle: Bundle,
    explained: ExplainedCustomers,
    *,
    top: pa.Table,
    scored: int,
) -> list[CustomerView]:
    """Return the views of some scored customers, in their order.

    Parameters
    ----------
    session : Session
    bundle : Bundle
    explained : ExplainedCustomers
        They are among them.
    top : pyarrow.Table
        Their rows of the score table.
    scored : int
        How many customers are scored in all.
    """
    ids = top.column("customer_id").to_pylist()
    past = past_probabilities(session, bundle, ids) if scored <= MOST_FOR_PAST else {}
    orders, happenings = orders_of(session, ids), happenings_of(session, ids)
    reasons = reasons_of(session.config, bundle)
    views = []
    for row in top.to_pylist():
        name = row["customer_id"]
        at = np.array([explained.rows[name]])
        parts = reasons.parts(explained.matrix[at], explained.found.values[at])
        views.append(
            CustomerView(
                scores=row,
                reasons=[(part.says, part.contribution) for part in parts],
                past=[(day, known.get(name)) for day, known in past.items()],
                orders=orders.get(name, []),
                happenings=happenings.get(name, []),
                base=explained.found.base,
            )
        )
    return views


def _snapshot(bundle: Bundle, cutoff: date) -> Snapshot:
    return Snapshot(cutoff=cutoff, time_zone=bundle.data["time_zone"], **bundle.snapshot)


def past_probabilities(
    session: Session, bundle: Bundle, ids: Sequence[str]
) -> dict[str, dict[str, float]]:
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
    mine = {name: values[eligible] for name, values in base.items()}
    predicted = bundle.models.predict(
        matrix, forecast=forecast, base=mine, staying=forecast_stays(mine, snapshot)
    )
    ids = kept.column("customer_id").to_pylist()
    return list(zip(ids, predicted.churn_probability.tolist(), strict=True))
