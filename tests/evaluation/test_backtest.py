"""What a rolling-origin test says of the formula and the model."""

from __future__ import annotations

import pytest

from churnkit.evaluation.backtest import Backtest, SnapshotResult


def tested(*biases):
    """Return a test with the total bias of the formula and the model at each cutoff."""
    return Backtest(
        name="shop",
        snapshots=tuple(
            SnapshotResult(
                cutoff=f"2024-0{month}-01",
                horizon_days=30,
                customers=100,
                train_rows=100,
                models={
                    "model": {"spend.total_bias": model},
                    "formula": {"spend.total_bias": formula},
                },
            )
            for month, (formula, model) in enumerate(biases, start=1)
        ),
    )


@pytest.mark.parametrize(
    ("biases", "sentence"),
    [
        (
            [(1.0, 0.1), (2.0, 0.3)],
            "The formula overshoots actual spend by 150 %, the model overshoots it by 20 %.",
        ),
        (
            [(-0.25, 0.0)],
            "The formula undershoots actual spend by 25 %, the model overshoots it by 0 %.",
        ),
        ([(1.0, None)], None),
    ],
)
def test_hindsight_says_by_how_much_each_missed(biases, sentence):
    """The mean bias over the cutoffs is told in words, or nothing where there is none."""
    assert tested(*biases).hindsight() == sentence


def test_hindsight_needs_both():
    """Without the formula among the baselines there is nothing to compare."""
    one = tested((1.0, 0.1)).snapshots[0]
    alone = SnapshotResult(
        cutoff=one.cutoff,
        horizon_days=30,
        customers=100,
        train_rows=100,
        models={"model": one.models["model"]},
    )

    assert Backtest(name="shop", snapshots=(alone,)).hindsight() is None
