"""Rolling-origin accuracy of the models beside every baseline, an untuned LightGBM and its anchored form.

Run from the checkout::

    python benchmarks/accuracy.py --data DIR [--cache DIR] [--ablation] [--only NAME ...]

``DIR`` holds folders ``cdnow``, ``online_retail_ii``, ``grocery``, ``apparel``,
``global_electronics``, each with a ``transactions.parquet``; those that are missing are left out,
simulated shops need no files. Tables go to ``benchmarks/README.md``, numbers to
``benchmarks/accuracy.json``, where histories that are not run again keep theirs. Labelled snapshots
are made once when ``--cache`` is given.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from histories import REAL, SIMULATED, origins

from churnkit.evaluation.backtest import predict_snapshot
from churnkit.evaluation.predictive import (
    auc,
    brier,
    churn_metrics,
    gini_normalized,
    log_loss,
    rmse,
    spearman,
    spend_metrics,
    top_decile_capture,
)
from churnkit.models.base import stack
from churnkit.models.baselines import BASELINES, BaselinePrediction
from churnkit.models.log_odds import churn_level_shift, logit, sigmoid
from churnkit.models.spend import spend_factor
from churnkit.models.training import ModelSettings, fit_models

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from histories import Origin

    from churnkit.models.training import Models, Predictions

HERE = Path(__file__).parent
SETTINGS = ModelSettings(threads=1)
RESAMPLES = 50
# Metric → whether more is better (None: nearer to zero is), and how to resample it.
COLUMNS: Mapping[str, bool | None] = {
    "churn.auc": True,
    "churn.log_loss": False,
    "churn.brier": False,
    "churn.ece": False,
    "spend.gini_normalized": True,
    "spend.spearman": True,
    "spend.top_decile_capture": True,
    "spend.rmse": False,
    "spend.decile_mape": False,
    "spend.total_bias": None,
}
RESAMPLED: Mapping[str, Callable[..., float | None]] = {
    "churn.auc": auc,
    "churn.log_loss": log_loss,
    "churn.brier": brier,
    "spend.gini_normalized": gini_normalized,
    "spend.spearman": spearman,
    "spend.top_decile_capture": top_decile_capture,
    "spend.rmse": rmse,
}


def plain_lightgbm(origin: Origin) -> BaselinePrediction:
    """Return what LightGBM says with its own defaults: binary for churn, Tweedie for spend."""
    import lightgbm

    features = stack(origin.train).values
    churned = np.concatenate([s.churned for s in origin.train]).astype(float)
    spend = np.maximum(np.concatenate([s.future_spend for s in origin.train]), 0.0)
    fixed = {"verbosity": -1, "num_threads": 1, "seed": 7, "deterministic": True}
    churn, money = (
        lightgbm.train({**fixed, "objective": o}, lightgbm.Dataset(features, label=y))
        for o, y in (("binary", churned), ("tweedie", spend))
    )
    now = origin.test.features.values
    return BaselinePrediction(
        churn_probability=np.asarray(churn.predict(now)),
        expected_spend=np.asarray(money.predict(now)),
    )


def anchored(plain: BaselinePrediction, origin: Origin) -> BaselinePrediction:
    """Return the plain predictions moved to the level of BG/NBD and Gamma-Gamma: the floor."""
    theirs = origin.test.forecast("bg_nbd")
    if theirs is None:
        return plain
    log_odds = logit(plain.churn_probability)
    mean = float(np.mean(1.0 - theirs.order_probability))
    factor = spend_factor(plain.expected_spend, total=float(theirs.expected_spend.sum()))
    return BaselinePrediction(
        churn_probability=sigmoid(log_odds + churn_level_shift(log_odds, target_mean=mean)),
        expected_spend=plain.expected_spend * factor,
    )


def variants(models: Models, origin: Origin) -> dict[str, Models]:
    """Return the models with one ingredient taken away each, fitted again where needed."""

    def fitted(**changed: Any) -> Models:
        settings = replace(SETTINGS, **changed)
        return fit_models(origin.train, settings=settings, judge=spend_metrics)[0]

    untuned = dict.fromkeys(("extra_trees",), False) | {
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "feature_fraction": 1.0,
        "bagging_fraction": 1.0,
        "lambda_l2": 0.0,
        "max_bin": 255,
    }
    alone = replace(
        models, churn=replace(models.churn, weight=1.0), spend=replace(models.spend, weight=1.0)
    )
    return {
        "without the purchase model's share": alone,
        "without level correction": replace(
            models,
            settings=replace(
                models.settings, churn_level="purchase_model", spend_level="purchase_model"
            ),
        ),
        "without any level": replace(
            models, settings=replace(models.settings, churn_level="none", spend_level="none")
        ),
        "without the typical spend": replace(
            models, spend=replace(models.spend, typical_share=0.0)
        ),
        "without calibration": fitted(calibration="none"),
        "Tweedie in place of the hurdle": fitted(objective="tweedie"),
        "untuned LightGBM parameters": fitted(churn_params=untuned, spend_params=untuned),
    }


def evaluate(origin: Origin, *, ablation: bool) -> dict[str, Any]:
    """Return every prediction's metrics at one origin, and how ours compare beyond noise."""
    test = origin.test
    began = time.process_time()
    models, notes = fit_models(origin.train, settings=SETTINGS, judge=spend_metrics)
    seconds = time.process_time() - began
    began = time.process_time()
    plain = plain_lightgbm(origin)
    plain_seconds = time.process_time() - began
    predicted: dict[str, Any] = {"model": predict_snapshot(models, test)}
    for name in BASELINES.names():
        baseline = BASELINES[name]().predict(origin.train, test)
        if baseline is not None:
            predicted[name] = baseline
    predicted |= {"plain_lightgbm": plain, "anchored": anchored(plain, origin)}
    result = {name: measured(origin, p) for name, p in predicted.items()}
    cut = {}
    if ablation:
        cut = {
            name: measured(origin, predict_snapshot(other, test))
            for name, other in variants(models, origin).items()
        }
    return {
        "history": origin.history,
        "cutoff": str(test.snapshot.cutoff),
        "customers": len(test.churned),
        "train_rows": sum(len(s.churned) for s in origin.train),
        "season_seen": models.level.sees_season_of(test.snapshot.cutoff),
        "seconds": seconds,
        "plain_seconds": plain_seconds,
        "chosen": {
            k: v for k, v in notes.items() if k.endswith(("weight", "share", "calibration"))
        },
        "models": result,
        "band": banded(origin, predicted["model"]),
        "verdicts": verdicts(origin, predicted, result),
        "ablation": cut,
    }


