"""What sources, features and sinks need of an engine, and the names under which engines are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from churnkit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import narwhals as nw
    import pyarrow as pa

__all__ = [
    "AWARE",
    "ENGINES",
    "ENGINE_SAYS",
    "ISO_TIME",
    "ClusterEngine",
    "Engine",
    "Peers",
    "drawn",
    "literal",
    "quoted",
]

ENGINE_SAYS = "engine: "

# A text time knows its zone when a letter or a sign follows the time of day.
AWARE = r":[^A-Za-z+-]*[A-Za-z+-]"
# A day with four digits of year, perhaps a time, perhaps an offset. DuckDB would read 1/2/24 as a day
# of the year 1, and the zone "BST" as Bangladesh.
ISO_TIME = (
    r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}"
    r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(UTC|Z|z|[+-]\d{2}(:?\d{2}){0,2})?)?$"
)


class Engine(Protocol):
    """What sources, features and sinks need of an engine."""

    kind: str

    def add_files(self, paths: Sequence[str], *, file_format: str, encoding: str = "utf-8") -> str:
        """Make a view of Parquet or CSV files (``parquet``, ``csv``) and return its name.

        ``encoding``, ``utf-8``, ``latin-1`` or ``utf-16``, is that of the text of CSV files.
        """
        ...

    def add_arrow(self, table: pa.Table) -> str:
        """Make a view of an Arrow table and return its name."""
        ...

    def column_types(self, view: str) -> dict[str, str]:
        """Return the columns of a view, or of a query in brackets, with the engine's type names."""
        ...

    def select(self, sql: str) -> nw.LazyFrame[Any]:
        """Return the result of a ``SELECT`` as a lazy frame."""
        ...

    def is_text(self, sql_type: str) -> bool:
        """Return whether a column of this type holds text; one without any value counts."""
        ...

    def text(self, column: str, *, sql_type: str) -> str:
        """Return SQL for an id as text: blanks are null, whole numbers lose their ``.0``."""
        ...

    def number(self, column: str, *, sql_type: str) -> str:
        """Return SQL for a column as a double; null where it is not a number."""
        ...

    def clock_us(self, column: str, *, sql_type: str) -> tuple[str, str]:
        """Return SQL for a time in µs since 1970 as written, and SQL for whether it knows its zone."""
        ...

    def materialize(
        self, frame: nw.LazyFrame[Any], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute a frame once, sorted, and return a frame that reads the result."""
        ...

    def materialize_all(
        self, frames: Iterable[nw.LazyFrame[Any]], *, sort_by: Sequence[str] = ()
    ) -> nw.LazyFrame[Any]:
        """Compute frames, each before the next is asked for, and return one that reads all rows.

        Each is sorted by itself: the whole is where they follow each other in that order.
        """
        ...

    def gather(self, frame: nw.LazyFrame[Any], *, by: str, rows: int) -> nw.LazyFrame[Any]:
        """Compute a frame of so many rows once, so that :meth:`parts` finds those of a value together.

        ``by`` is a column of text.
        """
        ...

    def parts(self, frame: nw.LazyFrame[Any]) -> list[nw.LazyFrame[Any]]:
        """Return frames that are together a frame, in the order of what it was gathered by.

        Rows with the same value are in one part, and each part is small enough to be worked on
        quickly. A frame that was not gathered is one part, and so is any where the engine itself
        works on many parts.
        """
        ...

    def sample(
        self, frame: nw.LazyFrame[Any], *, by: str, share: float, seed: int
    ) -> nw.LazyFrame[Any]:
        """Return the rows of about ``share`` of the values of a text column, drawn by :func:`drawn`.

        The same values are drawn on every engine, from every table.
        """
        ...

    def forget(self, *frames: nw.LazyFrame[Any]) -> None:
        """Release what :meth:`materialize` keeps for frames that nothing reads any more."""
        ...

    def collect(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        """Return all rows as an Arrow table."""
        ...

    def batches(
        self, frame: nw.LazyFrame[Any], *, rows: int, sort_by: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows as a stream of Arrow batches, in no fixed order unless sorted."""
        ...

    def close(self) -> None:
        """Release memory, temporary tables and files."""
        ...


class Peers(Protocol):
    """Tasks that run at the same time, as one of them sees them.

    Attributes
    ----------
    rank : int
        Which of them it is, from 0.
    threads : int
        How many it may use.
    host : str
        IPv4 address at which the others reach it.
    """

    rank: int
    threads: int
    host: str

    def gather(self, said: str) -> list[str]:
        """Return what all tasks say here, by rank; each waits until all have spoken."""
        ...


@runtime_checkable
class ClusterEngine(Engine, Protocol):
    """An engine whose rows need not fit, nor pass through, this process."""

    def add_table(self, name: str) -> str:
        """Make a view of a table of the engine's catalog and return the view's name."""
        ...

    def map_batches(
        self,
        frame: nw.LazyFrame[Any],
        function: Callable[[Iterator[pa.Table]], Iterator[pa.Table]],
        *,
        schema: pa.Schema,
    ) -> nw.LazyFrame[Any]:
        """Return what a function makes of the rows, called where they lie, part by part."""
        ...

    def run_together(
        self,
        frame: nw.LazyFrame[Any],
        function: Callable[[Iterator[pa.Table], Peers], pa.Table],
        *,
        tasks: int,
        by: str,
        schema: pa.Schema,
    ) -> pa.Table:
        """Return what a function returns in tasks that run at the same time and know each other.

        Rows that agree in the column ``by`` come to one task, sorted by all columns: the same rows
        and the same number of tasks make the same parts. A task may be without rows. Where one is
        lost, all begin again.
        """
        ...

    def writing(
        self, frame: nw.LazyFrame[Any], folder: str, *, part: str
    ) -> AbstractContextManager[nw.LazyFrame[Any]]:
        """Write rows as Parquet; they become ``folder/part`` when the block ends without an error.

        The block is given the rows as they were written. An older part of the name is replaced.
        """
        ...


ENGINES: Registry[Engine] = Registry("engine")


def literal(text: str) -> str:
    """Return a text as SQL writes it, where a backslash stands for itself.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier.

    Examples
    --------
    >>> quoted("unit price")
    '"unit price"'
    """
    return '"' + name.replace('"', '""') + '"'


def drawn(by: str, *, share: float, seed: int) -> str:
    r"""Return the SQL condition that draws a share of the values of a text column by their hash.

    Examples
    --------
    >>> drawn("customer_id", share=0.5, seed=7)
    'md5(concat(\'7 \', "customer_id")) < \'8000000000000\''
    """
    digits = 13  # 52 bits, as many as a double has
    return f"md5(concat('{seed} ', {quoted(by)})) < '{int(share * 16**digits):0{digits}x}'"
