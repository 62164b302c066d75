"""Speed of exact contributions beside LightGBM's own, and peak memory: ``python benchmarks/explain.py``.

Both explain the same simulated customers with the same model, in the same process, in turns;
LightGBM's ``pred_contrib`` on a part of them, since it takes the same time for every row. Printed are
the medians of the turns, of ratios too, and the largest memory of any (Linux).
"""

from __future__ import annotations

import argparse
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import lightgbm
import numpy as np

from churnkit.models.base import FeatureMatrix
from churnkit.models.learner import MODELS
from churnkit.reasons import contributions

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable


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


def speed(work: Callable[[], object], *, rows: int) -> np.ndarray:
    """Return rows per second, and per second of CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return rows / np.array([time.perf_counter() - began, time.process_time() - cpu])


def measure(leaves: int, *, features: FeatureMatrix, churned: np.ndarray, given: Namespace) -> None:
    """Print one line: the model, both speeds, the difference and the memory."""
    fitted = MODELS["lightgbm"](
        params={"num_leaves": leaves, "extra_trees": False, "min_data_in_leaf": 200}
    ).fit(features, churned, objective="binary", rounds=60)
    text, few = fitted.to_text(), features[np.arange(given.part)]
    booster = lightgbm.Booster(model_str=text)
    ours, theirs, peaks = [], [], []
    for _ in range(given.turns):
        # A learner of its own for every turn: what it learns about its trees is part of the work.
        learner = MODELS["lightgbm"]().load(text)
        before = forget_peak()
        ours.append(speed(partial(contributions, learner, features), rows=len(features.values)))
        peaks.append((memory("VmHWM") - before, memory("VmHWM")))
        explain = partial(booster.predict, few.values, pred_contrib=True)
        theirs.append(speed(explain, rows=given.part))
    found = contributions(learner, features)
    expected = np.asarray(booster.predict(few.values, pred_contrib=True))[:, :-1]
    times = np.median(np.array(ours) / np.array(theirs), axis=0)
    print(
        f"{leaves:4d} leaves: {np.median(ours, axis=0)[0]:9,.0f} rows/s beside"
        f" {np.median(theirs, axis=0)[0]:7,.0f} of pred_contrib: {times[0]:.1f}x (per second of CPU"
        f" {times[1]:.1f}x); differ by at most {np.abs(found.values[: given.part] - expected).max():.1e};"
        f" peak memory {max(peaks)[1]:,.0f} MB, {max(peaks)[0]:,.0f} of them for the contributions"
        f" ({found.method})",
        flush=True,
    )


def memory(entry: str) -> float:
    """Return an entry of the process's status, in MB."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(rf"{entry}:\s+(\d+) kB", text)
    return int(kilobytes) / 1024


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
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--leaves", type=int, nargs="+", default=[15, 31, 63])
    given = parser.parse_args()
    features, churned = simulated(given.customers, given.features)
    print(f"{given.customers:,} customers, {given.features} features, 60 trees")
    for leaves in given.leaves:
        measure(leaves, features=features, churned=churned, given=given)


if __name__ == "__main__":
    main()
