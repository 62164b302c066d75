"""Measures churnkit's speed and memory as ratios to plain reference work on the same rows.

    python benchmarks/speed.py --data FOLDER [--only SECTION ...] [--size small|medium|large]

Files are made in FOLDER on the first run (seeded; 100 M orders take 2 GB). Every piece of work runs
in a process of its own, the reference work beside it in the same run. Results are kept in
``speed.json`` beside this file and written to ``README.md``; sections that are not run keep theirs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import speed_product
import speed_reference
from speed_data import event_file, order_file
from speed_measure import machine, run_apart, run_piece
from speed_tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ALL_BUILDERS = ("rfm", "regularity", "basket", "purchase_model")
BUYERS = {
    "usual": "",
    "heavy": ", twenty of 1,000 orders or more",
    "frequent": ", 530 orders on average",
}
CUTOFFS = [str(date(2024, 10, 2) - timedelta(days=30 * k)) for k in range(12)]
PIECES = {
    "group_by": speed_reference.group_by,
    "rfm_polars": speed_reference.rfm_polars,
    "rfm_pandas": speed_reference.rfm_pandas,
    "features": speed_product.features,
    "company": speed_product.company,
    "train": speed_product.train,
    "bare_lightgbm": speed_product.bare_lightgbm,
    "score": speed_product.score,
    "purchase": speed_product.purchase,
}


def piece(name: str, **arguments: Any) -> Any:
    """Run a piece in a process of its own."""
    print(f"  {name} {arguments.get('package', '')}", flush=True)
    return run_apart(str(Path(__file__).resolve()), name, **arguments)


def made(options: argparse.Namespace, millions: int) -> str:
    """Return the file of so many million orders, twenty a customer."""
    orders = millions * 1_000_000
    return str(order_file(options.data, orders=orders, customers=orders // 20))


def common(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the product's pieces share."""
    limits = {"threads": options.threads, "memory_limit": options.memory_limit}
    return limits | {"temp": str(options.data / "spill")}


def rfm(options: argparse.Namespace) -> dict[str, Any]:
    """Rfm at twelve cutoffs beside one group-by, Polars and pandas."""
    path = made(options, options.millions)
    return {
        "orders": options.millions * 1_000_000,
        "group_by": piece("group_by", path=path, threads=options.threads),
        "churnkit": piece(
            "features", path=path, sets={"features": ["rfm"]}, cutoffs=CUTOFFS, **common(options)
        ),
        "polars": piece("rfm_polars", path=path, cutoffs=CUTOFFS, threads=options.threads),
        "pandas": piece("rfm_pandas", path=path, cutoffs=CUTOFFS, threads=options.threads),
    }


def all_builders(options: argparse.Namespace) -> dict[str, Any]:
    """Every builder of orders at twelve cutoffs, together and each alone."""
    path = made(options, options.millions)
    sets = {"all": list(ALL_BUILDERS)} | {name: [name] for name in ALL_BUILDERS[1:]}
    return {
        "orders": options.millions * 1_000_000,
        "group_by": piece("group_by", path=path, threads=options.threads),
        "churnkit": piece("features", path=path, sets=sets, cutoffs=CUTOFFS, **common(options)),
    }


def engagement(options: argparse.Namespace) -> dict[str, Any]:
    """Every builder of orders and events at twelve cutoffs, beside one group-by over both files."""
    path, millions = made(options, options.millions), options.millions * 5 // 2
    events = str(
        event_file(
            options.data, events=millions * 1_000_000, customers=options.millions * 1_000_000 // 20
        )
    )
    sets = {"all": [*ALL_BUILDERS, "engagement"]}
    return {
        "orders": options.millions * 1_000_000,
        "events": millions * 1_000_000,
        "group_by": piece("group_by", path=path, events=events, threads=options.threads),
        "churnkit": piece(
            "features", path=path, events=events, sets=sets, cutoffs=CUTOFFS, **common(options)
        ),
    }


def growth(options: argparse.Namespace) -> dict[str, Any]:
    """Rfm at three cutoffs from a small to the largest file under the memory limit."""
    found = {}
    for millions in options.growth:
        path = made(options, millions)
        found[str(millions)] = {
            "group_by": piece("group_by", path=path, threads=options.threads, times=2),
            "churnkit": piece(
                "features",
                path=path,
                sets={"features": ["rfm"]},
                cutoffs=CUTOFFS[:3],
                **common(options),
            ),
        }
    return found


def company(options: argparse.Namespace) -> dict[str, Any]:
    """All company metrics of orders for each of 24 months beside one group-by."""
    path = made(options, options.millions)
    return {
        "orders": options.millions * 1_000_000,
        "group_by": piece("group_by", path=path, threads=options.threads),
        "churnkit": piece("company", path=path, **common(options)),
    }


