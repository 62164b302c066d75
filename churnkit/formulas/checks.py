"""The rules that arguments of formulas keep, and the sentences said when they do not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "aligned",
    "amounts",
    "check_level",
    "choice",
    "column",
    "count_column",
    "counts",
    "fractions",
    "needed",
    "non_negative",
    "part_of",
    "total",
]

ROUNDING = 1e-9
"""Sums of money may differ by this share of their size and still count as equal."""


def amounts(where: str, **values: object) -> tuple[float, ...]:
    """Return the values as floats; each must be a finite number."""
    return tuple(_finite(where, name, value) for name, value in values.items())


def non_negative(where: str, **values: object) -> tuple[float, ...]:
    """Return the values as floats; each must be a finite number >= 0."""
    numbers = amounts(where, **values)
    for name, number in zip(values, numbers, strict=True):
        if number < 0.0:
            msg = f"{where}: {name} must be >= 0; got {values[name]!r}"
            raise ParameterError(msg)
    return numbers


def counts(where: str, **values: object) -> tuple[float, ...]:
    """Return the values as floats; each must be a whole number >= 0."""
    numbers = amounts(where, **values)
    for name, number in zip(values, numbers, strict=True):
        if number < 0.0 or not number.is_integer():
            msg = f"{where}: {name} must be a whole number >= 0; got {values[name]!r}"
            raise ParameterError(msg)
    return numbers


def fractions(where: str, **values: object) -> tuple[float, ...]:
    """Return the values as floats; each must lie in [0, 1], so that a percentage is noticed."""
    numbers = amounts(where, **values)
    for name, number in zip(values, numbers, strict=True):
        if not 0.0 <= number <= 1.0:
            msg = f"{where}: {name} must be a fraction in [0, 1]; got {values[name]!r}"
            raise ParameterError(msg)
    return numbers


def part_of(where: str, part_name: str, part: float, whole_name: str, whole: float) -> None:
    """Refuse a part that is greater than its whole by more than rounding."""
    if part - whole > ROUNDING * abs(whole):
        msg = f"{where}: {part_name} must not exceed {whole_name} ({whole:.15g}); got {part:.15g}"
        raise ParameterError(msg)


def check_level(where: str, level: float) -> None:
    """Refuse a confidence level that is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        msg = f"{where}: level must lie between 0 and 1; got {level!r}"
        raise ParameterError(msg)


def choice(where: str, *, variant: str, known: Collection[str]) -> str:
    """Return the variant if it is known."""
    if variant not in known:
        guess = did_you_mean(str(variant), known)
        names = ", ".join(known)
        msg = f"{where}: variant must be a known name; got {variant!r}.{guess} Known: {names}."
        raise ParameterError(msg)
    return variant


def needed(where: str, *, variant: str, **values: object) -> None:
    """Refuse a variant whose own arguments are missing."""
    for name, value in values.items():
        if value is None:
            msg = f"{where}: {name} must be given with variant={variant!r}; got None"
            raise ParameterError(msg)


def column(where: str, name: str, values: object) -> NDArray[np.float64]:
    """Return one-dimensional finite floats."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        msg = f"{where}: {name} must hold numbers; got {values!r}"
        raise ParameterError(msg) from None
    if array.ndim != 1:
        msg = f"{where}: {name} must have one dimension; got shape {array.shape}"
        raise ParameterError(msg)
    _refuse_first(where, f"{name} must hold finite numbers", ~np.isfinite(array), array)
    return array


def count_column(where: str, name: str, values: object) -> NDArray[np.float64]:
    """Return one-dimensional whole numbers >= 0, as floats."""
    array = column(where, name, values)
    broken = (array < 0.0) | (array != np.floor(array))
    _refuse_first(where, f"{name} must hold whole numbers >= 0", broken, array)
    return array


def total(values: NDArray[np.float64]) -> float:
    """Return the sum, zero where only the rounding of cancelling amounts is left of it."""
    sum_ = float(np.sum(values))
    return 0.0 if abs(sum_) <= 1e-12 * float(np.sum(np.abs(values))) else sum_


def aligned(where: str, **values: ArrayLike) -> tuple[dict[str, NDArray[np.float64]], bool]:
    """Return the values as columns of one length, and whether they were given per customer.

    Either all values are totals, which become columns of length 1, or all are columns; beside
    columns a plain 0 stands for a column of zeros.
    """
    shaped = [name for name, value in values.items() if np.ndim(value) != 0]
    if not shaped:
        totals = amounts(where, **values)
        return {name: np.array([x]) for name, x in zip(values, totals, strict=True)}, False
    first = shaped[0]
    n = len(column(where, first, values[first]))
    columns: dict[str, NDArray[np.float64]] = {}
    for name, value in values.items():
        is_zero = np.ndim(value) == 0 and amounts(where, **{name: value}) == (0.0,)
        columns[name] = np.zeros(n) if is_zero else _like(where, name, value, first, n)
    return columns, True


def _like(where: str, name: str, value: ArrayLike, first: str, n: int) -> NDArray[np.float64]:
    if np.ndim(value) == 0:
        msg = f"{where}: {name} must be one value per customer, as {first} is; got {value!r}"
        raise ParameterError(msg)
    array = column(where, name, value)
    if len(array) != n:
        msg = f"{where}: {name} must be as long as {first} ({n}); got length {len(array)}"
        raise ParameterError(msg)
    return array


def _finite(where: str, name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        msg = f"{where}: {name} must be a finite number; got {value!r}"
        raise ParameterError(msg)
    return number


def _refuse_first(
    where: str, rule: str, broken: NDArray[np.bool_], values: NDArray[np.float64]
) -> None:
    if broken.any():
        position = int(np.argmax(broken))
        msg = f"{where}: {rule}; got {float(values[position])!r} at position {position}"
        raise ParameterError(msg)
