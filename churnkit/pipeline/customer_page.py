"""One customer's page: status, risk and value, history, what explains the risk and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from churnkit.data.windows import US_PER_DAY, midnight_us
from churnkit.pipeline.customer_views import past_probabilities
from churnkit.pipeline.definitions import definitions_of
from churnkit.pipeline.happenings import happenings_of, orders_of
from churnkit.pipeline.what_if import NOTE, what_if
from churnkit.reasons import STEPS, contributions, on_probability
from churnkit.retention.customer import customer_metrics
from churnkit.scoring.predictions import predicted_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.data.windows import Snapshot
    from churnkit.models.bundle import Bundle
    from churnkit.pipeline.population import ExplainedPopulation
    from churnkit.pipeline.session import Session
    from churnkit.reasons import Reason

__all__ = ["CustomerPage", "customer_pages"]

VALUE = (
    "expected_orders",
    "expected_spend",
    "expected_spend_low",
    "expected_spend_high",
    "expected_ltv",
    "value_at_risk",
    "p_alive",
)


@dataclass(frozen=True, kw_only=True)
class CustomerPage:
    """Everything that is known of one customer at a date.

    Attributes
    ----------
    customer_id, as_of, risk_band : str
    currency : str
        Of amounts; empty if the configuration names none.
    churn_probability : float
    risk_rank, population : int
        1 is the highest risk of so many.
    value : dict
        ``expected_spend`` with ``expected_spend_low`` and ``_high``, ``expected_orders``,
        ``expected_ltv``, ``value_at_risk``, ``p_alive``, ``days_to_next_order``; None where not known.
    raises, keeps : list of Reason
        Reasons for the risk, and what keeps the customer, the strongest first.
    contributions : list of dict
        Every feature, the strongest first: ``feature``, ``value``, ``typical``, ``contribution`` (to
        the learner's log-odds), ``probability_points`` (of the churn probability, percentage points)
        and ``says``.
    drivers : list of dict
        The same by group of correlated features, which are one reason: ``features``, the one that is
        said as ``feature``, ``contribution``, ``probability_points`` and ``says``.
    steps : dict
        From the average customer to the probability: ``base_probability``, then in percentage points
        ``features``, ``purchase_model``, ``calibration``; they add up exactly. The level of the
        portfolio is in the base.
    step_words : tuple of (str, str)
        What the last two steps are.
    what_if : list of WhatIf
        See :func:`.what_if.what_if`; with ``what_if_note``, which says that it is no effect.
    below : float or None
        The probability that ``what_if`` tries to get below; None in the lowest band.
    orders : list of (str, float)
        ISO day and amount, oldest first.
    happenings : list of (str, tuple of str)
        What else the tables know of the customer, kind by kind, and on which ISO days.
    past : list of (str, float or None)
        ISO day and the churn probability at it, None where not in the population.
    formulas : dict
        The formula metrics of the score table.
    """

    customer_id: str
    as_of: str
    risk_band: str
    currency: str
    churn_probability: float
    risk_rank: int
    population: int
    value: dict[str, Any]
    raises: list[Reason]
    keeps: list[Reason]
    contributions: list[dict[str, Any]]
    drivers: list[dict[str, Any]]
    steps: dict[str, float]
    what_if: list[Any]
    below: float | None
    orders: list[tuple[str, float]]
    happenings: list[tuple[str, tuple[str, ...]]]
    past: list[tuple[str, float | None]]
    formulas: dict[str, Any]
    what_if_note: str = NOTE
    step_words: tuple[str, str] = (STEPS["(purchase model)"], STEPS["(calibration)"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("raises", "keeps", "what_if"):
            plain[name] = [entry.to_dict() for entry in plain[name]]
        return plain

    def to_pandas(self) -> Any:
        """Return the contributions as a frame."""
        import pandas as pd

        return pd.DataFrame(self.contributions)


def customer_pages(
    session: Session,
    bundle: Bundle,
    population: ExplainedPopulation,
    *,
    ids: Sequence[str],
) -> dict[str, CustomerPage]:
    """Return the pages of customers in the population.

    Parameters
    ----------
    session, bundle, population
        Open tables, the model, and the population with these customers in ``wanted``.
    ids : sequence of str
    """
    if not ids:
        return {}
    session.progress(f"looking at {len(ids)} customer(s) more closely")
    bands = {
        "high": session.config.scoring.risk_bands.high,
        "medium": session.config.scoring.risk_bands.medium,
    }
    band = {name: _band(_probability(population, name), bands) for name in ids}
    targets = {name: bands[found] for name, found in band.items() if found in bands}
    changes = what_if(session, bundle, population, targets=targets)
    past = past_probabilities(session, bundle, ids)
    orders, happenings = orders_of(session, ids), happenings_of(session, ids)
    formulas = _formulas(session, bundle, ids)
    columns = predicted_columns(
        population.predictions,
        bundle,
        forecast=population.forecast,
        snapshot=population.snapshot,
    )
    pages = {}
    for name in ids:
        pages[name] = CustomerPage(
            customer_id=name,
            as_of=str(population.snapshot.cutoff),
            risk_band=band[name],
            currency=session.config.scoring.currency,
            churn_probability=_probability(population, name),
            risk_rank=_rank(population, name),
            population=len(population.rows),
            value=_value(columns, population.rows[name], population.snapshot),
            **_why(bundle, population, name),
            what_if=changes.get(name, []),
            below=targets.get(name),
            orders=[o for o in orders.get(name, []) if o[0] < str(population.snapshot.cutoff)],
            happenings=happenings.get(name, []),
            past=[(day, known.get(name)) for day, known in past.items()],
            formulas=formulas[name],
        )
    return pages


def _probability(population: ExplainedPopulation, name: str) -> float:
    return float(population.predictions.churn_probability[population.rows[name]])


def _band(probability: float, bands: Mapping[str, float]) -> str:
    return next((band for band, begins in bands.items() if probability >= begins), "low")


def _rank(population: ExplainedPopulation, name: str) -> int:
    everybody = population.predictions.churn_probability
    return int((everybody > everybody[population.rows[name]]).sum()) + 1


def _value(columns: Mapping[str, Any], row: int, snapshot: Snapshot) -> dict[str, Any]:
    """Return the expected value of a customer, as the score table has it; None where not known."""
    value: dict[str, Any] = {"horizon_days": snapshot.horizon_days}
    for name in VALUE:
        known = name in columns and np.isfinite(columns[name][row])
        value[name] = float(columns[name][row]) if known else None
    following = columns["next_order_us"][row] if "next_order_us" in columns else np.nan
    value["days_to_next_order"] = (
        float((following - snapshot.cutoff_us) / US_PER_DAY) if np.isfinite(following) else None
    )
    return value


def _why(bundle: Bundle, population: ExplainedPopulation, name: str) -> dict[str, Any]:
    """Return reasons, contributions and steps of a customer."""
    matrix = population.wanted[name]
    found = contributions(bundle.models.churn.learner, matrix)
    reasons, steps = population.reasons, population.steps[np.array([population.rows[name]])]
    parts = steps.parts(found.values)
    points = 100.0 * on_probability(parts, base=steps.base)[0]
    features, weights = bundle.feature_names, found.values[0]
    place = {name: i for i, name in enumerate(features)}
    return {
        "step_words": tuple(STEPS[name] for name in steps.names),
        "raises": reasons.of_customer(matrix, found.values, raising=True),
        "keeps": reasons.of_customer(matrix, found.values, raising=False),
        "contributions": [
            {
                "feature": features[i],
                "value": None if np.isnan(matrix.values[0, i]) else float(matrix.values[0, i]),
                "typical": bundle.typical.get(features[i]),
                "contribution": float(weights[i]),
                "probability_points": float(points[i]),
                "says": reasons.say(matrix, 0, features[i]),
            }
            for i in np.argsort(-np.abs(weights), kind="stable")
        ],
        "drivers": [
            {
                **part.to_dict(),
                "probability_points": float(points[[place[n] for n in part.features]].sum()),
            }
            for part in reasons.parts(matrix, found.values)
        ],
        "steps": {
            "base_probability": float(1.0 / (1.0 + np.exp(-steps.base))),
            "features": float(points[:-2].sum()),
            "purchase_model": float(points[-2]),
            "calibration": float(points[-1]),
        },
    }


def _formulas(session: Session, bundle: Bundle, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the formula metrics of customers by name, without what is null; none without orders."""
    if "orders" not in session.read.history.tables:
        return {name: {} for name in ids}
    metrics = customer_metrics(
        session.read.history.tables["orders"],
        as_of_us=midnight_us(session.as_of, time_zone=bundle.data["time_zone"]),
        gross_margin=bundle.value["gross_margin"],
        segments=definitions_of(session.config).segments,
    )
    rows = session.engine.collect(metrics.filter(nw.col("customer_id").is_in(list(ids))))
    return {
        row["customer_id"]: {
            key: float(value) if hasattr(value, "as_integer_ratio") else value
            for key, value in row.items()
            if key != "customer_id" and not key.endswith("_us") and value is not None
        }
        for row in rows.to_pylist()
    }
