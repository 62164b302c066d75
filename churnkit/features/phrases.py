"""How features and their values are said to people."""

from __future__ import annotations

import re
from dataclasses import dataclass

from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean

__all__ = ["NUMBER_FORMATS", "NumberFormat", "Phrase"]

# Thousands, decimal mark, whether the currency stands before the number.
NUMBER_FORMATS = {
    "en": (",", ".", True),
    "de": (".", ",", False),
    "fr": ("\u202f", ",", False),
    "ch": ("’", ".", True),
    "plain": ("", ".", False),
}
ONE_OF_MANY = re.compile(r"\{value\} ((?:more |later |different |active )*)(\w{3,})s\b")


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """How numbers are written.

    Parameters
    ----------
    name : str, default "en"
        A key of :data:`NUMBER_FORMATS`: 1,234.5 · 1.234,5 · 1 234,5 · 1’234.5 · 1234.5.
    currency : str, default ""
        Sign or code of the currency of amounts, such as £ or EUR; empty: amounts have none.

    Raises
    ------
    ParameterError
        If there is no such format.
    """

    name: str = "en"
    currency: str = ""

    def __post_init__(self) -> None:
        if self.name not in NUMBER_FORMATS:
            guess, known = did_you_mean(self.name, NUMBER_FORMATS), ", ".join(NUMBER_FORMATS)
            msg = f"number format: must be a known name; got {self.name!r}.{guess} Known: {known}."
            raise ParameterError(msg)

    def number(self, value: float, *, decimals: int = 0) -> str:
        """Return a number as text.

        Examples
        --------
        >>> NumberFormat(name="de").number(1234.5, decimals=1)
        '1.234,5'
        """
        thousands, mark, _ = NUMBER_FORMATS[self.name]
        text = f"{value:,.{decimals}f}"
        if float(text.replace(",", "")) == 0.0:
            text = text.lstrip("-")
        return text.replace(",", "\0").replace(".", mark).replace("\0", thousands)

    def amount(self, value: float, *, decimals: int = 2) -> str:
        """Return an amount with its currency.

        Examples
        --------
        >>> NumberFormat(currency="£").amount(-1234.5), NumberFormat(name="de", currency="€").amount(3)
        ('-£1,234.50', '3,00 €')
        """
        if not self.currency:
            return self.number(value, decimals=decimals)
        if not NUMBER_FORMATS[self.name][2]:
            return f"{self.number(value, decimals=decimals)} {self.currency}"
        space = " " if self.currency[-1:].isalpha() else ""
        text = self.number(abs(value), decimals=decimals)
        sign = "-" if value < 0 else ""
        return f"{sign}{self.currency}{space}{text}"


ENGLISH = NumberFormat()


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """How a feature is said to people.

    Parameters
    ----------
    text : str
        With ``{value}`` and optionally ``{typical}``: ``"no order for {value} days"``.
    decimals : int, default 0
        How many decimals the value is shown with.
    percent : bool, default False
        Show a share as a percentage.
    money : bool, default False
        The value is an amount in the currency of the orders.
    words : tuple of str, optional
        What the values 0, 1, 2, … stand for; such a value has no typical one beside it.
    beside : tuple of (str, str), optional
        Another feature whose value of the same customer is said after this one where it is known,
        and how: ``("order_gap_days_mean", "they usually order every {value} days")``.
    """

    text: str
    decimals: int = 0
    percent: bool = False
    money: bool = False
    words: tuple[str, ...] = ()
    beside: tuple[str, str] | None = None

    @property
    def sayable(self) -> bool:
        """Whether it says something of the customer; the date of the run does not."""
        return "{value}" in self.text

    @property
    def label(self) -> str:
        """The phrase without a value, for tables of features."""
        return self.text.format(value="…")

    def say(
        self,
        value: float | None,
        *,
        typical: float | None = None,
        beside: float | None = None,
        numbers: NumberFormat = ENGLISH,
    ) -> str:
        """Return the phrase for a value, with the typical value in brackets where it is known.

        Parameters
        ----------
        value, typical : float or None
            Of the customer, and typical of customers who stay.
        beside : float or None
            The customer's value of the feature that :attr:`beside` names.
        numbers : NumberFormat
            How numbers are written.

        Examples
        --------
        >>> Phrase(text="no order for {value} days").say(143.2, typical=31.0)
        'no order for 143 days (customers who stay: 31)'
        """
        said = self._number(value, numbers)
        words = _singular(self.text, said).format(value=said)
        if self.beside is not None and beside is not None and beside == beside:
            usual = self._number(beside, numbers)
            words += "; " + _singular(self.beside[1], usual).format(value=usual)
        if not self.sayable or self.words or typical is None or typical != typical:
            return words
        return f"{words} (customers who stay: {self._number(typical, numbers)})"

    def _number(self, value: float | None, numbers: NumberFormat) -> str:
        if value is None or value != value:
            return "unknown"
        if self.words:
            return self.words[int(value)]
        if self.money:
            return numbers.amount(value, decimals=self.decimals)
        if self.percent:
            return numbers.number(value * 100, decimals=self.decimals) + " %"
        return numbers.number(value, decimals=self.decimals)


def _singular(text: str, said: str) -> str:
    """Return the text with the noun after the value in the singular if the value is one.

    Examples
    --------
    >>> _singular("{value} orders in the last 30 days", "1")
    '{value} order in the last 30 days'
    """
    return ONE_OF_MANY.sub(r"{value} \1\2", text) if said == "1" else text
