"""Reads an input table, checks every row, and keeps the good ones in the engine."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from churnkit.data.account import account, raise_on_faults
from churnkit.data.clock import transitions
from churnkit.data.columns import (
    filter_clause,
    mapped_columns,
    select_typed,
    with_computed,
    with_constants,
    with_utc,
)
from churnkit.data.contracts import TableContract, TableReport, row_checks
from churnkit.data.origins import SOURCES, Source, source_of
from churnkit.data.quarantine import (
    customers_set_aside,
    rejected_rows,
    sort_out,
)
from churnkit.engines import ENGINE_SAYS
from churnkit.errors import DataError, ParameterError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import narwhals as nw

    from churnkit.engines import Engine

__all__ = [
    "SOURCES",
    "LoadedTable",
    "Source",
    "TableSpec",
    "load_table",
    "source_of",
]

CHOICES = {
    "on_invalid": ("quarantine", "raise"),
    "refunds": ("net", "drop", "raise"),
    "duplicates": ("keep", "drop"),
}


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """Which source, and which of its columns are the contract's.

    Parameters
    ----------
    source : str, path or frame
        A path, a glob, ``table:NAME`` of Spark's catalog, or a pandas, Polars or Arrow frame.
    columns : mapping of str to str
        Contract name → name in the source. A contract column that is not named here is looked for
        under its own name.
    not_there : frozenset of str
        Contract names of optional columns that are not looked for.
    filter : str, optional
        SQL condition on the source's own columns. Columns of a CSV file are text:
        ``"CAST(quantity AS INTEGER) > 0"``.
    label : str, optional
        How messages name the source; by default its path.
    constants : mapping of str to str
        Contract name → text of every row, for what no column of the source says.
    computed : mapping of str to str
        New column → SQL expression on the source's own columns, in the engine's SQL, for what the
        source holds in another form: ``{"total": "quantity * unit_price"}``. ``columns`` and
        ``filter`` name it as they name any other.
    encoding : {"utf-8", "latin-1", "utf-16"}
        Of the text of CSV files.
    """

    source: Any
    columns: Mapping[str, str] = field(default_factory=dict)
    not_there: frozenset[str] = frozenset()
    filter: str | None = None
    label: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    computed: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"

    def column(self, name: str) -> str:
        """Return the source's name of a contract column."""
        return self.columns.get(name, name)

    @property
    def described(self) -> str:
        """The source as messages name it."""
        if self.label:
            return self.label
        if isinstance(self.source, (str, os.PathLike)):
            return os.fspath(self.source)
        return f"{type(self.source).__name__} in memory"


@dataclass(frozen=True, kw_only=True)
class LoadedTable:
    """The good rows of a table, the rows set aside, and the report that accounts for both.

    Attributes
    ----------
    rows : narwhals.LazyFrame
        The contract's columns that the source has: ids and text as text without surrounding white
        space (null where blank), numbers as doubles, times as ``<name>_us``.
    rejected : narwhals.LazyFrame
        The same columns as text as it stands in the source, and ``reason`` in words.
    report : TableReport
        Counts.
    columns : frozenset of str
        Contract columns that the source has.
    marked : narwhals.LazyFrame
        The rows set aside, each with ``faults``: the names of the checks that it breaks, each with a
        ``;``.
    """

    rows: nw.LazyFrame[Any]
    rejected: nw.LazyFrame[Any]
    report: TableReport
    columns: frozenset[str]
    marked: nw.LazyFrame[Any]

    def rejected_customers(self) -> nw.LazyFrame[Any]:
        """Return ``customer_id`` of the rows set aside, one row for each.

        Left out are rows without a sound id, and rows in the future of the run: whoever is only
        there is not known yet.
        """
        return customers_set_aside(self.marked)


