"""Types of the values in a configuration, each with the words by which messages and docs name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
)

from churnkit.config.faults import Fault, FaultsError, shown
from churnkit.config.frozen import FrozenMapping, freeze, freeze_noting, thaw
from churnkit.config.keys import Says
from churnkit.registry import did_you_mean

__all__ = [
    "DATA_FILE",
    "Day",
    "Days",
    "DaysOrNone",
    "Expressions",
    "Features",
    "Fraction",
    "Instant",
    "Joined",
    "MemoryLimit",
    "Name",
    "NamedAfterRun",
    "Names",
    "NonNegative",
    "Options",
    "PageFile",
    "Positive",
    "Reasons",
    "Seed",
    "Share",
    "SourceText",
    "TableFile",
    "Text",
    "TimeZone",
    "Whole",
    "WholeOrNone",
]

YEARS = range(1901, 3000)  # as churnkit.data.windows has them, which config may not import
LONGEST_DAYS = 36_500
DATA_FILE = re.compile(r"\.(?i:parquet|(csv|tsv|txt)(\.gz)?)$")
DATA_ENDINGS = ".parquet, .csv, .tsv or .txt, or one of the last three and .gz"
OUR_NAMES = frozenset({"source", "asked"})  # in the SQL of a query


def _fault(sentence: str) -> FaultsError:
    return FaultsError(Fault((), sentence))


def _options(value: object) -> Mapping[str, Any]:
    if value is None:
        return FrozenMapping({})
    if not isinstance(value, Mapping):
        msg = f"must be a mapping of options; got {shown(value)}"
        raise _fault(msg)
    frozen: Mapping[str, Any] = freeze(value)
    return frozen


def _features(value: object) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        msg = f"must be a mapping of at least one feature to its options; got {shown(value)}"
        raise _fault(msg)
    rule = "must be a mapping of options, or true for the defaults"
    faults = [
        Fault((name,), f"{rule}; got {shown(options)}")
        for name, options in value.items()
        if not (options is None or options is True or isinstance(options, Mapping))
    ]
    options_of = {n: {} if o is None or o is True else o for n, o in value.items()}
    frozen: Mapping[str, Mapping[str, Any]] = freeze_noting(options_of, (), faults)
    if faults:
        raise FaultsError(*faults)
    return frozen


def _texts(value: object) -> Mapping[str, str]:
    given: Mapping[str, Any] = _options(value)
    rule = "must be non-empty text"
    faults = [
        Fault((name,), f"{rule}; got {shown(text)}")
        for name, text in given.items()
        if not isinstance(text, str) or not text.strip()
    ]
    if faults:
        raise FaultsError(*faults)
    return given


def _joined(value: object) -> Mapping[str, str]:
    given: Mapping[str, Any] = _options(value)
    faults = []
    for name, path in given.items():
        if not re.fullmatch(r"[A-Za-z_]\w*", name) or name.lower() in OUR_NAMES:
            rule = "must be a word of letters, digits and '_', neither source nor asked"
            faults.append(Fault((name,), f"{rule}; got {name!r}"))
        if not isinstance(path, str) or not DATA_FILE.search(path):
            rule = f"must be a path or glob ending in {DATA_ENDINGS}"
            faults.append(Fault((name,), f"{rule}; got {shown(path)}"))
    if faults:
        raise FaultsError(*faults)
    return given


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) and v for v in value):
        return tuple(value)
    msg = f"must be a list of names, or null; got {shown(value)}"
    raise _fault(msg)


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        guess = did_you_mean(value, sorted(available_timezones()))
        rule = "must be an IANA time zone such as Europe/London"
        msg = f"{rule}; got {value!r}{'.' if guess else ''}{guess}"
        raise _fault(msg) from None
    return value


def _day(value: object) -> date | None:
    parsed = _instant(value)
    if isinstance(parsed, datetime):
        msg = f"must be a date such as 2011-12-10, or null; got {shown(value)}"
        raise _fault(msg)
    return parsed


def _instant(value: object) -> date | None:
    parsed = value
    try:
        if isinstance(value, str):
            day_only = len(value) == len("2011-12-10")
            parsed = date.fromisoformat(value) if day_only else datetime.fromisoformat(value)
    except ValueError:
        pass
    if parsed is not None and not isinstance(parsed, date):
        msg = f"must be a date such as 2011-12-10, or null; got {shown(value)}"
        raise _fault(msg)
    if parsed is not None and parsed.year not in YEARS:
        msg = f"must be a date in the years {YEARS[0]} to {YEARS[-1]}, or null; got {shown(value)}"
        raise _fault(msg)
    return parsed


def _or_name(value: object) -> object:
    return "{name}" if value is None else value


_iso = PlainSerializer(lambda value: value if value is None else value.isoformat())

Text = Annotated[str, Field(min_length=1), Says("non-empty text")]
Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    Says("letters, digits, '_', '-' and '.', beginning with a letter or a digit"),
]
NamedAfterRun = Annotated[
    str, Field(min_length=1), BeforeValidator(_or_name), Says("non-empty text or null")
]
TimeZone = Annotated[str, AfterValidator(_time_zone), Says("an IANA time zone")]
MemoryLimit = Annotated[
    str,
    Field(pattern=r"^(?i)[0-9]+(\.[0-9]+)? ?([KMGT]i?B|%)$"),
    Says("a size such as '4GB' or '512MiB'"),
]
SourceText = Annotated[
    str,
    Field(pattern=rf"^(dataset:[A-Za-z0-9_]+|table:.+|postgresql://.+|.*{DATA_FILE.pattern})"),
    Says(f"dataset:NAME, table:NAME, postgresql://…, or a path or glob ending in {DATA_ENDINGS}"),
]
TableFile = Annotated[
    str, Field(pattern=r"^.*\.(parquet|csv)$"), Says("a path ending in .parquet or .csv")
]
PageFile = Annotated[str, Field(pattern=r"^.*\.html$"), Says("a path ending in .html")]

Days = Annotated[int, Field(ge=1, le=LONGEST_DAYS), Says("a whole number from 1 to 36500")]
DaysOrNone = Annotated[int, Field(ge=0, le=LONGEST_DAYS), Says("a whole number from 0 to 36500")]
WholeOrNone = Annotated[int, Field(ge=0), Says("a whole number >= 0")]
Whole = Annotated[int, Field(ge=1), Says("a whole number >= 1")]
Reasons = Annotated[int, Field(ge=0, le=50), Says("a whole number from 0 to 50")]
Seed = Annotated[int, Field(ge=0, lt=2**31), Says("a whole number from 0 to 2147483647")]
Fraction = Annotated[float, Field(gt=0, lt=1), Says("a number above 0 and below 1")]
Share = Annotated[float, Field(gt=0, le=1), Says("a number above 0, at most 1")]
Positive = Annotated[float, Field(gt=0), Says("a number above 0")]
NonNegative = Annotated[float, Field(ge=0), Says("a number >= 0")]

Day = Annotated[date | None, PlainValidator(_day), _iso, Says("a date or null")]
Instant = Annotated[date | None, PlainValidator(_instant), _iso, Says("a date, a time or null")]

Options = Annotated[
    Mapping[str, Any], PlainValidator(_options), PlainSerializer(thaw), Says("a mapping of options")
]
Expressions = Annotated[
    Mapping[str, str],
    PlainValidator(_texts),
    PlainSerializer(thaw),
    Says("a mapping of new column names to SQL expressions"),
]
Joined = Annotated[
    Mapping[str, str],
    PlainValidator(_joined),
    PlainSerializer(thaw),
    Says("a mapping of names to files"),
]
Names = Annotated[
    tuple[str, ...] | None,
    PlainValidator(_names),
    PlainSerializer(thaw),
    Says("a list of names or null"),
]
Features = Annotated[
    Mapping[str, Mapping[str, Any]],
    PlainValidator(_features),
    PlainSerializer(thaw),
    Says("a mapping of feature names to their options"),
]
