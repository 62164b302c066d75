"""Reads how a CSV file is written: its separator, its columns, and in which encoding its text is."""

from __future__ import annotations

import codecs
import csv
import gzip
import itertools
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CsvLayout", "csv_encoding", "csv_layout"]

DELIMITERS = ",;\t|"
LONGEST_LINE = 1_000_000
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class CsvLayout:
    """The separator between the cells of a CSV file, and the names of its columns."""

    delimiter: str
    columns: tuple[str, ...]


def csv_encoding(path: str) -> str:
    """Return ``ascii``, else ``utf-8`` if a whole CSV file can be read so, else what it must be.

    ``utf-16`` where the file begins so, and ``latin-1``, which reads every byte, elsewhere.

    Raises
    ------
    DataError
        If the file cannot be opened, or is UTF-16 text with the high byte first.
    """
    decoder, plain = codecs.getincrementaldecoder("utf-8")(), True
    try:
        with _opened(path, "rb") as file:
            begin = file.read(2)
            if begin == codecs.BOM_UTF16_LE:
                return "utf-16"
            if begin == codecs.BOM_UTF16_BE:
                msg = "the file is UTF-16 text with the high byte first; write it as UTF-8"
                raise DataError(msg)
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                plain = plain and chunk.isascii()
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(str(error)) from error
    return "ascii" if plain else "utf-8"


def csv_layout(path: str, *, encoding: str = "utf-8") -> CsvLayout:
    """Return the layout that the header of a CSV file declares.

    The header decides alone. To guess from the rows, as CSV readers do, lets one odd row change how
    all the others are read.

    Parameters
    ----------
    path : str
        A file, plain or ending in ``.gz``. Cells are separated by the one of comma, semicolon, tab
        and bar that is in the header most often; quotes are double quotes.
    encoding : {"utf-8", "latin-1", "utf-16"}
        UTF-16 with the low byte first, as Windows writes it.

    Raises
    ------
    DataError
        If the file is not in the encoding, its first line is blank, or two columns share a name.
    """
    if encoding == "utf-16" and (found := csv_encoding(path)) != encoding:
        msg = f"the file is not UTF-16 text; encoding can be {found.replace('ascii', 'utf-8')}"
        raise DataError(msg)
    try:
        with _opened(path, "rt", encoding="utf-8-sig" if encoding == "utf-8" else encoding) as file:
            line = file.readline(LONGEST_LINE)
            bare = re.sub(r'"[^"]*"', "", line)
            delimiter = max(DELIMITERS, key=bare.count)
            cells = next(csv.reader(itertools.chain([line], file), delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        msg = (
            f"the file is not {encoding.upper()} text; {error.reason} at byte {error.start}; encoding"
            f" can be {csv_encoding(path).replace('ascii', 'utf-8')}"
        )
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


def _opened(path: str, mode: str, *, encoding: str | None = None) -> IO[Any]:
    opener: Callable[..., IO[Any]] = gzip.open if path.lower().endswith(".gz") else open
    return opener(path, mode, encoding=encoding, newline=None if encoding is None else "")