def load_table(
    spec: TableSpec,
    *,
    contract: TableContract,
    engine: Engine,
    time_zone: str,
    as_of_us: int | None = None,
    now_us: int | None = None,
    on_invalid: Literal["quarantine", "raise"] = "quarantine",
    refunds: Literal["net", "drop", "raise"] = "net",
    duplicates: Literal["keep", "drop"] = "keep",
) -> LoadedTable:
    """Read a table, check every row, and keep the good ones in the engine.

    Parameters
    ----------
    spec : TableSpec
        The source and its column mapping.
    contract : TableContract
        What the table must look like.
    engine : Engine
        Where the rows are read and kept.
    time_zone : str
        Business zone of naive times.
    as_of_us : int, optional
        First instant that the run must not know; rows at or after it are set aside.
    now_us : int, optional
        The wall clock, by default the machine's. Without ``as_of_us``, rows later than a day after
        it are set aside.
    on_invalid : {"quarantine", "raise"}
        Whether broken rows are set aside or stop the run.
    refunds : {"net", "drop", "raise"}
        Negative amounts: kept, set aside, or an error.
    duplicates : {"keep", "drop"}
        Exact repetitions of a row, in all mapped columns: reported and kept, or reported and all
        but one set aside.

    Raises
    ------
    DataError
        If the source cannot be read, lacks a required column or holds no valid row, or a check
        fails and ``on_invalid`` is ``"raise"``.
    ConfigError
        If the filter or a computed column is not SQL on the source's columns.
    """
    _check_choices(on_invalid=on_invalid, refunds=refunds, duplicates=duplicates)
    transitions(time_zone)
    source = source_of(spec.source, encoding=spec.encoding)
    with _speaking_of(contract.name):
        ids = frozenset(spec.column(c.name) for c in contract.columns if c.kind == "id")
        view = source.view(engine, ids=ids)
        types = engine.column_types(view)
        if spec.constants:
            view = with_constants(spec, view=view, types=types)
            types = engine.column_types(view)
        if spec.computed:
            view = with_computed(spec, table=contract.name, view=view, types=types, engine=engine)
            types = engine.column_types(view)
        mapping = mapped_columns(spec, contract=contract, types=types)
        query = select_typed(view, contract=contract, mapping=mapping, types=types, engine=engine)
    texts = {name: engine.is_text(types[column]) for name, column in mapping.items()}
    now = time.time_ns() // 1000 if now_us is None else now_us
    checks = row_checks(contract, texts=texts, as_of_us=as_of_us, now_us=now, refunds=refunds)
    where = filter_clause(spec, view=view, contract=contract, engine=engine)
    note = f" (data.{contract.name}.filter is {spec.filter!r})" if where else ""
    drop_repeated = duplicates == "drop"
    with _speaking_of(f"{contract.name}: {spec.described}", note=note):
        typed = with_utc(
            engine.select(query + where), contract=contract, mapping=mapping, time_zone=time_zone
        )
        rows = sort_out(
            typed,
            checks=checks,
            drop_repeated=drop_repeated,
            by="customer_id" if contract.name == "orders" else None,
            engine=engine,
        )
    report = account(
        rows,
        checks=checks,
        contract=contract,
        texts=texts,
        drop_repeated=drop_repeated,
        source=spec.described,
        files=source.files,
        time_zone=time_zone,
        engine=engine,
    )
    raise_on_faults(report, only=None if on_invalid == "raise" else "amount_negative")
    _refuse_empty(report, note=note)
    return LoadedTable(
        rows=rows.good,
        rejected=rejected_rows(rows.bad, checks=checks, contract=contract, texts=texts),
        report=report,
        columns=frozenset(mapping),
        marked=rows.bad,
    )


def _check_choices(**given: str) -> None:
    for name, value in given.items():
        if value not in CHOICES[name]:
            known = ", ".join(CHOICES[name])
            guess = did_you_mean(str(value), CHOICES[name])
            msg = f"data.{name} is a choice; got {value!r}.{guess} Known: {known}."
            raise ParameterError(msg)


@contextmanager
def _speaking_of(where: str, *, note: str = "") -> Iterator[None]:
    """Name the table in the sentence of an error below."""
    try:
        yield
    except DataError as error:
        msg = f"{where}: {str(error).removeprefix(ENGINE_SAYS)}{note}"
        raise DataError(msg) from error


def _refuse_empty(report: TableReport, *, note: str) -> None:
    """Refuse a table without a valid row."""
    if not report.rows_used:
        why = "".join(f"; {c.sentence} in {c.rows:,}" for c in report.checks if c.rows)
        rows = f"no valid row ({report.rows_read:,} read){why}" if report.rows_read else "no row"
        in_another_form = ("_unparsable", "_not_numeric")
        every = [c.name for c in report.checks if 0 < report.rows_read == c.rows]
        if any(name.endswith(in_another_form) for name in every):
            note += f"; data.{report.table}.computed can convert it, see docs/config.md"
        msg = f"{report.table}: {report.source} holds {rows}{note}"
        raise DataError(msg)
