"""The time rule on every engine, with Python's zoneinfo as the oracle."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.data.clock import (
    business_day,
    business_days,
    business_hour,
    iso_local,
    local_to_utc_us,
    transitions,
)
from churnkit.data.windows import US_PER_DAY, midnight_us
from churnkit.errors import ParameterError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = 3_600_000_000
ZONES = (
    "UTC",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",  # moves by half an hour
    "Asia/Kolkata",  # five and a half hours off, never moves
    "Africa/Casablanca",  # moves around Ramadan, four times a year
    "America/Sao_Paulo",  # moved at midnight
    "Pacific/Apia",  # skipped a whole day
)
# The clock of St John's fell back from 00:01 to 23:01 of the day before, from 1987 to 2011.
ZONES_OVER_MIDNIGHT = ("America/St_Johns",)
FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
INSTANTS = st.lists(
    st.integers(0, midnight_us(date(2099, 12, 1), time_zone="UTC")), min_size=1, max_size=100
)


def around(steps):
    """Return instants on both sides of every change of the clock, and an hour or a day off."""
    offsets = (-HOUR, -1, 0, HOUR // 2, HOUR - 1, HOUR, US_PER_DAY)
    return [step + offset for step, _ in steps[1:] for offset in offsets]


@pytest.fixture
def evaluate(engine, load):
    """Give a function that applies an expression to integers on the engine under test."""

    def run(values, expression):
        table = pa.table({"at": pa.array(range(len(values))), "x": pa.array(values, pa.int64())})
        frame = load(table).with_columns(y=expression(nw.col("x")))
        return [row["y"] for row in engine.collect(frame.sort("at")).to_pylist()]

    return run


def to_utc(local_us, zone):
    """Return the instant of a wall-clock time by zoneinfo, the first of two."""
    naive = datetime(1970, 1, 1) + timedelta(microseconds=local_us)
    return (naive.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) - EPOCH) // MICROSECOND


def local_day(ts_us, zone):
    """Return the date of an instant by zoneinfo, as days since 1970."""
    local = (EPOCH + timedelta(microseconds=ts_us)).astimezone(ZoneInfo(zone))
    return (local.date() - date(1970, 1, 1)).days


@pytest.mark.parametrize("zone", ZONES)
def test_naive_times_at_every_change_of_the_clock(evaluate, zone):
    """Skipped and repeated hours are read as zoneinfo reads them, from 1970 to 2099."""
    steps = transitions(zone)
    local = [at + offset for at in around(steps) for offset in {o for _, o in steps}] or [0, HOUR]

    found = evaluate(local, lambda x: local_to_utc_us(x, time_zone=zone))

    assert found == [to_utc(value, zone) for value in local]


@pytest.mark.parametrize("zone", ZONES)
def test_days_at_every_change_of_the_clock(evaluate, zone):
    """An instant belongs to the date that zoneinfo gives it."""
    instants = around(transitions(zone)) or [0, US_PER_DAY - 1, US_PER_DAY]

    found = evaluate(instants, lambda x: business_day(x, time_zone=zone))

    assert found == [local_day(value, zone) for value in instants]


@FEW
@given(values=INSTANTS, zone=st.sampled_from((*ZONES, "Africa/Cairo", "Asia/Kathmandu")))
def test_any_naive_time_in_any_zone(evaluate, values, zone):
    """A wall-clock time becomes the instant that zoneinfo gives it."""
    found = evaluate(values, lambda x: local_to_utc_us(x, time_zone=zone))

    assert found == [to_utc(value, zone) for value in values]


@FEW
@given(values=INSTANTS, zone=st.sampled_from((*ZONES, "Africa/Cairo", "Asia/Kathmandu")))
def test_any_instant_in_any_zone(evaluate, values, zone):
    """An instant has the business day that zoneinfo gives it."""
    found = evaluate(values, lambda x: business_day(x, time_zone=zone))

    assert found == [local_day(value, zone) for value in values]


@pytest.mark.parametrize("zone", [*ZONES, *ZONES_OVER_MIDNIGHT])
def test_a_day_is_what_lies_between_two_midnights(evaluate, zone):
    """A cutoff at midnight never splits a day, even where the clock falls back over midnight."""
    instants = sorted(around(transitions(zone)) or [0, US_PER_DAY - 1, US_PER_DAY])

    days = evaluate(instants, lambda x: business_day(x, time_zone=zone))

    for instant, day in zip(instants, days, strict=True):
        begins = midnight_us(date(1970, 1, 1) + timedelta(days=day), time_zone=zone)
        ends = midnight_us(date(1970, 1, 2) + timedelta(days=day), time_zone=zone)
        assert begins <= instant < ends, (zone, instant)


@pytest.mark.parametrize("zone", [*ZONES, *ZONES_OVER_MIDNIGHT])
def test_days_of_an_array_are_those_of_the_engines(evaluate, zone):
    """Numpy and the engines count the same days, before 1970 and at every change of the clock."""
    instants = [-1, -US_PER_DAY, -US_PER_DAY - 1, *around(transitions(zone))]

    found = business_days(instants, time_zone=zone)

    assert found.tolist() == evaluate(instants, lambda x: business_day(x, time_zone=zone))


def test_instants_before_1970_have_days_too(evaluate):
    """Floor division: a microsecond before the epoch is the day before, on every engine."""
    found = evaluate([-1, -US_PER_DAY, -US_PER_DAY - 1], lambda x: business_day(x, time_zone="UTC"))

    assert found == [-1, -1, -2]


def test_null_times_stay_null(evaluate):
    """No time has no instant and no day."""
    for rule in (local_to_utc_us, business_day):
        found = evaluate([None, 0], lambda x, rule=rule: rule(x, time_zone="Europe/London"))

        assert found[0] is None
        assert found[1] is not None


@pytest.mark.parametrize("zone", [*ZONES, *ZONES_OVER_MIDNIGHT])
def test_transitions_are_those_of_the_zone(zone):
    """Each step begins at the very microsecond at which the offset changes, and none is missed."""
    steps = transitions(zone)

    def offset(instant_us):
        local = (EPOCH + timedelta(microseconds=instant_us)).astimezone(ZoneInfo(zone))
        return local.utcoffset() // MICROSECOND

    for (_, old), (instant, new) in itertools.pairwise(steps):
        assert (offset(instant - 1), offset(instant)) == (old, new)
    days = (date(2100, 1, 2) - date(1970, 1, 1)).days
    offsets = [offset(day * US_PER_DAY) for day in range(days)]
    changes = sum(before != after for before, after in itertools.pairwise(offsets))
    assert len(steps) - 1 == changes


@pytest.mark.parametrize(
    ("name", "guess"),
    [("Europe/Londn", " Did you mean 'Europe/London'?"), ("", ""), ("../etc/passwd", "")],
)
def test_refuses_a_zone_that_is_none(name, guess):
    """The message names the key, the value and the nearest zone."""
    message = rf"^data\.time_zone must be an IANA name .*; got '{name}'\.{guess}".replace(
        "?", r"\?"
    )
    with pytest.raises(ParameterError, match=message):
        transitions(name)


@given(
    ts_us=st.integers(0, midnight_us(date(2099, 12, 1), time_zone="UTC")),
    zone=st.sampled_from((*ZONES, *ZONES_OVER_MIDNIGHT)),
)
def test_iso_text_reads_back_as_the_instant(ts_us, zone):
    """The text is what datetime writes in the zone, to the second."""
    local = (EPOCH + timedelta(microseconds=ts_us)).astimezone(ZoneInfo(zone))

    assert iso_local(ts_us, time_zone=zone) == local.isoformat(timespec="seconds")


def test_iso_text_exists_for_years_that_datetime_does_not_know():
    """A year 0 or 290000 in the data is written, not an overflow."""
    assert iso_local(-62_200_000_000_000_000, time_zone="UTC").startswith("-")
    assert iso_local(9_089_348_860_800_000_000, time_zone="UTC") == "290000-01-01T00:00:00+00:00"


@pytest.mark.parametrize("zone", [*ZONES, *ZONES_OVER_MIDNIGHT])
def test_a_known_span_changes_no_day_and_no_hour(evaluate, zone):
    """What is left out of the calendar lies outside of the span, up to its ends."""
    for start in (date(1969, 12, 1), date(1987, 1, 1), date(2011, 7, 1), date(2024, 3, 1)):
        first = midnight_us(start, time_zone="UTC")
        last = first + 500 * US_PER_DAY
        inside = [at for at in around(transitions(zone)) if first <= at <= last]
        instants = [first, *inside, last]

        for rule in (business_day, business_hour):
            whole = evaluate(instants, lambda x, rule=rule: rule(x, time_zone=zone))
            part = evaluate(
                instants,
                lambda x, rule=rule, span=(first, last): rule(x, time_zone=zone, span=span),
            )

            assert part == whole
