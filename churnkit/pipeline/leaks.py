"""Looks for features that know more than they should, and says so by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.evaluation.guards import features_that_see_the_future, implausible_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.features.build import FeatureBuilder
    from churnkit.models.base import LabelledSnapshot
    from churnkit.pipeline.session import Session

__all__ = ["leak_cautions"]


def leak_cautions(
    session: Session, newest: LabelledSnapshot, *, builders: Sequence[FeatureBuilder]
) -> list[str]:
    """Return a sentence for each feature that may know the outcome or the future.

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
        Features that alone tell who churned almost perfectly, then those whose values at the
        cutoff are others where orders at and after it were never there.
    """
    implausible = implausible_features(newest.features, newest.churned)
    cutoff = newest.snapshot.cutoff
    seeing = features_that_see_the_future(
        session.read.history,
        session.read.history_before(newest.snapshot),
        snapshot=newest.snapshot,
        builders=builders,
    )
    return [
        *(
            f"feature {name}: it alone tells who churned with AUC {auc:.3f}; does it know the outcome?"
            for name, auc in implausible.items()
        ),
        *(
            f"feature {name}: its value at {cutoff} changes when later orders arrive; it sees the future"
            for name in seeing
        ),
    ]
