"""Sorts out the rows that break a contract, shows examples of them, and accounts for every row read."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw

from churnkit.data.clock import iso_local
from churnkit.data.contracts import CheckResult, SourceFile, TableContract, TableReport
from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.data.contracts import Check
    from churnkit.engines import Engine

__all__ = [
    "SortedOut",
    "account",
    "customers_set_aside",
    "raise_on_faults",
    "rejected_rows",
    "sort_out",
]

EXAMPLES = 5
EXAMPLE_LENGTH = 80
CONFIGURED = {"refund_dropped", "exact_duplicates"}
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
    typed: nw.LazyFrame[Any], *, checks: Sequence[Check], drop_repeated: bool, engine: Engine
) -> SortedOut:
    """Keep the rows that pass all checks and those that do not in two tables of the engine.

    What good rows look like in the source is never kept, so that a source with bad rows is read a
    second time for them.
    """
    good = _kept_good(typed, checks, with_raw=drop_repeated, engine=engine)
    bad = typed.head(0)
    if _count(typed, engine=engine) > _count(good, engine=engine):
        bad = typed.filter(_any_broken(checks))
    bad = engine.materialize(_marked(bad, checks))
    settled = _without_one_spelling(bad, typed, checks=checks, engine=engine)
    if len(settled) < len(checks):
        engine.forget(good, bad)
        good = _kept_good(typed, settled, with_raw=drop_repeated, engine=engine)
        bad = engine.materialize(_marked(typed.filter(_any_broken(settled)), settled))
    if not drop_repeated:
        return SortedOut(good=good, bad=bad)
    numbered = engine.materialize(_number_copies(good))
    marked = numbered.filter(nw.col("copy") > 1).with_columns(faults=nw.lit("exact_duplicates;"))
    once = engine.materialize(_without_raw(numbered.filter(nw.col("copy") == 1).drop("copy")))
    both = engine.materialize(nw.concat([bad, marked.select(*bad.collect_schema().names())]))
    engine.forget(good, bad, numbered)
    return SortedOut(good=once, bad=both)


def _kept_good(
    typed: nw.LazyFrame[Any], checks: Sequence[Check], *, with_raw: bool, engine: Engine
) -> nw.LazyFrame[Any]:
    good = typed.filter(~_any_broken(checks))
    return engine.materialize(good if with_raw else _without_raw(good))


def _count(rows: nw.LazyFrame[Any], *, engine: Engine) -> int:
    return int(engine.collect(rows.select(rows=nw.len()))["rows"][0].as_py())


def _any_broken(checks: Sequence[Check]) -> nw.Expr:
    return nw.any_horizontal(
        nw.lit(value=False), *(check.broken for check in checks), ignore_nulls=True
    )


def _marked(typed: nw.LazyFrame[Any], checks: Sequence[Check]) -> nw.LazyFrame[Any]:
    names = [
        nw.when(check.broken.fill_null(value=False)).then(nw.lit(f"{check.name};"))
        .otherwise(nw.lit(""))
        for check in checks
    ]  # fmt: skip
    return typed.with_columns(faults=nw.concat_str(names) if names else nw.lit(""))


def _without_raw(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return rows.select(*_typed_columns(rows))


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
        return not _any(bad, _broken(check.name), engine=engine) or _any(
            typed, plain, engine=engine
        )

    return [check for check in checks if is_mixed(check)]


def _any(rows: nw.LazyFrame[Any], condition: nw.Expr, *, engine: Engine) -> bool:
    return bool(engine.collect(rows.filter(condition).select(one=nw.lit(1)).head(1)).num_rows)


def _number_copies(good: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add ``copy``: 1 for one row of each kind, more for its repetitions."""
    copy = nw.col("one").cum_sum().over(*_typed_columns(good), order_by="one")
    return good.with_columns(one=nw.lit(1)).with_columns(copy=copy).drop("one")


def _typed_columns(kept: nw.LazyFrame[Any]) -> list[str]:
    names = kept.collect_schema().names()
    return [name for name in names if name != "faults" and not name.startswith("raw_")]


