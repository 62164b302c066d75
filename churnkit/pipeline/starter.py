"""The verb ``init``: a configuration for data files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.config import StarterTable, starter_config
from churnkit.config.values import DATA_FILE
from churnkit.data.origins import encoding_of, source_of
from churnkit.data.sinks import write_text
from churnkit.engines import DuckDBEngine, literal, quoted
from churnkit.errors import ParameterError
from churnkit.pipeline.billing import billed_monthly, price_of_one_seat
from churnkit.pipeline.converting import DATES, convert_table, time_columns
from churnkit.pipeline.event_names import EventNames, event_names
from churnkit.pipeline.meant import orders_as_meant, several_currencies
from churnkit.pipeline.order_lines import LINES, JoinedLines, join_lines, joined_source
from churnkit.pipeline.recognising import (
    RecognisedFile,
    recognise,
    recognise_files,
    refuse_nothing_to_learn,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Starter", "init"]


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A configuration written for data files.

    Attributes
    ----------
    output : Path
    tables : mapping of str to StarterTable
        What the configuration says of each table, orders first.
    notes : tuple of str
        What is left for people to decide.
    """

    output: Path
    tables: Mapping[str, StarterTable]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "output": str(self.output),
            "tables": {
                name: {
                    "source": table.source,
                    "columns": dict(table.columns),
                    "computed": dict(table.computed),
                    "filter": table.filter,
                    "encoding": table.encoding,
                    "joined": dict(table.joined),
                    "query": table.query,
                }
                for name, table in self.tables.items()
            },
            "notes": list(self.notes),
        }


def init(
    *files: str | Path,
    output: Path | str | None = None,
    time_zone: str = "UTC",
    column: Sequence[str] = (),
    dates: str | None = None,
    replace: bool = False,
) -> Starter:
    """Write a commented configuration for data files by looking at their columns and values.

    Parameters
    ----------
    *files : path
        ``.parquet``, ``.csv``, ``.tsv`` or ``.txt`` files, the last three also with ``.gz``, or globs
        of them: orders, events, subscriptions and others. ``TABLE=FILE`` says which table one is
        where the columns do not; a log of events can be given twice, as ``events`` and, for its
        purchases or visits, as ``orders``.
    output : path, optional
        By default the name of the orders' file, else of the first, with ``.yaml``, in the working
        directory.
    time_zone : str
        Business zone of naive times.
    column : sequence of str
        ``OURS=THEIRS`` for columns whose names say nothing: ``customer_id=Loyalty Card``.
    dates : {"dmy", "mdy"}, optional
        Whether the day or the month is first in dates that can be read both ways, like 01/02/2024.
        Nothing is guessed: without it such dates are refused.
    replace : bool
        Whether an existing file may be replaced.

    Raises
    ------
    DataError
        If a file cannot be read, is of no table or may be of several, none has orders or
        subscriptions, or values can be read in two ways.
    ParameterError
        If ``output`` exists, a table or a column that was said does not, or ``dates`` is none of
        the two.
    """
    if dates is not None and dates not in DATES:
        msg = f"init: dates must be 'dmy' (day first) or 'mdy' (month first); got {dates!r}"
        raise ParameterError(msg)
    named = [_pair(one) for one in column]
    with DuckDBEngine() as engine:
        given = _open_files(map(str, files), named=named, engine=engine)
        found = recognise_files(
            given.columns,
            said=given.said,
            times=lambda file: time_columns(given.views[file], engine=engine),
            named=named,
        )
        refuse_nothing_to_learn(found)
        name, target = _name_and_target(found[0].source, output=output, replace=replace)
        looked = {
            one.table: _look(
                one,
                given=given,
                dates=dates,
                named=named,
                engine=engine,
            )
            for one in found
        }
    tables = _starter_tables(looked, given)
    text = starter_config(
        name,
        tables,
        engagement=looked["events"].engagement if "events" in looked else {},
        days=looked["orders"].days if "orders" in looked else None,
        time_zone=time_zone,
    )
    write_text(target, text)
    return Starter(output=target, tables=tables, notes=tuple(_notes(looked, given)))


@dataclass(frozen=True, kw_only=True)
class _Given:
    """The files that were given, as the engine reads them.

    Views, columns and encodings are by path, and so are the tables of which it was said that a file
    is one. Where lines join their orders, the orders' path stands for both.
    """

    views: Mapping[str, str]
    columns: Mapping[str, Sequence[str]]
    encodings: Mapping[str, str]
    said: Mapping[str, Sequence[str]]
    both: JoinedLines | None


