"""Reads a configuration file and the overrides given beside it."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from churnkit.config.faults import shown, validated
from churnkit.config.frozen import thaw
from churnkit.config.schema import DEFAULT_FEATURES, Config
from churnkit.config.yaml_text import parse_yaml
from churnkit.errors import ConfigError
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from churnkit.config.keys import Path

__all__ = ["load_config"]


def load_config(path: str | os.PathLike[str], *, overrides: Sequence[str] = ()) -> Config:
    r"""Return the configuration of a YAML file.

    Paths inside the file are relative to the working directory, not to the file.

    Parameters
    ----------
    path : str or path-like
        A YAML file; see :func:`churnkit.config.reference` for its keys.
    overrides : sequence of str
        ``key.path=value`` each, as after ``--set``: ``snapshots.horizon_days=60``,
        ``features.rfm.windows_days=[7, 30]``. Values are YAML. Later ones win.

    Returns
    -------
    Config
        Frozen, with all defaults filled in.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not YAML, or anything in it or in the overrides is wrong: one
        line per fault, all faults at once.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "shop.yaml")
    ...     _ = file.write_text("name: shop\ndata: {orders: {source: orders.csv}}")
    ...     load_config(file, overrides=["snapshots.horizon_days=60"]).snapshots.horizon_days
    60
    """
    where = str(path)
    raw, faults = _read(where)
    overridden: list[Path] = []
    for override in overrides:
        try:
            overridden.append(_apply(raw, override))
        except ConfigError as error:
            faults.append(str(error))
    return validated(Config, raw, where=where, overridden=overridden, already=faults)


def _read(where: str) -> tuple[dict[str, Any], list[str]]:
    """Return the mapping in a file, and the complete messages of faults of its keys."""
    path = FilePath(where)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [file.name for file in path.parent.glob("*.y*ml")]
        msg = f"{where}: no such file.{did_you_mean(path.name, beside)}"
        raise ConfigError(msg) from None
    except OSError as error:
        msg = f"{where}: cannot be read: {error.strerror}"
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{where}: must be UTF-8 text; byte {error.start} is not"
        raise ConfigError(msg) from error
    try:
        value, faults = parse_yaml(text)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from None
    if value is None:
        msg = f"{where}: the file is empty; a configuration needs at least name and data.orders"
        raise ConfigError(msg)
    if not isinstance(value, dict):
        msg = f"{where}: must be a mapping of keys to values; got {shown(value)}"
        raise ConfigError(msg)
    return value, [f"{where}: {fault}" for fault in faults]


def _apply(raw: dict[str, Any], override: str) -> Path:
    """Set one value in place and return the topmost path that did not exist before."""
    key, equals, text = override.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        msg = f"override: must look like key.path=value; got {override!r}"
        raise ConfigError(msg)
    try:
        value, faults = parse_yaml(text)
    except ValueError as error:
        msg = f"override: {'.'.join(path)}: {error}"
        raise ConfigError(msg) from None
    if faults:
        msg = f"override: {'.'.join(path)}: {'; '.join(faults)}"
        raise ConfigError(msg)
    new: Path | None = None
    node = raw
    for depth, step in enumerate(path[:-1], start=1):
        inner = node.get(step)
        if inner is None or (inner is True and path[0] == "features"):
            # An option of one feature changes that feature, it does not drop the other defaults.
            inner = node[step] = thaw(DEFAULT_FEATURES) if path[:depth] == ("features",) else {}
            new = new or path[:depth]
        if not isinstance(inner, dict):
            msg = f"override: {'.'.join(path)}: {'.'.join(path[:depth])} holds {shown(inner)}, not a mapping"
            raise ConfigError(msg)
        node = inner
    node[path[-1]] = value
    return new or path
