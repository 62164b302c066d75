"""What a configuration is made of: sections without surprises, and values that cannot change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from churnkit.config.faults import Fault, FaultsError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnkit.config.keys import Path

__all__ = ["FrozenMapping", "Section", "freeze", "freeze_noting", "thaw"]


class Section(BaseModel):
    """A mapping of the configuration: frozen, no unknown keys, no number read out of text."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class FrozenMapping(Mapping[str, Any]):
    """A mapping that cannot change; unlike a mapping proxy it can be hashed, copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def freeze(value: object) -> Any:
    """Return a copy that cannot change: mappings read-only, lists as tuples.

    Raises
    ------
    FaultsError
        If anything but text, finite numbers, true, false, null, lists and mappings is inside; every
        such place is named.

    Examples
    --------
    >>> freeze({"windows_days": [30, 90]})
    {'windows_days': (30, 90)}
    """
    faults: list[Fault] = []
    frozen = freeze_noting(value, (), faults)
    if faults:
        raise FaultsError(*faults)
    return frozen


def freeze_noting(value: object, path: Path, faults: list[Fault]) -> Any:
    """Return a copy that cannot change, and add what cannot be in it to the faults."""
    if isinstance(value, Mapping):
        faults.extend(
            Fault(path, f"key {key!r} must be text; put it in quotes")
            for key in value
            if not isinstance(key, str)
        )
        return FrozenMapping({k: freeze_noting(v, (*path, k), faults) for k, v in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze_noting(v, (*path, i), faults) for i, v in enumerate(value))
    if value is None or isinstance(value, bool):
        return value
    for plain in (str, int, float):
        if isinstance(value, plain):
            if isinstance(value, float) and not math.isfinite(value):
                faults.append(Fault(path, f"must be a finite number; got {value}"))
            return plain(value)  # a subclass, such as NumPy's float64, could not be written as YAML
    rule = "must be text, a number, true, false, null, a list or a mapping"
    faults.append(Fault(path, f"{rule}; got {shown(value)}"))
    return None


def thaw(value: object) -> Any:
    """Return a plain copy, lists and dicts only, that the caller may change."""
    if isinstance(value, Mapping):
        return {key: thaw(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(inner) for inner in value]
    return value
