"""Reference work on the same files: a plain group-by, and rfm as a good pandas or Polars user has it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speed_measure import Clock

__all__ = ["GroupBy", "group_by", "rfm_pandas", "rfm_polars"]

WINDOWS = (30, 90, 180, 365)
HALF_LIVES = (30, 180)
OBSERVED = 730
DAY = timedelta(days=1)


class GroupBy:
    """A group-by of a file by customer, count and sum: the unit that everything else is measured in.

    With ``events``, over the rows of both files, an event's amount being 0.
    """

    def __init__(self, path: str, *, threads: int, events: str | None = None) -> None:
        import duckdb

        self._con = duckdb.connect(config={"threads": threads})
        self._con.execute("SET enable_progress_bar = false")
        rows = f"'{path}'"
        if events is not None:
            both = f"SELECT customer_id, amount FROM '{path}' UNION ALL SELECT customer_id, 0.0"
            rows = f"({both} FROM '{events}')"
        self._sql = (
            "CREATE OR REPLACE TABLE found AS SELECT customer_id, count(*) AS n,"
            f" sum(amount) AS amount FROM {rows} GROUP BY customer_id"
        )

    def __call__(self) -> None:
        """Group once more."""
        self._con.execute(self._sql)


def group_by(
    clock: Clock, *, path: str, threads: int, times: int = 3, events: str | None = None
) -> None:
    """Group by customer a few times, with nothing else in the process."""
    unit = GroupBy(path, threads=threads, events=events)
    for i in range(times):
        with clock.step(f"run {i}"):
            unit()


def rfm_polars(clock: Clock, *, path: str, cutoffs: Sequence[str], threads: int) -> None:
    """Rfm in Polars: one sort, one lazy group-by a cutoff with all aggregates in it."""
    import polars as pl

    with clock.step("reading"):
        orders = (
            pl.scan_parquet(path)
            .select("customer_id", "ts", "amount")
            .with_columns(
                is_order=(pl.col("amount") > 0).cast(pl.Float64),
                day=pl.col("ts").dt.date(),
                paid=pl.when(pl.col("amount") > 0).then("amount"),
            )
            .sort("customer_id", "ts")
            .with_columns(
                is_day=(
                    (pl.col("is_order") == 1)
                    & (
                        pl.struct("customer_id", "day") != pl.struct("customer_id", "day").shift(1)
                    ).fill_null(value=True)
                ).cast(pl.Float64)
            )
            .collect(engine="streaming")
        )
    unit = GroupBy(path, threads=threads)
    for i, cutoff in enumerate(cutoffs):
        with clock.step("features"):
            _rfm_polars(orders.lazy(), datetime.fromisoformat(cutoff))
        with clock.step(f"run {i}"):
            unit()


def _rfm_polars(orders: Any, end: datetime) -> Any:
    import polars as pl

    age = (pl.lit(end) - pl.col("ts")).dt.total_microseconds() / 86_400e6
    known = orders.filter(pl.col("ts") >= end - OBSERVED * DAY, pl.col("ts") < end)
    aggregates = [
        pl.col("ts").filter(pl.col("is_order") == 1).max().alias("last"),
        pl.col("ts").filter(pl.col("is_order") == 1).min().alias("first"),
        pl.col("is_order").sum().alias("orders"),
        pl.col("is_day").sum().alias("order_days"),
        pl.col("amount").sum().alias("amount_sum"),
        pl.col("paid").drop_nulls().first().alias("first_amount"),
        pl.col("paid").drop_nulls().last().alias("last_amount"),
        pl.col("paid").max().alias("amount_max"),
    ]
    for d in WINDOWS:
        for length in (d, 2 * d):
            recent = pl.col("age") <= length
            aggregates += [
                pl.col("is_order").filter(recent).sum().alias(f"orders_{length}_{d}"),
                pl.col("amount").filter(recent).sum().alias(f"amount_{length}_{d}"),
            ]
        aggregates.append(pl.col("is_day").filter(pl.col("age") <= d).sum().alias(f"days_{d}"))
    for h in HALF_LIVES:
        weight = (pl.col("age") * (-0.6931471805599453 / h)).exp()
        aggregates += [
            (pl.col("is_order") * weight).sum().alias(f"orders_decayed_{h}"),
            (pl.col("amount") * weight).sum().alias(f"amount_decayed_{h}"),
        ]
    grouped = known.with_columns(age=age).group_by("customer_id").agg(aggregates)
    derived = [
        ((pl.lit(end) - pl.col("last")).dt.total_seconds() / 86_400).alias("recency"),
        ((pl.lit(end) - pl.col("first")).dt.total_seconds() / 86_400).alias("tenure"),
        (pl.col("amount_sum") / pl.col("orders")).alias("average"),
    ]
    for d in WINDOWS:
        now, both = pl.col(f"orders_{d}_{d}"), pl.col(f"orders_{2 * d}_{d}")
        spent, both_spent = pl.col(f"amount_{d}_{d}"), pl.col(f"amount_{2 * d}_{d}")
        derived += [
            (2 * now - both).alias(f"orders_change_{d}"),
            (2 * spent - both_spent).alias(f"amount_change_{d}"),
            (now / both).alias(f"share_{d}"),
        ]
    return grouped.with_columns(derived).collect(engine="streaming")


def rfm_pandas(clock: Clock, *, path: str, cutoffs: Sequence[str], threads: int) -> None:
    """Rfm in pandas: customers as codes, one sort, vectorised columns and one built-in sum a cutoff."""
    import pandas as pd

    with clock.step("reading"):
        orders = pd.read_parquet(path, columns=["customer_id", "ts", "amount"])
        orders["customer"] = pd.factorize(orders.pop("customer_id"))[0].astype("int32")
        orders = orders.sort_values(["customer", "ts"], ignore_index=True)
        orders["is_order"] = (orders["amount"] > 0).astype("float64")
        day = orders["ts"].dt.floor("D")
        same = (day == day.shift()) & (orders["customer"] == orders["customer"].shift())
        orders["is_day"] = orders["is_order"].where(~same, 0.0)
    unit = GroupBy(path, threads=threads)
    for i, cutoff in enumerate(cutoffs):
        with clock.step("features"):
            _rfm_pandas(orders, pd.Timestamp(cutoff))
        with clock.step(f"run {i}"):
            unit()


def _rfm_pandas(orders: Any, end: Any) -> Any:
    import numpy as np
    import pandas as pd

    inside = (orders["ts"] >= end - OBSERVED * DAY) & (orders["ts"] < end)
    known = orders[inside]
    age = ((end - known["ts"]).dt.total_seconds() / 86_400).to_numpy()
    order, amount = known["is_order"].to_numpy(), known["amount"].to_numpy()
    day, customer = known["is_day"].to_numpy(), known["customer"].to_numpy()
    sums = {"orders": order, "order_days": day, "amount_sum": amount}
    for d in WINDOWS:
        for length in (d, 2 * d):
            recent = age <= length
            sums[f"orders_{length}_{d}"] = order * recent
            sums[f"amount_{length}_{d}"] = amount * recent
        sums[f"days_{d}"] = day * (age <= d)
    for h in HALF_LIVES:
        weight = np.exp(age * (-np.log(2.0) / h))
        sums[f"orders_decayed_{h}"], sums[f"amount_decayed_{h}"] = order * weight, amount * weight
    found = pd.DataFrame(sums).groupby(customer, sort=False).sum()
    paid = known[known["is_order"] == 1].groupby("customer", sort=False)
    ends = paid.agg(
        first=("ts", "first"),
        last=("ts", "last"),
        first_amount=("amount", "first"),
        last_amount=("amount", "last"),
        amount_max=("amount", "max"),
    )
    found = found.join(ends)
    found["recency"], found["tenure"] = end - found["last"], end - found["first"]
    found["average"] = found["amount_sum"] / found["orders"]
    for d in WINDOWS:
        now, both = found[f"orders_{d}_{d}"], found[f"orders_{2 * d}_{d}"]
        found[f"orders_change_{d}"], found[f"share_{d}"] = 2 * now - both, now / both
        spent = found[f"amount_{d}_{d}"]
        found[f"amount_change_{d}"] = 2 * spent - found[f"amount_{2 * d}_{d}"]
    return found
