"""Checks options of builders: lengths of windows, lists of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["checked_days", "checked_names"]


def checked_days(given: Sequence[int], *, where: str) -> tuple[int, ...]:
    """Return lengths as a tuple, or refuse what is not distinct whole numbers of days >= 1.

    Parameters
    ----------
    given : sequence of int
        At least one.
    where : str
        Builder and option, to begin the message: ``"support: windows_days"``.

    Raises
    ------
    ParameterError
        If there is none, or a length is not a whole number of days >= 1 or is repeated.

    Examples
    --------
    >>> checked_days([30, 90], where="support: windows_days")
    (30, 90)
    """
    days = tuple(given)
    whole = all(isinstance(d, int) and not isinstance(d, bool) and d >= 1 for d in days)
    if not days or not whole or len(set(days)) < len(days):
        msg = f"{where} must hold distinct whole numbers of days >= 1; got {given!r}"
        raise ParameterError(msg)
    return days


def checked_names(given: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Return names as a tuple, or refuse what is not a list of distinct names.

    Raises
    ------
    ParameterError
        If a single text is given, or a name is repeated.
    """
    names = tuple(given)
    if isinstance(given, str) or len(set(names)) < len(names):
        msg = f"{where} must be a list of distinct names; got {given!r}"
        raise ParameterError(msg)
    return names
