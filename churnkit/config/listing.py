"""The list of all keys, from which the documentation's page is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import PydanticUndefined

from churnkit.config.frozen import thaw
from churnkit.config.keys import Says, allowed, dotted, section_of, walk
from churnkit.config.not_built import NOT_BUILT_YET
from churnkit.config.schema import Config
from churnkit.config.yaml_text import dump_flow

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["Key", "reference"]


class Key(NamedTuple):
    """One key of a configuration, as documentation shows it."""

    path: str
    type: str
    default: str
    meaning: str


def reference() -> list[Key]:
    """Return every key with what it may hold, its default as YAML, and its meaning.

    Sections come before the keys in them. The default of a section is empty, that of a key which
    must be given is ``required``.

    Examples
    --------
    >>> next(key for key in reference() if key.path == "snapshots.gap_days")[:3]
    ('snapshots.gap_days', 'a whole number from 0 to 36500', '0')
    """
    return [
        Key(
            path=dotted(path),
            type=allowed(field.annotation, path=path, metadata=tuple(field.metadata)),
            default=_default(field),
            meaning=_meaning(dotted(path), field),
        )
        for path, field in walk(Config)
    ]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    for item in field.metadata:
        if isinstance(item, Says) and item.default is not None:
            return item.default
    if section_of(field.annotation) is not None and field.default is PydanticUndefined:
        return ""
    return dump_flow(thaw(field.default))


def _meaning(path: str, field: FieldInfo) -> str:
    not_built = "not built yet: " if path in NOT_BUILT_YET else ""
    return f"{not_built}{field.description}"
