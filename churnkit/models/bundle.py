"""A fitted model as a folder of text: everything that scoring needs, and no code in it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError, ModelGuardError
from churnkit.models.calibration import load_calibrator
from churnkit.models.churn import ChurnModel
from churnkit.models.contract import ContractValue
from churnkit.models.interval import SpendInterval
from churnkit.models.learner import MODELS
from churnkit.models.level import LevelCorrection
from churnkit.models.spend import SpendModel
from churnkit.models.total import TotalBand
from churnkit.models.training import Models, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMAT", "Bundle", "load_bundle", "save_bundle"]

FORMAT = 5
DOCUMENT = "bundle.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """What was trained, on what, and how to score with it.

    Attributes
    ----------
    name, version : str
        Of the model.
    created_at : str
        ISO 8601, UTC.
    models : Models
        The fitted models.
    features : mapping of str to mapping
        Builder name → options, in order.
    feature_names : tuple of str
        Columns of the matrix.
    data : mapping
        How the history was read: ``time_zone``, ``refunds``, ``duplicates``, ``columns`` of orders,
        columns of all ``tables``, ``scales`` of surveys.
    snapshot : mapping
        ``observation_days``, ``horizon_days``, ``gap_days``.
    label : mapping
        ``kind`` of the label and its options: what churned means.
    population : mapping
        ``active_within_days``, ``min_orders``.
    value : mapping
        ``gross_margin``, ``yearly_discount_rate``, and ``horizon_days`` of the lifetime value (None:
        that of the labels).
    typical : mapping of str to float or None
        Of each feature among training customers who stayed, the median, or the most frequent category:
        what reasons compare with.
    groups : mapping of str to str
        By feature, the group of correlated features that are one reason.
    distribution : mapping
        By feature, the bin edges and shares in training, for drift (PSI).
    metrics : mapping
        By test cutoff: metrics of the model and the baselines.
    notes : mapping
        What training chose.
    provenance : mapping
        Configuration hash, fingerprints of the inputs, versions.
    """

    name: str
    version: str
    created_at: str
    models: Models
    features: Mapping[str, Mapping[str, Any]]
    feature_names: tuple[str, ...]
    data: Mapping[str, Any]
    snapshot: Mapping[str, int]
    label: Mapping[str, Any]
    population: Mapping[str, int]
    value: Mapping[str, Any]
    typical: Mapping[str, float | None] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    distribution: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


PLAIN = (
    "name",
    "version",
    "created_at",
    "features",
    "data",
    "snapshot",
    "label",
    "population",
    "value",
    "typical",
    "groups",
    "distribution",
    "metrics",
    "notes",
    "provenance",
)


def save_bundle(bundle: Bundle, folder: Path | str) -> Path:
    """Write a bundle; the folder appears whole or not at all, and an older one is replaced.

    Parameters
    ----------
    bundle : Bundle
    folder : path
        ``bundle.json`` and one LightGBM text file per learner are written into it.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    target = Path(folder)
    models = bundle.models
    texts = {"churn": models.churn.learner}
    if models.spend is not None:
        texts |= {f"spend_{i}": learner for i, learner in enumerate(models.spend.learners)}
        if models.spend.typical is not None:
            texts["spend_typical"] = models.spend.typical
    document: dict[str, Any] = {
        "format": FORMAT,
        **{name: _plain(getattr(bundle, name)) for name in PLAIN},
        "feature_names": list(bundle.feature_names),
        "models": {
            "settings": _plain(asdict(models.settings)),
            "churn_is_no_order": models.churn_is_no_order,
            "churn_weight": models.churn.weight,
            "calibration": models.churn.calibrator.to_dict(),
            "spend": None if models.spend is None else _of_spend(models.spend),
            "contract": None if models.contract is None else models.contract.to_dict(),
            "interval": None if models.interval is None else models.interval.to_dict(),
            "level": models.level.to_dict(),
            "total": None if models.total is None else models.total.to_dict(),
        },
    }
    files = {f"{name}.lightgbm.txt": learner.to_text() for name, learner in texts.items()}
    files[DOCUMENT] = json.dumps(document, indent=1, allow_nan=False) + "\n"
    try:
        _replace_folder(target, files)
    except OSError as error:
        msg = f"{target}: cannot be written; {error.strerror or error}"
        raise DataError(msg) from error
    return target


