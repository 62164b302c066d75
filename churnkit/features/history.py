"""Reads the configured tables into the history that features, labels and scores are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import order_span, order_table
from churnkit.data.products import product_lines
from churnkit.data.sources import load_table
from churnkit.errors import DataError, ModelGuardError
from churnkit.features.build import History

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from churnkit.data.contracts import TableReport
    from churnkit.data.sources import LoadedTable, TableSpec
    from churnkit.data.stays import StayRule
    from churnkit.data.windows import Snapshot
    from churnkit.engines import Engine

__all__ = ["ReadHistory", "read_history", "span_of", "with_others"]

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadHistory:
    """A history with the account of how it was read.

    Attributes
    ----------
    history : History
        ``orders`` and, where products are known, ``lines``; of subscribers perhaps neither.
    loaded : mapping of str to LoadedTable
        By table: the good rows, the rows set aside, and the report.
    first_day, end_day : date
        First business day with an order, and the day after the last with any row. Of subscribers:
        the day of the first start, and the day after the last start, order or row of another table;
        ends may be planned and prove nothing.
    order_columns : frozenset of str
        Columns of orders that are used.
    """

    history: History
    loaded: Mapping[str, LoadedTable]
    first_day: date
    end_day: date
    order_columns: frozenset[str]

    @property
    def reports(self) -> tuple[TableReport, ...]:
        """What was read from each table and what became of it."""
        return tuple(table.report for table in self.loaded.values())

    def beside(
        self,
        others: Mapping[str, LoadedTable],
        *,
        stays: StayRule | None = None,
        end_day: date | None = None,
    ) -> ReadHistory:
        """Return the same with further tables that features are made from.

        Parameters
        ----------
        others : mapping of str to LoadedTable
        stays : StayRule, optional
            Given, the customers are those of ``subscriptions``.
        end_day : date, optional
            The day after the last of the other tables; the history reaches so far.
        """
        tables = {**self.history.tables, **{name: t.rows for name, t in others.items()}}
        return replace(
            self,
            history=replace(self.history, tables=tables, stays=stays),
            loaded={**self.loaded, **others},
            end_day=max(self.end_day, end_day or self.end_day),
        )

    def history_before(self, snapshot: Snapshot) -> History:
        """Return the history made, by the same steps, of the order rows before a cutoff only.

        Of subscriptions too, with ends that are not known at the cutoff left out. Other tables stay
        whole: what is made of them is cut at every snapshot.
        """
        engine, tables = self.history.engine, dict(self.history.tables)
        if self.history.stays is not None:
            end, gone = snapshot.cutoff_us, nw.col("ended_at_us")
            known = tables["subscriptions"].filter(nw.col("started_at_us") < end)
            tables["subscriptions"] = known.with_columns(ended_at_us=nw.when(gone < end).then(gone))
        if "orders" not in self.loaded:
            return replace(self.history, tables=tables)
        lines = self.loaded["orders"]
        rows = lines.rows.filter(nw.col("ts_us") < snapshot.cutoff_us)
        tables["orders"] = order_table(
            rows, columns=self.order_columns, engine=engine, time_zone=snapshot.time_zone
        )
        if "lines" in tables:
            tables["lines"] = rows
        return replace(self.history, tables=tables)

    def customers_without_valid_rows(self) -> pa.Table:
        """Return ``customer_id`` of customers all of whose order rows were set aside.

        Rows that are only in the future of the run do not count: such customers are not yet known.
        """
        if "orders" not in self.loaded:
            import pyarrow as pa

            return pa.table({"customer_id": pa.array([], pa.string())})
        orders, engine = self.loaded["orders"], self.history.engine
        known = orders.rows.select("customer_id").unique()
        seen = orders.rejected_customers().unique()
        return engine.collect(seen.join(known, on="customer_id", how="anti")).sort_by("customer_id")


def read_history(
    tables: Mapping[str, TableSpec],
    *,
    engine: Engine,
    time_zone: str,
    order_columns: frozenset[str] | None = None,
    **rules: Any,
) -> ReadHistory:
    """Read and check every table, and make the order table.

    Parameters
    ----------
    tables : mapping of str to TableSpec
        By contract name; ``orders`` is needed.
    engine : Engine
        Where the tables are kept.
    time_zone : str
        Business zone.
    order_columns : frozenset of str, optional
        Columns of orders to use, as a model was trained with; by default all that there are.
    **rules
        ``as_of_us``, ``on_invalid``, ``refunds``, ``duplicates``: see
        :func:`churnkit.data.sources.load_table`.

    Raises
    ------
    DataError
        If a table cannot be read, breaks its contract, or holds no valid row, or if no row of
        orders is an order.
    ModelGuardError
        If ``order_columns`` names a column that the orders do not have.
    """
    loaded = {
        name: load_table(
            spec, contract=CONTRACTS[name](), engine=engine, time_zone=time_zone, **rules
        )
        for name, spec in tables.items()
    }
    lines = loaded["orders"]
    columns = lines.columns if order_columns is None else order_columns
    if missing := sorted(columns - lines.columns):
        msg = (
            f"orders: the model was trained with {', '.join(missing)};"
            f" {lines.report.source} has no such column"
        )
        raise ModelGuardError(msg)
    orders = order_table(lines.rows, columns=columns, engine=engine, time_zone=time_zone)
    kept = {"orders": orders}
    if "product_id" in columns:
        kept["lines"] = product_lines(lines.rows, columns=columns, engine=engine)
    kept |= {name: table.rows for name, table in loaded.items() if name != "orders"}
    first_day, _ = order_span(orders, engine=engine)
    # Refunds after the last order still say that the data reach so far.
    last = engine.collect(orders.select(last=nw.col("day").max())).to_pylist()[0]["last"]
    return ReadHistory(
        history=History(tables=kept, engine=engine),
        loaded=loaded,
        first_day=first_day,
        end_day=EPOCH + timedelta(days=int(last) + 1),
        order_columns=frozenset(columns),
    )


def span_of(tables: Iterable[LoadedTable]) -> tuple[date, date] | None:
    """Return the first business day of some tables and the day after their last; None without time."""
    # Registrations of customers are no activity: they say nothing of the time that was observed.
    reports = [table.report for table in tables if table.report.table != "customers"]
    days = [
        date.fromisoformat(moment[: len("2011-12-10")])
        for report in reports
        for moment in (report.first_at, report.last_at)
        if moment is not None
    ]
    return (min(days), max(days) + timedelta(days=1)) if days else None


def with_others(
    history: ReadHistory | None,
    others: Mapping[str, LoadedTable],
    *,
    stays: StayRule | None,
    engine: Engine,
) -> ReadHistory:
    """Return a history with the other tables that features are made from.

    Parameters
    ----------
    history : ReadHistory or None
        The orders, where there are any.
    others : mapping of str to LoadedTable
    stays : StayRule or None
        Given, the customers are those of ``subscriptions``, which are among the others.
    engine : Engine
        Where the tables are.

    Raises
    ------
    DataError
        If there is neither an order nor a subscription with a time.
    """
    if stays is None and history is not None:
        return history.beside(others)
    started = span_of([table for name, table in others.items() if name == "subscriptions"])
    reached = span_of(others.values())
    if started is None or reached is None:
        msg = "history: there must be orders or subscriptions; got neither"
        raise DataError(msg)
    if history is None:
        nothing = History(tables={}, engine=engine)
        history = ReadHistory(
            history=nothing,
            loaded={},
            first_day=started[0],
            end_day=started[1],
            order_columns=frozenset(),
        )
    history = replace(history, first_day=started[0])
    return history.beside(others, stays=stays, end_day=reached[1])