def _broken(name: str) -> nw.Expr:
    # Names are words, so that one cannot end inside another but at a semicolon.
    return nw.concat_str([nw.lit(";"), nw.col("faults")]).str.contains(f";{name};", literal=True)


def _cells(contract: TableContract, *, texts: Mapping[str, bool]) -> dict[str, nw.Expr]:
    """Return each cell's text in the source; ids held as numbers lose their decimal zero."""
    return {
        column.name: nw.col(column.name)
        if column.kind == "id" and not texts[column.name]
        else nw.col(f"raw_{column.name}").cast(nw.String)
        for column in contract.columns
        if column.name in texts
    }


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
        nw.when(_broken(name)).then(nw.lit(f"; {sentence}")).otherwise(nw.lit(""))
        for name, sentence in sentences.items()
    ]
    reason = nw.concat_str(words).str.slice(2)
    return bad.select(**_cells(contract, texts=texts), reason=reason)


def customers_set_aside(bad: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` of bad rows that have a sound one and are not in the future."""
    unsound = _broken("customer_id_mixed_type") | nw.col("customer_id").is_null()
    later = nw.col("faults").str.contains("_in_future;", literal=True)
    return bad.filter(~unsound, ~later).select("customer_id")


def account(
    rows: SortedOut,
    *,
    checks: Sequence[Check],
    contract: TableContract,
    texts: Mapping[str, bool],
    drop_repeated: bool,
    source: str,
    files: tuple[SourceFile, ...],
    time_zone: str,
    engine: Engine,
) -> TableReport:
    """Return the report: counts and examples per check, and what identifies the rows used."""
    combined = engine.collect(rows.bad.group_by("faults").agg(rows=nw.len())).to_pylist()
    cells = _cells(contract, texts=texts)
    results = []
    for check in checks:
        count = sum(c["rows"] for c in combined if check.name in c["faults"].split(";"))
        examples: tuple[str, ...] = ()
        if count:
            shown = {name: cells[name] for name in check.shown_by if name in cells}
            examples = _examples(rows.bad.filter(_broken(check.name)), cells=shown, engine=engine)
        results.append(
            CheckResult(
                name=check.name,
                sentence=check.sentence,
                rows=count,
                examples=examples,
                set_aside=True,
            )
        )
    results.append(_repeated(rows, dropped=drop_repeated, engine=engine))
    identity = _identity(rows.good, contract=contract, time_zone=time_zone, engine=engine)
    used, set_aside = identity.pop("rows"), sum(c["rows"] for c in combined)
    return TableReport(
        table=contract.name,
        source=source,
        rows_read=used + set_aside,
        rows_used=used,
        rows_set_aside=set_aside,
        checks=tuple(results),
        files=files,
        **identity,
    )


def _examples(
    rows: nw.LazyFrame[Any], *, cells: dict[str, nw.Expr], engine: Engine
) -> tuple[str, ...]:
    """Return up to five rows, each named by the first of ``cells`` that it fills; always the same."""
    if not cells:
        return ()
    named = [
        nw.when(cell.str.strip_chars() != "").then(
            nw.concat_str([nw.lit(f"{name} "), cell.str.slice(0, EXAMPLE_LENGTH)])
        )
        for name, cell in cells.items()
    ]
    shown = rows.select(example=nw.coalesce(*named)).filter(~nw.col("example").is_null())
    first = shown.unique().sort("example").head(EXAMPLES)
    return tuple(row["example"] for row in engine.collect(first).to_pylist())


def _repeated(rows: SortedOut, *, dropped: bool, engine: Engine) -> CheckResult:
    """Count the good rows that repeat another; those dropped, or those kept."""
    names = _typed_columns(rows.good)
    if dropped:
        alike = rows.bad.filter(_broken("exact_duplicates"))
        groups = _copies(alike, names)
    else:
        # Rows that repeat one another agree in their numbers and times, which are cheap to compare.
        schema = rows.good.collect_schema()
        narrow = [name for name in names if name == "customer_id" or schema[name] != nw.String]
        kinds = _copies(rows.good, narrow or names).filter(nw.col("copies") > 1)
        groups = engine.materialize(kinds)
        if narrow and len(narrow) < len(names) and _count(groups, engine=engine):
            # A join would lose the nulls: a filter on the numbers of copies keeps them.
            engine.forget(groups)
            groups = _copies(rows.good, names).filter(nw.col("copies") > 1)
        groups = groups.with_columns(copies=nw.col("copies") - 1)
    groups = engine.materialize(groups)
    total = engine.collect(groups.select(rows=nw.col("copies").sum().cast(nw.Int64))).to_pylist()
    cells = {"customer_id": nw.col("customer_id")} if "customer_id" in names else {}
    result = CheckResult(
        name="exact_duplicates",
        sentence=REPEATED,
        rows=int(total[0]["rows"] or 0),
        examples=_examples(groups, cells=cells, engine=engine),
        set_aside=dropped,
    )
    engine.forget(groups)
    return result


def _copies(rows: nw.LazyFrame[Any], names: Sequence[str]) -> nw.LazyFrame[Any]:
    groups = rows.group_by(list(names), drop_null_keys=False)
    return groups.agg(copies=nw.len().cast(nw.Int64))


def _identity(
    rows: nw.LazyFrame[Any], *, contract: TableContract, time_zone: str, engine: Engine
) -> dict[str, Any]:
    """Return what a report says of the rows used, and the fingerprint that follows from it."""
    names = _typed_columns(rows)
    numbers = [c.name for c in contract.columns if c.kind == "number" and c.name in names]
    time = contract.time.field_name if contract.time and contract.time.field_name in names else None
    # Whole cents add up exactly in any order, below 2**53 of them.
    wanted = {"rows": nw.len()} | {
        f"cents_{name}": (nw.col(name) * 100 + 0.5).floor().sum() for name in numbers
    }
    if "customer_id" in names:
        wanted["customers"] = nw.col("customer_id").n_unique()
    if "amount" in numbers:
        wanted["amount"] = nw.col("amount").sum()
    if time:
        wanted |= {"first": nw.col(time).min(), "last": nw.col(time).max()}
    found = engine.collect(rows.select(**wanted)).to_pylist()[0]
    amount = found.pop("amount", None)
    stated = {
        name: int(value) if isinstance(value, float) and math.isfinite(value) else str(value)
        for name, value in sorted(found.items())
    }
    digest = hashlib.sha256(json.dumps([contract.name, stated]).encode()).hexdigest()
    ends = {
        end: None if found.get(end) is None else iso_local(found[end], time_zone=time_zone)
        for end in ("first", "last")
    }
    return {
        "rows": int(found["rows"]),
        "customers": found.get("customers"),
        "amount": None if amount is None else round(amount, 2),
        "first_at": ends["first"],
        "last_at": ends["last"],
        "fingerprint": digest[:16],
    }


def raise_on_faults(report: TableReport, *, only: str | None = None) -> None:
    """Stop where a row breaks a rule.

    Parameters
    ----------
    report : TableReport
        Of a loaded table.
    only : str, optional
        Look at this check only; by default at all but those that the configuration sets aside itself.

    Raises
    ------
    DataError
        One sentence with every broken rule, its count and its examples.
    """
    broken = [
        check
        for check in report.checks
        if check.rows and (check.name == only if only else check.name not in CONFIGURED)
    ]
    if broken:
        parts = [
            f"{check.sentence} in {check.rows:,} of {report.rows_read:,} rows"
            + (f" (e.g. {', '.join(check.examples)})" if check.examples else "")
            for check in broken
        ]
        only_refunds = all(check.name == "amount_negative" for check in broken)
        way_out = (
            "data.refunds: net or drop to go on"
            if only_refunds
            else "data.on_invalid: quarantine to go on without them"
        )
        msg = f"{report.table}: {'; '.join(parts)}; set {way_out}"
        raise DataError(msg)
