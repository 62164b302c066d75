"""What every input table must look like, and the checks that say which rows do not.

A contract is a list of columns with their kinds, plus rules that only this table has. Each check
marks rows; a row with any mark is set aside with all its reasons, or stops the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CONTRACTS",
    "Check",
    "CheckResult",
    "Column",
    "TableContract",
    "TableReport",
    "faults",
    "row_checks",
]

Kind = Literal["id", "time", "number", "text"]

# Numbers written as text in quotes or with a decimal zero: another spelling of a plain whole number.
DECORATED = r"""^("-?[0-9]+"|'-?[0-9]+'|-?[0-9]+\.0+)$"""
WHOLE = r"^-?[0-9]+$"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a contract.

    Parameters
    ----------
    name : str
        The name under which a configuration maps it.
    kind : {"id", "time", "number", "text"}
        Times become ``<name>_us``: integer microseconds since 1970 UTC.
    required : bool
        Whether the table must have it; an absent optional column is absent, not empty.
    nullable : bool
        Whether a row may leave it empty.
    """

    name: str
    kind: Kind
    required: bool = False
    nullable: bool = True

    @property
    def field_name(self) -> str:
        """Name of the column in the loaded table."""
        return f"{self.name}_us" if self.kind == "time" else self.name


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule that rows may break.

    Parameters
    ----------
    name : str
        Short name for counts and manifests: ``"amount_missing"``.
    sentence : str
        What is wrong, to follow the table's name: ``"amount is null"``.
    broken : narwhals.Expr
        True for rows that break the rule; null counts as kept.
    example : str
        Column whose text, as it stands in the source, is shown as the example.
    """

    name: str
    sentence: str
    broken: nw.Expr
    example: str


@dataclass(frozen=True, kw_only=True)
class TableContract:
    """The columns of one input table and the rules that only it has.

    Parameters
    ----------
    name : str
        Key under ``data`` in a configuration.
    columns : tuple of Column
        The first time column is the one at which a row becomes known.
    extra : callable, optional
        Given the mapped column names, returns the checks that only this table has.
    """

    name: str
    columns: tuple[Column, ...]
    extra: Callable[[frozenset[str]], list[Check]] = field(default=lambda _: [])

    @property
    def time(self) -> Column | None:
        """The column at which a row becomes known, or None for a table without time."""
        return next((c for c in self.columns if c.kind == "time"), None)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """How many rows broke one rule, with up to five examples."""

    name: str
    sentence: str
    rows: int
    examples: tuple[str, ...]
    set_aside: bool


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What was read from one table and what became of it; ``rows_read = rows_used + rows_set_aside``."""

    table: str
    source: str
    rows_read: int
    rows_used: int
    rows_set_aside: int
    checks: tuple[CheckResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "table": self.table,
            "source": self.source,
            "rows_read": self.rows_read,
            "rows_used": self.rows_used,
            "rows_set_aside": self.rows_set_aside,
            "checks": {
                c.name: {
                    "sentence": c.sentence,
                    "rows": c.rows,
                    "examples": list(c.examples),
                    "set_aside": c.set_aside,
                }
                for c in self.checks
            },
        }


def _raw(name: str) -> nw.Expr:
    return nw.col(f"raw_{name}")


def _missing(column: Column, *, example: str) -> Check:
    return Check(
        name=f"{column.name}_missing",
        sentence=f"{column.name} is null or blank",
        broken=_raw(column.name).is_null() | (_raw(column.name).str.strip_chars() == ""),
        example=example,
    )


def _column_checks(column: Column, *, example: str) -> list[Check]:
    name, checks = column.name, []
    given = ~_raw(name).is_null() & (_raw(name).str.strip_chars() != "")
    if not column.nullable:
        checks.append(_missing(column, example=example))
    if column.kind == "time":
        broken = given & nw.col(column.field_name).is_null()
        sentence = f"{name} is not a time (ISO 8601 expected)"
        checks.append(
            Check(name=f"{name}_unparsable", sentence=sentence, broken=broken, example=name)
        )
    if column.kind == "number":
        value = nw.col(name)
        checks.append(
            Check(
                name=f"{name}_not_numeric",
                sentence=f"{name} is not a number",
                broken=given & value.is_null(),
                example=name,
            )
        )
        # NaN compares greater than every number on some engines and unequal on others.
        finite = (value > -1.7976931348623157e308) & (value < 1.7976931348623157e308)
        checks.append(
            Check(
                name=f"{name}_not_finite",
                sentence=f"{name} is infinite or not a number (NaN)",
                broken=~value.is_null() & (~finite | value.is_nan()),
                example=name,
            )
        )
    return checks


def row_checks(
    contract: TableContract,
    *,
    mapped: frozenset[str],
    as_of_us: int | None,
    mixed_ids: frozenset[str],
    refuse_negative: bool,
) -> list[Check]:
    """Return the checks of a table for the columns that its source maps.

    Parameters
    ----------
    contract : TableContract
        The table.
    mapped : frozenset of str
        Names of the contract's columns that the source has.
    as_of_us : int or None
        Rows at or after this instant are in the future of the run; None checks nothing.
    mixed_ids : frozenset of str
        Id columns in which plain whole numbers and other spellings of them both occur.
    refuse_negative : bool
        Whether negative amounts break the contract (``refunds: raise``).
    """
    checks: list[Check] = []
    for column in contract.columns:
        if column.name in mapped:
            # A missing value cannot show itself: the row is shown by another of its columns.
            others = [c for c in ("customer_id", "order_id", "ts") if c in mapped - {column.name}]
            checks += _column_checks(column, example=(others or [column.name])[0])
        if column.name in mixed_ids:
            broken = _raw(column.name).str.contains(DECORATED)
            sentence = f"{column.name} mixes types: a number written as text beside plain numbers"
            name = f"{column.name}_mixed_type"
            checks.append(Check(name=name, sentence=sentence, broken=broken, example=column.name))
    time = contract.time
    if time is not None and time.name in mapped and as_of_us is not None:
        checks.append(
            Check(
                name=f"{time.name}_in_future",
                sentence=f"{time.name} is not before as_of",
                broken=nw.col(time.field_name) >= as_of_us,
                example=time.name,
            )
        )
    if refuse_negative and "amount" in mapped:
        checks.append(
            Check(
                name="amount_negative",
                sentence="amount is negative and data.refunds is 'raise'",
                broken=nw.col("amount") < 0,
                example="amount",
            )
        )
    return checks + contract.extra(mapped)


def faults(checks: list[Check]) -> nw.Expr:
    """Return the names of the broken checks of each row, joined by ``;`` (empty for a good row)."""
    names = [
        nw.when(check.broken.fill_null(value=False))
        .then(nw.lit(f"{check.name};"))
        .otherwise(nw.lit(""))
        for check in checks
    ]
    return nw.concat_str(names)


def _id(name: str = "customer_id") -> Column:
    return Column(name=name, kind="id", required=True, nullable=False)


def _when(name: str = "ts") -> Column:
    return Column(name=name, kind="time", required=True, nullable=False)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind="text") for name in names)


CONTRACTS: Registry[TableContract] = Registry("input table")


@CONTRACTS.register("orders")
def _orders() -> TableContract:
    """Lines or orders; without ``amount`` every line counts 1."""
    return TableContract(
        name="orders",
        columns=(
            _id(),
            _when(),
            Column(name="amount", kind="number", nullable=False),
            *_text("order_id", "product_id"),
            Column(name="quantity", kind="number"),
            Column(name="discount", kind="number"),
        ),
    )
