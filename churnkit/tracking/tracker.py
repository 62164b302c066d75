"""The store of runs and models: start a run, find the champion, move the alias, fetch a model."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.errors import ModelGuardError, ParameterError
from churnkit.models.bundle import DOCUMENT
from churnkit.registry import did_you_mean
from churnkit.tracking.logged_model import BUNDLE_IN_MODEL
from churnkit.tracking.quiet_mlflow import asking, import_mlflow, shown
from churnkit.tracking.runs import Run
from churnkit.tracking.store import (
    ARTIFACTS_TAG,
    artifact_root,
    check,
    make_database,
    prepare,
    store_uri,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CHAMPION", "ModelVersion", "Tracker"]

CHAMPION = "champion"
REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[0-9]+))")


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """A version of a registered model.

    Attributes
    ----------
    name, version : str
        In the registry.
    run_id : str or None
        The run that made it.
    created_at_ms : int
        Milliseconds since 1970 UTC.
    """

    name: str
    version: str
    run_id: str | None
    created_at_ms: int


class Tracker:
    """An MLflow store, embedded or on a server.

    Nothing is opened before the first use. MLflow is imported without telemetry; see
    :mod:`churnkit.tracking.quiet_mlflow`.

    Parameters
    ----------
    uri : str or None
        Of the store; None means ``MLFLOW_TRACKING_URI`` if set, else an SQLite file in ``folder``.
    folder : path
        Home of the embedded store: ``mlflow.db`` and ``artifacts/``.

    Raises
    ------
    ParameterError
        Here and in every method: if the store cannot be used, or the server does not answer.
    """

    def __init__(self, uri: str | None, *, folder: Path | str = "models") -> None:
        self.uri = store_uri(uri, folder=folder)

    @cached_property
    def _client(self) -> Any:
        prepare(self.uri)
        try:
            with asking(self.uri) as mlflow:
                make_database(self.uri)
                return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        except ModuleNotFoundError as error:
            msg = f"tracking.uri: {shown(self.uri)} needs the Python package {error.name!r}"
            raise ParameterError(msg) from error

    def check(self) -> None:
        """Refuse a store that cannot be written or does not answer, before long work is lost to it."""
        check(self.uri)
        if artifact_root(self.uri) is None:
            with asking(self.uri):
                self._client.search_experiments(max_results=1)

    @contextmanager
    def start_run(
        self, experiment: str, *, run_name: str, tags: Mapping[str, str] | None = None
    ) -> Iterator[Run]:
        """Record a run; it is marked as failed if the block raises, as killed if it is interrupted.

        Parameters
        ----------
        experiment : str
            Made if there is none of this name.
        run_name : str
        tags : mapping of str to str, optional

        Yields
        ------
        Run
        """
        client = self._client
        with asking(self.uri):
            experiment_id = self._experiment(experiment)
            source = {"mlflow.source.name": "churnkit", "mlflow.source.type": "LOCAL"}
            made = client.create_run(
                experiment_id, run_name=run_name, tags={**source, **(tags or {})}
            )
        run_id = made.info.run_id
        try:
            yield Run(run_id=run_id, experiment_id=experiment_id, uri=self.uri, _client=client)
        except BaseException as error:
            # What went wrong in the block matters more than a server that is gone by now.
            with suppress(ParameterError), asking(self.uri):
                status = "FAILED" if isinstance(error, Exception) else "KILLED"
                client.set_terminated(run_id, status)
            raise
        with asking(self.uri):
            client.set_terminated(run_id, "FINISHED")

    def champion(self, name: str) -> ModelVersion | None:
        """Return the version with the alias ``champion``; None if there is no such model or alias."""
        registered = self._registered(name)
        if registered is None or CHAMPION not in registered.aliases:
            return None
        return self._version(name, str(registered.aliases[CHAMPION]))

    def promote(self, name: str, version: str) -> None:
        """Move the alias ``champion`` to a version.

        Raises
        ------
        ParameterError
            If there is no such model or version.
        """
        self._version(name, version)
        with asking(self.uri):
            self._client.set_registered_model_alias(name, CHAMPION, version)

    def next_version(self, name: str) -> str:
        """Return the version that the next registration will most likely get."""
        known = self._versions(name) if self._registered(name) else []
        return str(max(known, default=0) + 1)

    def download(self, ref: str) -> Path:
        """Return the folder of a bundle, fetched if it is not on this machine.

        Parameters
        ----------
        ref : str
            ``models:/name@alias``, ``models:/name/version``, or the folder of a bundle. What is
            fetched from a server lives in a temporary folder until the process ends.

        Raises
        ------
        ParameterError
            If the registry has no such model, alias or version, or there is no such folder.
        ModelGuardError
            If there is no bundle in it.
        """
        if not ref.startswith("models:"):
            if not Path(ref).exists():
                msg = f"model: {ref}: no such folder; give that of a bundle, or models:/name@alias"
                raise ParameterError(msg)
            return _checked(Path(ref), ref=ref)
        found = REFERENCE.fullmatch(ref)
        if found is None:
            msg = (
                "model: must be a bundle folder, models:/name@alias or models:/name/version;"
                f" got {ref!r}"
            )
            raise ParameterError(msg)
        name, version = found["name"], found["version"] or self._aliased(**found.groupdict())
        self._version(name, version)
        with asking(self.uri) as mlflow:
            source = self._client.get_model_version_download_uri(name, version)
            target = None
            if artifact_root(self.uri) is None:
                target = tempfile.mkdtemp(prefix="churnkit-model-")
                atexit.register(shutil.rmtree, target, ignore_errors=True)
            fetched = mlflow.artifacts.download_artifacts(
                artifact_uri=source, dst_path=target, tracking_uri=self.uri
            )
        return _checked(Path(fetched) / BUNDLE_IN_MODEL, ref=ref)

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment, made if need be with its files beside an embedded store."""
        client = self._client
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        root = artifact_root(self.uri)
        beside = {"artifact_location": str(root), "tags": {ARTIFACTS_TAG: str(root)}}
        mlflow = import_mlflow()
        try:
            return str(client.create_experiment(name, **(beside if root is not None else {})))
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            # Another job has made it in the meantime.
            found = client.get_experiment_by_name(name)
            if found is None:  # it was deleted once, and the name stays taken
                raise
            return str(found.experiment_id)

    def _registered(self, name: str) -> Any:
        """Return a registered model, None if there is none of this name."""
        client = self._client
        with asking(self.uri) as mlflow:
            try:
                return client.get_registered_model(name)
            except mlflow.exceptions.MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return None

    def _known(self, name: str) -> Any:
        """Return a registered model, or say which there are."""
        registered = self._registered(name)
        if registered is None:
            with asking(self.uri):
                names = [model.name for model in self._client.search_registered_models()]
            # A store that was meant and one that was just found empty look the same but for the place.
            known = f"Known: {', '.join(names)}." if names else "There is no model in it yet."
            msg = (
                f"model: no model {name!r} is registered in {shown(self.uri)}: churnkit train makes"
                f" one.{did_you_mean(name, names)} {known}"
            )
            raise ParameterError(msg)
        return registered

    def _aliased(self, *, name: str, alias: str, **_: object) -> str:
        aliases = self._known(name).aliases
        if alias not in aliases:
            msg = (
                f"model: {name!r} has no version with the alias {alias!r}."
                f"{did_you_mean(alias, aliases)} Known: {', '.join(sorted(aliases)) or 'none'}."
            )
            raise ParameterError(msg)
        return str(aliases[alias])

    def _versions(self, name: str) -> list[int]:
        with asking(self.uri):
            found = self._client.search_model_versions(f'name="{name}"')
        return sorted(int(v.version) for v in found)

    def _version(self, name: str, version: str) -> ModelVersion:
        """Return a version, or say which there are."""
        self._known(name)
        client = self._client
        with asking(self.uri) as mlflow:
            try:
                found = client.get_model_version(name, version)
            except mlflow.exceptions.MlflowException as error:
                known = ", ".join(map(str, self._versions(name))) or "none"
                msg = f"model: {name!r} has no version {version!r}. Known: {known}."
                raise ParameterError(msg) from error
        return ModelVersion(
            name=name,
            version=str(found.version),
            run_id=found.run_id or None,
            created_at_ms=int(found.creation_timestamp),
        )


def _checked(folder: Path, *, ref: str) -> Path:
    if not (folder / DOCUMENT).is_file():
        msg = f"model: {ref} holds no model bundle ({DOCUMENT} is missing)"
        raise ModelGuardError(msg)
    return folder
