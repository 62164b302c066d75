"""Runs one piece of work in a process of its own, and measures time, CPU and peak memory."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Clock", "machine", "resident", "run_apart", "run_piece"]

PACKAGES = ("duckdb", "polars", "pandas", "lightgbm", "numpy", "pyarrow", "narwhals", "scipy")


class Clock:
    """Wall and CPU seconds by step; a step that is entered again adds up."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}
        self.facts: dict[str, Any] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        step = self.steps.setdefault(name, {"wall": 0.0, "cpu": 0.0})
        step["wall"] += time.perf_counter() - wall
        step["cpu"] += time.process_time() - cpu


def resident() -> float:
    """Return the GB of memory that this process holds now."""
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1024**3


def run_piece(piece: Callable[..., None], arguments: dict[str, Any]) -> None:
    """Run a piece in this process and print what was measured as the last line."""
    clock = Clock()
    with clock.step("all steps"):
        piece(clock, **arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"steps": clock.steps, "facts": clock.facts, "peak_gb": round(peak, 2)}))


def run_apart(script: str, piece: str, *, python: str = sys.executable, **arguments: Any) -> Any:
    """Run a piece of a script in a new process and return what it measured."""
    load = os.getloadavg()[0]
    command = [python, script, "--piece", piece, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # An error begins its line with its name; what libraries add at the exit does not.
        said = [x for x in done.stderr.splitlines() if re.match(r"[\w.]+(Error|Exception): ", x)]
        return {"failed": (said or ["killed"])[-1][:300]}
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found | {"load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1)}


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        kilobytes = int(file.readline().split()[1])
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((x.split(":")[1].strip() for x in file if x.startswith("model name")), "?")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(kilobytes / 1024**2, 1),
        "python": platform.python_version(),
        "load": [round(x, 1) for x in os.getloadavg()],
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
