"""Walks the sections of a configuration: which keys there are, and what each may hold, in words."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from churnkit.config.not_built import NOT_BUILT_YET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

__all__ = ["Path", "Says", "allowed", "choices", "dotted", "field_at", "section_of", "walk"]

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Says:
    """The words for what a type allows, so that ``must be <words>`` is a sentence.

    And those for what happens where nothing is given, if the default itself would not say it.
    """

    words: str
    default: str | None = None


def dotted(path: Path) -> str:
    """Return a path as a user writes it.

    Examples
    --------
    >>> dotted(("features", "rfm", "windows_days", 0))
    'features.rfm.windows_days[0]'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, also where it may be null; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return next((s for s in map(section_of, get_args(annotation)) if s is not None), None)
    return None


def walk(model: type[BaseModel], *, below: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Yield every key with its field, sections before what is in them, in the order of declaration.

    What is not built yet is named but not entered.
    """
    for name, field in model.model_fields.items():
        path = (*below, name)
        yield path, field
        section = section_of(field.annotation)
        if section is not None and dotted(path) not in NOT_BUILT_YET:
            yield from walk(section, below=path)


def field_at(model: type[BaseModel], path: Path) -> FieldInfo:
    """Return the field that holds the value at a path, or the nearest one above it."""
    field = model.model_fields[str(path[0])]
    for step in path[1:]:
        section = section_of(field.annotation)
        if section is not None:
            # Free keys (the attributes of customers) allow what the section's first key allows.
            first = next(iter(section.model_fields.values()))
            field = section.model_fields.get(str(step), first)
    return field


def choices(annotation: Any, *, path: Path) -> list[str]:
    """Return the words a key may hold, without those that are not built yet; empty if it is free."""
    if get_origin(annotation) is Literal:
        words = map(str, get_args(annotation))
        return [word for word in words if f"{dotted(path)}={word}" not in NOT_BUILT_YET]
    return []


def allowed(annotation: Any, *, path: Path, metadata: tuple[object, ...] = ()) -> str:
    """Return what a key may hold, as words that follow "must be"."""
    for item in metadata:
        if isinstance(item, Says):
            return item.words
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return allowed(inner[0], path=path, metadata=inner[1:])
    if origin in (Union, UnionType):
        named = [allowed(member, path=path) for member in inner if member is not NoneType]
        return " or ".join([*named, "null"])
    if words := [repr(word) for word in choices(annotation, path=path)]:
        return " or ".join([", ".join(words[:-1]), words[-1]]) if words[1:] else words[0]
    return "a mapping"
