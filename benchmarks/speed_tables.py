"""Turns what was measured into tables: seconds, and ratios to the reference of the same run."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["tables"]

HEAD = "| | wall s | CPU s | wall ratio | CPU ratio | peak GB |"
RULE = "|---|---|---|---|---|---|"


def tables(results: Mapping[str, Any]) -> list[str]:
    """Return the lines of all sections."""
    lines: list[str] = []
    for name, found in results.items():
        m = found["machine"]
        lines += [f"### {name.replace('_', ' ').capitalize()}", ""]
        lines += RENDER[name](found)
        versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items())
        lines += [
            "",
            f"{m['cores']} cores ({m['cpu']}), {m['memory_gb']} GB, Python {m['python']},"
            f" {versions}; load average {m['load'][0]} before, {found['load_after'][0]} after.",
            "",
        ]
    return lines


def _unit(run: Mapping[str, Any], *, alone: Mapping[str, Any]) -> dict[str, float]:
    """Return the unit as it was measured beside a run's own work, or before it where it was not."""
    beside = [step for name, step in run.get("steps", {}).items() if name.startswith("run ")]
    steps = beside or [step for name, step in alone["steps"].items() if name.startswith("run ")]
    return {kind: median(step[kind] for step in steps) for kind in ("wall", "cpu")}


def _row(name: str, run: Mapping[str, Any], steps: list[str], unit: Mapping[str, float]) -> str:
    if "failed" in run:
        return f"| {name} | did not finish: {run['failed']} | | | | |"
    spent = {k: sum(run["steps"][s][k] for s in steps) for k in ("wall", "cpu")}
    ratios = " | ".join(f"{spent[k] / max(unit[k], 1e-9):.1f}" for k in ("wall", "cpu"))
    return f"| {name} | {spent['wall']:.1f} | {spent['cpu']:.1f} | {ratios} | {run['peak_gb']} |"


def _group_by(found: Mapping[str, Any]) -> tuple[dict[str, float], str]:
    alone = found["group_by"]
    unit = _unit(found["churnkit"], alone=alone)
    return unit, (
        f"| one group-by (count, sum; median) | {unit['wall']:.2f} | {unit['cpu']:.2f} | 1 | 1 |"
        f" {alone['peak_gb']} |"
    )


READ = "reading, checks, sort"


def _rfm(found: Mapping[str, Any]) -> list[str]:
    unit, first = _group_by(found)
    lines = [
        f"{found['orders']:,} orders, 12 cutoffs, ratios to one group-by.",
        "",
        HEAD,
        RULE,
        first,
    ]
    for name, read in (("churnkit", READ), ("polars", "reading"), ("pandas", "reading")):
        run = found[name]
        unit = _unit(run, alone=found["group_by"])
        lines.append(_row(f"{name}: features", run, ["features"], unit))
        if "failed" not in run:
            lines.append(_row(f"{name}: {read}", run, [read], unit))
            lines.append(_row(f"{name}: both", run, [read, "features"], unit))
    return lines


def _all_builders(found: Mapping[str, Any]) -> list[str]:
    unit, first = _group_by(found)
    rows = f"{found['orders']:,} orders"
    rows += f" and {found['events']:,} events" if "events" in found else ""
    lines = [f"{rows}, 12 cutoffs, ratios to one group-by.", "", HEAD, RULE, first]
    run = found["churnkit"]
    steps = [READ] if "failed" in run else [READ, *run["facts"]]
    return lines + [_row(name, run, [name], unit) for name in steps]


