"""The verbs ``init``, ``list`` and ``promote``."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.btyd import PURCHASE_MODELS
from churnkit.config import reference, starter_config
from churnkit.data.simulate import SIMULATED
from churnkit.data.sinks import SINKS, replace_file
from churnkit.data.sources import SOURCES, source_of
from churnkit.datasets import DATASETS
from churnkit.engines import ENGINES, DuckDBEngine
from churnkit.errors import DataError, ParameterError, UnknownNameError
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.formulas import FORMULAS, formula_info
from churnkit.labels import LABELS
from churnkit.models.baselines import BASELINES
from churnkit.models.calibration import CALIBRATORS
from churnkit.models.learner import MODELS
from churnkit.pipeline.converting import ConvertedOrders, convert_orders
from churnkit.pipeline.recognising import RecognisedFile, recognise_files
from churnkit.pipeline.registered import MODELS_FOLDER
from churnkit.pipeline.view_list import VIEWS
from churnkit.registry import did_you_mean
from churnkit.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from churnkit.registry import Registry

__all__ = ["NameList", "Promotion", "Starter", "init", "list_names", "promote"]


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A configuration written for data files.

    Attributes
    ----------
    source : str
        The first file.
    output : Path
    columns : mapping of str to str
        Of the first file: our column names with its own.
    tables : tuple of RecognisedFile
        What each file is.
    computed : mapping of str to str
        Of the orders: columns that the file holds in another form, and the SQL that converts them.
    """

    source: str
    output: Path
    columns: Mapping[str, str]
    tables: tuple[RecognisedFile, ...] = ()
    computed: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "output": str(self.output),
            "columns": dict(self.columns),
            "computed": dict(self.computed),
            "tables": {
                t.table: {"source": t.source, "columns": dict(t.columns)} for t in self.tables
            },
        }


def init(
    *files: str | Path,
    output: Path | str | None = None,
    time_zone: str = "UTC",
    replace: bool = False,
) -> Starter:
    """Write a commented configuration for data files by looking at their columns.

    Parameters
    ----------
    *files : path
        ``.parquet``, ``.csv`` or ``.csv.gz`` files, or globs of them: orders, events, subscriptions
        and others, each of one table. ``TABLE=FILE`` says which where the columns do not.
    output : path, optional
        By default the name of the orders' file, else of the first, with ``.yaml``, in the working
        directory.
    time_zone : str
        Business zone of naive times.
    replace : bool
        Whether an existing file may be replaced.

    Raises
    ------
    DataError
        If a file cannot be read, is of no table or may be of several, or none has orders or
        subscriptions.
    ParameterError
        If ``output`` exists, or a table that was said does not.
    """
    said, views, columns = {}, {}, {}
    with DuckDBEngine() as engine:
        for given in map(str, files):
            table, _, path = given.rpartition("=")
            path = path if re.fullmatch(r"\w+", table) else given
            if path != given:
                said[path] = table
            views[path] = source_of(path).view(engine, ids=frozenset())
            columns[path] = list(engine.column_types(views[path]))
        found = recognise_files(columns, said=said)
        by_table = {one.table: one for one in found}
        if not by_table.keys() & {"orders", "subscriptions"}:
            known = ", ".join(f"{one.source} is {one.table}" for one in found)
            msg = f"init: no file has orders or subscriptions to learn from; {known}"
            raise DataError(msg)
        orders, first = by_table.get("orders"), found[0]
        stem = re.sub(r"\.(parquet|csv|csv\.gz)$", "", Path(first.source).name)
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "orders"
        target = Path(output or f"{name}.yaml")
        if target.exists() and not replace:
            msg = f"{target}: the file exists; give another --output, or --force to replace it"
            raise ParameterError(msg)
        converted = ConvertedOrders(columns={})
        if orders is not None:
            converted = convert_orders(
                views[orders.source], source=orders.source, columns=orders.columns, engine=engine
            )
    text = starter_config(
        name,
        None if orders is None else orders.source,
        converted.columns,
        computed=converted.computed,
        days=converted.days,
        others={
            one.table: (one.source, one.columns, one.survey)
            for one in found
            if one.table != "orders"
        },
        time_zone=time_zone,
    )
    with replace_file(target) as opened:
        opened.write(text.encode())
    return Starter(
        source=first.source,
        output=target,
        columns=first.columns,
        tables=tuple(found),
        computed=converted.computed,
    )


@dataclass(frozen=True, kw_only=True)
class NameList:
    """Names of one kind, with what each is."""

    kind: str
    names: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"kind": self.kind, "names": dict(self.names)}


def _registered(registry: Registry[Any]) -> Callable[[], dict[str, str]]:
    def described() -> dict[str, str]:
        return {name: _first_sentence(registry[name]) for name in registry.names()}

    return described


def _first_sentence(factory: object) -> str:
    return (inspect.getdoc(factory) or "").split("\n\n")[0].replace("\n", " ")


def _features() -> dict[str, str]:
    return {
        feature: phrase.text.format(value="…")
        for name in FEATURE_BUILDERS.names()
        for feature, phrase in FEATURE_BUILDERS[name]().phrases.items()
    }


KINDS: Mapping[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "baselines": ("predictions shown beside the model", _registered(BASELINES)),
    "calibrations": ("churn.calibration", _registered(CALIBRATORS)),
    "config": (
        "every key of a configuration, with its default",
        lambda: {k.path: f"{k.meaning} (default {k.default})" for k in reference()},
    ),
    "datasets": (
        "bundled data: source dataset:NAME",
        lambda: {name: data.what for name, data in DATASETS.items()} | dict(SIMULATED),
    ),
    "engines": ("engine.kind", _registered(ENGINES)),
    "feature-columns": ("columns that the builders make by default", _features),
    "features": ("builders under features:", _registered(FEATURE_BUILDERS)),
    "formulas": (
        "retention metrics",
        lambda: {name: formula_info(name).formula for name in FORMULAS.names()},
    ),
    "labels": ("label.kind", _registered(LABELS)),
    "models": ("churn.model and lifetime_value.model", _registered(MODELS)),
    "purchase-models": ("features.purchase_model.kind", _registered(PURCHASE_MODELS)),
    "sinks": ("how score tables are written", _registered(SINKS)),
    "sources": ("where tables are read from", _registered(SOURCES)),
    "views": (
        "churnkit metrics --view",
        lambda: {
            "company": "every metric of the company (the default)",
            **{name: view.what for name, view in VIEWS.items()},
        },
    ),
}


def list_names(kind: str) -> NameList:
    """Return the names of a kind: ``features``, ``models``, ``config`` …; ``kinds`` lists the kinds.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    if kind == "kinds":
        return NameList(kind=kind, names={name: what for name, (what, _) in KINDS.items()})
    if kind not in KINDS:
        msg = f"list: unknown kind {kind!r}.{did_you_mean(kind, KINDS)} Known: {', '.join(KINDS)}."
        raise UnknownNameError(msg)
    return NameList(kind=kind, names=KINDS[kind][1]())


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A version that became the champion."""

    name: str
    version: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "version": self.version}


def promote(name: str, version: str, *, uri: str | None = None) -> Promotion:
    """Move the alias ``champion`` to a version of a registered model.

    Parameters
    ----------
    name, version : str
        As ``train`` printed them.
    uri : str, optional
        Tracking server; by default the store in ``models/``.
    """
    Tracker(uri, folder=MODELS_FOLDER).promote(name, version)
    return Promotion(name=name, version=version)
