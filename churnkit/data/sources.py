"""Reads an input table from where it is: files, or frames in memory; checks it and sets bad rows aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from churnkit.data.clock import local_to_utc_us
from churnkit.data.contracts import (
    DECORATED,
    WHOLE,
    Check,
    CheckResult,
    TableContract,
    TableReport,
    faults,
    row_checks,
)
from churnkit.engines import quoted
from churnkit.errors import DataError
from churnkit.registry import Registry, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from churnkit.engines import Engine

__all__ = ["SOURCES", "LoadedTable", "Source", "TableSpec", "load_table", "source_of"]

EXAMPLES = 5


class Source(Protocol):
    """Where a table comes from."""

    def view(self, engine: Engine) -> str:
        """Make the source readable by the engine and return the name of the view."""
        ...


SOURCES: Registry[Source] = Registry("source")


@SOURCES.register("files")
@dataclass(frozen=True)
class FileSource:
    """Parquet or CSV files: one path or a glob; ``.csv`` and ``.csv.gz`` are read as text."""

    path: str

    def view(self, engine: Engine) -> str:
        """Make the files readable by the engine; see :class:`Source`."""
        paths = sorted(glob(self.path, recursive=True)) if has_magic(self.path) else [self.path]
        if not paths or not Path(paths[0]).is_file():
            msg = f"{self.path}: no such file"
            raise DataError(msg)
        if empty := [p for p in paths if Path(p).stat().st_size == 0]:
            msg = f"{empty[0]}: the file is empty"
            raise DataError(msg)
        kinds = {"csv" if p.endswith((".csv", ".csv.gz")) else "parquet" for p in paths}
        if len(kinds) > 1:
            msg = f"{self.path}: matches both CSV and Parquet files; name one kind"
            raise DataError(msg)
        return engine.add_files(paths, file_format=kinds.pop())


@SOURCES.register("frame")
@dataclass(frozen=True)
class FrameSource:
    """A pandas, Polars or Arrow frame in memory."""

    frame: Any

    def view(self, engine: Engine) -> str:
        """Hand the frame to the engine as Arrow; see :class:`Source`."""
        return engine.add_arrow(_to_arrow(self.frame))


def _to_arrow(frame: Any) -> pa.Table:
    import pyarrow as pa

    table = nw.from_native(frame, eager_only=True)
    if not table.implementation.is_pandas():
        return table.to_arrow()
    columns = {str(name): _pandas_column(frame[name]) for name in frame.columns}
    return pa.table(columns)


def _pandas_column(series: Any) -> pa.Array:
    """Return a pandas column as Arrow; an object column becomes text, its rarer type in quotes."""
    import pandas as pd
    import pyarrow as pa

    if series.dtype != object:
        return pa.Array.from_pandas(series)
    present = series[~series.isna()]
    if present.map(lambda v: isinstance(v, (str, int, float))).all() and len(present):
        is_text = present.map(lambda v: isinstance(v, str))
        rarer = bool(is_text.mean() < 0.5)
        mixed = is_text.any() and not is_text.all()
        text = present.map(_plain_text)
        if mixed:
            text = text.where(is_text != rarer, '"' + text + '"')
        if mixed or is_text.all():
            return pa.array(text.reindex(series.index).where(~series.isna(), None), pa.string())
    if present.map(lambda v: isinstance(v, pd.Timestamp)).all():
        return pa.Array.from_pandas(series)
    try:
        return pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if v is None else str(v) for v in series], pa.string())


def _plain_text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True, kw_only=True)
class TableSpec:
    """Which source, and which of its columns are the contract's.

    Parameters
    ----------
    source : str or frame
        A path, a glob, or a pandas, Polars or Arrow frame.
    columns : mapping of str to str
        Contract name → name in the source. A contract column that is not named here is looked for
        under its own name.
    filter : str, optional
        SQL predicate on the source's own columns.
    label : str, optional
        How messages name the source; by default its path.
    """

    source: Any
    columns: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    label: str | None = None

    @property
    def described(self) -> str:
        """The source as messages name it."""
        if self.label:
            return self.label
        return (
            self.source
            if isinstance(self.source, str)
            else f"{type(self.source).__name__} in memory"
        )


@dataclass(frozen=True, kw_only=True)
class LoadedTable:
    """The good rows of a table, the rows set aside, and the report that accounts for both."""

    rows: nw.LazyFrame[Any]
    rejected: nw.LazyFrame[Any]
    report: TableReport
    columns: frozenset[str]


def source_of(spec: str | object) -> Source:
    """Return the source for a path, a glob or a frame."""
    return SOURCES["files"](spec) if isinstance(spec, str) else SOURCES["frame"](spec)


def load_table(
    spec: TableSpec,
    *,
    contract: TableContract,
    engine: Engine,
    time_zone: str,
    as_of_us: int | None = None,
    on_invalid: str = "quarantine",
    refunds: str = "net",
    duplicates: str = "keep",
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
    on_invalid : {"quarantine", "raise"}
        Whether broken rows are set aside or stop the run.
    refunds : {"net", "drop", "raise"}
        Negative amounts: kept, set aside, or an error.
    duplicates : {"keep", "drop"}
        Exact repetitions of a row, in all mapped columns: reported and kept, or reported and all
        but one dropped.

    Raises
    ------
    DataError
        If the source cannot be read, lacks a required column or holds no valid row, or a check
        fails and ``on_invalid`` is ``"raise"``.
    """
    view = source_of(spec.source).view(engine)
    types = engine.column_types(view)
    mapping = _mapping(spec, contract=contract, types=types)
    typed = _typed(view, spec, contract=contract, mapping=mapping, types=types, engine=engine)
    typed = _with_utc(typed, contract=contract, mapping=mapping, time_zone=time_zone)
    checks = row_checks(
        contract,
        mapped=frozenset(mapping),
        as_of_us=as_of_us,
        mixed_ids=_mixed_ids(typed, contract=contract, mapping=mapping, engine=engine),
        refuse_negative=refunds == "raise",
    )
    dropped = _refund_drop() if refunds == "drop" and "amount" in mapping else []
    good = nw.col("faults") == ""
    raw = [f"raw_{name}" for name in mapping]
    marked = typed.with_columns(faults=faults(checks + dropped)).with_columns(
        *(nw.when(~good).then(nw.col(name)).alias(name) for name in raw)
    )
    kept = engine.materialize(marked)
    rows = kept.filter(good).drop("faults", *raw)
    counted = [
        *_counts(kept, checks=checks + dropped, engine=engine),
        _duplicates(rows, set_aside=duplicates == "drop", engine=engine),
    ]
    if duplicates == "drop":
        rows = engine.materialize(rows.unique(keep="any"))
    report = _report(kept, spec=spec, contract=contract, checks=counted, engine=engine)
    if on_invalid == "raise":
        _raise_on_faults(report, dropped={c.name for c in dropped} | {"exact_duplicates"})
    if not report.rows_used:
        msg = f"{contract.name}: {spec.described} holds no valid row ({report.rows_read} read)"
        raise DataError(msg + "".join(f"; {c.sentence} in {c.rows}" for c in counted if c.rows))
    rejected = kept.filter(~good).select(
        *(nw.col(f"raw_{name}").alias(name) for name in mapping), reason=nw.col("faults")
    )
    return LoadedTable(rows=rows, rejected=rejected, report=report, columns=frozenset(mapping))


