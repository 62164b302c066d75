"""Takes a configuration in any form, refuses unknown names, and says what models are to be fitted."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.config import Config
from churnkit.config import load_config as read_config
from churnkit.errors import ChurnkitError, ConfigError
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.features.named import make_builders
from churnkit.models.calibration import CALIBRATORS
from churnkit.models.learner import MODELS
from churnkit.models.settings import ModelSettings
from churnkit.pipeline.definitions import faults_of_definitions
from churnkit.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["as_config", "model_settings"]


def as_config(config: Config | Mapping[str, Any] | str | Path) -> Config:
    """Return a configuration from a path, a mapping, or one already made; its names are checked.

    Raises
    ------
    ConfigError
        If anything in it is wrong, or it names a feature, model or option that does not exist.
    """
    if isinstance(config, (str, Path)):
        config = read_config(config)
    elif not isinstance(config, Config):
        config = Config.from_mapping(config)
    _check_names(config)
    return config


def model_settings(config: Config) -> ModelSettings:
    """Return what the configuration says about the models."""
    churn, value = config.churn, config.lifetime_value
    return ModelSettings(
        churn_model=churn.model,
        spend_model=value.model,
        churn_params=dict(churn.params),
        spend_params=dict(value.params),
        calibration=churn.calibration,
        churn_level=churn.level,
        spend_level=value.level,
        objective=value.objective,
        interval=value.interval,
        purchase_kind=str(config.features.get("purchase_model", {}).get("kind", "bg_nbd")),
        seed=config.seed,
        threads=config.engine.threads or 0,
        search_trials=config.search.trials,
        search_folds=config.search.folds,
    )


def _check_names(config: Config) -> None:
    """Refuse names that nothing is registered under, all in one message."""
    faults = []
    wanted = [
        ("churn.model", config.churn.model, MODELS.names()),
        ("churn.calibration", config.churn.calibration, ("auto", *CALIBRATORS.names())),
        ("lifetime_value.model", config.lifetime_value.model, MODELS.names()),
        *((f"features.{name}", name, FEATURE_BUILDERS.names()) for name in config.features),
    ]
    for path, name, known in wanted:
        if name not in known:
            guess = did_you_mean(name, known)
            faults.append(f"{path}: unknown name {name!r}.{guess} Known: {', '.join(known)}.")
    for name, options in config.features.items():
        if name in FEATURE_BUILDERS:
            allowed = list(inspect.signature(FEATURE_BUILDERS[name]).parameters)
            faults += [
                f"features.{name}.{key}: unknown key.{did_you_mean(key, allowed)}"
                f" Known: {', '.join(allowed) or 'none'}."
                for key in options
                if key not in allowed
            ]
            if set(options) <= set(allowed):
                faults += _faults_of_options(name, options)
    faults += faults_of_definitions(config)
    if faults:
        raise ConfigError("\n".join(f"{config.name}: {fault}" for fault in faults))


def _faults_of_options(name: str, options: Mapping[str, Any]) -> list[str]:
    """Return what a builder says against its options; no data are needed to know."""
    try:
        make_builders({name: options})
    except (ChurnkitError, TypeError) as error:
        return [f"features.{name}: {error}"]
    return []
