"""Decides whether a new model takes over from the champion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decide_champion"]

# Retraining on one day more of data moves both metrics by about this much: less is no difference.
LOG_LOSS_RELATIVE_TOLERANCE = 0.001
GINI_TOLERANCE = 0.001
# Name, sign that makes it a loss, and how much worse still counts as equal: relative, absolute.
COMPARED = (
    ("churn.log_loss", 1.0, LOG_LOSS_RELATIVE_TOLERANCE, 0.0),
    ("spend.gini_normalized", -1.0, 0.0, GINI_TOLERANCE),
)


def decide_champion(
    new: Mapping[str, float | None], old: Mapping[str, float | None]
) -> tuple[bool, str]:
    """Return whether a new model is no worse than the champion, and why, in a sentence.

    No worse means: ``churn.log_loss`` is not higher by more than 0.1 % of the champion's, and
    ``spend.gini_normalized`` is not lower by more than 0.001.

    Parameters
    ----------
    new, old : mapping of str to float or None
        Metrics of the new model and of the champion on the same test snapshots. A metric that the
        champion does not have is not compared; one that only the new model lacks counts as worse.

    Returns
    -------
    is_no_worse : bool
    sentence : str

    Examples
    --------
    >>> champion = {"churn.log_loss": 0.5, "spend.gini_normalized": 0.7}
    >>> decide_champion({"churn.log_loss": 0.49, "spend.gini_normalized": 0.6995}, champion)
    (True, 'no worse than the champion: churn.log_loss 0.4900 (champion 0.5000),
    spend.gini_normalized 0.6995 (champion 0.7000)')
    >>> decide_champion({"churn.log_loss": 0.52, "spend.gini_normalized": 0.71}, champion)
    (False, 'worse than the champion: churn.log_loss 0.5200 (champion 0.5000)')
    """
    compared, worse = [], []
    for name, sign, relative, absolute in COMPARED:
        before, now = _known(old.get(name)), _known(new.get(name))
        if before is None:
            continue
        said = "undefined" if now is None else f"{now:.4f}"
        sentence = f"{name} {said} (champion {before:.4f})"
        compared.append(sentence)
        if now is None or sign * now > sign * before + abs(before) * relative + absolute:
            worse.append(sentence)
    if worse:
        return False, f"worse than the champion: {', '.join(worse)}"
    if not compared:
        return True, "no worse than the champion: it has no metric to compare with"
    return True, f"no worse than the champion: {', '.join(compared)}"


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
