"""How numbers are written on the page: short, with a dash where there is none."""

from __future__ import annotations

import math

__all__ = [
    "amount",
    "chance",
    "count",
    "day",
    "decimal",
    "metric",
    "nice_ticks",
    "percent",
    "short",
]

NOTHING = "–"
SPACE = "\xa0"  # does not break: a number and its unit stay on one line
UNITS = ((1e9, "bn"), (1e6, "M"), (1e4, "k"))


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def decimal(value: float | None, places: int = 2) -> str:
    """Return a number with thousands separators, a dash for none.

    Examples
    --------
    >>> decimal(1234.5678), decimal(None)
    ('1,234.57', '–')
    """
    if value is None or not _known(value):
        return NOTHING
    text = f"{value:,.{places}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text.replace("-", "−")


def count(value: float | None) -> str:
    """Return a whole number.

    Examples
    --------
    >>> count(12345.0)
    '12,345'
    """
    return decimal(value, 0)


def percent(share: float | None, places: int = 0) -> str:
    r"""Return a fraction as a percentage.

    Examples
    --------
    >>> percent(0.4567), percent(0.4567, 1)
    ('46\xa0%', '45.7\xa0%')
    """
    if share is None or not _known(share):
        return NOTHING
    return f"{decimal(share * 100.0, places)}{SPACE}%"


def chance(share: float | None, places: int = 0) -> str:
    r"""Return a probability as a percentage that is never rounded to certainty.

    Examples
    --------
    >>> chance(0.4567), chance(0.9972), chance(0.002)
    ('46\xa0%', 'over 99\xa0%', 'under 1\xa0%')
    """
    said = percent(share, places)
    if share is None or not 0.0 < share < 1.0:
        return said
    least = 10.0**-places
    if said == percent(0.0, places):
        return f"under {decimal(least, places)}{SPACE}%"
    return (
        f"over {decimal(100.0 - least, places)}{SPACE}%" if said == percent(1.0, places) else said
    )


def amount(value: float | None) -> str:
    r"""Return money in full below ten thousand, then in thousands, millions, billions.

    Examples
    --------
    >>> amount(1234.4), amount(52_340.0), amount(-2_500_000.0), amount(3.456)
    ('1,234', '52.3\xa0k', '−2.50\xa0M', '3.46')
    """
    if value is None or not _known(value):
        return NOTHING
    size = abs(value)
    for unit, name in UNITS:
        if size >= unit:
            scaled = value / (1e3 if name == "k" else unit)
            places = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
            return f"{decimal(scaled, places)}{SPACE}{name}"
    return decimal(value, 0 if size >= 100 else 2)


def short(value: float) -> str:
    r"""Return a number for an axis.

    Examples
    --------
    >>> short(0.25), short(20000.0), short(3.0)
    ('0.25', '20\xa0k', '3')
    """
    if abs(value) >= 1e4:
        for unit, name in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= unit:
                return f"{value / unit:g}{SPACE}{name}".replace("-", "−")
    return f"{round(value, 6):g}".replace("-", "−")


def metric(value: float | None, unit: str) -> str:
    r"""Return the value of a retention metric in its unit.

    Examples
    --------
    >>> metric(12.345, "percent"), metric(310.0, "currency"), metric(1.5, "months")
    ('12.3\xa0%', '310', '1.5 months')
    """
    if value is None or not _known(value):
        return NOTHING
    if unit == "percent":
        return f"{decimal(value, 1)}{SPACE}%"
    if unit == "currency":
        return amount(value)
    if unit == "count":
        return decimal(value, 0)
    if unit in {"hours", "months"}:
        return f"{decimal(value, 1)} {unit}"
    return decimal(value, 1 if unit in {"points", "score"} else 2)


def day(moment: object) -> str:
    """Return the date of an instant or a date, a dash for none.

    Examples
    --------
    >>> from datetime import datetime
    >>> day(datetime(2011, 12, 9, 12, 50)), day(None)
    ('2011-12-09', '–')
    """
    return NOTHING if moment is None else str(moment)[: len("2011-12-09")]


def nice_ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Return round numbers that cover an interval, in steps of 1, 2, 2.5 or 5.

    Examples
    --------
    >>> nice_ticks(0.0, 0.93)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> nice_ticks(3.0, 3.0)
    [3.0, 3.2, 3.4, 3.6, 3.8, 4.0]
    """
    if high <= low:
        high = low + 1.0
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(s * size for s in (1.0, 2.0, 2.5, 5.0, 10.0) if s * size >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
