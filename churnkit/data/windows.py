"""The time intervals of one snapshot, and the plan of snapshots that a history allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from churnkit.errors import DataError, ParameterError

__all__ = [
    "US_PER_DAY",
    "YEARS",
    "SkippedSnapshot",
    "Snapshot",
    "SnapshotPlan",
    "as_day",
    "midnight_us",
    "plan_snapshots",
]

US_PER_DAY = 86_400_000_000

YEARS = range(1901, 3000)
"""Years of dates that are asked for: the windows before and after them are dates too."""

YEARS_SAID = f"in the years {YEARS[0]} to {YEARS[-1]}"


def as_day(as_of: object, *, time_zone: str, name: str = "as_of") -> date | None:
    """Return a business day given as a date, as ISO text, or as the instant at which it begins.

    Raises
    ------
    ParameterError
        If it is no date, one of another millennium, or an instant within a day.
    """
    day: object = as_of
    if isinstance(day, str):
        try:
            day = date.fromisoformat(day)
        except ValueError as error:
            msg = f"{name}: must be a date such as 2011-12-10; got {as_of!r}"
            raise ParameterError(msg) from error
    if day is not None and not isinstance(day, date):
        msg = f"{name}: must be a date such as 2011-12-10; got {as_of!r}"
        raise ParameterError(msg)
    if day is not None and day.year not in YEARS:
        msg = f"{name}: must be a date {YEARS_SAID}; got {as_of}"
        raise ParameterError(msg)
    if not isinstance(day, datetime):
        return day
    local = day.astimezone(ZoneInfo(time_zone)) if day.tzinfo else day
    if local.time() != time.min:
        msg = f"{name}: must be the beginning of a day in {time_zone}; got {as_of}"
        raise ParameterError(msg)
    return local.date()


def midnight_us(day: date, *, time_zone: str) -> int:
    """Return the first instant of a business day, in microseconds since 1970 UTC.

    Examples
    --------
    >>> midnight_us(date(1970, 1, 2), time_zone="UTC") == US_PER_DAY
    True
    >>> midnight_us(date(2011, 7, 1), time_zone="Europe/London") % US_PER_DAY // 3_600_000_000
    23
    """
    start = datetime.combine(day, time.min, tzinfo=ZoneInfo(time_zone))
    return (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What is known at ``cutoff`` and what is to be predicted after it; all intervals are half-open.

    ::

        observation_start          cutoff       label_start         label_end
        [------ observation ------)[--- gap ---)[----- horizon ------)

    Parameters
    ----------
    cutoff : date
        The business day whose first instant is the first that is not known.
    observation_days, horizon_days, gap_days : int
        Lengths of the three intervals in business days.
    time_zone : str, default "UTC"
        IANA name of the business time zone, in which days begin.

    Examples
    --------
    >>> s = Snapshot(cutoff=date(2011, 9, 10), observation_days=365, horizon_days=90)
    >>> s.observation_start, s.label_end
    (datetime.date(2010, 9, 10), datetime.date(2011, 12, 9))
    """

    cutoff: date
    observation_days: int
    horizon_days: int
    gap_days: int = 0
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.observation_days < 1 or self.horizon_days < 1 or self.gap_days < 0:
            msg = (
                "snapshot: observation_days and horizon_days must be at least 1, gap_days at least 0;"
                f" got {self.observation_days}, {self.horizon_days}, {self.gap_days}"
            )
            raise ParameterError(msg)

    @property
    def observation_start(self) -> date:
        """First day of the observation interval."""
        return self.cutoff - timedelta(days=self.observation_days)

    @property
    def label_start(self) -> date:
        """First day of the horizon."""
        return self.cutoff + timedelta(days=self.gap_days)

    @property
    def label_end(self) -> date:
        """The day after the horizon's last."""
        return self.label_start + timedelta(days=self.horizon_days)

    @property
    def cutoff_us(self) -> int:
        """First instant of :attr:`cutoff`, microseconds since 1970 UTC."""
        return midnight_us(self.cutoff, time_zone=self.time_zone)

    @property
    def observation_start_us(self) -> int:
        """First instant of the observation interval, microseconds since 1970 UTC."""
        return midnight_us(self.observation_start, time_zone=self.time_zone)

    @property
    def observation_us(self) -> tuple[int, int]:
        """First instant of the observation interval, and the first after it."""
        return self.observation_start_us, self.cutoff_us

    @property
    def label_start_us(self) -> int:
        """First instant of the horizon, microseconds since 1970 UTC."""
        return midnight_us(self.label_start, time_zone=self.time_zone)

    @property
    def label_end_us(self) -> int:
        """First instant after the horizon, microseconds since 1970 UTC."""
        return midnight_us(self.label_end, time_zone=self.time_zone)


@dataclass(frozen=True, kw_only=True)
class SkippedSnapshot:
    """A cutoff that the plan leaves out, and the reason in words."""

    cutoff: date
    reason: str


