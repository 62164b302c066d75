"""Writes the card of a model beside it, and says what a model predicted at a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.evaluation.backtest import predict_snapshot
from churnkit.reporting import CARD_FILE, TestOutcome, model_card

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.bundle import Bundle
    from churnkit.models.training import Models
    from churnkit.pipeline.session import Session
    from churnkit.tracking.runs import Run

__all__ = ["outcome_of", "write_card"]


def write_card(
    session: Session,
    bundle: Bundle,
    folder: Path,
    *,
    tests: Sequence[LabelledSnapshot],
    run: Run,
) -> None:
    """Write ``MODEL_CARD.md`` into the folder of a bundle and into the tracked run."""
    text = model_card(
        bundle,
        label=session.config.label.kind,
        tests=[outcome_of(bundle.models, test) for test in tests],
        tables=session.read.reports,
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    run.log_document(CARD_FILE, text)


def outcome_of(models: Models, test: LabelledSnapshot) -> TestOutcome:
    """Return what models say of a labelled snapshot beside what happened."""
    predicted = predict_snapshot(models, test)
    return TestOutcome(
        cutoff=str(test.snapshot.cutoff),
        churned=test.churned,
        churn_probability=predicted.churn_probability,
        future_spend=test.future_spend,
        expected_spend=predicted.expected_spend,
    )
