"""Speed of exact contributions beside LightGBM's own, and peak memory: ``python benchmarks/explain.py``.

Both explain the same simulated customers with the same model, in the same process, one after the
other; LightGBM's ``pred_contrib`` on a part of them, since it takes the same time for every row.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import numpy as np

from churnkit.models.base import MODELS, FeatureMatrix
from churnkit.models.shapley import ExactShapley
from churnkit.reasons import contributions


def simulated(customers: int, features: int) -> tuple[FeatureMatrix, np.ndarray]:
    """Return features with whole numbers and gaps, and who churns."""
    rng = np.random.default_rng(1)
    values = rng.gamma(1.0, size=(customers, features)).astype(np.float32)
    values[:, : features // 3] = np.round(values[:, : features // 3] * 3)
    values[rng.random(values.shape) < 0.05] = np.nan
    known = np.nan_to_num(values[:, -4:])
    score = known[:, 0] - known[:, 1] / 2 + known[:, 2] * known[:, 3] / 3
    churned = score + np.nan_to_num(values[:, 0]) / 3 + rng.normal(size=customers) > 1.2
    names = tuple(f"f{i}" for i in range(features))
    return FeatureMatrix(names=names, values=values), churned.astype(np.float64)


def measure(leaves: int, *, features: FeatureMatrix, churned: np.ndarray, part: int) -> None:
    """Print one line: the model, both speeds, the difference and the memory."""
    learner = MODELS["lightgbm"](
        params={"num_leaves": leaves, "extra_trees": False, "min_data_in_leaf": 200}
    ).fit(features, churned, objective="binary", rounds=60)
    learner = MODELS["lightgbm"]().load(learner.to_text())
    exact = ExactShapley(
        text=learner.to_text(), booster=learner._booster, n_features=len(features.names)
    )
    before = forget_peak()
    began, cpu = time.perf_counter(), time.process_time()
    found = contributions(learner, features)
    ours = len(features.values) / np.array([time.perf_counter() - began, time.process_time() - cpu])
    after = memory("VmHWM")
    few = features[np.arange(part)]
    began, cpu = time.perf_counter(), time.process_time()
    theirs_values = np.asarray(exact.booster.predict(few.values, pred_contrib=True))
    theirs = part / np.array([time.perf_counter() - began, time.process_time() - cpu])
    off = float(np.abs(found.values[:part] - theirs_values[:, :-1]).max())
    print(
        f"{leaves:4d} leaves: {ours[0]:9,.0f} rows/s beside {theirs[0]:7,.0f} of pred_contrib:"
        f" {ours[0] / theirs[0]:.1f}x (per second of CPU {ours[1] / theirs[1]:.1f}x);"
        f" differ by at most {off:.1e}; peak memory {after:,.0f} MB, {after - before:,.0f} of them"
        f" for the contributions ({found.method})"
    )


def memory(entry: str) -> float:
    """Return an entry of the process's status, in MB (Linux)."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{entry}:\s+(\d+) kB", text)[1]) / 1024


def forget_peak() -> float:
    """Let the peak, ``VmHWM``, begin at what is held now, and return that."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory("VmRSS")


def main() -> None:
    """Measure models of several sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=60)
    parser.add_argument("--part", type=int, default=10_000, help="rows for pred_contrib")
    parser.add_argument("--leaves", type=int, nargs="+", default=[15, 31, 63])
    given = parser.parse_args()
    features, churned = simulated(given.customers, given.features)
    print(f"{given.customers:,} customers, {given.features} features, 60 trees")
    for leaves in given.leaves:
        measure(leaves, features=features, churned=churned, part=given.part)


if __name__ == "__main__":
    main()
