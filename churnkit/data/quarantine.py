"""Sorts out the rows of a table that break its contract, and says why each is set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.data.contracts import Check, Column, TableContract
    from churnkit.engines import Engine

__all__ = [
    "REPEATED",
    "SortedOut",
    "count_rows",
    "customers_set_aside",
    "has_fault",
    "rejected_rows",
    "sort_out",
    "source_cells",
    "typed_columns",
]

WHOLE = r"^-?[0-9]+$"
REPEATED = "the row repeats another in every mapped column"


class SortedOut(NamedTuple):
    """The rows of a table, apart by whether they break a check."""

    good: nw.LazyFrame[Any]
    """The contract's columns."""

    bad: nw.LazyFrame[Any]
    """The same, each column ``raw_`` as it stands in the source, and ``faults``: the names of the
    broken checks, each with a ``;``."""


def sort_out(
    typed: nw.LazyFrame[Any],
    *,
    checks: Sequence[Check],
    drop_repeated: bool,
    by: str | None = None,
    engine: Engine,
) -> SortedOut:
    """Keep the rows that pass all checks and those that do not in two tables of the engine.

    What good rows look like in the source is never kept, so that a source with bad rows is read a
    second time for them. Good rows are gathered by a column where one is named.
    """

    def kept_good(checks: Sequence[Check]) -> nw.LazyFrame[Any]:
        good = typed.filter(~_any_broken(checks))
        if drop_repeated:
            return engine.materialize(good)
        return _gathered(_without_raw(good), by=by, rows=rows, engine=engine)

    rows = count_rows(typed, engine=engine)
    good = kept_good(checks)
    bad = _marked(typed.head(0), checks)
    if rows > count_rows(good, engine=engine):
        bad = _marked(typed, checks)
    bad = engine.materialize(bad)
    settled = _without_one_spelling(bad, typed, checks=checks, engine=engine)
    if len(settled) < len(checks):
        engine.forget(good, bad)
        good = kept_good(settled)
        bad = engine.materialize(_marked(typed, settled))
    if not drop_repeated:
        return SortedOut(good=good, bad=bad)
    numbered = engine.materialize(_number_copies(good))
    marked = numbered.filter(nw.col("copy") > 1).with_columns(faults=nw.lit("exact_duplicates;"))
    once = _without_raw(numbered.filter(nw.col("copy") == 1).drop("copy"))
    once = _gathered(once, by=by, rows=rows, engine=engine)
    both = engine.materialize(nw.concat([bad, marked.select(*bad.collect_schema().names())]))
    engine.forget(good, bad, numbered)
    return SortedOut(good=once, bad=both)


def _gathered(
    good: nw.LazyFrame[Any], *, by: str | None, rows: int, engine: Engine
) -> nw.LazyFrame[Any]:
    return engine.materialize(good) if by is None else engine.gather(good, by=by, rows=rows)


def count_rows(rows: nw.LazyFrame[Any], *, engine: Engine) -> int:
    """Return the number of rows."""
    return int(engine.collect(rows.select(rows=nw.len()))["rows"][0].as_py())


def _any_broken(checks: Sequence[Check]) -> nw.Expr:
    return nw.any_horizontal(
        nw.lit(value=False), *(check.broken for check in checks), ignore_nulls=True
    )


def _marked(typed: nw.LazyFrame[Any], checks: Sequence[Check]) -> nw.LazyFrame[Any]:
    """Return the rows that break a check, with the names of all that they break."""
    names = [
        nw.when(check.broken.fill_null(value=False)).then(nw.lit(f"{check.name};"))
        .otherwise(nw.lit(""))
        for check in checks
    ]  # fmt: skip
    # A check may look at other rows: all must be marked before any is left out.
    marked = typed.with_columns(faults=nw.concat_str(names) if names else nw.lit(""))
    return marked.filter(nw.col("faults") != "")


def _without_raw(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return rows.select(*typed_columns(rows))


def _without_one_spelling(
    bad: nw.LazyFrame[Any],
    typed: nw.LazyFrame[Any],
    *,
    checks: Sequence[Check],
    engine: Engine,
) -> list[Check]:
    """Leave the check of mixed types out where a column spells all its numbers in that way."""

    def is_mixed(check: Check) -> bool:
        if not check.name.endswith("_mixed_type"):
            return True
        plain = nw.col(check.shown_by[0]).str.contains(WHOLE)
        return not _any(bad, has_fault(check.name), engine=engine) or _any(
            typed, plain, engine=engine
        )

    return [check for check in checks if is_mixed(check)]


def _any(rows: nw.LazyFrame[Any], condition: nw.Expr, *, engine: Engine) -> bool:
    # A literal alone would be one row on some engines, whatever is left of the others.
    return bool(engine.collect(rows.filter(condition).select(found=condition).head(1)).num_rows)


def _number_copies(good: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add ``copy``: 1 for one row of each kind, more for its repetitions."""
    copy = nw.col("one").cum_sum().over(*typed_columns(good), order_by="one")
    return good.with_columns(one=nw.lit(1)).with_columns(copy=copy).drop("one")


def typed_columns(kept: nw.LazyFrame[Any]) -> list[str]:
    """Return the contract's columns of rows that were read."""
    names = kept.collect_schema().names()
    return [name for name in names if name != "faults" and not name.startswith("raw_")]


def has_fault(name: str) -> nw.Expr:
    """Return whether a row breaks the check of this name."""
    # Names are words, so that one cannot end inside another but at a semicolon.
    return nw.concat_str([nw.lit(";"), nw.col("faults")]).str.contains(f";{name};", literal=True)


def source_cells(contract: TableContract, *, texts: Mapping[str, bool]) -> dict[str, nw.Expr]:
    """Return each cell's text in the source; ids held as numbers lose their decimal zero."""
    return {
        column.name: nw.col(column.name)
        if column.kind == "id" and not texts[column.name]
        else _said(column, is_text=texts[column.name])
        for column in contract.columns
        if column.name in texts
    }


def _said(column: Column, *, is_text: bool) -> nw.Expr:
    said = nw.col(f"raw_{column.name}").cast(nw.String)
    if column.kind != "number" or is_text:
        return said
    # Engines spell what is no finite number in their own ways.
    return said.str.replace_all("Infinity", "inf", literal=True).str.replace_all(
        "NaN", "nan", literal=True
    )


def rejected_rows(
    bad: nw.LazyFrame[Any],
    *,
    checks: Sequence[Check],
    contract: TableContract,
    texts: Mapping[str, bool],
) -> nw.LazyFrame[Any]:
    """Return the rows set aside as they stand in the source, with ``reason`` in words."""
    sentences = {check.name: check.sentence for check in checks} | {"exact_duplicates": REPEATED}
    words = [
        nw.when(has_fault(name)).then(nw.lit(f"; {sentence}")).otherwise(nw.lit(""))
        for name, sentence in sentences.items()
    ]
    reason = nw.concat_str(words).str.slice(2)
    return bad.select(**source_cells(contract, texts=texts), reason=reason)


def customers_set_aside(bad: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` of bad rows that have a sound one and are not in the future."""
    unsound = has_fault("customer_id_mixed_type") | nw.col("customer_id").is_null()
    later = nw.col("faults").str.contains("_in_future;", literal=True)
    return bad.filter(~unsound, ~later).select("customer_id")