def measured(origin: Origin, predicted: Any) -> dict[str, float | None]:
    """Return all metrics of one set of predictions."""
    test = origin.test
    low = getattr(predicted, "expected_spend_low", None)
    high = getattr(predicted, "expected_spend_high", None)
    return {
        **churn_metrics(test.churned, predicted.churn_probability),
        **spend_metrics(
            test.future_spend,
            predicted.expected_spend,
            low=low,
            high=high,
            stated=getattr(predicted, "stated_coverage", None),
        ),
    }


def banded(origin: Origin, predicted: Predictions) -> dict[str, float] | None:
    """Return where the total was said to lie, and where it lay."""
    if predicted.total is None:
        return None
    return {**asdict(predicted.total), "actual": float(origin.test.future_spend.sum())}


def distance(name: str, value: float | None) -> float:
    """Return a number that is the smaller the better."""
    if value is None:
        return np.inf
    more_is_better = COLUMNS[name]
    return abs(value) if more_is_better is None else -value if more_is_better else value


def verdicts(
    origin: Origin, predicted: Mapping[str, Any], result: Mapping[str, Mapping[str, float | None]]
) -> dict[str, str]:
    """Return win, tie or loss against the best other by metric: a 95 % bootstrap interval decides."""
    test, rng = origin.test, np.random.default_rng(0)
    rows = [rng.integers(0, len(test.churned), len(test.churned)) for _ in range(RESAMPLES)]
    found = {}
    for name, metric in RESAMPLED.items():
        others = [n for n in result if n != "model"]
        best = min(others, key=lambda n: distance(name, result[n][name]))
        if name.startswith("churn."):
            actual, field = test.churned, "churn_probability"
        else:
            actual, field = test.future_spend, "expected_spend"
        ours, theirs = (getattr(predicted[n], field) for n in ("model", best))
        gains = [
            distance(name, metric(actual[r], theirs[r]))
            - distance(name, metric(actual[r], ours[r]))
            for r in rows
        ]
        low, high = np.quantile(gains, [0.025, 0.975])
        found[name] = "win" if low > 0 else "loss" if high < 0 else "tie"
    return found


