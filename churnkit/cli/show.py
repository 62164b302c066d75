"""Turns results into tables that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.cli.console import Console
    from churnkit.data.contracts import TableReport
    from churnkit.evaluation.backtest import Backtest
    from churnkit.pipeline.results import (
        ExplainResult,
        RunResult,
        ScoreResult,
        TrainResult,
        ValidationResult,
    )
    from churnkit.pipeline.starter import NameList, Promotion, Starter

__all__ = [
    "backtest",
    "explanation",
    "names",
    "promoted",
    "run",
    "scores",
    "started",
    "training",
    "validation",
]

# Metric, heading, format, whether more is better (None: nearer to zero is better).
SHOWN: tuple[tuple[str, str, str, bool | None], ...] = (
    ("churn.auc", "AUC", ".3f", True),
    ("churn.log_loss", "log loss", ".3f", False),
    ("churn.brier", "Brier", ".3f", False),
    ("churn.ece", "ECE", ".3f", False),
    ("churn.top_decile_lift", "lift@10%", ".2f", True),
    ("spend.gini_normalized", "Gini", ".3f", True),
    ("spend.spearman", "Spearman", ".3f", True),
    ("spend.decile_mape", "decile MAPE", ".2f", False),
    ("spend.total_bias", "total bias", "+.1%", None),
    ("spend.rmse", "RMSE", ",.1f", False),
)
MOST_REASONS = 8


def run(console: Console, result: RunResult) -> None:
    """Show what was read, how the model stands beside the baselines, and the scores."""
    _tables(console, result.validation.tables)
    training(console, result.train)
    scores(console, result.score)


def validation(console: Console, result: ValidationResult) -> None:
    """Show the counts per check and the snapshots."""
    _tables(console, result.tables, every_check=True)
    console.print(f"Orders from {result.first_day} to {result.end_day} (not included).")
    console.print(
        f"Train at {len(result.train_cutoffs)} cutoffs, {result.train_cutoffs[0]} to"
        f" {result.train_cutoffs[-1]}; test at {', '.join(result.test_cutoffs)}."
    )
    for cutoff, reason in result.skipped.items():
        console.print(f"Not used: {cutoff}: {reason}.")
    console.print("The configuration and the data are fit to run.")


def _tables(
    console: Console, reports: tuple[TableReport, ...], *, every_check: bool = False
) -> None:
    for report in reports:
        table = Table(title=f"{report.table}: {report.source}", title_justify="left")
        table.add_column("check")
        table.add_column("rows", justify="right")
        table.add_column("what becomes of them")
        table.add_column("examples", overflow="fold")
        table.add_row("read", f"{report.rows_read:,}", "", "")
        for check in report.checks:
            if check.rows or every_check:
                fate = "set aside" if check.set_aside else "reported, kept"
                table.add_row(
                    check.sentence,
                    f"{check.rows:,}",
                    fate if check.rows else "",
                    ", ".join(check.examples),
                )
        table.add_row("[bold]used", f"[bold]{report.rows_used:,}", "", "")
        console.print(table)


def training(console: Console, result: TrainResult) -> None:
    """Show the model beside the baselines and where it was kept."""
    backtest(console, result.backtest)
    console.print(
        f"Model {result.name} version {result.version} in {result.bundle_folder}"
        f" (run {result.run_id})."
    )
    state = "is now the champion" if result.is_champion else "is not the champion"
    console.print(f"It {state}: {result.champion_reason}.")


def backtest(console: Console, result: Backtest) -> None:
    """Show the metrics of the model and the baselines, averaged over the test cutoffs."""
    means = result.mean()
    cutoffs = ", ".join(s.cutoff for s in result.snapshots)
    first = result.snapshots[0]
    title = (
        f"{result.name}: tested at {cutoffs}, {first.horizon_days} days ahead,"
        f" {sum(s.customers for s in result.snapshots):,} customers"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("model")
    for _, heading, _, _ in SHOWN:
        table.add_column(heading, justify="right")
    best = {metric: _best(means, metric, more) for metric, _, _, more in SHOWN}
    for name, metrics in means.items():
        cells = []
        for metric, _, form, _ in SHOWN:
            value = metrics.get(metric)
            text = "–" if value is None else format(value, form)
            cells.append(f"[bold green]{text}" if name == best[metric] else text)
        table.add_row(f"[bold]{name}" if name == "model" else name, *cells)
    console.print(table)
    console.print("Best of each column in bold. More is better for AUC, lift, Gini and Spearman.")


def _best(means: Mapping[str, Mapping[str, float | None]], metric: str, more: bool | None) -> str:
    known = {n: v for n, row in means.items() if (v := row.get(metric)) is not None}
    if not known:
        return ""
    if more is None:
        return min(known, key=lambda n: abs(known[n]))
    return max(known, key=lambda n: known[n]) if more else min(known, key=lambda n: known[n])


def scores(console: Console, result: ScoreResult) -> None:
    """Show the counts of the score table and its totals."""
    manifest = result.manifest
    table = Table(title=f"Scores as of {manifest['as_of']}", title_justify="left")
    table.add_column("customers")
    table.add_column("rows", justify="right")
    for status in ("scored", "inactive", "no_valid_orders"):
        table.add_row(status, f"{manifest['statuses'].get(status, 0):,}")
        if status == "scored":
            for band in ("high", "medium", "low"):
                table.add_row(f"  {band} risk", f"{manifest['risk_bands'].get(band, 0):,}")
    table.add_row("[bold]all", f"[bold]{manifest['rows']:,}")
    console.print(table)
    totals = manifest["totals"]
    console.print(
        f"Expected in the next {manifest['horizon_days']} days:"
        f" {totals['expected_orders']:,.0f} orders, {totals['expected_spend']:,.0f} spend;"
        f" {totals['value_at_risk']:,.0f} value at risk."
    )
    console.print(f"Scores:   {result.output}")
    console.print(f"Manifest: {result.output}.manifest.json")
    for name, written in manifest["rejected_rows"].items():
        console.print(f"Rows of {name} set aside: {written['path']} ({written['rows']:,})")


def explanation(console: Console, result: ExplainResult) -> None:
    """Show the strongest drivers, and the contributions of each customer asked for."""
    if not result.customers:
        table = Table(
            title=f"Drivers of churn as of {result.as_of} (version {result.model_version})",
            title_justify="left",
        )
        table.add_column("feature")
        table.add_column("mean |contribution|, log-odds", justify="right")
        table.add_column("says")
        for row in result.drivers[:20]:
            table.add_row(row["feature"], f"{row['mean_contribution']:.3f}", row["says"])
        console.print(table)
    for customer, rows in result.customers.items():
        table = Table(title=f"Customer {customer} as of {result.as_of}", title_justify="left")
        table.add_column("what")
        table.add_column("effect on the log-odds of churning", justify="right")
        for row in rows[:MOST_REASONS]:
            colour = "red" if row["contribution"] > 0 else "green"
            table.add_row(row["says"], f"[{colour}]{row['contribution']:+.3f}")
        rest = sum(row["contribution"] for row in rows[MOST_REASONS:])
        table.add_row(f"{max(len(rows) - MOST_REASONS, 0)} other features", f"{rest:+.3f}")
        console.print(table)
    if result.output is not None:
        console.print(f"Contributions: {result.output}")


def started(console: Console, result: Starter) -> None:
    """Show which columns were recognised and what to do next."""
    table = Table(title=f"{result.output} for {result.source}", title_justify="left")
    table.add_column("ours")
    table.add_column("column of the file")
    for ours, theirs in result.columns.items():
        table.add_row(ours, theirs)
    console.print(table)
    console.print(f"Next: churnkit validate {result.output}")


def names(console: Console, result: NameList) -> None:
    """Show names with what each means."""
    table = Table(title=result.kind, title_justify="left")
    table.add_column("name")
    table.add_column("what it is", overflow="fold")
    for name, meaning in result.names.items():
        table.add_row(name, meaning)
    console.print(table)


def promoted(console: Console, result: Promotion) -> None:
    """Say which version is the champion."""
    console.print(f"{result.name} version {result.version} is now the champion.")
