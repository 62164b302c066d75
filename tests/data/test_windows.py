"""Snapshots and the plan of cutoffs that a history allows."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.data.windows import US_PER_DAY, Snapshot, as_day, midnight_us, plan_snapshots
from churnkit.errors import DataError, ParameterError

DAY = timedelta(days=1)


def test_intervals_follow_from_the_cutoff():
    """Observation ends where the gap begins, the gap where the horizon begins; all half-open."""
    snapshot = Snapshot(cutoff=date(2024, 3, 1), observation_days=30, gap_days=7, horizon_days=60)

    assert snapshot.observation_start == date(2024, 1, 31)
    assert snapshot.label_start == date(2024, 3, 8)
    assert snapshot.label_end == date(2024, 5, 7)
    assert snapshot.label_end_us - snapshot.label_start_us == 60 * US_PER_DAY
    assert snapshot.cutoff_us - snapshot.observation_start_us == 30 * US_PER_DAY


def test_days_are_those_of_the_business_zone():
    """Over the change of clocks an interval of one day has 23 hours, and ends at local midnight."""
    snapshot = Snapshot(
        cutoff=date(2024, 3, 31), observation_days=1, horizon_days=1, time_zone="Europe/London"
    )

    assert snapshot.label_end_us - snapshot.label_start_us == 23 * 3_600_000_000


@given(
    day=st.dates(date(1970, 1, 2), date(2099, 12, 30)),
    zone=st.sampled_from(
        ["UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Africa/Cairo"]
    ),
)
def test_midnight_is_the_first_instant_of_the_day(day, zone):
    """The instant has the date in the zone, and the microsecond before has the day before's."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=midnight_us(day, time_zone=zone)
    )

    assert instant.astimezone(ZoneInfo(zone)).date() == day
    assert (instant - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == day - DAY


@pytest.mark.parametrize(
    ("observation", "horizon", "gap"), [(0, 1, 0), (1, 0, 0), (1, 1, -1), (-5, 30, 0)]
)
def test_refuses_intervals_without_length(observation, horizon, gap):
    """The message names the three arguments and the values given."""
    message = (
        "^snapshot: observation_days and horizon_days must be at least 1, gap_days at least 0;"
        f" got {observation}, {horizon}, {gap}$"
    )
    with pytest.raises(ParameterError, match=message):
        Snapshot(
            cutoff=date(2024, 1, 1),
            observation_days=observation,
            horizon_days=horizon,
            gap_days=gap,
        )


@st.composite
def histories(draw):
    """Return arguments of plan_snapshots, many of them too short for a plan."""
    first = draw(st.dates(date(2000, 1, 1), date(2020, 1, 1)))
    return {
        "first_day": first,
        "end_day": first + timedelta(days=draw(st.integers(1, 1500))),
        "horizon_days": draw(st.integers(1, 200)),
        "gap_days": draw(st.integers(0, 30)),
        "observation_days": draw(st.integers(1, 800)),
        "every_days": draw(st.integers(1, 100)),
        "count": draw(st.integers(1, 15)),
        "test": draw(st.integers(0, 4)),
    }


@given(arguments=histories())
def test_no_label_of_training_reaches_a_test(arguments):
    """All labels are mature, training labels end at or before every test cutoff, nothing is twice."""
    try:
        plan = plan_snapshots(**arguments)
    except DataError as error:
        assert "too short" in str(error)  # noqa: PT017 - a refusal is one of two good answers here
        return

    used = (*plan.train, *plan.test)
    assert 1 <= len(plan.train) <= arguments["count"]
    assert len(plan.test) == arguments["test"]
    assert all(s.label_end <= arguments["end_day"] for s in used)
    assert all(a.label_end <= b.cutoff for a in plan.train for b in plan.test)
    cutoffs = [s.cutoff for s in used]
    assert cutoffs == sorted(set(cutoffs))
    horizon = timedelta(days=arguments["horizon_days"])
    assert all(s.cutoff - horizon >= arguments["first_day"] for s in plan.train)


@given(arguments=histories())
def test_every_cutoff_of_the_grid_is_used_or_left_out_by_name(arguments):
    """Between the oldest and the newest cutoff no step of the grid is missing."""
    try:
        plan = plan_snapshots(**arguments)
    except DataError:
        return

    seen = sorted([s.cutoff for s in (*plan.train, *plan.test, *plan.skipped)])
    steps = {after - before for before, after in itertools.pairwise(seen)}
    assert steps <= {timedelta(days=arguments["every_days"])}


@given(arguments=histories())
def test_a_plan_is_refused_only_where_the_first_candidate_has_too_little_history(arguments):
    """A refusal is right: the newest cutoff that could train has less than a horizon before it."""
    reach = timedelta(days=arguments["horizon_days"] + arguments["gap_days"])
    step, tests = timedelta(days=arguments["every_days"]), arguments["test"]
    newest = arguments["end_day"] - reach
    limit = newest - step * (tests - 1) if tests else arguments["end_day"]
    candidate = newest - step * tests
    while candidate + reach > limit:
        candidate -= step
    enough = candidate - timedelta(days=arguments["horizon_days"]) >= arguments["first_day"]

    try:
        plan_snapshots(**arguments)
        planned = True
    except DataError:
        planned = False

    assert planned == enough


def test_names_what_it_purges_and_why():
    """Between training and test lies what overlaps both; each cutoff has its reason."""
    plan = plan_snapshots(
        first_day=date(2023, 1, 1),
        end_day=date(2024, 1, 1),
        horizon_days=60,
        every_days=30,
        count=3,
    )

    assert [(str(s.cutoff), s.reason) for s in plan.skipped] == [
        ("2023-10-03", "its label window ends on 2023-12-02, past the test cutoff 2023-11-02")
    ]


def test_last_moves_the_whole_grid():
    """The newest test cutoff is the one asked for."""
    plan = plan_snapshots(
        first_day=date(2022, 1, 1),
        end_day=date(2024, 1, 1),
        horizon_days=60,
        test=2,
        last=date(2023, 6, 1),
    )

    assert [str(s.cutoff) for s in plan.test] == ["2023-05-02", "2023-06-01"]
    assert plan.train[-1].label_end <= date(2023, 5, 2)


def test_refuses_an_immature_last():
    """A label window past the end of the data is refused, with the last cutoff that is mature."""
    message = (
        r"^snapshots\.last: the label window of cutoff 2023-12-01 ends on 2024-01-30, past the end of"
        r" the data \(2024-01-01\); the last mature cutoff is 2023-11-02$"
    )
    with pytest.raises(DataError, match=message):
        plan_snapshots(
            first_day=date(2022, 1, 1),
            end_day=date(2024, 1, 1),
            horizon_days=60,
            last=date(2023, 12, 1),
        )


def test_refuses_a_history_that_is_too_short():
    """The message says how long the data are and what one training snapshot needs."""
    message = (
        r"^snapshots: 100 days of orders \(2024-01-01 to 2024-04-10\) are too short for a horizon of 90"
        r" days with gap 5 and 1 test snapshot\(s\): one training snapshot needs 90 days before its"
        r" cutoff and 95 after; shorten snapshots\.horizon_days$"
    )
    with pytest.raises(DataError, match=message):
        plan_snapshots(
            first_day=date(2024, 1, 1), end_day=date(2024, 4, 10), horizon_days=90, gap_days=5
        )


@pytest.mark.parametrize("wrong", [{"every_days": 0}, {"count": 0}, {"test": -1}])
def test_refuses_numbers_that_make_no_grid(wrong):
    """A step of zero days would never end; each is refused by name."""
    name = next(iter(wrong))
    with pytest.raises(ParameterError, match=rf"^snapshots: .*{name}.*; got "):
        plan_snapshots(
            first_day=date(2022, 1, 1), end_day=date(2024, 1, 1), horizon_days=60, **wrong
        )


def test_snapshots_carry_the_zone_and_lengths():
    """Every snapshot of a plan has the lengths and the zone asked for."""
    plan = plan_snapshots(
        first_day=date(2022, 1, 1),
        end_day=date(2024, 1, 1),
        horizon_days=30,
        gap_days=3,
        observation_days=200,
        time_zone="Asia/Kolkata",
    )

    assert {
        (s.horizon_days, s.gap_days, s.observation_days, s.time_zone)
        for s in (*plan.train, *plan.test)
    } == {(30, 3, 200, "Asia/Kolkata")}


def test_a_day_given_as_a_number_is_refused():
    """20111210 could be a day or microseconds: dates and ISO text only."""
    with pytest.raises(ParameterError, match=r"^as_of: must be a date such as .*; got 20111210$"):
        as_day(20111210, time_zone="UTC")


@pytest.mark.parametrize("day", ["0001-01-01", "1900-12-31", "9999-12-31", date(3000, 1, 1)])
def test_a_day_that_stands_for_never_is_refused(day):
    """The windows beside it would begin before the first year or end after the last."""
    message = rf"^end: must be a date in the years 1901 to 2999; got {day}$"
    with pytest.raises(ParameterError, match=message):
        as_day(day, time_zone="UTC", name="end")


@pytest.mark.parametrize("test", [13, 1_000_000])
def test_more_test_snapshots_than_the_history_has_days_are_refused(test):
    """The number asked for is in the sentence, however far before the first year it reaches."""
    with pytest.raises(DataError, match=rf"gap 0 and {test} test snapshot.*lower snapshots\.test$"):
        plan_snapshots(
            first_day=date(2023, 1, 1), end_day=date(2024, 1, 1), horizon_days=30, test=test
        )
