"""Accounts for every row read from a table: counts and examples per check, and what the rest add up to."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import narwhals as nw

from churnkit.data.clock import iso_local
from churnkit.data.contracts import CheckResult, SourceFile, TableContract, TableReport
from churnkit.data.quarantine import REPEATED, count_rows, has_fault, source_cells, typed_columns
from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.data.contracts import Check
    from churnkit.data.quarantine import SortedOut
    from churnkit.engines import Engine

__all__ = ["account", "raise_on_faults"]

EXAMPLES = 5
EXAMPLE_LENGTH = 80
CONFIGURED = {"refund_dropped", "exact_duplicates"}


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
    cells = source_cells(contract, texts=texts)
    results = []
    for check in checks:
        count = sum(c["rows"] for c in combined if check.name in c["faults"].split(";"))
        examples: tuple[str, ...] = ()
        if count:
            shown = {name: cells[name] for name in check.shown_by if name in cells}
            examples = _examples(rows.bad.filter(has_fault(check.name)), cells=shown, engine=engine)
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
    names = typed_columns(rows.good)
    if dropped:
        alike = rows.bad.filter(has_fault("exact_duplicates"))
        groups = _copies(alike, names)
    else:
        # Rows that repeat one another agree in their numbers and times, which are cheap to compare.
        schema = rows.good.collect_schema()
        narrow = [name for name in names if name == "customer_id" or schema[name] != nw.String]
        # Parts hold all rows of a customer, and with them all that repeat one another.
        groups = engine.materialize_all(
            _copies(part, narrow or names).filter(nw.col("copies") > 1)
            for part in engine.parts(rows.good)
        )
        if narrow and len(narrow) < len(names) and count_rows(groups, engine=engine):
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
    names = typed_columns(rows)
    numbers = [c.name for c in contract.columns if c.kind == "number" and c.name in names]
    time = contract.time.field_name if contract.time and contract.time.field_name in names else None
    # Whole cents add up exactly in any order, below 2**53 of them; some engines make them integers.
    wanted = {"rows": nw.len()} | {
        f"cents_{name}": (nw.col(name) * 100 + 0.5).floor().cast(nw.Float64).sum()
        for name in numbers
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
