"""Writes a bundle as an MLflow model: its signature, its requirements, its code and no pickle."""

from __future__ import annotations

import shutil
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import __version__
from churnkit.tracking.frame_scores import RISK_BANDS, frame_schema
from churnkit.tracking.frame_tables import input_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.models.bundle import Bundle

__all__ = ["BUNDLE_IN_MODEL", "write_logged_model"]

BUNDLE_IN_MODEL = "artifacts/bundle"
CODE = Path(__file__).with_name("pyfunc_model.py")
# What numbers depend on; churnkit itself asks for the rest.
PINNED = ("duckdb", "lightgbm", "narwhals", "numpy", "pandas", "pyarrow", "scipy")
TYPES = {
    "string": "string",
    "double": "double",
    "int64": "long",
    "bool": "boolean",
    "date32[day]": "datetime",
}


def write_logged_model(
    bundle: Bundle,
    folder: Path | str,
    *,
    target: Path,
    about: Any,
    risk_bands: Mapping[str, float] | None = None,
    reasons: int = 3,
) -> Path:
    """Write an MLflow model that holds a bundle and returns its score table.

    Parameters
    ----------
    bundle : Bundle
    folder : path
        Where the bundle is.
    target : path
        Folder to make.
    about : mlflow.models.Model
        Which run and model it belongs to.
    risk_bands : mapping of str to float, optional
        Default of the model's parameters ``risk_band_medium`` and ``risk_band_high``.
    reasons : int
        Default of the model's parameter ``reasons``.

    Returns
    -------
    pathlib.Path
        ``target``.
    """
    import mlflow.pyfunc

    staged = target.with_name("staged") / "bundle"
    shutil.copytree(folder, staged)
    mlflow.pyfunc.save_model(
        path=str(target),
        python_model=str(CODE),
        artifacts={"bundle": str(staged)},
        signature=_signature(bundle, risk_bands=risk_bands or RISK_BANDS, reasons=reasons),
        pip_requirements=_requirements(),
        mlflow_model=about,
    )
    # Writing runs the code once to check it, which can leave compiled files behind.
    for compiled in target.rglob("__pycache__"):
        shutil.rmtree(compiled)
    return target


def _requirements() -> list[str]:
    pinned = [f"{name}=={installed_version(name)}" for name in PINNED]
    return [f"churnkit-ml=={__version__}", *pinned]


def _signature(bundle: Bundle, *, risk_bands: Mapping[str, float], reasons: int) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    # Any type: ids may be numbers or text, times may be text, and the table's contract checks the
    # cells; MLflow would refuse whole-numbered amounts and ids before it is asked.
    anything: Any = AnyType
    inputs = Schema([ColSpec(type=anything(), name=name) for name in input_columns(bundle)])
    outputs = Schema(
        [
            ColSpec(type=TYPES.get(str(field.type), "datetime"), name=field.name)
            for field in frame_schema(bundle, reasons=reasons)
        ]
    )
    params = ParamSchema(
        [
            ParamSpec("as_of", "string", None),
            ParamSpec("reasons", "long", reasons),
            ParamSpec("risk_band_medium", "double", risk_bands["medium"]),
            ParamSpec("risk_band_high", "double", risk_bands["high"]),
            ParamSpec("missing_as_none", "boolean", False),
        ]
    )
    return ModelSignature(inputs=inputs, outputs=outputs, params=params)
