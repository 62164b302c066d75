"""One tracked run: parameters, metrics, documents, and the model it made."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.errors import ParameterError
from churnkit.models.bundle import save_bundle
from churnkit.tracking.logged_model import write_logged_model
from churnkit.tracking.quiet_mlflow import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from churnkit.models.bundle import Bundle

__all__ = ["Run", "flat"]

# What MLflow takes in one request, and in one value.
PARAMS_PER_REQUEST = 100
METRICS_PER_REQUEST = 1000
LONGEST_PARAM = 6000


def flat(params: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Return nested parameters as ``("outer.inner", text)``; what is not text is written as JSON.

    Parameters
    ----------
    params : mapping
        Mappings inside it are flattened; an empty one is kept as ``{}``.
    prefix : str
        Before every name.

    Examples
    --------
    >>> dict(flat({"features": {"rfm": {"windows_days": [30, 90]}}, "seed": 7, "last": None}))
    {'features.rfm.windows_days': '[30, 90]', 'seed': '7', 'last': 'null'}
    """
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, prefix=f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(_plain(value), default=str)
            yield f"{prefix}{name}", text


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A run that is being recorded; made by :meth:`churnkit.tracking.Tracker.start_run`.

    Attributes
    ----------
    run_id, experiment_id : str
        In the store.
    uri : str
        Of the store.
    """

    run_id: str
    experiment_id: str
    uri: str
    _client: Any

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters; nested ones as ``outer.inner``.

        A value longer than 6000 characters, MLflow's limit, is cut and ends in ``…``.
        """
        with asking(self.uri) as mlflow:
            entries = [mlflow.entities.Param(k, _cut(v)) for k, v in flat(params)]
            for start in range(0, len(entries), PARAMS_PER_REQUEST):
                batch = entries[start : start + PARAMS_PER_REQUEST]
                self._client.log_batch(self.run_id, params=batch, synchronous=True)

    def log_metrics(self, metrics: Mapping[str, float | None], *, step: int = 0) -> None:
        """Record numbers at a step; None is left out."""
        now_ms = time.time_ns() // 1_000_000
        with asking(self.uri) as mlflow:
            entries = [
                mlflow.entities.Metric(name, float(value), now_ms, step)
                for name, value in metrics.items()
                if value is not None
            ]
            for start in range(0, len(entries), METRICS_PER_REQUEST):
                batch = entries[start : start + METRICS_PER_REQUEST]
                self._client.log_batch(self.run_id, metrics=batch, synchronous=True)

    def log_nested(
        self, name: str, *, params: Mapping[str, Any], metrics: Mapping[str, float | None]
    ) -> str:
        """Record a finished run inside this one, and return its id.

        Parameters
        ----------
        name : str
            Of the nested run.
        params, metrics : mapping
            As for :meth:`log_params` and :meth:`log_metrics`.
        """
        with asking(self.uri):
            tags = {"mlflow.parentRunId": self.run_id, "mlflow.source.name": "churnkit"}
            made = self._client.create_run(self.experiment_id, run_name=name, tags=tags)
        nested = replace(self, run_id=made.info.run_id)
        nested.log_params(params)
        nested.log_metrics(metrics)
        with asking(self.uri):
            self._client.set_terminated(nested.run_id, "FINISHED")
        return nested.run_id

    def log_document(self, name: str, content: str | Mapping[str, Any]) -> None:
        """Store a text, or a mapping as JSON, as a file of the run.

        Parameters
        ----------
        name : str
            File name, with folders if wanted: ``"config.yaml"``.
        content : str or mapping
        """
        text = content
        if not isinstance(text, str):
            text = json.dumps(_plain(content), indent=1, ensure_ascii=False, default=str) + "\n"
        with asking(self.uri):
            self._client.log_text(self.run_id, text, name)

    def log_file(self, path: Path | str, *, folder: str | None = None) -> None:
        """Store a copy of a file, such as a report, with the run."""
        if not Path(path).is_file():
            msg = f"log_file: path must be a file; got {path}"
            raise ParameterError(msg)
        with asking(self.uri):
            self._client.log_artifact(self.run_id, str(path), folder)

    def log_bundle(
        self,
        bundle: Bundle,
        folder: Path | str,
        *,
        registered_model: str | None = None,
        risk_bands: Mapping[str, float] | None = None,
        reasons: int = 3,
    ) -> str:
        """Log a bundle as a model that MLflow can load and serve, register it, return its version.

        The registry has the last word on the version: if it is not ``bundle.version`` (another run
        registered in between, or the newest version was deleted), the model that is logged carries
        the registry's.

        Parameters
        ----------
        bundle : Bundle
        folder : path
            Where :func:`churnkit.models.bundle.save_bundle` has written it.
        registered_model : str, optional
            Name to register it under; by default ``bundle.name``.
        risk_bands : mapping of str to float, optional
            ``medium`` and ``high``: what the logged model uses unless a caller says otherwise.
        reasons : int
            Reasons per customer, likewise.

        Returns
        -------
        str
            Version.
        """
        name = registered_model or bundle.name
        with tempfile.TemporaryDirectory() as scratch, asking(self.uri) as mlflow:
            client = self._client
            model = client.create_logged_model(
                self.experiment_id, name=name, source_run_id=self.run_id, model_type="churnkit"
            )
            version = self._register(mlflow, name, model=model)
            try:
                if version != bundle.version:
                    folder = save_bundle(replace(bundle, version=version), Path(scratch) / version)
                written = write_logged_model(
                    bundle,
                    folder,
                    target=Path(scratch) / "model",
                    about=mlflow.models.Model(run_id=self.run_id, model_id=model.model_id),
                    risk_bands=risk_bands,
                    reasons=reasons,
                )
                client.log_model_artifacts(model.model_id, str(written))
                client.finalize_logged_model(model.model_id, "READY")
                client.log_outputs(
                    self.run_id, [mlflow.entities.LoggedModelOutput(model.model_id, 0)]
                )
            except BaseException:
                # A version without its files would be found by name and then fail to load.
                client.delete_model_version(name, version)
                raise
        return version

    def _register(self, mlflow: Any, name: str, *, model: Any) -> str:
        """Make a version of a registered model and return it."""
        try:
            self._client.create_registered_model(name)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # The place itself, not ``models:/<id>``: MLflow would look that up in its global store.
        made = self._client.create_model_version(
            name, source=model.artifact_location, run_id=self.run_id, model_id=model.model_id
        )
        return str(made.version)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_PARAM else f"{text[: LONGEST_PARAM - 1]}…"


def _plain(value: Any) -> Any:
    """Return nested mappings and sequences as what JSON knows."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    return value
