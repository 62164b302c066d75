"""Movements of the monthly recurring revenue between the boundaries of periods."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.errors import DataError
from churnkit.retention.order_counts import CustomerCounts, with_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.engines import Engine
    from churnkit.retention.periods import Period, Periods

__all__ = [
    "MOVEMENT_COLUMNS",
    "MrrMovement",
    "SubscriptionCounts",
    "count_subscriptions",
    "subscription_states",
]

ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class MrrMovement:
    """How the monthly recurring revenue of a segment came from one boundary to the next.

    Always ``start_mrr + new + expansion + reactivation - contraction - churn = end_mrr``: checked
    when the object is made.

    Parameters
    ----------
    period : Period
        The period.
    segment : str
        The segment.
    start_mrr, end_mrr : float
        MRR just before the period's first instant, and just before its end, in currency.
    new : float
        Of customers whose first subscription ever starts in the period.
    expansion, contraction : float
        More and less, of customers with a subscription at both boundaries; both >= 0.
    churn : float
        Of customers at the start without a subscription at the end, >= 0.
    reactivation : float
        Of customers at the end, not at the start, who once had a subscription.
    """

    period: Period
    segment: str
    start_mrr: float
    new: float
    expansion: float
    contraction: float
    churn: float
    reactivation: float
    end_mrr: float

    def __post_init__(self) -> None:
        gains = self.new + self.expansion + self.reactivation
        balance = self.start_mrr + gains - self.contraction - self.churn
        if abs(balance - self.end_mrr) > ROUNDING * (abs(self.start_mrr) + abs(self.end_mrr) + 1.0):
            msg = (
                f"subscriptions: period {self.period.start}, segment {self.segment!r}: MRR at the"
                f" start and its movements must give the MRR at the end; got {balance!r} and"
                f" {self.end_mrr!r}"
            )
            raise DataError(msg)

    def as_row(self) -> dict[str, Any]:
        """Return the fields by :data:`MOVEMENT_COLUMNS`."""
        row = {name: getattr(self, name) for name in MOVEMENT_COLUMNS if not name.startswith("per")}
        return {"period_start": self.period.start, "period_end": self.period.end, **row}


MOVEMENT_COLUMNS = (
    "period_start",
    "period_end",
    *(name.name for name in fields(MrrMovement) if name.name != "period"),
)
"""Columns of a table of movements."""


@dataclass(kw_only=True)
class SubscriptionCounts(CustomerCounts):
    """Counts of subscribers, and their recurring revenue in currency; see :class:`MrrMovement`.

    ``there`` is all with a subscription in the period, whether or not at its start or end.
    """

    there: int = 0
    mrr: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def subscription_states(
    subscriptions: nw.LazyFrame[Any], *, periods: Periods, has_mrr: bool, engine: Engine
) -> nw.LazyFrame[Any]:
    """Return one row per customer and period with a subscription in it, at its start or its end.

    Parameters
    ----------
    subscriptions : narwhals.LazyFrame
        ``customer_id``, ``started_at_us``, ``ended_at_us`` (null while it runs) and, if
        ``has_mrr``, ``mrr``.
    periods : Periods
        The periods.
    has_mrr : bool
        Whether there is an ``mrr``; it is 0 otherwise.
    engine : Engine
        Where the table is.

    Returns
    -------
    narwhals.LazyFrame
        ``customer_id``, ``period``; ``n_start`` and ``n_end``, the subscriptions that run just
        before the period's first instant and just before its end; ``start_mrr`` and ``end_mrr``,
        their sums; ``is_first`` 1 if the customer's first subscription starts in the period,
        else 0.
    """
    started, ended = nw.col("started_at_us"), nw.col("ended_at_us")
    mrr = nw.col("mrr") if has_mrr else nw.lit(0.0)
    lines = subscriptions.select("customer_id", "started_at_us", "ended_at_us", mrr=mrr)
    count = len(periods.each)
    running = engine.materialize(
        lines.join(_marks(periods.boundaries_us, engine=engine), how="cross")
        .filter(started < nw.col("at_us"), ended.is_null() | (ended >= nw.col("at_us")))
        .group_by("customer_id", "boundary")
        .agg(nw.len().cast(nw.Int64).alias("n"), nw.col("mrr").sum())
    )
    boundary, none, nothing = nw.col("boundary"), nw.lit(0), nw.lit(0.0)
    started_in = periods.index(started)
    absent = {
        "n_start": none,
        "n_end": none,
        "start_mrr": nothing,
        "end_mrr": nothing,
        "is_first": none,
    }

    def rows(frame: nw.LazyFrame[Any], period: nw.Expr, **said: nw.Expr) -> nw.LazyFrame[Any]:
        return frame.select("customer_id", period=period, **{**absent, **said}).filter(
            nw.col("period") >= 0, nw.col("period") < count
        )

    n, sum_mrr = nw.col("n"), nw.col("mrr")
    starts = lines.group_by("customer_id").agg(first_us=started.min())
    parts = [
        rows(running, boundary, n_start=n, start_mrr=sum_mrr),
        rows(running, boundary - 1, n_end=n, end_mrr=sum_mrr),
        rows(starts, periods.index(nw.col("first_us")), is_first=nw.lit(1)),
        # Who comes back and leaves within the period is at neither end of it.
        rows(lines.filter(started_in == periods.index(ended)), started_in),
    ]
    kinds = {"customer_id": nw.String, "start_mrr": nw.Float64, "end_mrr": nw.Float64}
    names = ("customer_id", "period", "n_start", "n_end", "start_mrr", "end_mrr", "is_first")
    typed = [
        part.select(*(nw.col(name).cast(kinds.get(name, nw.Int64)()) for name in names))
        for part in parts
    ]
    sums = [
        *(nw.col(name).sum().cast(nw.Int64) for name in ("n_start", "n_end")),
        *(nw.col(name).sum() for name in ("start_mrr", "end_mrr")),
        nw.col("is_first").max().cast(nw.Int64),
    ]
    return nw.concat(typed).group_by("customer_id", "period").agg(*sums)


def _marks(boundaries_us: Sequence[int], *, engine: Engine) -> nw.LazyFrame[Any]:
    """Return a row per boundary: its position and its instant."""
    import pyarrow as pa

    marks = {"boundary": range(len(boundaries_us)), "at_us": boundaries_us}
    table = pa.table({name: pa.array(values, pa.int64()) for name, values in marks.items()})
    return engine.select(f"SELECT * FROM {engine.add_arrow(table)}")


def movement_columns() -> dict[str, nw.Expr]:
    """Return what each customer of :func:`subscription_states` adds to each movement of the MRR."""
    at_start, at_end = nw.col("n_start") > 0, nw.col("n_end") > 0
    start, end, nothing = nw.col("start_mrr"), nw.col("end_mrr"), nw.lit(0.0)
    both = at_start & at_end
    change = end - start

    def where(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
        return nw.when(condition).then(value).otherwise(nothing)

    return {
        "new": where(~at_start & (nw.col("is_first") == 1), end),
        "expansion": where(both & (change > 0), change),
        "contraction": where(both & (change < 0), -change),
        "churn": where(at_start & ~at_end, start),
        "reactivation": where(~at_start & at_end & (nw.col("is_first") == 0), end),
    }


def count_subscriptions(
    states: nw.LazyFrame[Any],
    *,
    positions: Sequence[int],
    segments: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> dict[tuple[int, str], SubscriptionCounts]:
    """Count subscribers and sum the movements of their revenue, by period and segment.

    Parameters
    ----------
    states : narwhals.LazyFrame
        See :func:`subscription_states`.
    positions : sequence of int
        Periods that are wanted.
    segments : narwhals.LazyFrame or None
        ``customer_id``, once each, and ``segment``.
    engine : Engine
        Where the frames are.

    Raises
    ------
    DataError
        If the counts contradict each other.
    """
    one, none = nw.lit(1), nw.lit(0)
    kinds = (
        with_segments(states.filter(nw.col("period").is_in(list(positions))), segments)
        .with_columns(
            **movement_columns(),
            at_start=nw.when(nw.col("n_start") > 0).then(one).otherwise(none),
            at_end=nw.when(nw.col("n_end") > 0).then(one).otherwise(none),
        )
        .group_by("segment", "period", "at_start", "at_end", "is_first")
        .agg(
            nw.len().cast(nw.Int64).alias("customers"),
            *(nw.col(name).sum() for name in ("start_mrr", "end_mrr", *MOVEMENTS)),
        )
    )
    found: dict[tuple[int, str], SubscriptionCounts] = defaultdict(SubscriptionCounts)
    for row in engine.collect(kinds).to_pylist():
        counts, n = found[row["period"], row["segment"]], row["customers"]
        at_start, at_end, is_first = (bool(row[c]) for c in ("at_start", "at_end", "is_first"))
        counts.there += n
        counts.start += n * at_start
        counts.end += n * at_end
        counts.retained += n * (at_start and at_end)
        counts.lost += n * (at_start and not at_end)
        counts.new += n * (not at_start and at_end and is_first)
        counts.reactivated += n * (not at_start and at_end and not is_first)
        counts.joined += n * is_first
        for name in ("start_mrr", "end_mrr", *MOVEMENTS):
            counts.mrr[name] += row[name]
    for (position, segment), counts in found.items():
        counts.check(f"subscriptions: period {position}, segment {segment!r}")
    return dict(found)


MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")
"""Kinds of movement."""
