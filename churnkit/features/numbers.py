"""How numbers are written for people: thousands, decimal mark, currency."""

from __future__ import annotations

from dataclasses import dataclass

from churnkit.errors import ParameterError
from churnkit.registry import did_you_mean

__all__ = ["ENGLISH", "NUMBER_FORMATS", "NumberFormat"]

# Thousands, decimal mark, whether the currency stands before the number.
NUMBER_FORMATS = {
    "en": (",", ".", True),
    "de": (".", ",", False),
    "fr": ("\u202f", ",", False),
    "ch": ("’", ".", True),
    "plain": ("", ".", False),
}


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
        if text.startswith("-") and float(text.replace(",", "")) == 0.0:
            text = text.lstrip("-")
        if self.name == "en":
            return text
        return text.replace(",", "\0").replace(".", mark).replace("\0", thousands)

    def exact(self, value: float) -> str:
        """Return a number as the data have it: no thousands, at most three decimals.

        Examples
        --------
        >>> NumberFormat().exact(1961.0), NumberFormat(name="de").exact(0.35)
        ('1961', '0,35')
        """
        text = f"{value:.3f}".rstrip("0").rstrip(".")
        return text.replace(".", NUMBER_FORMATS[self.name][1])

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
