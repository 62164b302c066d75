"""What every input table must look like, and the checks that say which rows do not.

A contract is a list of columns with their kinds, plus rules that only this table has. Each check
marks rows; a row with any mark is set aside with all its reasons, or stops the run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from churnkit.data.windows import US_PER_DAY
from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CONTRACTS",
    "Check",
    "CheckResult",
    "Column",
    "SourceFile",
    "TableContract",
    "TableReport",
    "row_checks",
]

Kind = Literal["id", "time", "number", "text"]

# Another spelling of a plain whole number: in quotes, with a decimal zero, or of another type.
DECORATED = r"""^("-?[0-9]+"|'-?[0-9]+'|-?[0-9]+\.0+|-?[0-9]+ \(number\))$"""
# To look for one character costs a third of trimming.
FILLED = r"[^\s\x{a0}]"
LARGEST = 1.7976931348623157e308
# No sale is worth so much in any currency, and sums of anything smaller stay finite.
CREDIBLE = 1e15
EARLIEST_US = -2_177_452_800_000_000  # 1901-01-01


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
        What is wrong, to follow the table's name: ``"amount is null or blank"``.
    broken : narwhals.Expr
        True for rows that break the rule; null counts as kept.
    shown_by : tuple of str
        Columns that name a broken row in an example; the first that the row fills is used.
    """

    name: str
    sentence: str
    broken: nw.Expr
    shown_by: tuple[str, ...]


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
        Given the mapped column names and the first instant of the future, microseconds since 1970
        UTC, returns the checks that only this table has. A row of the future is set aside and must
        not decide about an earlier one.
    """

    name: str
    columns: tuple[Column, ...]
    extra: Callable[[frozenset[str], int], list[Check]] = field(
        default=lambda _mapped, _limit_us: []
    )

    @property
    def time(self) -> Column | None:
        """The column at which a row becomes known, or None for a table without time."""
        return next((c for c in self.columns if c.kind == "time"), None)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """How many rows broke one rule, with up to five examples such as ``customer_id c0193``."""

    name: str
    sentence: str
    rows: int
    examples: tuple[str, ...]
    set_aside: bool


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that was read, and its size."""

    path: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What was read from one table and what became of it.

    Attributes
    ----------
    rows_read : int
        Rows that pass the source's filter: ``rows_used + rows_set_aside``.
    customers : int or None
        Distinct customers of the rows used; None for a table without customers.
    amount : float or None
        Sum of the rows used, to the cent; None for a table without amounts.
    first_at, last_at : str or None
        First and last instant of the rows used, ISO 8601 in the business zone.
    fingerprint : str
        16 hex digits that follow from the rows used: their number, customers, first and last instant
        and sums. The order of the rows, the engine and the file format do not matter.
    """

    table: str
    source: str
    rows_read: int
    rows_used: int
    rows_set_aside: int
    checks: tuple[CheckResult, ...]
    customers: int | None
    amount: float | None
    first_at: str | None
    last_at: str | None
    fingerprint: str
    files: tuple[SourceFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values; ``checks`` by name."""
        plain = asdict(self)
        plain["checks"] = {check.pop("name"): check for check in plain["checks"]}
        return plain


def _raw(name: str) -> nw.Expr:
    return nw.col(f"raw_{name}")


def _given(column: Column, *, is_text: bool) -> nw.Expr:
    """Return whether the source has anything in a column."""
    raw = _raw(column.name)
    return raw.str.contains(FILLED).fill_null(value=False) if is_text else ~raw.is_null()


