"""Looks for features that know more than they should, and says so by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.evaluation.guards import features_that_see_the_future, implausible_features

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from churnkit.features.build import FeatureBuilder
    from churnkit.models.base import LabelledSnapshot
    from churnkit.pipeline.session import Session

__all__ = ["leak_cautions"]


def leak_cautions(
    session: Session, newest: LabelledSnapshot, *, builders: Sequence[FeatureBuilder]
) -> list[str]:
    """Return what is to be said of features that may know the outcome or the future.

    Parameters
    ----------
    session : Session
    newest : LabelledSnapshot
        The newest that is trained on.
    builders : sequence of FeatureBuilder
        What made its features.

    Returns
    -------
    list of str
        One sentence on the features that alone tell who churned almost perfectly, the surest first,
        then one on those whose values at the cutoff are others where orders at and after it were
        never there. Without any there is no sentence.
    """
    cutoff = newest.snapshot.cutoff
    seeing = features_that_see_the_future(
        session.read.history,
        session.read.history_before(newest.snapshot),
        snapshot=newest.snapshot,
        builders=builders,
    )
    return [
        *_telling(implausible_features(newest.features, newest.churned)),
        *_seeing(seeing, cutoff=str(cutoff)),
    ]


def _telling(found: Mapping[str, float]) -> Iterator[str]:
    surest = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    if len(surest) == 1:
        [(name, auc)] = surest
        yield f"feature {name}: it alone tells who churned with AUC {auc:.3f}; does it know the outcome?"
    elif surest:
        names = ", ".join(f"{name} (AUC {auc:.3f})" for name, auc in surest)
        yield f"features {names}: each alone tells who churned; do they know the outcome?"


def _seeing(names: Sequence[str], *, cutoff: str) -> Iterator[str]:
    if len(names) == 1:
        yield (
            f"feature {names[0]}: its value at {cutoff} changes when later orders arrive; it sees the"
            " future"
        )
    elif names:
        yield (
            f"features {', '.join(names)}: their values at {cutoff} change when later orders arrive;"
            " they see the future"
        )
