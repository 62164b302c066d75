"""Reads the first line of a CSV file: which separator it has and which columns."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
import zlib
from collections import Counter
from dataclasses import dataclass

from churnkit.errors import DataError

__all__ = ["CsvLayout", "csv_layout"]

DELIMITERS = ",;\t|"
LONGEST_LINE = 1_000_000


@dataclass(frozen=True)
class CsvLayout:
    """The separator between the cells of a CSV file, and the names of its columns."""

    delimiter: str
    columns: tuple[str, ...]


def csv_layout(path: str) -> CsvLayout:
    """Return the layout that the header of a CSV file declares.

    The header decides alone. To guess from the rows, as CSV readers do, lets one odd row change how
    all the others are read.

    Parameters
    ----------
    path : str
        A file in UTF-8, plain or ending in ``.gz``. Cells are separated by the one of comma,
        semicolon, tab and bar that is in the header most often; quotes are double quotes.

    Raises
    ------
    DataError
        If the file is no UTF-8 text, its first line is blank, or two columns share a name.
    """
    opened = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            line = file.readline(LONGEST_LINE)
            bare = re.sub(r'"[^"]*"', "", line)
            delimiter = max(DELIMITERS, key=bare.count)
            cells = next(csv.reader(itertools.chain([line], file), delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        msg = f"the file is not UTF-8 text; {error.reason} at byte {error.start}"
        raise DataError(msg) from error
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise DataError(str(error)) from error
    names = tuple(name.strip() or f"column{number}" for number, name in enumerate(cells))
    if not any(name.strip() for name in cells):
        msg = "the first line is blank, where the names of the columns should be"
        raise DataError(msg)
    if repeated := [name for name, times in Counter(n.lower() for n in names).items() if times > 1]:
        msg = f"two columns are named {repeated[0]!r}"
        raise DataError(msg)
    return CsvLayout(delimiter=delimiter, columns=names)