def _mapping(
    spec: TableSpec, *, contract: TableContract, types: Mapping[str, str]
) -> dict[str, str]:
    """Return contract name → source column, for the columns that the source has."""
    found = {}
    for column in contract.columns:
        name = spec.columns.get(column.name, column.name)
        if name in types:
            found[column.name] = name
        elif column.required or column.name in spec.columns:
            msg = (
                f"{contract.name}: {spec.described} has no column {name!r} for {column.name}."
                f"{did_you_mean(name, types)} Columns: {', '.join(types)}."
            )
            raise DataError(msg)
    return found


def _typed(
    view: str,
    spec: TableSpec,
    *,
    contract: TableContract,
    mapping: Mapping[str, str],
    types: Mapping[str, str],
    engine: Engine,
) -> nw.LazyFrame[Any]:
    """Select the mapped columns in their contract's types, each beside its raw text."""
    parts = []
    for column in contract.columns:
        if column.name not in mapping:
            continue
        name = mapping[column.name]
        sql_type = types[name]
        text = engine.text(name, sql_type=sql_type)
        parts.append(f"{text} AS {quoted('raw_' + column.name)}")
        if column.kind == "time":
            clock, aware = engine.clock_us(name, sql_type=sql_type)
            parts += [
                f"{clock} AS {quoted(column.field_name)}",
                f"{aware} AS {quoted('aware_' + column.name)}",
            ]
        elif column.kind == "number":
            parts.append(f"{engine.number(name, sql_type=sql_type)} AS {quoted(column.name)}")
        else:
            parts.append(f"nullif(trim({text}), '') AS {quoted(column.name)}")
    where = f" WHERE {spec.filter}" if spec.filter else ""
    return engine.select(f"SELECT {', '.join(parts)} FROM {view}{where}")


