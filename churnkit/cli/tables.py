"""The one look of the tables that commands print."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["add_row", "plain_table"]


def plain_table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return a table without frames; columns named in ``right`` hold numbers and never wrap."""
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in columns:
        number = column in right
        table.add_column(column, justify="right" if number else "left", no_wrap=number)
    return table


def add_row(table: Table, *cells: str, style: str = "") -> None:
    """Add a row of plain text: brackets in ids are no markup."""
    table.add_row(*(Text(cell) for cell in cells), style=style)
