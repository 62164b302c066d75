"""How features and their values are said to people."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Phrase"]


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
    words : tuple of str, optional
        What the values 0, 1, 2, … stand for; such a value has no typical one beside it.
    """

    text: str
    decimals: int = 0
    percent: bool = False
    words: tuple[str, ...] = ()

    def say(self, value: float | None, *, typical: float | None = None) -> str:
        """Return the phrase for a value, with the typical value in brackets where it is known.

        Examples
        --------
        >>> Phrase(text="no order for {value} days").say(143.2, typical=31.0)
        'no order for 143 days (customers who stay: 31)'
        """
        words = self.text.format(value=self._number(value))
        if "{value}" not in self.text or self.words or typical is None or typical != typical:
            return words
        return f"{words} (customers who stay: {self._number(typical)})"

    def _number(self, value: float | None) -> str:
        if value is None or value != value:
            return "unknown"
        if self.words:
            return self.words[int(value)]
        scaled = value * 100 if self.percent else value
        return f"{scaled:,.{self.decimals}f}" + (" %" if self.percent else "")
