"""Writes the card of a model beside it, and says what a model predicted at a test."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.data.sinks import write_text
from churnkit.evaluation.backtest import predict_snapshot
from churnkit.models.baselines import BASELINES
from churnkit.reporting import CARD_FILE, TestOutcome, model_card

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.bundle import Bundle
    from churnkit.models.training import Models
    from churnkit.pipeline.session import Session
    from churnkit.tracking.runs import Run

__all__ = ["LEVELS", "level_over_time", "outcome_of", "write_card"]

LEVELS = "level_over_time"
"""Key of a bundle's notes."""

US_PER_DAY = 86_400_000_000


def write_card(
    session: Session,
    bundle: Bundle,
    folder: Path,
    *,
    tests: Sequence[LabelledSnapshot],
    run: Run,
) -> None:
    """Write ``MODEL_CARD.md`` into the folder of a bundle and into the tracked run."""
    outcomes = [outcome_of(bundle.models, test) for test in tests]
    if outcomes:
        outcomes[-1] = replace(outcomes[-1], attributes=_attributes(session, tests[-1]))
    text = model_card(
        bundle,
        tests=outcomes,
        tables=session.read.reports,
        high=session.config.scoring.risk_bands.high,
    )
    write_text(folder / CARD_FILE, text)
    run.log_document(CARD_FILE, text)


def _attributes(session: Session, test: LabelledSnapshot) -> dict[str, list[str | None]]:
    """Return the attributes of a test's customers, by name; empty without a table of customers."""
    if "customers" not in session.others:
        return {}
    table = session.others["customers"]
    names = sorted(table.columns - {"customer_id", "since"})
    rows = session.engine.collect(table.rows.select("customer_id", *names)).to_pydict()
    place = {customer: row for row, customer in enumerate(rows["customer_id"])}
    at = [place.get(customer) for customer in test.customer_ids[test.eligible]]
    return {name: [None if i is None else rows[name][i] for i in at] for name in names}


def outcome_of(models: Models, test: LabelledSnapshot) -> TestOutcome:
    """Return what models and two simple rankings say of a labelled snapshot beside what happened."""
    predicted = predict_snapshot(models, test)
    return TestOutcome(
        cutoff=str(test.snapshot.cutoff),
        churned=test.churned,
        churn_probability=predicted.churn_probability,
        future_spend=test.future_spend,
        expected_spend=predicted.expected_spend,
        rankings=_rankings(test),
    )


def _rankings(test: LabelledSnapshot) -> dict[str, Any]:
    """Return the rankings beside the model: of orders, or of tenure where customers subscribe."""
    name, title = ("bg_nbd", "BG/NBD") if test.contracts is None else ("kaplan_meier", "tenure")
    rankings: dict[str, Any] = {}
    if (rival := BASELINES[name]().predict((), test)) is not None:
        rankings[title] = rival.churn_probability
    if test.contracts is None:
        last = test.eligible_base["last_order_us"]
        rankings["days of silence"] = np.asarray((test.snapshot.cutoff_us - last) / US_PER_DAY)
    return rankings


def level_over_time(
    models: Models, *, train: Sequence[LabelledSnapshot], tests: Sequence[LabelledSnapshot]
) -> list[dict[str, Any]]:
    """Return, for every labelled cutoff, the totals predicted and those that came, oldest first."""
    points = []
    for snapshot in (*train, *tests):
        if not len(snapshot.churned):
            continue
        predicted = predict_snapshot(models, snapshot)
        points.append(
            {
                "cutoff": str(snapshot.snapshot.cutoff),
                "tested": snapshot in tests,
                "customers": len(snapshot.churned),
                "expected_churners": float(predicted.churn_probability.sum()),
                "churners": int(snapshot.churned.sum()),
                "expected_spend": float(predicted.expected_spend.sum()),
                "future_spend": float(snapshot.future_spend.sum()),
            }
        )
    return sorted(points, key=lambda point: str(point["cutoff"]))
