"""Makes the label that a configuration or a bundle names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.labels.base import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.labels.base import Label

__all__ = ["make_label"]


def make_label(named: Mapping[str, Any]) -> Label:
    """Return a label from its ``kind`` and options.

    Examples
    --------
    >>> make_label({"kind": "own_gap", "quantile": 0.8})
    OwnGap(quantile=0.8, prior_gaps=2.0)
    """
    options = {name: value for name, value in named.items() if name != "kind"}
    return LABELS[named["kind"]](**options)
