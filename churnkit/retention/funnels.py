"""How many users go through the ordered steps of a funnel in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.errors import ParameterError
from churnkit.formulas import funnel_conversion, funnel_drop_off

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from churnkit.engines import Engine
    from churnkit.formulas import MetricValue

__all__ = ["FUNNEL_COLUMNS", "NEVER_US", "Funnel", "FunnelStep", "funnel"]

US_PER_HOUR = 3_600_000_000
NEVER_US = 2**62

FUNNEL_COLUMNS = (
    "step",
    "event_type",
    "users",
    "conversion",
    "conversion_ci_low",
    "conversion_ci_high",
    "drop_off",
    "share_of_first",
    "median_hours",
)
"""Columns of a funnel's table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FunnelStep:
    """One step of a funnel.

    Parameters
    ----------
    event_type : str
        What has to happen.
    users : int
        Users or sessions that reached it.
    conversion, drop_off : MetricValue or None
        Of those at the step before, who reached it and who did not; null for the first step.
    share_of_first : MetricValue
        Of those at the first step, who reached it.
    median_hours : float or None
        Median time since the step before, over those who reached it; null for the first step and
        where nobody did.
    """

    event_type: str
    users: int
    conversion: MetricValue | None
    drop_off: MetricValue | None
    share_of_first: MetricValue
    median_hours: float | None


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """The steps of a funnel in order.

    Parameters
    ----------
    steps : tuple of FunnelStep
        In order.
    """

    steps: tuple[FunnelStep, ...]

    def to_arrow(self) -> pa.Table:
        """Return a row per step with :data:`FUNNEL_COLUMNS`; percentages are 0-100."""
        import pyarrow as pa

        rows = []
        for number, step in enumerate(self.steps, start=1):
            conversion = step.conversion
            row = (
                number,
                step.event_type,
                step.users,
                conversion.value if conversion else None,
                conversion.ci_low if conversion else None,
                conversion.ci_high if conversion else None,
                step.drop_off.value if step.drop_off else None,
                step.share_of_first.value,
                step.median_hours,
            )
            rows.append(dict(zip(FUNNEL_COLUMNS, row, strict=True)))
        whole = dict.fromkeys(("step", "users"), pa.int64())
        kinds = [
            (n, {"event_type": pa.string(), **whole}.get(n, pa.float64())) for n in FUNNEL_COLUMNS
        ]
        return pa.Table.from_pylist(rows, schema=pa.schema(kinds))

    def to_pandas(self) -> pd.DataFrame:
        """Return :meth:`to_arrow` as pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def funnel(
    events: nw.LazyFrame[Any],
    *,
    steps: Sequence[str],
    within_hours: float,
    start_us: int,
    end_us: int,
    engine: Engine,
    by_session: bool = False,
    known_until_us: int | None = None,
    level: float = 0.95,
) -> Funnel:
    """Count the users who go through ordered steps within a window of time.

    A user reaches a step if, beginning with some event of the first step, the events of all steps
    up to it follow one another in time, the last within the window after the first. Other events
    in between do not matter; events of one instant count in the order of the steps.

    Parameters
    ----------
    events : narwhals.LazyFrame
        ``customer_id``, ``ts_us``, ``event_type`` and, for sessions, ``session_id``.
    steps : sequence of str
        Event types in order, at least two, each once.
    within_hours : float
        Length of the window; an event exactly so long after the first is outside.
    start_us, end_us : int
        First steps in ``[start, end)`` count, microseconds since 1970 UTC.
    engine : Engine
        Where the events are.
    by_session : bool, default False
        Whether the steps must belong to one session, and sessions are counted instead of users.
    known_until_us : int, optional
        First instant that is not known, by default ``end_us``. First steps whose window reaches
        past it are left out: those users may still be on their way.
    level : float, default 0.95
        Level of the Wilson intervals.

    Returns
    -------
    Funnel
        Times are of each user's first attempt among those that got furthest.

    Raises
    ------
    ParameterError
        If there are fewer than two steps, one is named twice, or the window is not positive.

    Notes
    -----
    From a first step the earliest event of each next step is taken: no other choice gets further
    within the window.
    """
    if len(steps) < 2 or len(set(steps)) != len(steps):
        msg = f"funnel: steps must be at least two event types, each once; got {list(steps)!r}"
        raise ParameterError(msg)
    if not within_hours > 0:
        msg = f"funnel: within_hours must be > 0; got {within_hours!r}"
        raise ParameterError(msg)
    window_us = round(within_hours * US_PER_HOUR)
    unit = ("customer_id", "session_id") if by_session else ("customer_id",)
    limit = (end_us if known_until_us is None else known_until_us) - window_us
    attempts = _attempts(events, steps=steps, unit=unit, window_us=window_us).filter(
        nw.col("t1") >= start_us, nw.col("t1") < end_us, nw.col("t1") <= limit
    )
    best = engine.materialize(_best(attempts, steps=steps, unit=unit))
    wanted = {f"n{k}": nw.col(f"t{k}").count() for k in range(1, len(steps) + 1)} | {
        f"m{k}": ((nw.col(f"t{k}") - nw.col(f"t{k - 1}")) / US_PER_HOUR).median()
        for k in range(2, len(steps) + 1)
    }
    counted = engine.collect(best.select(**wanted)).to_pylist()[0]
    users = [int(counted[f"n{k}"]) for k in range(1, len(steps) + 1)]
    found = []
    for k, name in enumerate(steps):
        given = {"entered": users[k - 1], "converted": users[k], "level": level} if k else {}
        found.append(
            FunnelStep(
                event_type=name,
                users=users[k],
                conversion=funnel_conversion(**given) if k else None,
                drop_off=funnel_drop_off(**given) if k else None,
                share_of_first=funnel_conversion(entered=users[0], converted=users[k], level=level),
                median_hours=counted[f"m{k + 1}"] if k else None,
            )
        )
    return Funnel(steps=tuple(found))


def _attempts(
    events: nw.LazyFrame[Any], *, steps: Sequence[str], unit: tuple[str, ...], window_us: int
) -> nw.LazyFrame[Any]:
    """Return every event of the first step with ``t1`` … ``tk``, when each step followed, or null."""
    last = len(steps)
    number = nw.lit(0)
    for k, name in enumerate(steps, start=1):
        number = nw.when(nw.col("event_type") == name).then(nw.lit(k)).otherwise(number)
    rows = (
        events.filter(nw.col("event_type").is_in(list(steps)))
        .filter(*(~nw.col(name).is_null() for name in unit))
        .select(*unit, "ts_us", step=number)
    )
    # When step j follows an event, going back from the last step: the earliest of what follows the
    # events of the next step that are still to come.
    for k in range(last - 1, 0, -1):
        following = nw.col("step") == k + 1
        here = nw.col("step") == k
        new = {}
        for j in range(k + 1, last + 1):
            time = nw.col("ts_us") if j == k + 1 else nw.col(f"t{j}")
            soonest = (
                nw.when(following)
                .then(time.fill_null(NEVER_US))
                .otherwise(nw.lit(NEVER_US))
                .cum_min(reverse=True)
                .over(*unit, order_by=("ts_us", "step"))
            )
            # Rows of later steps keep their own times.
            kept = nw.when(following).then(time) if j == k + 1 else nw.col(f"t{j}")
            new[f"t{j}"] = nw.when(here).then(soonest).otherwise(kept)
        rows = rows.with_columns(**new)
    within = {
        f"t{j}": nw.when(nw.col(f"t{j}") - nw.col("ts_us") < window_us).then(nw.col(f"t{j}"))
        for j in range(2, last + 1)
    }
    times = {"t1": nw.col("ts_us"), **within}
    return rows.filter(nw.col("step") == 1).select(*unit, **times)


def _best(
    attempts: nw.LazyFrame[Any], *, steps: Sequence[str], unit: tuple[str, ...]
) -> nw.LazyFrame[Any]:
    """Return the first of each user's attempts that got furthest."""
    depth = nw.lit(1)
    for k in range(2, len(steps) + 1):
        reached = nw.when(nw.col(f"t{k}").is_null()).then(nw.lit(0)).otherwise(nw.lit(1))
        depth = depth + reached
    ranked = (
        attempts.with_columns(depth=depth)
        .with_columns(furthest=nw.col("depth").max().over(*unit))
        .filter(nw.col("depth") == nw.col("furthest"))
    )
    times = (nw.col(f"t{k}").min() for k in range(1, len(steps) + 1))
    # The first attempt has the earliest time of every step: later attempts reach none sooner.
    return ranked.group_by(*unit).agg(*times)
