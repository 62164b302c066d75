"""What counts as churned, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["label_in_words"]

LABELS = {
    "no_order": "no order in the horizon",
    "own_gap": "no order in the horizon, and silent for longer than the customer's own gaps between"
    " orders allow",
    "subscription_end": "the paid subscription ends before the end of the horizon",
}


def label_in_words(label: Mapping[str, Any]) -> str:
    """Return what a label means, with the options that differ from the defaults.

    Parameters
    ----------
    label : mapping
        ``kind`` and options, as a bundle keeps them.

    Examples
    --------
    >>> label_in_words({"kind": "subscription_end", "ends": "any"})
    'the paid subscription ends before the end of the horizon (ends: any)'
    """
    given = ", ".join(
        f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}"
        for name, value in label.items()
        if name != "kind"
    )
    words = LABELS.get(str(label["kind"]), str(label["kind"]).replace("_", " "))
    return f"{words} ({given})" if given else words