def _growth(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "rfm at three cutoffs, streamed; microseconds of CPU per order, and over one group-by.",
        "",
        "| million orders | reading µs | features µs | group-by µs | features / group-by |"
        " wall s | peak GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for millions, runs in found.items():
        if not millions.isdigit():
            continue
        run = runs["churnkit"]
        unit = _unit(run, alone=runs["group_by"])
        if "failed" in run:
            lines.append(f"| {millions} | did not finish: {run['failed']} | | | | | |")
            continue
        n = float(millions)
        read, made = (run["steps"][s]["cpu"] for s in (READ, "features"))
        lines.append(
            f"| {millions} | {read / n:.2f} | {made / n:.2f} | {unit['cpu'] / n:.3f} |"
            f" {made / unit['cpu']:.1f} | {run['steps']['all steps']['wall']:.0f} | {run['peak_gb']} |"
        )
    return lines


def _company(found: Mapping[str, Any]) -> list[str]:
    unit, first = _group_by(found)
    lines = [f"{found['orders']:,} orders, ratios to one group-by.", "", HEAD, RULE, first]
    lines.append(_row("all metrics of 24 months", found["churnkit"], ["24 months"], unit))
    if "failed" not in found["churnkit"]:
        lines.append(_row(READ, found["churnkit"], [READ], unit))
    return lines


def _training(found: Mapping[str, Any]) -> list[str]:
    lines = []
    for rows, run in found["runs"].items():
        ours, bare = run["churnkit"], run["lightgbm"]
        lines += [f"{int(rows):,} rows × 60 features, ratios to LightGBM alone.", "", HEAD, RULE]
        if "failed" in bare:
            lines += [_row("LightGBM alone", bare, [], {}), ""]
            continue
        unit = {k: sum(bare["steps"][s][k] for s in ("churn", "spend")) for k in ("wall", "cpu")}
        lines.append(_row("LightGBM alone: churn and spend", bare, ["churn", "spend"], unit))
        lines.append(_row("churnkit: fit", ours, ["fit"], unit))
        if "failed" not in ours:
            lines += ["", *_training_memory({"LightGBM alone": bare, "churnkit": ours})]
        lines.append("")
    return lines[:-1]


def _training_memory(runs: Mapping[str, Any]) -> list[str]:
    """Return the peaks as multiples of the matrix, with and without what was there before it."""
    lines = [
        "| peak in float32 matrices | matrix GB | whole process | less libraries | less labels too |",
        "|---|---|---|---|---|",
    ]
    for name, run in runs.items():
        matrix, peak = run["facts"]["matrix_gb"], run["peak_gb"]
        labels = run["facts"]["with_data_gb"] - run["facts"]["libraries_gb"] - matrix
        less = peak - run["facts"]["libraries_gb"]
        lines.append(
            f"| {name} | {matrix:.2f} | {peak / matrix:.2f} | {less / matrix:.2f} |"
            f" {(less - labels) / matrix:.2f} |"
        )
    return lines


def _scoring(found: Mapping[str, Any]) -> list[str]:
    run = found["churnkit"]
    if "failed" in run:
        return [f"did not finish: {run['failed']}"]
    facts, steps = run["facts"], run["steps"]
    lines = ["| | rows | wall s | CPU s | rows per CPU s |", "|---|---|---|---|---|"]
    sizes = {
        "score": facts["rows"],
        "bare predict of all boosters": facts["statuses"]["scored"],
        "bare pred_contrib of churn, a twentieth of the customers": facts["contrib_rows"],
    }
    for name, rows in sizes.items():
        wall, cpu = steps[name]["wall"], steps[name]["cpu"]
        lines.append(f"| {name} | {rows:,} | {wall:.1f} | {cpu:.1f} | {rows / cpu:,.0f} |")
    return [*lines, "", f"Peak of the whole process, training included: {run['peak_gb']} GB."]


def _purchase(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "| package, customers | wall s | CPU s | peak GB | r, alpha, a, b |",
        "|---|---|---|---|---|",
    ]
    for name, run in found.items():
        if not isinstance(run, dict) or name == "machine":
            continue
        if "failed" in run:
            lines.append(f"| {name} | failed: {run['failed']} | | | |")
            continue
        fit = run["steps"]["fit"]
        values = ", ".join(f"{run['facts']['parameters'][k]:.4f}" for k in ("r", "alpha", "a", "b"))
        lines.append(
            f"| {name} | {fit['wall']:.1f} | {fit['cpu']:.1f} | {run['peak_gb']} | {values} |"
        )
    return lines


def _start_up(found: Mapping[str, Any]) -> list[str]:
    lines = ["| command | wall s | CPU s |", "|---|---|---|"]
    return lines + [
        f"| `{name}` | {run['wall']:.2f} | {run['cpu']:.2f} |"
        for name, run in found.items()
        if name.startswith("churnkit")
    ]


RENDER: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "rfm": _rfm,
    "all_builders": _all_builders,
    "engagement": _all_builders,
    "growth": _growth,
    "company": _company,
    "training": _training,
    "scoring": _scoring,
    "purchase_models": _purchase,
    "start_up": _start_up,
}