def _open_files(
    files: Iterable[str], *, named: Sequence[tuple[str, str]], engine: DuckDBEngine
) -> _Given:
    """Open the files, and join those that are orders and their lines."""
    said: dict[str, list[str]] = {}
    views, columns, encodings = {}, {}, {}
    for given in files:
        table, _, path = given.rpartition("=")
        if not re.fullmatch(r"\w+", table):
            table, path = "", given
        if not DATA_FILE.search(path):
            msg = f"{path}: files of data end in .parquet, .csv, .tsv or .txt, the last three also in .gz"
            raise ParameterError(msg)
        said.setdefault(path, []).append(table)
        encodings[path] = encoding_of(path)
        views[path] = source_of(path, encoding=encodings[path]).view(engine, ids=frozenset())
        columns[path] = list(engine.column_types(views[path]))
    if (both := join_lines(columns, said=said, named=named)) is not None:
        encodings[both.head] = encoding_of(both.head, both.lines)
        views[both.head] = joined_source(both, encoding=encodings[both.head]).view(engine)
        columns[both.head] = list(engine.column_types(views[both.head]))
        del columns[both.lines]
    return _Given(views=views, columns=columns, encodings=encodings, said=said, both=both)


def _name_and_target(first: str, *, output: Path | str | None, replace: bool) -> tuple[str, Path]:
    """Return the name of the run and the file to write, which must not be there already."""
    stem = DATA_FILE.sub("", Path(first).name)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "orders"
    target = Path(output or f"{name}.yaml")
    if target.exists() and not replace:
        msg = f"{target}: the file exists; give another --output, or --force to replace it"
        raise ParameterError(msg)
    return name, target


def _starter_tables(looked: Mapping[str, _Looked], given: _Given) -> dict[str, StarterTable]:
    """Return the tables with how their files are read."""
    tables = {
        name: changed(one.table, encoding=given.encodings[one.table.source])
        for name, one in looked.items()
    }
    if (both := given.both) is not None:
        tables["orders"] = changed(tables["orders"], joined={LINES: both.lines}, query=both.query)
    return tables


def _notes(looked: Mapping[str, _Looked], given: _Given) -> Iterator[str]:
    """Yield what is left for people to decide: of the values, then of the files."""
    for one in looked.values():
        yield from one.notes
    if (both := given.both) is not None:
        yield f"{both.lines} holds the lines of the orders in {both.head} and is joined to it"
    for path, encoding in given.encodings.items():
        if encoding != "utf-8":
            yield f"{path} is no UTF-8 text and is read as {encoding}"


def _pair(said: str) -> tuple[str, str]:
    """Return our name and the file's of ``OURS=THEIRS``."""
    ours, sign, theirs = said.partition("=")
    if not (ours and sign and theirs):
        msg = f"init: column must look like customer_id=NAME; got {said!r}"
        raise ParameterError(msg)
    return ours, theirs


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """What the values of a file say."""

    table: StarterTable
    days: int | None
    engagement: Mapping[str, object]
    notes: tuple[str, ...]


def _look(
    one: RecognisedFile,
    *,
    given: _Given,
    dates: str | None,
    named: Sequence[tuple[str, str]],
    engine: DuckDBEngine,
) -> _Looked:
    """Look at the values of a file."""
    view, all_of = given.views[one.source], given.columns[one.source]
    bought: str | None = None
    engagement: Mapping[str, object] = {}
    notes = several_currencies(view, all_of, table=one.table, engine=engine)
    log = recognise(all_of, table="events").get("event_type")
    if one.table in {"orders", "events"} and log is not None:
        names = event_names(view, log, engine=engine)
        if one.table == "events":
            engagement = _engagement(names)
        elif names.bought:
            bought = f"{quoted(log)} IN ({', '.join(map(literal, names.bought))})"
            view = f"(SELECT * FROM {view} WHERE {bought})"
    columns = dict(one.columns)
    if one.table == "orders":
        beside = {file: theirs for file, theirs in given.columns.items() if file != one.source}
        columns, notes = orders_as_meant(
            columns, view=view, all_of=all_of, engine=engine, beside=beside
        )
    converted = convert_table(
        view, table=one.table, source=one.source, columns=columns, engine=engine, dates=dates
    )
    if one.table == "subscriptions":
        paid = columns["mrr"]
        converted = billed_monthly(
            converted,
            view=view,
            all_of=all_of,
            paid=paid,
            said=("mrr", paid) in named,
            engine=engine,
        )
        notes = (*notes, *price_of_one_seat(columns, view=view, paid=paid, engine=engine))
    table = StarterTable(
        source=one.source,
        columns=converted.columns,
        computed=converted.computed,
        filter=bought,
        survey=one.survey,
        numbers=converted.numbers,
    )
    return _Looked(
        table=table,
        days=converted.days,
        engagement=engagement,
        notes=(*notes, *converted.notes),
    )


def _engagement(names: EventNames) -> dict[str, object]:
    """Return the options of the engagement features for what the events are called."""
    return {"event_types": list(names.counted), "channels": list(names.channels), **names.parts}