def _with_utc(
    typed: nw.LazyFrame[Any],
    *,
    contract: TableContract,
    mapping: Mapping[str, str],
    time_zone: str,
) -> nw.LazyFrame[Any]:
    """Apply the business zone to naive times."""
    for column in contract.columns:
        if column.kind == "time" and column.name in mapping:
            time, aware = nw.col(column.field_name), nw.col(f"aware_{column.name}")
            naive = local_to_utc_us(time, time_zone=time_zone)
            utc = nw.when(aware).then(time).otherwise(naive)
            typed = typed.with_columns(utc.alias(column.field_name)).drop(f"aware_{column.name}")
    return typed


def _mixed_ids(
    typed: nw.LazyFrame[Any],
    *,
    contract: TableContract,
    mapping: Mapping[str, str],
    engine: Engine,
) -> frozenset[str]:
    """Return the id columns that hold both plain whole numbers and other spellings of them."""
    ids = [c.name for c in contract.columns if c.kind == "id" and c.name in mapping]

    def any_match(name: str, pattern: str) -> nw.Expr:
        hit = nw.col(f"raw_{name}").str.contains(pattern)
        return nw.when(hit).then(nw.lit(1)).otherwise(nw.lit(0)).max()

    found = engine.collect(
        typed.select(
            *(any_match(n, WHOLE).alias(f"{n}_whole") for n in ids),
            *(any_match(n, DECORATED).alias(f"{n}_decorated") for n in ids),
        )
    ).to_pylist()[0]
    return frozenset(n for n in ids if found[f"{n}_whole"] and found[f"{n}_decorated"])


def _refund_drop() -> list[Check]:
    sentence = "amount is negative and data.refunds is 'drop'"
    return [
        Check(
            name="refund_dropped", sentence=sentence, broken=nw.col("amount") < 0, example="amount"
        )
    ]


def _counts(kept: nw.LazyFrame[Any], *, checks: list[Check], engine: Engine) -> list[CheckResult]:
    combined = engine.collect(kept.group_by("faults").agg(rows=nw.len())).to_pylist()
    results = []
    for check in checks:
        rows = sum(c["rows"] for c in combined if check.name in c["faults"].split(";"))
        examples: tuple[str, ...] = ()
        if rows:
            hit = nw.col("faults").str.contains(f"(^|;){check.name};")
            shown = kept.filter(hit).select(example=nw.col(f"raw_{check.example}")).head(EXAMPLES)
            examples = tuple(str(r["example"]) for r in engine.collect(shown).to_pylist())
        results.append(
            CheckResult(
                name=check.name,
                sentence=check.sentence,
                rows=rows,
                examples=examples,
                set_aside=True,
            )
        )
    return results


def _duplicates(rows: nw.LazyFrame[Any], *, set_aside: bool, engine: Engine) -> CheckResult:
    """Count the rows that repeat an earlier one in every mapped column."""
    names = rows.collect_schema().names()
    groups = (
        rows.group_by(names, drop_null_keys=False).agg(copies=nw.len()).filter(nw.col("copies") > 1)
    )
    groups = engine.materialize(
        groups.select("customer_id", "copies") if "customer_id" in names else groups
    )
    total = engine.collect(
        groups.select((nw.col("copies") - 1).sum().cast(nw.Int64).alias("rows"))
    ).to_pylist()
    found = int(total[0]["rows"] or 0)
    shown: tuple[str, ...] = ()
    if found and "customer_id" in names:
        shown = tuple(r["customer_id"] for r in engine.collect(groups.head(EXAMPLES)).to_pylist())
    sentence = "the row repeats another in every mapped column"
    return CheckResult(
        name="exact_duplicates", sentence=sentence, rows=found, examples=shown, set_aside=set_aside
    )


def _report(
    kept: nw.LazyFrame[Any],
    *,
    spec: TableSpec,
    contract: TableContract,
    checks: list[CheckResult],
    engine: Engine,
) -> TableReport:
    good = nw.when(nw.col("faults") == "").then(nw.lit(1)).otherwise(nw.lit(0)).sum().cast(nw.Int64)
    sizes = engine.collect(kept.select(read=nw.len(), used=good)).to_pylist()[0]
    repeated = sum(c.rows for c in checks if c.name == "exact_duplicates" and c.set_aside)
    used = int(sizes["used"] or 0) - repeated
    return TableReport(
        table=contract.name,
        source=spec.described,
        rows_read=int(sizes["read"]),
        rows_used=used,
        rows_set_aside=int(sizes["read"]) - used,
        checks=tuple(checks),
    )


def _raise_on_faults(report: TableReport, *, dropped: set[str]) -> None:
    broken = [c for c in report.checks if c.rows and c.name not in dropped]
    if broken:
        parts = "; ".join(
            f"{c.sentence} in {c.rows:,} of {report.rows_read:,} rows (e.g. {', '.join(c.examples)})"
            for c in broken
        )
        msg = f"{report.table}: {parts}; set data.on_invalid: quarantine to go on without them"
        raise DataError(msg)
