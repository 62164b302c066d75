"""What a configuration may name one day and is refused today; building a thing deletes its entry."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOT_BUILT_YET", "asks_for_not_built"]

NOT_BUILT_YET: dict[str, str] = {
    "data.campaigns": "this table is not built yet; leave it out",
}
"""``path`` (refused unless null) or ``path=pattern`` (refused where the text matches): the sentence.

A ``*`` in a path stands for any one key.
"""


def asks_for_not_built(raw: Mapping[str, object]) -> dict[tuple[str, ...], str]:
    """Return the paths in a raw configuration that ask for what is not built, with the sentence.

    Examples
    --------
    >>> asks_for_not_built({"data": {"campaigns": {"source": "sent.csv"}}})
    {('data', 'campaigns'): 'this table is not built yet; leave it out'}
    """
    found: dict[tuple[str, ...], str] = {}
    for entry, sentence in NOT_BUILT_YET.items():
        key, _, pattern = entry.partition("=")
        for path, value in _at(raw, tuple(key.split("."))):
            if value is not None and (not pattern or fnmatchcase(str(value), pattern)):
                found[path] = sentence
    # What is refused as a whole is not refused again for what is in it.
    return {p: s for p, s in found.items() if not any(p[:n] in found for n in range(len(p)))}


def _at(node: object, steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every path that the steps lead to, with the value there."""
    if not steps:
        yield (), node
    elif isinstance(node, Mapping):
        for key in node if steps[0] == "*" else {steps[0]} & node.keys():
            for path, value in _at(node[key], steps[1:]):
                yield (key, *path), value
