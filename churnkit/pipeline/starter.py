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
from churnkit.models.base import MODELS
from churnkit.models.baselines import BASELINES
from churnkit.models.calibration import CALIBRATORS
from churnkit.pipeline.registered import MODELS_FOLDER
from churnkit.pipeline.view_list import VIEWS
from churnkit.registry import did_you_mean
from churnkit.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from churnkit.registry import Registry

__all__ = ["NameList", "Promotion", "Starter", "init", "list_names", "promote"]

# What columns of order files are called, in lower case without separators, the surest first.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "customer_id": ("customerid", "customer", "custid", "clientid", "userid", "memberid", "cid"),
    "ts": (
        "timestamp", "ts", "orderdate", "invoicedate", "orderedat", "createdat", "purchasedate",
        "transactiondate", "datetime", "date", "time",
    ),
    "amount": (
        "amount", "revenue", "netamount", "total", "totalprice", "ordervalue", "sales", "spend",
        "value", "price",
    ),
    "order_id": ("orderid", "invoice", "invoiceno", "invoiceid", "transactionid", "basketid", "order"),
    "product_id": ("productid", "stockcode", "sku", "itemid", "product", "item"),
    "quantity": ("quantity", "qty", "units", "pieces"),
    "discount": ("discount", "discountamount"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A configuration written for a data file."""

    source: str
    output: Path
    columns: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "output": str(self.output),
            "columns": dict(self.columns),
        }


def init(
    file: str | Path,
    *,
    output: Path | str | None = None,
    time_zone: str = "UTC",
    replace: bool = False,
) -> Starter:
    """Write a commented configuration for a data file by looking at its columns.

    Parameters
    ----------
    file : path
        A ``.parquet``, ``.csv`` or ``.csv.gz`` file, or a glob of them.
    output : path, optional
        By default the file's name with ``.yaml``, in the working directory.
    time_zone : str
        Business zone of naive times.
    replace : bool
        Whether an existing file may be replaced.

    Raises
    ------
    DataError
        If the file cannot be read, or no column looks like the customer's id or the time.
    ParameterError
        If ``output`` exists.
    """
    with DuckDBEngine() as engine:
        types = engine.column_types(source_of(str(file)).view(engine, ids=frozenset()))
    columns = recognise(list(types))
    missing = [name for name in ("customer_id", "ts") if name not in columns]
    if missing:
        msg = (
            f"{file}: no column looks like {' or '.join(missing)}; columns: {', '.join(types)}."
            " Write the mapping by hand: data.orders.columns"
        )
        raise DataError(msg)
    stem = re.sub(r"\.(parquet|csv|csv\.gz)$", "", Path(file).name)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "orders"
    target = Path(output or f"{name}.yaml")
    if target.exists() and not replace:
        msg = f"{target}: the file exists; give another --output, or --force to replace it"
        raise ParameterError(msg)
    text = starter_config(name, str(file), columns, time_zone=time_zone)
    with replace_file(target) as opened:
        opened.write(text.encode())
    return Starter(source=str(file), output=target, columns=columns)


def recognise(columns: list[str]) -> dict[str, str]:
    """Return our column names with those of a file that look like them.

    Examples
    --------
    >>> recognise(["Invoice", "StockCode", "Quantity", "InvoiceDate", "Customer ID"])
    {'customer_id': 'Customer ID', 'ts': 'InvoiceDate', 'order_id': 'Invoice',
     'product_id': 'StockCode', 'quantity': 'Quantity'}
    """
    plain = {re.sub(r"[^a-z0-9]", "", column.lower()): column for column in columns}
    found = {}
    for ours, spellings in SPELLINGS.items():
        match = next((plain[s] for s in spellings if s in plain), None)
        if match is not None:
            found[ours] = match
    return found


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