@dataclass(frozen=True, kw_only=True)
class SnapshotPlan:
    """Snapshots to train on and to test on, oldest first, and those left out by name.

    Attributes
    ----------
    train, test : tuple of Snapshot
        Every training label ends at or before the first test cutoff.
    skipped : tuple of SkippedSnapshot
        Cutoffs on the grid that are not used.
    """

    train: tuple[Snapshot, ...]
    test: tuple[Snapshot, ...]
    skipped: tuple[SkippedSnapshot, ...]


def plan_snapshots(
    *,
    first_day: date,
    end_day: date,
    horizon_days: int,
    gap_days: int = 0,
    observation_days: int = 730,
    every_days: int = 30,
    count: int = 12,
    test: int = 1,
    last: date | None = None,
    time_zone: str = "UTC",
) -> SnapshotPlan:
    """Lay cutoffs on a grid that ends at the last mature one, and purge what would leak.

    A snapshot is *mature* when its label window ends inside the data. The ``test`` newest cutoffs
    are for testing. A training snapshot whose label window reaches past the first test cutoff
    overlaps the test and is purged; the grid then goes further back, until ``count`` training
    snapshots are found or less history than one horizon is left before a cutoff.

    Parameters
    ----------
    first_day, end_day : date
        First business day with an order, and the day after the last.
    horizon_days, gap_days, observation_days, every_days : int
        Lengths in business days; ``every_days`` is the step of the grid.
    count, test : int
        How many training and test snapshots are wanted.
    last : date, optional
        The newest cutoff; by default the last mature one.
    time_zone : str
        IANA name of the business time zone.

    Raises
    ------
    ParameterError
        If a number is out of its range.
    DataError
        If ``last`` is immature, or the history is too short for one training and the test snapshots.

    Examples
    --------
    >>> plan = plan_snapshots(first_day=date(2023, 1, 1), end_day=date(2024, 1, 1),
    ...                       horizon_days=60, every_days=30, count=3)
    >>> [str(s.cutoff) for s in plan.train], [str(s.cutoff) for s in plan.test]
    (['2023-07-05', '2023-08-04', '2023-09-03'], ['2023-11-02'])
    """
    _check_grid(every_days=every_days, count=count, test=test)
    reach = timedelta(days=gap_days + horizon_days)
    newest = _newest(last, mature=end_day - reach, reach=reach)
    step = timedelta(days=every_days)

    def snapshot(cutoff: date) -> Snapshot:
        return Snapshot(
            cutoff=cutoff,
            observation_days=observation_days,
            horizon_days=horizon_days,
            gap_days=gap_days,
            time_zone=time_zone,
        )

    # Whatever is asked for, no cutoff lies more than a step before the first day.
    laid = min(test, max((newest - first_day).days, 0) // every_days + 1)
    tests = [snapshot(newest - step * i) for i in range(laid)]
    first_test = tests[-1].cutoff if tests else end_day
    train: list[Snapshot] = []
    skipped: list[SkippedSnapshot] = []
    cutoff = newest - step * laid
    while len(train) < count and cutoff - timedelta(days=horizon_days) >= first_day:
        candidate = snapshot(cutoff)
        if candidate.label_end > first_test:
            reason = (
                f"its label window ends on {candidate.label_end}, past the test cutoff {first_test}"
            )
            skipped.append(SkippedSnapshot(cutoff=cutoff, reason=reason))
        else:
            train.append(candidate)
        cutoff -= step
    if not train:
        span = (end_day - first_day).days
        msg = (
            f"snapshots: {span} days of orders ({first_day} to {end_day}) are too short for a horizon"
            f" of {horizon_days} days with gap {gap_days} and {test} test snapshot(s): one training"
            f" snapshot needs {horizon_days} days before its cutoff and {reach.days} after;"
            f" shorten snapshots.horizon_days{' or lower snapshots.test' if test > 1 else ''}"
        )
        raise DataError(msg)
    return SnapshotPlan(
        train=tuple(reversed(train)), test=tuple(reversed(tests)), skipped=tuple(reversed(skipped))
    )


def _check_grid(*, every_days: int, count: int, test: int) -> None:
    if every_days < 1 or count < 1 or test < 0:
        msg = (
            "snapshots: every_days and count must be at least 1, test at least 0;"
            f" got {every_days}, {count}, {test}"
        )
        raise ParameterError(msg)


def _newest(last: date | None, *, mature: date, reach: timedelta) -> date:
    """Return the newest cutoff: the one asked for, if its label window ends inside the data."""
    if last is not None and last > mature:
        msg = (
            f"snapshots.last: the label window of cutoff {last} ends on {last + reach}, past the"
            f" end of the data ({mature + reach}); the last mature cutoff is {mature}"
        )
        raise DataError(msg)
    return last or mature