def tables(results: list[dict[str, Any]]) -> str:
    """Return the Markdown that goes into the README."""
    lines = ["### Mean over the cutoffs of each history", ""]
    heads = [c.split(".")[1].replace("_", " ") for c in COLUMNS]
    lines += [
        "| history | predictions | " + " | ".join(heads) + " |",
        "|---" * (len(heads) + 2) + "|",
    ]
    by_history = defaultdict(list)
    for r in results:
        by_history[r["history"]].append(r)
    for history, rows in by_history.items():
        for who in ("model", "anchored", "plain_lightgbm", "bg_nbd", "mbg_nbd", "best baseline"):
            cells = [cell(rows, who, c) for c in COLUMNS]
            lines.append(f"| {history} | {who} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Best baseline: in each column the best of all others at each cutoff, so nobody in",
    ]
    lines += ["particular. Total bias is the mean of absolute values.", ""]
    lines += ["### Wins, ties and losses against the best baseline of each column", ""]
    lines += [
        "95 % bootstrap interval of the difference over customers, one comparison a cutoff.",
        "",
    ]
    lines += [
        "| histories | " + " | ".join(c.split(".")[1].replace("_", " ") for c in RESAMPLED) + " |"
    ]
    lines += ["|---" * (len(RESAMPLED) + 1) + "|"]
    for label, wanted in (("real", False), ("simulated", True)):
        chosen = [r for r in results if r["history"].startswith("simulated") is wanted]
        counts = [
            " / ".join(
                str(sum(r["verdicts"][c] == v for r in chosen)) for v in ("win", "tie", "loss")
            )
            for c in RESAMPLED
        ]
        lines.append(f"| {label} | " + " | ".join(counts) + " |")
    lines += ["", *levels(results), *timings(by_history), *ablations(results)]
    return "\n".join(lines) + "\n"


def cell(rows: list[dict[str, Any]], who: str, column: str) -> str:
    """Return one number of the table, averaged over cutoffs."""
    values = []
    for r in rows:
        if who == "best baseline":
            others = [m for n, m in r["models"].items() if n != "model"]
            values.append(min((m[column] for m in others), key=lambda v: distance(column, v)))
        else:
            values.append(r["models"].get(who, {}).get(column))
    if any(v is None for v in values):
        return "–"
    mean = float(np.mean(np.abs(values) if COLUMNS[column] is None else values))
    return f"{mean:.4f}" if abs(mean) < 10 else f"{mean:,.1f}"