def _replace_folder(target: Path, files: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        staging.chmod(0o755)
        for name, text in files.items():
            (staging / name).write_text(text, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.replace(staging, target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def load_bundle(folder: Path | str) -> Bundle:
    """Read a bundle written by :func:`save_bundle`; nothing in it is executed.

    Raises
    ------
    ModelGuardError
        If the folder holds no bundle, one of another format, or one that is incomplete or damaged.
    """
    source = Path(folder)
    path = source / DOCUMENT
    if not path.is_file():
        msg = f"{source}: no model bundle there ({DOCUMENT} is missing)"
        raise ModelGuardError(msg)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        msg = f"{path}: not a model bundle; {error}"
        raise ModelGuardError(msg) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        msg = (
            f"{path}: bundle format must be {FORMAT}; got {found!r}."
            " Train again with this version of churnkit."
        )
        raise ModelGuardError(msg)
    try:
        models = _models(document["models"], folder=source)
        plain = {name: document[name] for name in PLAIN}
        return Bundle(models=models, feature_names=tuple(document["feature_names"]), **plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"key {error} is missing" if type(error) is KeyError else str(error)
        msg = (
            f"{path}: the model bundle is not what this version of churnkit writes ({what})."
            " Train again."
        )
        raise ModelGuardError(msg) from error


def _models(stored: Mapping[str, Any], *, folder: Path) -> Models:
    """Return the models that a document describes, their learners read from the folder."""
    settings = ModelSettings(**{f.name: stored["settings"][f.name] for f in fields(ModelSettings)})
    churn_learner = MODELS[settings.churn_model]()
    interval, total, contract = stored["interval"], stored["total"], stored["contract"]
    return Models(
        churn=ChurnModel(
            learner=churn_learner.load(_text(folder, "churn")),
            calibrator=load_calibrator(stored["calibration"]),
            weight=stored["churn_weight"],
        ),
        spend=None if stored["spend"] is None else _load_spend(folder, stored["spend"], settings),
        contract=None if contract is None else ContractValue.from_dict(contract),
        interval=None if interval is None else SpendInterval.from_dict(interval),
        settings=settings,
        level=LevelCorrection.from_dict(stored["level"]),
        churn_is_no_order=stored["churn_is_no_order"],
        total=None if total is None else TotalBand.from_dict(total),
    )


def _of_spend(spend: SpendModel) -> dict[str, Any]:
    return {
        "objective": spend.objective,
        "weight": spend.weight,
        "typical_share": spend.typical_share,
        "unit": spend.unit,
        "typical": spend.typical is not None,
        "learners": len(spend.learners),
    }


def _load_spend(source: Path, stored: Mapping[str, Any], settings: ModelSettings) -> SpendModel:
    learner, spend = MODELS[settings.spend_model](), dict(stored)
    learners = tuple(
        learner.load(_text(source, f"spend_{i}")) for i in range(spend.pop("learners"))
    )
    typical = learner.load(_text(source, "spend_typical")) if spend.pop("typical") else None
    return SpendModel(
        objective=spend["objective"],
        learners=learners,
        typical=typical,
        weight=spend["weight"],
        typical_share=spend["typical_share"],
        unit=spend["unit"],
    )


def _text(folder: Path, name: str) -> str:
    path = folder / f"{name}.lightgbm.txt"
    if not path.is_file():
        msg = f"{folder}: the model bundle is incomplete ({path.name} is missing)"
        raise ModelGuardError(msg)
    return path.read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return nested mappings and sequences as dicts and lists, NaN as None, for JSON."""
    if hasattr(value, "items"):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value != value:
        return None
    return value
