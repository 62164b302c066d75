"""Finds how the amounts of a file are written, and the SQL that makes numbers of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.engines import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.pipeline.converting import File

__all__ = ["PRICES", "cast", "number"]

# How a number is written → its pattern, and the text that a cast takes, once all but digits and
# marks is gone.
NUMBERS: Mapping[str, tuple[str, str]] = {
    "1,234.56": (r"^-?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?$", "replace({bare}, ',', '')"),
    "1.234,56": (
        r"^-?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?$",
        "replace(replace({bare}, '.', ''), ',', '.')",
    ),
}
# Less than nothing is also written −5, (5) and 5-: how one becomes -5.
OTHER_MINUS = r"[−–()]|[0-9][^0-9]*-\s*$"
MINUSES = (
    ("[−–]", "-"),
    (r"\(([^()]*[0-9][^()]*)\)", r"-\1"),
    (r"^(.*[0-9].*)-\s*$", r"-\1"),
)
PRICES = frozenset(
    {
        *("price", "unitprice", "itemprice", "priceperunit"),
        *("preis", "prix", "precio", "prezzo", "preco"),
        *("prixunitaire", "preciounitario", "einzelpreis", "stuckpreis"),
    }
)


def number(file: File, column: str) -> str | None:
    """Return the SQL that makes a number of a column that is text of another form, or None."""
    if not file.engine.is_text(file.types[column]):
        return None
    text, marks = quoted(column), "0-9.,()−–-"
    sql = f"SELECT 1 FROM {file.view} WHERE regexp_matches({text}, '{OTHER_MINUS}') LIMIT 1"
    if file.engine.collect(file.engine.select(sql)).num_rows:
        for found, read in MINUSES:
            text = f"regexp_replace({text}, '{found}', '{read}')"
        marks = "0-9.,-"
    bare = f"regexp_replace({text}, '[^{marks}]', '', 'g')"
    ways = {
        f"CASE WHEN regexp_matches({bare}, '{pattern}')"
        f" THEN CAST({taken.format(bare=bare)} AS DOUBLE) END": said
        for said, (pattern, taken) in NUMBERS.items()
    }
    # Few amounts have thousands, but they are the largest: one row more decides.
    unchanged, *fine = file.counted(column, [cast(column), *ways])[1:]
    most = max(fine)
    if unchanged >= most:
        return None
    best = [sql for sql, rows in zip(ways, fine, strict=True) if rows == most]
    return file.only_way(column, {sql: ways[sql] for sql in best})


def cast(column: str) -> str:
    """Return SQL for the number that a column holds, null where it holds none."""
    return f"TRY_CAST({quoted(column)} AS DOUBLE)"