def levels(results: list[dict[str, Any]]) -> list[str]:
    """Return the total bias of every origin, by whether its season had been seen."""
    lines = ["### Total expected over actual spend, minus 1", ""]
    lines += [
        "| history | cutoff | season seen | model | purchase model | plain LightGBM |"
        " intervals hold | and say | 80 % band of actual / expected |"
    ]
    lines += ["|---" * 9 + "|"]
    for r in results:
        m = r["models"]
        bias = [m.get(n, {}).get("spend.total_bias") for n in ("model", "bg_nbd", "plain_lightgbm")]
        shares = [m["model"].get(f"spend.interval_{k}") for k in ("coverage", "stated_coverage")]
        band = r.get("band")
        if band is None:
            within = "–"
        else:
            low, actual, high = (band[k] / band["expected"] for k in ("low", "actual", "high"))
            within = (
                f"{low:.2f} to {high:.2f}: {'' if low <= actual <= high else 'not '}{actual:.2f}"
            )
        lines.append(
            f"| {r['history']} | {r['cutoff']} | {'yes' if r['season_seen'] else 'no'} | "
            + " | ".join("–" if b is None else f"{b:+.3f}" for b in bias)
            + " | "
            + " | ".join("–" if share is None else f"{share:.3f}" for share in shares)
            + f" | {within} |"
        )
    return [*lines, ""]


def timings(by_history: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Return CPU seconds of training beside the plain fit."""
    lines = ["### Training, CPU seconds with one thread (churn, spend, interval, level)", ""]
    lines += ["| history | rows | model | plain LightGBM | times |", "|---|---|---|---|---|"]
    for history, rows in by_history.items():
        r = rows[-1]
        times = r["seconds"] / max(r["plain_seconds"], 1e-9)
        lines.append(
            f"| {history} | {r['train_rows']:,} | {r['seconds']:.1f} | {r['plain_seconds']:.1f} |"
            f" {times:.1f} |"
        )
    return [*lines, ""]


def ablations(results: list[dict[str, Any]]) -> list[str]:
    """Return the mean change of each metric when one ingredient is taken away."""
    rows = [r for r in results if r["ablation"]]
    if not rows:
        return []
    lines = ["### Taking one ingredient away: mean change (+ is worse)", ""]
    lines += ["In points where more is better and of the bias, else in percent.", ""]
    heads = [c.split(".")[1].replace("_", " ") for c in COLUMNS]
    lines += ["| without | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in rows[0]["ablation"]:
        cells = []
        for c in COLUMNS:
            ours = np.array([distance(c, r["models"]["model"][c]) for r in rows])
            other = np.array([distance(c, r["ablation"][name][c]) for r in rows])
            # What may come close to 0 has no percentage.
            scale = np.abs(ours) if COLUMNS[c] is False else 1.0
            cells.append(f"{100 * float(np.mean((other - ours) / scale)):+.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def main() -> None:
    """Run everything asked for and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--ablation", action="store_true")
    options = parser.parse_args()
    logging.getLogger("churnkit").setLevel(logging.ERROR)
    chosen = [
        h
        for h in (*REAL, *SIMULATED)
        if (options.only is None or h.name in options.only)
        and (h in SIMULATED or (options.data / h.name / "transactions.parquet").exists())
    ]
    new = []
    for origin in origins(chosen, data=options.data, cache=options.cache):
        new.append(evaluate(origin, ablation=options.ablation))
        print(origin.history, origin.test.snapshot.cutoff, flush=True)
    # Histories that were not run keep their numbers.
    stored = HERE / "accuracy.json"
    old = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else []
    place = {h.name: i for i, h in enumerate((*REAL, *SIMULATED))}
    kept = [r for r in old if r["history"] not in {h.name for h in chosen}]
    results = sorted(kept + new, key=lambda r: (place[r["history"]], r["cutoff"]))
    stored.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    readme = HERE / "README.md"
    start, end = "<!-- accuracy: begin -->", "<!-- accuracy: end -->"
    text = readme.read_text(encoding="utf-8") if readme.exists() else f"{start}\n{end}\n"
    before, after = text.split(start)[0], text.split(end)[1]
    readme.write_text(f"{before}{start}\n{tables(results)}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