def training(options: argparse.Namespace) -> dict[str, Any]:
    """Fit churn and spend, and LightGBM alone on the same matrix."""
    found = {}
    for rows in options.rows:
        arguments = {"rows": rows, "snapshots": 10, "threads": options.threads}
        found[str(rows)] = {
            "churnkit": piece("train", **arguments),
            "lightgbm": piece("bare_lightgbm", **arguments),
        }
    return {"runs": found}


def scoring(options: argparse.Namespace) -> dict[str, Any]:
    """Scores of everybody in the file, with reasons and metrics, beside bare predictions."""
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        return {
            "churnkit": piece(
                "score",
                path=made(options, options.scored),
                train_path=made(options, 2),
                folder=folder,
                threads=options.threads,
                memory_limit=options.memory_limit,
            )
        }


def purchase_models(options: argparse.Namespace) -> dict[str, Any]:
    """BG/NBD on 100,000 and 1,000,000 customers beside the rivals that are installed.

    Then where it is hard: 100,000 of whom twenty have 1,000 to 5,000 orders, and 5,000 who order
    every day or so and hardly ever leave.
    """
    script = str(Path(__file__).resolve())
    found: dict[str, Any] = {}
    cases = [(customers, "usual") for customers in options.customers]
    for customers, kind in [*cases, (100_000, "heavy"), (5_000, "frequent")]:
        for package in ("churnkit", "lifetimes", "pymc_marketing"):
            python = sys.executable if package == "churnkit" else options.rivals
            if python is not None:
                name = f"{package}, {customers:,}{BUYERS[kind]}"
                print(f"  purchase {name}", flush=True)
                arguments = {"customers": customers, "package": package, "kind": kind}
                found[name] = run_apart(script, "purchase", python=python, **arguments)
    return found


def start_up(options: argparse.Namespace) -> dict[str, Any]:
    """Wall and CPU seconds of the commands, the best of three for the short ones."""
    config = str((HERE.parent / "configs" / "cdnow.yaml").resolve())
    commands = {
        "churnkit --help": (["--help"], 3),
        "churnkit validate configs/cdnow.yaml": (["validate", config], 3),
        "churnkit run configs/cdnow.yaml": (["run", config], 1),
    }
    code = "from churnkit.cli import main; main()"
    found = {}
    for name, (arguments, times) in commands.items():
        runs = []
        for _ in range(times):
            with tempfile.TemporaryDirectory(dir=options.data) as folder:
                start, before = time.perf_counter(), _children_cpu()
                command = [sys.executable, "-c", code, *arguments]
                subprocess.run(command, cwd=folder, capture_output=True, check=True)
                wall = time.perf_counter() - start
                runs.append({"wall": wall, "cpu": _children_cpu() - before})
        found[name] = min(runs, key=lambda run: run["cpu"])
    return found


def _children_cpu() -> float:
    """Return the CPU seconds of all processes that ended below this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


SECTIONS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "rfm": rfm,
    "all_builders": all_builders,
    "engagement": engagement,
    "growth": growth,
    "company": company,
    "training": training,
    "scoring": scoring,
    "purchase_models": purchase_models,
    "start_up": start_up,
}
SIZES = {
    "small": {
        "millions": 2,
        "scored": 2,
        "growth": [2],
        "rows": [500_000],
        "customers": [100_000],
    },
    "medium": {
        "millions": 20,
        "scored": 20,
        "growth": [2, 20],
        "rows": [2_000_000],
        "customers": [100_000],
    },
    "large": {
        "millions": 20,
        "scored": 24,
        "growth": [2, 20, 100],
        "rows": [2_000_000, 10_000_000],
        "customers": [100_000, 1_000_000],
    },
}


def main() -> None:
    """Run the sections asked for and write the tables."""
    if sys.argv[1:2] == ["--piece"]:
        run_piece(PIECES[sys.argv[2]], json.loads(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for files and spilling")
    parser.add_argument("--only", nargs="*", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--size", choices=list(SIZES), default="medium")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-limit", default="6GB", help="of the engine")
    parser.add_argument("--rivals", help="python of an environment with lifetimes, pymc-marketing")
    options = parser.parse_args()
    for name, value in SIZES[options.size].items():
        setattr(options, name, value)
    options.data.mkdir(parents=True, exist_ok=True)
    stored = HERE / "speed.json"
    results = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    for name in options.only:
        print(name, flush=True)
        before = machine()
        results[name] = {"machine": before, "size": options.size, **SECTIONS[name](options)}
        results[name]["load_after"] = machine()["load"]
        # Another run may have written its sections meanwhile.
        others = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
        results = others | {name: results[name]}
        stored.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print("\n".join(tables({name: results[name]})), flush=True)
    readme = HERE / "README.md"
    start, end = "<!-- speed: begin -->", "<!-- speed: end -->"
    text = readme.read_text(encoding="utf-8")
    before, after = text.split(start)[0], text.split(end)[1]
    ordered = {name: results[name] for name in SECTIONS if name in results}
    body = "\n".join(tables(ordered))
    readme.write_text(f"{before}{start}\n{body}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