def _column_checks(column: Column, *, is_text: bool, others: tuple[str, ...]) -> list[Check]:
    name, value = column.name, nw.col(column.field_name)
    given = _given(column, is_text=is_text)
    itself = (name, *others)

    def check(kind: str, sentence: str, broken: nw.Expr, *, shown_by: tuple[str, ...]) -> Check:
        said = f"{name} is {sentence}"
        return Check(name=f"{name}_{kind}", sentence=said, broken=broken, shown_by=shown_by)

    checks = []
    if not column.nullable:
        missing = value.is_null() if column.kind in {"id", "text"} else ~given
        checks.append(check("missing", "null or blank", missing, shown_by=others))
    if column.kind == "time":
        broken = given & value.is_null()
        checks.append(
            check("unparsable", "not a time (ISO 8601 expected)", broken, shown_by=itself)
        )
    if column.kind == "number":
        broken = given & value.is_null()
        checks.append(check("not_numeric", "not a number", broken, shown_by=itself))
        # NaN compares greater than every number on some engines and unequal on others.
        broken = ~value.is_null() & ((value.abs() > LARGEST) | value.is_nan())
        checks.append(check("not_finite", "infinite or NaN", broken, shown_by=itself))
        broken = (value.abs() > CREDIBLE) & (value.abs() <= LARGEST)
        checks.append(check("too_large", "above 1e15 or below -1e15", broken, shown_by=itself))
    if column.kind == "id" and is_text:
        broken = value.str.contains(DECORATED)
        sentence = "of mixed types: a number spelled in another way beside plain numbers"
        checks.append(check("mixed_type", sentence, broken, shown_by=itself))
    return checks


def row_checks(
    contract: TableContract,
    *,
    texts: Mapping[str, bool],
    as_of_us: int | None,
    now_us: int,
    refunds: str,
) -> list[Check]:
    """Return the checks of a table for the columns that its source maps.

    Parameters
    ----------
    contract : TableContract
        The table.
    texts : mapping of str to bool
        The contract's columns that the source has, and whether the source holds each as text.
    as_of_us : int or None
        Rows at or after this instant are in the future of the run. Where it is None, rows later
        than a day after ``now_us`` are: one row of the year 2099 would become the run's clock.
    now_us : int
        The wall clock, microseconds since 1970 UTC.
    refunds : {"net", "drop", "raise"}
        Whether negative amounts of orders break a rule.
    """
    named = [name for name in ("customer_id", "order_id") if name in texts]
    named += [c.name for c in contract.columns if c.kind == "time" and c.name in texts]
    checks: list[Check] = []
    for column in contract.columns:
        if column.name in texts:
            others = tuple(name for name in named if name != column.name)
            checks += _column_checks(column, is_text=texts[column.name], others=others)
    time = contract.time
    limit = now_us + US_PER_DAY if as_of_us is None else as_of_us
    if time is not None and time.name in texts:
        moment, name = nw.col(time.field_name), time.name
        known = "more than a day after now" if as_of_us is None else "not before as_of"
        rules = [("in_future", f"in the future ({known})", moment >= limit)]
        # Attributes may be known since ever: there it says no more than that.
        if contract.name != "customers":
            sentence = "before 1901 (0001-01-01 and 1900-01-01 stand for no date)"
            rules.append(("too_early", sentence, moment < EARLIEST_US))
        for kind, sentence, broken in rules:
            said = f"{name} is {sentence}"
            checks.append(
                Check(name=f"{name}_{kind}", sentence=said, broken=broken, shown_by=(name,))
            )
    if refunds != "net" and contract.name == "orders" and "amount" in texts:
        name = "refund_dropped" if refunds == "drop" else "amount_negative"
        sentence = f"amount is negative and data.refunds is {refunds!r}"
        broken = nw.col("amount") < 0
        checks.append(Check(name=name, sentence=sentence, broken=broken, shown_by=("amount",)))
    return checks + contract.extra(frozenset(texts), limit)


def _id(name: str = "customer_id") -> Column:
    return Column(name=name, kind="id", required=True, nullable=False)


def _when(name: str = "ts") -> Column:
    return Column(name=name, kind="time", required=True, nullable=False)


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
            Column(name="order_id", kind="id"),
            Column(name="product_id", kind="text"),
            Column(name="quantity", kind="number"),
            Column(name="discount", kind="number"),
        ),
    )
