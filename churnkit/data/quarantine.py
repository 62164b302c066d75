"""Marks the rows that break a contract, shows examples of them, and accounts for every row read."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import iso_local
from churnkit.data.contracts import CheckResult, SourceFile, TableContract, TableReport
from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.data.contracts import Check
    from churnkit.engines import Engine

__all__ = [
    "GOOD",
    "account",
    "customers_set_aside",
    "mark_rows",
    "raise_on_faults",
    "rejected_rows",
]

EXAMPLES = 5
EXAMPLE_LENGTH = 80
CONFIGURED = {"refund_dropped", "exact_duplicates"}
WHOLE = r"^-?[0-9]+$"
GOOD = nw.col("faults") == ""
REPEATED = "the row repeats another in every mapped column"


def mark_rows(
    typed: nw.LazyFrame[Any], *, checks: Sequence[Check], drop_repeated: bool, engine: Engine
) -> nw.LazyFrame[Any]:
    """Compute the rows once, each with ``faults``: the names of its broken checks, each with a ``;``.

    Good rows have an empty text there, and their ``raw_`` columns are emptied to save memory.
    """
    names = [
        nw.when(check.broken.fill_null(value=False)).then(nw.lit(f"{check.name};"))
        .otherwise(nw.lit(""))
        for check in checks
    ]  # fmt: skip
    marked = typed.with_columns(faults=nw.concat_str(names))
    kept = engine.materialize(marked if drop_repeated else _without_raw(marked))
    kept = _settle_mixed(kept, checks=checks, engine=engine)
    return engine.materialize(_without_raw(_mark_repeated(kept))) if drop_repeated else kept


def _without_raw(marked: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    raw = [name for name in marked.collect_schema().names() if name.startswith("raw_")]
    return marked.with_columns(*(nw.when(~GOOD).then(nw.col(name)).alias(name) for name in raw))


def _settle_mixed(
    kept: nw.LazyFrame[Any], *, checks: Sequence[Check], engine: Engine
) -> nw.LazyFrame[Any]:
    """Take the mark of mixed types back where a column spells all its numbers in that way."""
    for check in checks:
        if not check.name.endswith("_mixed_type"):
            continue
        spelled = nw.col("faults").str.contains(f"{check.name};", literal=True)
        plain = nw.col(check.shown_by[0]).str.contains(WHOLE)
        if _any(kept, spelled, engine=engine) and not _any(kept, plain, engine=engine):
            fewer = nw.col("faults").str.replace_all(f"{check.name};", "", literal=True)
            kept = engine.materialize(kept.with_columns(faults=fewer))
    return kept


def _any(kept: nw.LazyFrame[Any], condition: nw.Expr, *, engine: Engine) -> bool:
    return bool(engine.collect(kept.filter(condition).select("faults").head(1)).num_rows)


def _typed_columns(kept: nw.LazyFrame[Any]) -> list[str]:
    names = kept.collect_schema().names()
    return [name for name in names if name != "faults" and not name.startswith("raw_")]


def _mark_repeated(kept: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Mark every good row that repeats another, but for one of each kind."""
    alike = [*_typed_columns(kept), "faults"]
    copy = nw.col("one").cum_sum().over(*alike, order_by="one")
    repeats = GOOD & (nw.col("copy") > 1)
    return (
        kept.with_columns(one=nw.lit(1))
        .with_columns(copy=copy)
        .with_columns(
            faults=nw.when(repeats).then(nw.lit("exact_duplicates;")).otherwise(nw.col("faults"))
        )
        .drop("one", "copy")
    )


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
    kept: nw.LazyFrame[Any],
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
    return kept.filter(~GOOD).select(**_cells(contract, texts=texts), reason=reason)


def customers_set_aside(kept: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return ``customer_id`` of bad rows that have a sound one and are not in the future."""
    unsound = _broken("customer_id_mixed_type") | nw.col("customer_id").is_null()
    later = nw.col("faults").str.contains("_in_future;", literal=True)
    return kept.filter(~GOOD, ~unsound, ~later).select("customer_id")


def account(
    kept: nw.LazyFrame[Any],
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
    combined = engine.collect(kept.group_by("faults").agg(rows=nw.len())).to_pylist()
    cells = _cells(contract, texts=texts)
    results = []
    for check in checks:
        rows = sum(c["rows"] for c in combined if check.name in c["faults"].split(";"))
        examples: tuple[str, ...] = ()
        if rows:
            shown = {name: cells[name] for name in check.shown_by if name in cells}
            examples = _examples(kept.filter(_broken(check.name)), cells=shown, engine=engine)
        results.append(
            CheckResult(
                name=check.name,
                sentence=check.sentence,
                rows=rows,
                examples=examples,
                set_aside=True,
            )
        )
    results.append(_repeated(kept, dropped=drop_repeated, engine=engine))
    read = sum(c["rows"] for c in combined)
    used = sum(c["rows"] for c in combined if not c["faults"])
    return TableReport(
        table=contract.name,
        source=source,
        rows_read=read,
        rows_used=used,
        rows_set_aside=read - used,
        checks=tuple(results),
        files=files,
        **_identity(kept.filter(GOOD), contract=contract, time_zone=time_zone, engine=engine),
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


def _repeated(kept: nw.LazyFrame[Any], *, dropped: bool, engine: Engine) -> CheckResult:
    """Count the good rows that repeat another; those dropped, or those kept."""
    names = _typed_columns(kept)
    rows = kept.filter(_broken("exact_duplicates") if dropped else GOOD)
    groups = rows.group_by(names, drop_null_keys=False).agg(copies=nw.len().cast(nw.Int64))
    if not dropped:
        groups = groups.with_columns(copies=nw.col("copies") - 1).filter(nw.col("copies") > 0)
    groups = engine.materialize(groups)
    total = engine.collect(groups.select(rows=nw.col("copies").sum().cast(nw.Int64))).to_pylist()
    cells = {"customer_id": nw.col("customer_id")} if "customer_id" in names else {}
    return CheckResult(
        name="exact_duplicates",
        sentence=REPEATED,
        rows=int(total[0]["rows"] or 0),
        examples=_examples(groups, cells=cells, engine=engine),
        set_aside=dropped,
    )


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
