"""The tables of a run, and the one place where the future is cut away from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.stays import stays_at
from churnkit.data.windows import midnight_us
from churnkit.errors import ConfigError
from churnkit.features.cut import first_time, known_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.data.stays import StayRule
    from churnkit.data.windows import Snapshot
    from churnkit.engines import Engine

__all__ = ["History", "Known"]

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class History:
    """The checked tables of a run, kept in one engine.

    Parameters
    ----------
    tables : mapping of str to narwhals.LazyFrame
        By name: ``orders`` (see :func:`churnkit.data.orders.order_table`), ``lines``, and the
        checked rows of any other input table.
    engine : Engine
        Where they are.
    stays : StayRule, optional
        Given, the customers are those of ``subscriptions``, and this says what joins their periods;
        without it they are those of ``orders``.
    """

    tables: Mapping[str, nw.LazyFrame[Any]]
    engine: Engine
    stays: StayRule | None = None

    def sample(self, share: float, *, seed: int) -> History:
        """Return the history of about a share of the customers, all rows of each.

        Who is drawn follows from the id and the seed, the same on every engine. All customers are
        drawn with one probability, so that rates and means are those of everybody: each customer
        drawn stands for ``1 / share`` of them.
        """
        drawn = {
            name: self.engine.sample(table, by="customer_id", share=share, seed=seed)
            if "customer_id" in table.collect_schema().names()
            else table
            for name, table in self.tables.items()
        }
        order = {"orders": ("customer_id", "ts_us")}
        kept = {
            name: self.engine.materialize(table, sort_by=order.get(name, ()))
            for name, table in drawn.items()
        }
        return History(tables=kept, engine=self.engine, stays=self.stays)

    def known(self, snapshot: Snapshot) -> Known:
        """Return the tables as they were known at the cutoff; see :func:`~.cut.known_rows`."""
        cut = {
            name: known_rows(table, name=name, snapshot=snapshot)
            for name, table in self.tables.items()
        }
        return Known(
            tables=cut,
            snapshot=snapshot,
            engine=self.engine,
            stays=self.stays_at(snapshot),
            first_day=self._first_order_day,
            first_us=self._first_us,
            most_order_rows=self._most_order_rows,
        )

    def stays_at(self, snapshot: Snapshot) -> nw.LazyFrame[Any] | None:
        """Return how long subscribers have stayed; see :func:`~churnkit.data.stays.stays_at`."""
        if self.stays is None:
            return None
        rows = self.tables["subscriptions"]
        return stays_at(rows, rule=self.stays, cutoff_us=snapshot.cutoff_us)

    @cached_property
    def _first_order_day(self) -> int | None:
        """Business day of the oldest row of orders, days since 1970; None without rows."""
        if "orders" not in self.tables:
            return None
        oldest = self.tables["orders"].select(nw.col("day").min())
        found = self.engine.collect(oldest).to_pylist()[0]["day"]
        return None if found is None else int(found)

    @cached_property
    def _most_order_rows(self) -> int:
        """Rows of orders of the customer who has the most; 0 without rows."""
        if "orders" not in self.tables:
            return 0
        rows = self.tables["orders"].group_by("customer_id").agg(rows=nw.len().cast(nw.Int64))
        most = self.engine.collect(rows.select(nw.col("rows").max())).to_pylist()[0]["rows"]
        return 0 if most is None else int(most)

    @cached_property
    def _first_us(self) -> dict[str, int]:
        """First instant of each table that has times and rows, orders left out."""
        found = {}
        for name, table in self.tables.items():
            column = first_time(name)
            if name in {"orders", "lines"} or column is None:
                continue
            if column in table.collect_schema().names():
                oldest = self.engine.collect(table.select(first=nw.col(column).min()))
                found[name] = oldest["first"][0].as_py()
        return {name: int(first) for name, first in found.items() if first is not None}


@dataclass(frozen=True, kw_only=True)
class Known:
    """The tables of a history cut at a snapshot's cutoff, each with ``age_days`` before it (> 0).

    Attributes
    ----------
    most_order_rows : int
        No customer has more rows of orders, those of the future included.
    first_day : int or None
        Business day of the oldest row of orders that the history has, days since 1970.
    first_us : mapping of str to int
        First instant that the history has of each other table with times; tables without rows are
        absent.
    stays : narwhals.LazyFrame or None
        How long subscribers have stayed, where the customers are those of ``subscriptions``.
    """

    tables: Mapping[str, nw.LazyFrame[Any]]
    snapshot: Snapshot
    engine: Engine
    most_order_rows: int
    first_day: int | None = None
    first_us: Mapping[str, int] = field(default_factory=dict)
    stays: nw.LazyFrame[Any] | None = None

    @property
    def cutoff_day(self) -> int:
        """The cutoff as ``day`` counts: days since 1970. The last ``d`` days: ``day >= this - d``."""
        return (self.snapshot.cutoff - EPOCH).days

    def days_ago_us(self, days: int) -> int:
        """Return the first instant of the business day so many days before the cutoff."""
        day = self.snapshot.cutoff - timedelta(days=days)
        return midnight_us(day, time_zone=self.snapshot.time_zone)

    def reaches_back(self, days: int, *, table: str = "orders") -> bool:
        """Return whether the last ``days`` days of a table were observed in full.

        A comparison with a time before the first row of the table, or before the observation
        interval, would take "not recorded" for "did not happen".
        """
        if table == "orders":
            recorded = self.first_day is not None and self.first_day <= self.cutoff_day - days
        else:
            first = self.first_us.get(table)
            recorded = first is not None and first < self.days_ago_us(days - 1)
        return recorded and days <= self.snapshot.observation_days

    @property
    def everybody(self) -> nw.LazyFrame[Any]:
        """``customer_id`` of the customers whose features are built, once each."""
        rows = self["orders"] if self.stays is None else self.stays
        return rows.select("customer_id").unique()

    def __getitem__(self, name: str) -> nw.LazyFrame[Any]:
        """Return a table, or say that the data has none of this name."""
        if name not in self.tables:
            msg = f"features: a builder needs the table data.{name}, which is not configured"
            raise ConfigError(msg)
        return self.tables[name]
