"""Records what a search for parameters tried: one nested run a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.models.search import Search
    from churnkit.tracking.runs import Run

__all__ = ["log_searches"]


def log_searches(run: Run, searches: Sequence[Search]) -> None:
    """Log every trial of every search inside a run, with its loss at each fold."""
    for search in searches:
        for number, trial in enumerate(search.trials):
            folds = {
                f"search.loss.{cutoff}": loss
                for cutoff, loss in zip(search.cutoffs, trial.losses, strict=True)
            }
            run.log_nested(
                f"{search.target} trial {number}",
                params={"search.target": search.target, **trial.params},
                metrics={"search.loss_of_defaults": trial.loss, **folds},
            )
