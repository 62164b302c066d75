"""How features and their values are said to people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeGuard

import numpy as np

from churnkit.features.numbers import ENGLISH, NUMBER_FORMATS, NumberFormat

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NUMBER_FORMATS", "NumberFormat", "Phrase"]

WORDS_BETWEEN = r"((?:(?!of |is |in )\w+ ){0,2}?)"
ONE_OF_MANY = re.compile(r"\{value\} " + WORDS_BETWEEN + r"(\w{3,})s\b")
COUNTED = re.compile(r"\{value\} (?!days|hours|minutes|times)(?=" + WORDS_BETWEEN + r"\w{3,}s\b)")
WHOLE = 100.0
"""From here on numbers are said without decimals."""
NO_CHANGE = "no change"
NEAR = 0.05
"""A value this close to the typical one, as a share of it, tells nothing."""


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """How a feature is said to people.

    Parameters
    ----------
    text : str
        With ``{value}``: ``"no order for {value} days"``.
    zero : str, default ""
        Said in place of ``text`` where the value is shown as 0: ``"ordered within the last day"``.
        By default counts say "no orders …", and shares of something "none of …".
    negative : str, default ""
        Said in place of ``text`` where the value is below 0, with its size:
        ``"{value} more paid back than spent"``.
    name : str, default ""
        What tables of features call it; by default the text without the value.
    risk : {"", "high", "low"}
        Which values go with a higher risk by common sense, if any do. A value on the other side of
        the typical one is never said as a reason for risk, nor one on this side as what keeps the
        customer.
    decimals : int, default 0
        How many decimals the value is shown with, if it is below 100.
    percent : bool, default False
        Show a share as a percentage.
    money : bool, default False
        The value is an amount in the currency of the orders.
    exact : bool, default False
        Show the value as it is in the data, such as a year: no thousands, up to three decimals.
    change : tuple of (str, str), optional
        The value is a difference, said by its size and one of these: ``("more", "fewer")``.
    words : tuple of str, optional
        What the values 0, 1, 2, … stand for.
    beside : tuple of (str, str), optional
        Another feature whose value of the same customer is said after this one where it is known,
        and how: ``("order_gap_days_mean", "usually one every {value} days")``.
    compared : bool, default True
        Whether a value typical of customers who stay means anything; the month of the last order
        depends on the date of the run.
    reason : bool, default True
        Whether it can be a reason at all; the best hour for a message is none.
    """

    text: str
    zero: str = ""
    negative: str = ""
    name: str = ""
    risk: Literal["", "high", "low"] = ""
    decimals: int = 0
    percent: bool = False
    money: bool = False
    exact: bool = False
    change: tuple[str, str] | tuple[()] = ()
    words: tuple[str, ...] = ()
    beside: tuple[str, str] | None = None
    compared: bool = True
    reason: bool = True

    @property
    def sayable(self) -> bool:
        """Whether it says why; the date of the run does not."""
        return self.reason and "{value}" in self.text

    @property
    def label(self) -> str:
        """The phrase without a value, for tables of features.

        Examples
        --------
        >>> Phrase(text="{value} orders so far").label, Phrase(text="no order for {value} days").label
        ('orders so far', 'no order for … days')
        """
        if self.name:
            return self.name
        if self.change:
            return self.text.format(value=" or ".join(self.change))
        if self.percent and self.text.startswith("{value} of "):
            return "share" + self.text.removeprefix("{value}")
        return self.text.removeprefix("{value} ").format(value="…")

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
        >>> span = Phrase(text="{value} days between", zero="all on one day")
        >>> span.say(0.0, typical=202.0)
        'all on one day (customers who stay: 202 days)'
        >>> orders = Phrase(text="{value} orders than before", change=("more", "fewer"))
        >>> orders.say(-3.0, typical=0.0)
        '3 fewer orders than before (customers who stay: no change)'
        """
        values = np.array([np.nan if value is None else value])
        usual = None if beside is None else np.array([beside])
        return self.say_all(values, typical=typical, beside=usual, numbers=numbers)[0]

    def say_all(
        self,
        values: NDArray[np.float64],
        *,
        typical: float | None = None,
        beside: NDArray[np.float64] | None = None,
        numbers: NumberFormat = ENGLISH,
    ) -> list[str]:
        """Return what :meth:`say` does for the values of many customers.

        Parameters
        ----------
        values, beside : ndarray of float64, shape (n,)
            NaN where not known.
        typical : float or None
        numbers : NumberFormat
        """
        brackets = self._brackets(typical, numbers)
        near = ~self.tells(values, typical) if brackets else np.zeros(len(values), bool)
        said = []
        for i, value in enumerate(values.tolist()):
            if value != value:
                said.append(f"{self.label}: not known" if "{value}" in self.text else self.text)
                continue
            words = self._sentence(value, numbers)
            is_zero = bool(self.zero) and words == self.zero
            if self.beside is not None and beside is not None:
                with_this = float(beside[i])
                if with_this == with_this and round(with_this):
                    words += "; " + self._usual(self.beside[1], self._number(with_this, numbers))
                    is_zero = False
            if brackets:
                words += " (about as customers who stay)" if near[i] else brackets[is_zero]
            said.append(words)
        return said

    def _brackets(self, typical: float | None, numbers: NumberFormat) -> tuple[str, str] | None:
        """Return the typical value in brackets, as after a number and as after :attr:`zero`."""
        if not self.compared or "{value}" not in self.text or not _known(typical):
            return None
        usual = self._number(typical, numbers)
        often = "most often " if self.words else ""
        plain = f" (customers who stay: {often}{usual})"
        if "{value} days" not in self.text:
            return plain, plain
        # The sentence for 0 has no days of its own that would say what the number counts.
        return plain, f" (customers who stay: {often}{usual} day{'' if usual == '1' else 's'})"

    def tells(self, values: NDArray[np.float64], typical: float | None) -> NDArray[np.bool_]:
        """Return which values differ from the typical one so that people see it, all if there is none.

        They differ as shown, after rounding, and by more than a twentieth of the typical value.
        """
        if not self.compared or not _known(typical):
            return np.asarray(np.isfinite(values))
        if self.words:
            return np.asarray(values != typical)
        shown, usual = (self._shown(np.asarray(v, np.float64)) for v in (values, typical))
        apart = np.abs(shown - usual)
        return np.asarray((apart > 0.0) & (apart > NEAR * np.abs(usual)))

    def against(
        self, values: NDArray[np.float64], typical: float | None, *, raising: bool
    ) -> NDArray[np.bool_]:
        """Return which values would contradict common sense as a reason for risk, or for staying."""
        if not self.risk or not _known(typical):
            return np.zeros(len(values), bool)
        wants_high = (self.risk == "high") == raising
        return np.asarray(values < typical if wants_high else values > typical)

    def _shown(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = values * 100.0 if self.percent else values
        return np.asarray(np.round(scaled, 3 if self.exact else self.decimals))

    def _shown_as_0(self, value: float) -> bool:
        """Return whether :meth:`_shown` gives 0: up to a half of the last digit is rounded to it."""
        scaled = value * 100.0 if self.percent else value
        return abs(scaled * 10.0 ** (3 if self.exact else self.decimals)) <= 0.5

    def _sentence(self, value: float, numbers: NumberFormat) -> str:
        if not self.words and self._shown_as_0(value) and (zero := self._zero(value)):
            return zero
        text, said = self.text, self._number(value, numbers)
        if self.negative and value < 0.0:
            text, said = self.negative, self._number(-value, numbers)
        return _singular(text, said).format(value=said)

    @staticmethod
    def _usual(text: str, said: str) -> str:
        return text.replace("{value} days", "day") if said == "1" else text.format(value=said)

    def _zero(self, value: float) -> str:
        """Return what is said of a value shown as 0, empty if that is the number itself."""
        if self.zero or self.change:
            return self.zero or f"{self.label}: {NO_CHANGE}"
        if self.percent and self.text.startswith("{value} of ") and value == 0.0:
            return "none" + self.text.removeprefix("{value}")
        if self.percent or self.money or self.decimals or not COUNTED.search(self.text):
            return ""
        return COUNTED.sub("no ", self.text, count=1)

    def _number(self, value: float, numbers: NumberFormat) -> str:
        if self.words:
            return self.words[int(value)]
        if self.change:
            size = self._plain(abs(value), numbers)
            if self._shown_as_0(value):
                return NO_CHANGE
            return f"{size} {self.change[value < 0]}"
        return self._plain(value, numbers)

    def _plain(self, value: float, numbers: NumberFormat) -> str:
        decimals = 0 if abs(value) >= WHOLE else self.decimals
        if self.money:
            return numbers.amount(value, decimals=decimals)
        if self.percent:
            said = numbers.number(value * 100, decimals=self.decimals)
            # What is rounded to nothing or to everything is neither.
            if said == "0" and value > 0.0:
                return "under 1 %"
            return "over 99 %" if said == "100" and value < 1.0 else f"{said} %"
        if self.exact:
            return numbers.exact(value)
        return numbers.number(value, decimals=decimals)


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and value == value


def _singular(text: str, said: str) -> str:
    """Return the text with the noun after the value in the singular if the value is one.

    Examples
    --------
    >>> _singular("{value} orders in the last 30 days", "1")
    '{value} order in the last 30 days'
    """
    return ONE_OF_MANY.sub(r"{value} \1\2", text) if said.split(" ", maxsplit=1)[0] == "1" else text
