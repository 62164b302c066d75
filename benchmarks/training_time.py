"""How long training on Online Retail II takes beside features and a plain LightGBM fit of the same rows.

Run from the checkout::

    python benchmarks/training_time.py [CONFIG]

CPU seconds of this process with one thread: reading the data, building the features and labels of
every training snapshot, fitting the models, and fitting LightGBM with its own defaults (binary for
churn, Tweedie for spend) on the same rows. The aim: features and models together take at most
three times as long as features and the plain fit.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from churnkit.config import load_config
from churnkit.evaluation.predictive import spend_metrics
from churnkit.models.base import stack
from churnkit.models.training import fit_models
from churnkit.pipeline.configured import model_settings
from churnkit.pipeline.session import open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from churnkit.models.base import LabelledSnapshot

CONFIG = Path(__file__).parents[1] / "configs" / "online_retail_ii.yaml"
ONE_THREAD = ("engine.threads=1",)


def plain_fit(train: Sequence[LabelledSnapshot]) -> None:
    """Fit churn and spend with LightGBM's own defaults."""
    import lightgbm

    features = stack(train).values
    churned = np.concatenate([s.churned for s in train]).astype(float)
    spend = np.maximum(np.concatenate([s.future_spend for s in train]), 0.0)
    for objective, target in (("binary", churned), ("tweedie", spend)):
        parameters = {"objective": objective, "verbosity": -1, "num_threads": 1}
        lightgbm.train(parameters, lightgbm.Dataset(features, label=target))


def timed(what: Callable[[], object]) -> tuple[float, object]:
    """Return CPU seconds and the result."""
    began = time.process_time()
    result = what()
    return time.process_time() - began, result


def main() -> None:
    """Measure and print."""
    path = sys.argv[1] if len(sys.argv) > 1 else CONFIG
    config = load_config(path, overrides=ONE_THREAD)
    began = time.process_time()
    with open_session(config) as session:
        reading = time.process_time() - began
        load = session.loader()
        building, train = timed(lambda: [load(s) for s in session.plan().train])
        fitting, _ = timed(
            lambda: fit_models(train, settings=model_settings(session.config), judge=spend_metrics)
        )
        plain, _ = timed(lambda: plain_fit(train))
    rows = sum(len(s.churned) for s in train)
    print(f"{len(train)} snapshots, {rows:,} rows, {len(train[0].features.names)} features")
    for name, seconds in (
        ("reading", reading),
        ("features and labels", building),
        ("models", fitting),
        ("plain LightGBM", plain),
    ):
        print(f"{name:>20} {seconds:7.1f} s")
    print(f"models / plain: {fitting / plain:.2f}")
    print(
        f"(features + models) / (features + plain): {(building + fitting) / (building + plain):.2f}"
    )


if __name__ == "__main__":
    main()
