"""The registry of formulas, and what a reference page says of each."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from churnkit.errors import ParameterError
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from churnkit.formulas.metric import MetricValue, Unit

__all__ = ["FORMULAS", "FormulaInfo", "described", "formula_info"]

Formula = TypeVar("Formula", bound="Callable[..., MetricValue]")

FORMULAS: Registry[MetricValue] = Registry("formula")


@dataclass(frozen=True, kw_only=True)
class FormulaInfo:
    """What a reader wants to know of one formula.

    Parameters
    ----------
    name : str
        Name in the registry and of the function.
    summary : str
        One sentence.
    unit : str
        Unit of the value, see :class:`~churnkit.formulas.metric.MetricValue`.
    formula : str
        The formula in one line.
    variants : mapping of str to str
        Named definitions and their meaning, the default first; empty where there is one.
    zero_cases : tuple of mapping
        Arguments with which the denominator is zero; empty where there is no denominator.
    notes, source, example : str
        The sections Notes (edge cases), References and Examples of the docstring.
    """

    name: str
    summary: str
    unit: Unit
    formula: str
    variants: Mapping[str, str]
    zero_cases: tuple[Mapping[str, Any], ...]
    notes: str
    source: str
    example: str


_INFO: dict[Callable[..., MetricValue], FormulaInfo] = {}


def described(
    *,
    unit: Unit,
    formula: str,
    zero_cases: tuple[Mapping[str, Any], ...],
    variants: Mapping[str, str] | None = None,
) -> Callable[[Formula], Formula]:
    """Return a decorator that keeps what :func:`formula_info` says beside the docstring.

    Parameters
    ----------
    unit, formula, zero_cases, variants
        As in :class:`FormulaInfo`; the other fields are read from the docstring.
    """

    def keep(function: Formula) -> Formula:
        text = inspect.getdoc(function) or ""
        _INFO[function] = FormulaInfo(
            name=function.__name__,
            summary=text.partition("\n")[0],
            unit=unit,
            formula=formula,
            variants=dict(variants or {}),
            zero_cases=zero_cases,
            notes=_section(text, "Notes"),
            source=_section(text, "References"),
            example=_section(text, "Examples"),
        )
        return function

    return keep


def formula_info(name: str) -> FormulaInfo:
    """Return the description of a registered formula.

    Raises
    ------
    UnknownNameError
        If no formula has this name.
    ParameterError
        If the formula was registered without ``@described(...)``.

    Examples
    --------
    >>> formula_info("customer_churn_rate").summary
    'Share of the customers active at the start who are no longer active at the end.'
    """
    function = FORMULAS[name]
    if function not in _INFO:
        msg = f"formula_info: name must be a formula under @described(...); got {name!r}"
        raise ParameterError(msg)
    return _INFO[function]


def _section(text: str, title: str) -> str:
    """Return the body of one numpydoc section, or an empty string."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^[A-Z][A-Za-z ]+\n-+\n|\Z)", text, re.M | re.S)
    return found.group(1).strip() if found else ""
