"""Makes a bundle of trained models, with how the data were read and looked, and registers it."""

from __future__ import annotations

import platform
import shutil
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit import __version__
from churnkit.evaluation.backtest import predict_snapshot
from churnkit.features.named import make_builders
from churnkit.models.bundle import Bundle, save_bundle
from churnkit.models.drift import describe
from churnkit.pipeline.cards import write_card
from churnkit.pipeline.registered import MODELS_FOLDER
from churnkit.pipeline.session import now
from churnkit.reasons import correlated_groups, phrases_of, typical_values
from churnkit.reporting import CARD_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from churnkit.evaluation.backtest import Backtest
    from churnkit.models.base import LabelledSnapshot
    from churnkit.models.training import Models
    from churnkit.pipeline.session import Session
    from churnkit.tracking.runs import Run

__all__ = ["make_bundle", "register_bundle"]


def make_bundle(
    session: Session,
    models: Models,
    *,
    version: str,
    features: Mapping[str, Mapping[str, Any]],
    notes: Mapping[str, Any],
    tested: Backtest,
    train: Sequence[LabelledSnapshot],
) -> Bundle:
    """Return the models with everything that scoring needs to repeat what training did."""
    config, newest = session.config, train[-1]
    stayed = newest.features.values[~newest.churned].astype(np.float64)
    names = newest.features.names
    predicted = predict_snapshot(models, newest)
    orders = session.read.loaded.get("orders")
    value = config.lifetime_value
    return Bundle(
        name=config.tracking.registered_model,
        version=version,
        created_at=now().isoformat(timespec="seconds"),
        models=models,
        features={name: dict(options) for name, options in features.items()},
        feature_names=names,
        data={
            "time_zone": config.data.time_zone,
            "refunds": config.data.refunds,
            "duplicates": config.data.duplicates,
            "columns": [] if orders is None else sorted(orders.columns),
            "tables": {n: sorted(t.columns) for n, t in session.read.loaded.items()},
            "scales": {n: getattr(config.retention, n) for n in ("csat_options", "ces_options")},
        },
        snapshot={
            "observation_days": newest.snapshot.observation_days,
            "horizon_days": newest.snapshot.horizon_days,
            "gap_days": newest.snapshot.gap_days,
        },
        label={"kind": config.label.kind, **config.label.options},
        population={
            "active_within_days": config.population.active_within_days,
            "min_orders": config.population.min_orders,
        },
        value={
            "gross_margin": value.gross_margin,
            "yearly_discount_rate": value.yearly_discount_rate,
            "horizon_days": value.horizon_days,
        },
        typical=typical_values(stayed, names=names, phrases=phrases_of(make_builders(features))),
        groups=correlated_groups(
            newest.features.values, names=names, apart=newest.features.categories, seed=config.seed
        ),
        distribution={
            **{name: describe(newest.features.values[:, i]) for i, name in enumerate(names)},
            "churn_probability": describe(predicted.churn_probability),
        },
        metrics=tested.to_dict(),
        notes=notes,
        provenance={
            "config_hash": config.hash,
            "inputs": {r.table: r.fingerprint for r in session.read.reports},
            "train_cutoffs": [str(s.snapshot.cutoff) for s in train],
            "train_rows": sum(len(s.churned) for s in train),
            "churnkit": __version__,
            "python": platform.python_version(),
            "lightgbm": installed_version("lightgbm"),
        },
    )


def register_bundle(
    session: Session,
    bundle: Bundle,
    *,
    name: str,
    tests: Sequence[LabelledSnapshot],
    run: Run,
) -> tuple[Bundle, Path]:
    """Register a bundle; return it with the version that it got, and its folder."""
    with TemporaryDirectory() as scratch:
        made = save_bundle(bundle, Path(scratch) / name)
        write_card(session, bundle, made, tests=tests, run=run)
        version = run.log_bundle(
            bundle,
            made,
            registered_model=name,
            risk_bands=dict(session.config.scoring.risk_bands),
            reasons=session.config.scoring.reasons,
        )
        if version != bundle.version:
            # Another run registered in between: the bundle follows the registry.
            bundle = replace(bundle, version=version)
            write_card(session, bundle, made, tests=tests, run=run)
        # Only now is the version certain: of runs at the same time, none writes another's folder.
        folder = save_bundle(bundle, MODELS_FOLDER / name / version)
        shutil.copy(made / CARD_FILE, folder)
    return bundle, folder
