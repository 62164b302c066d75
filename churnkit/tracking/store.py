"""Where runs and models are kept: which store, and the embedded one in a folder."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from churnkit.errors import ParameterError

__all__ = ["ARTIFACTS_TAG", "artifact_root", "check", "make_database", "prepare", "store_uri"]

DATABASE = "mlflow.db"
SQLITE = "sqlite:///"
SQLITE_HEADER = b"SQLite format 3\x00"
# Says where an experiment's files were when it was made, so that a moved folder is noticed.
ARTIFACTS_TAG = "churnkit.artifacts"
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def store_uri(uri: str | None, *, folder: Path | str) -> str:
    """Return the tracking URI: the one given, else ``MLFLOW_TRACKING_URI``, else the embedded store.

    Parameters
    ----------
    uri : str or None
    folder : path
        Home of the embedded store.

    Examples
    --------
    >>> store_uri("http://127.0.0.1:5000", folder="models")
    'http://127.0.0.1:5000'
    """
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{Path(folder) / DATABASE}"
    path = _database(chosen)
    # Absolute, so that a later change of the working directory does not start a second store.
    return chosen if path is None else f"{SQLITE}{path}"


def artifact_root(uri: str) -> Path | None:
    """Return the folder for the files of an embedded store, None for a store that has its own."""
    path = _database(uri)
    return None if path is None else path.parent / "artifacts"


def check(uri: str) -> None:
    """Refuse an embedded store that nothing can be written to; make nothing.

    Raises
    ------
    ParameterError
        If the file is no SQLite database, or it or its folder may not be written.
    """
    path, root = _database(uri), artifact_root(uri)
    if path is None or root is None:
        return
    try:
        header = _header(path)
    except OSError as error:
        msg = f"tracking.uri: {path}: cannot be read; {error.strerror}"
        raise ParameterError(msg) from error
    if header and header != SQLITE_HEADER:
        msg = f"tracking.uri: {path} is not an SQLite database"
        raise ParameterError(msg)
    # What is not there yet is made, in the first folder above that is.
    for wanted in (path, root):
        there = next(p for p in (wanted, *wanted.parents) if p.exists())
        if not os.access(there, os.W_OK):
            msg = f"tracking.uri: {there} cannot be written, and runs and models are kept there"
            raise ParameterError(msg)


def prepare(uri: str) -> None:
    """Make the folder of an embedded store, and follow it if it was moved.

    MLflow writes absolute paths into its database. If the folder was moved or copied since, the
    paths below the old folder are rewritten to the new one.

    Raises
    ------
    ParameterError
        If the folder cannot be made, or the file is no SQLite database that can be used.
    """
    path, root = _database(uri), artifact_root(uri)
    if path is None or root is None:
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        header = _header(path)
    except OSError as error:
        msg = f"tracking.uri: {path.parent}: cannot be used as a folder; {error.strerror}"
        raise ParameterError(msg) from error
    if not header:
        return
    if header != SQLITE_HEADER:
        msg = f"tracking.uri: {path} is not an SQLite database"
        raise ParameterError(msg)
    try:
        with closing(sqlite3.connect(path, timeout=10.0)) as database, database:
            _follow_move(database, root=str(root))
    except sqlite3.Error as error:
        msg = f"tracking.uri: {path} cannot be used; SQLite says: {error}"
        raise ParameterError(msg) from error


def make_database(uri: str) -> None:
    """Make the database of an embedded store if there is none: whole, or not at all.

    MLflow makes its tables one by one in many steps. So they are made under another name, and the
    file then gets its own: a process that is killed leaves no half of a database behind, and of
    two that start at once the second uses what the first has made.
    """
    path, root = _database(uri), artifact_root(uri)
    if path is None or root is None or _header(path):
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    made = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        store: Any = SqlAlchemyStore  # MLflow gives it no types
        store(f"{SQLITE}{made}", str(root)).engine.dispose()
        _name_first(made, path)
    finally:
        made.unlink(missing_ok=True)


def _name_first(made: Path, path: Path) -> None:
    """Give a file its name, unless another file has got it first."""
    if path.exists() and not path.stat().st_size:
        path.unlink()
    try:
        path.hardlink_to(made)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not path.exists():
            made.replace(path)


def _follow_move(database: sqlite3.Connection, *, root: str) -> None:
    rows = database.execute("SELECT type, name FROM sqlite_master WHERE type = 'table'")
    if "experiment_tags" not in {name for _, name in rows}:
        return
    recorded = database.execute(
        "SELECT DISTINCT value FROM experiment_tags WHERE key = ? AND value <> ?",
        (ARTIFACTS_TAG, root),
    ).fetchall()
    for (old,) in recorded:
        for table, column in LOCATIONS:
            database.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (root, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )
        database.execute(
            "UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?",
            (root, ARTIFACTS_TAG, old),
        )


def _header(path: Path) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEADER))


def _database(uri: str) -> Path | None:
    """Return the file of an SQLite store, None for any other."""
    if not uri.startswith(SQLITE) or uri == f"{SQLITE}:memory:":
        return None
    return Path(uri.removeprefix(SQLITE)).absolute()
