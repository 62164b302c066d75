"""Files as Spark names, moves and removes them, on whatever file system they are."""

from __future__ import annotations

import os
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from churnkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["address", "aside", "files_of", "literally", "remove", "replacing"]

SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/")


def address(path: str) -> str:
    """Return the address of a path: of this machine's file system unless it names another.

    Examples
    --------
    >>> address("/data/orders"), address("s3a://bucket/orders/")
    ('file:///data/orders', 's3a://bucket/orders')
    """
    if SCHEME.match(path):
        return path.rstrip("/")
    return f"file://{os.path.abspath(path)}"


def literally(path: str) -> str:
    r"""Return a path that has been found, written so that Spark looks for no pattern in it.

    Examples
    --------
    >>> literally("a[1].csv")
    'a\\[1\\].csv'
    """
    return "".join(f"\\{c}" if c in "*?[]{}\\" else c for c in path)


def files_of(rows: Any) -> list[str]:
    """Return the addresses of the files that a frame reads."""
    return [literally(unquote(path)) for path in rows.inputFiles()]


def aside(call: Callable[[], object]) -> None:
    """Call Java from a thread of its own, and wait.

    A thread that was stopped between a question to Java and its answer would take that answer for
    the one to its next question; what cleans up after it must not ask there.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(call).result()


def remove(spark: Any, path: str) -> None:
    """Remove a file or a folder with all that is in it; nothing there is fine."""

    def delete() -> None:
        where, files = _opened(spark, path)
        files.delete(where, True)

    aside(delete)


@contextmanager
def replacing(spark: Any, folder: str, *, part: str) -> Iterator[str]:
    """Give the address of a temporary folder that becomes ``folder/part`` when the block ends.

    An error removes it. An older part of the name moves away first and is removed last, so that
    there is never a mixture of both.

    Raises
    ------
    DataError
        If the file system refuses.
    """
    token = secrets.token_hex(4)
    # Readers of a folder pass over names that begin with a dot.
    temporary, older = (f"{folder}/.{part}.{token}.{kind}" for kind in ("tmp", "old"))
    target = f"{folder}/{part}"
    try:
        yield temporary
        there = _exists(spark, target)
        if there:
            _rename(spark, target, older)
        try:
            _rename(spark, temporary, target)
        except DataError:
            if there:
                _rename(spark, older, target)
            raise
        if there:
            remove(spark, older)
    finally:
        remove(spark, temporary)


def _opened(spark: Any, path: str) -> tuple[Any, Any]:
    # Hadoop's file systems have no other door.
    where = spark._jvm.org.apache.hadoop.fs.Path(path)
    return where, where.getFileSystem(spark._jsc.hadoopConfiguration())


def _exists(spark: Any, path: str) -> bool:
    where, files = _opened(spark, path)
    return bool(files.exists(where))


def _rename(spark: Any, old: str, new: str) -> None:
    where, files = _opened(spark, old)
    if not files.rename(where, spark._jvm.org.apache.hadoop.fs.Path(new)):
        msg = f"{new}: cannot be written; {old} cannot take its name"
        raise DataError(msg)
