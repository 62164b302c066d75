"""The verbs ``list`` and ``promote``."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.btyd import PURCHASE_MODELS
from churnkit.config import reference
from churnkit.data.simulate import SIMULATED
from churnkit.data.sinks import SINKS
from churnkit.data.sources import SOURCES
from churnkit.datasets import DATASETS
from churnkit.engines import ENGINES
from churnkit.errors import UnknownNameError
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.formulas import FORMULAS, formula_info
from churnkit.labels import LABELS
from churnkit.models.baselines import BASELINES
from churnkit.models.calibration import CALIBRATORS
from churnkit.models.learner import MODELS
from churnkit.pipeline.registered import MODELS_FOLDER
from churnkit.pipeline.view_list import VIEWS
from churnkit.registry import did_you_mean
from churnkit.tracking import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from churnkit.registry import Registry

__all__ = ["NameList", "Promotion", "list_names", "promote"]


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
