"""Names that a configuration may use, each bound to the factory of the object that does the work."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Generic, TypeVar

from churnkit.errors import ParameterError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Registry", "did_you_mean"]

T = TypeVar("T")
Factory = TypeVar("Factory", bound="Callable[..., object]")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or an empty string.

    Examples
    --------
    >>> did_you_mean("window_days", ["windows_days", "kind"])
    " Did you mean 'windows_days'?"
    """
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class Registry(Generic[T]):
    """One extension point: a mapping from name to factory, filled by a decorator.

    Parameters
    ----------
    kind : str
        What the names stand for, as messages say it: ``"feature builder"``.

    Examples
    --------
    >>> SHAPES: Registry[object] = Registry("shape")
    >>> @SHAPES.register("round")
    ... class Circle: ...
    >>> SHAPES["round"] is Circle
    True
    >>> SHAPES.names()
    ('round',)
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._factories: dict[str, Callable[..., T]] = {}

    def register(self, name: str) -> Callable[[Factory], Factory]:
        """Return a decorator that binds the decorated factory to ``name``."""

        def bind(factory: Factory) -> Factory:
            if name in self._factories:
                msg = f"{self.kind} {name!r} is already registered by {self._factories[name]!r}"
                raise ParameterError(msg)
            self._factories[name] = factory  # type: ignore[assignment]
            return factory

        return bind

    def __getitem__(self, name: str) -> Callable[..., T]:
        """Return the factory registered under ``name``, or say which names there are."""
        if name not in self._factories:
            known = self.names()
            guess = did_you_mean(name, known)
            msg = f"unknown {self.kind} {name!r}.{guess} Known: {', '.join(known) or 'none'}."
            raise UnknownNameError(msg)
        return self._factories[name]

    def __contains__(self, name: object) -> bool:
        """Return whether ``name`` is registered."""
        return name in self._factories

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        return tuple(sorted(self._factories))
