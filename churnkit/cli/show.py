"""Turns results into tables that people read."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from churnkit.cli.show_metrics import recent_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.cli.console import Console
    from churnkit.data.contracts import TableReport
    from churnkit.evaluation.backtest import Backtest
    from churnkit.labels import HorizonAdvice
    from churnkit.pipeline.reporting import ReportResult
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
    "page",
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
    ("churn.log_loss", "log\nloss", ".3f", False),
    ("churn.brier", "Brier", ".3f", False),
    ("churn.top_decile_lift", "lift\n@10%", ".2f", True),
    ("spend.gini_normalized", "Gini", ".3f", True),
    ("spend.spearman", "Spear-\nman", ".3f", True),
    ("spend.decile_mape", "decile\nMAPE", ".2f", False),
    ("spend.total_bias", "total\nbias", "+.1%", None),
)
MOST_REASONS = 8
MOST_EXAMPLES = 3
MOST_DRIVERS = 20


def _table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return a table without frames; columns named in ``right`` hold numbers and never wrap."""
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in columns:
        number = column in right
        table.add_column(column, justify="right" if number else "left", no_wrap=number)
    return table


def _add(table: Table, *cells: str, style: str = "") -> None:
    """Add a row of plain text: brackets in ids are no markup."""
    table.add_row(*(Text(cell) for cell in cells), style=style)


def run(console: Console, result: RunResult) -> None:
    """Show what was read, how the model stands beside the baselines, and the scores."""
    _tables(console, result.validation.tables)
    training(console, result.train)
    scores(console, result.score)
    recent_metrics(console, result.metrics)
    page(console, result.report)


def page(console: Console, result: ReportResult) -> None:
    """Say where the report is and how large."""
    console.place(f"Report ({result.size / 1e6:.1f} MB):", result.output)


def validation(console: Console, result: ValidationResult) -> None:
    """Show the counts per check and the snapshots."""
    _tables(console, result.tables, every_check=True)
    if not result.train_cutoffs:
        console.say(
            f"Data from {result.first_day} to {result.end_day} (not included), without data.orders:"
            " fit for churnkit metrics, not for models."
        )
        return
    console.say(f"Orders from {result.first_day} to {result.end_day} (not included).")
    tests = f"; test at {', '.join(result.test_cutoffs)}" if result.test_cutoffs else ""
    console.say(
        f"Train at {len(result.train_cutoffs)} cutoffs, {result.train_cutoffs[0]} to"
        f" {result.train_cutoffs[-1]}{tests}."
    )
    for reason, cutoffs in groupby(result.skipped, key=lambda cutoff: result.skipped[cutoff]):
        console.say(f"Not used: {', '.join(cutoffs)}: {reason}.")
    if result.horizons is not None:
        _horizons(console, result.horizons)
    console.say("The configuration and the data are fit to run.")


def _horizons(console: Console, advice: HorizonAdvice) -> None:
    """Show, for a grid of horizons, who would have been given up too early or noticed too late."""
    numbers = ("days", "customers", "called churned", "of them return", "of the rest never return")
    table = _table("What a horizon would have meant", *numbers, right=numbers)
    for outcome in advice.outcomes:
        rates = (outcome.returning_rate, outcome.never_returning_rate)
        _add(
            table,
            str(outcome.horizon_days),
            f"{outcome.customers:,}",
            f"{outcome.churned:,}",
            *("–" if rate is None else f"{rate:.0%}" for rate in rates),
        )
    if advice.outcomes:
        console.print(table)
        console.say(
            "No horizon tried has at most 10 % of the churned returning."
            if advice.suggested_days is None
            else f"Suggested horizon_days: {advice.suggested_days}: at most 10 % of the churned return."
        )


def _tables(
    console: Console, reports: tuple[TableReport, ...], *, every_check: bool = False
) -> None:
    for report in reports:
        table = _table(
            f"{report.table}: {report.source}", "check", "rows", "", "such as", right=("rows",)
        )
        _add(table, "rows read", f"{report.rows_read:,}", "", "")
        for check in report.checks:
            if check.rows or every_check:
                fate = ("set aside" if check.set_aside else "kept") if check.rows else ""
                _add(table, check.sentence, f"{check.rows:,}", fate, _examples(check.examples))
        _add(table, "rows used", f"{report.rows_used:,}", "", "", style="bold")
        console.print(table)


def _examples(examples: tuple[str, ...]) -> str:
    """Return a few examples, the name of their column once: ``customer_id 15, 27 …``."""
    shown = [example.partition(" ")[::2] for example in examples[:MOST_EXAMPLES]]
    parts = [
        f"{column} {', '.join(value for _, value in same)}"
        for column, same in groupby(shown, key=lambda pair: pair[0])
    ]
    return "; ".join(parts) + (" …" if len(examples) > MOST_EXAMPLES else "")


def training(console: Console, result: TrainResult) -> None:
    """Show the model beside the baselines and where it was kept."""
    backtest(console, result.backtest)
    state = "is now the champion" if result.is_champion else "is not the champion"
    console.say(f"Model {result.name} version {result.version} {state}: {result.champion_reason}.")
    console.place("Model:   ", result.bundle_folder)
    console.place("Run:     ", result.run_id)


def backtest(console: Console, result: Backtest) -> None:
    """Show the metrics of the model and the baselines, averaged over the test cutoffs."""
    means = result.mean()
    cutoffs = ", ".join(s.cutoff for s in result.snapshots)
    first = result.snapshots[0]
    title = (
        f"{result.name}: tested at {cutoffs}, {first.horizon_days} days ahead,"
        f" {sum(s.customers for s in result.snapshots):,} customers"
    )
    headings = tuple(heading for _, heading, _, _ in SHOWN)
    table = _table(title, "model", *headings, right=headings)
    best = {metric: _best(means, metric, more) for metric, _, _, more in SHOWN}
    for name, metrics in means.items():
        cells = []
        for metric, _, form, _ in SHOWN:
            value = metrics.get(metric)
            text = "–" if value is None else format(value, form)
            cells.append(f"[bold green]{text}" if name == best[metric] else text)
        table.add_row(f"[bold]{name}" if name == "model" else name, *cells)
    console.print(table)
    console.say(
        "More is better for AUC, lift, Gini and Spearman; nearer to 0 for the rest."
        + (" Best in bold." if console.out.is_terminal else "")
    )
    if (sentence := result.hindsight()) is not None:
        console.say(sentence)


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
    table = _table(f"Scores as of {manifest['as_of']}", "customers", "rows", right=("rows",))
    for status in ("scored", "inactive", "no_valid_orders"):
        _add(table, status, f"{manifest['statuses'].get(status, 0):,}")
        if status == "scored":
            for band in ("high", "medium", "low"):
                _add(table, f"  {band} risk", f"{manifest['risk_bands'].get(band, 0):,}")
    _add(table, "all", f"{manifest['rows']:,}", style="bold")
    console.print(table)
    totals, band = manifest["totals"], manifest["expected_spend_total"]
    console.say(
        f"Expected in the next {manifest['horizon_days']} days:"
        f" {totals['expected_orders']:,.0f} orders, {totals['expected_spend']:,.0f} spend;"
        f" {totals['value_at_risk']:,.0f} value at risk."
    )
    if band is not None:
        console.say(
            f"Total spend, {100 * band['coverage']:.0f} % sure:"
            f" {band['low']:,.0f} to {band['high']:,.0f}."
        )
    days = manifest["lifetime_value"]["horizon_days"]
    if days != manifest["horizon_days"]:
        console.say(f"Expected lifetime value over {days} days: {totals['expected_ltv']:,.0f}.")
    console.place("Scores:  ", result.output)
    console.place("Manifest:", f"{result.output}.manifest.json")
    for name, written in manifest["rejected_rows"].items():
        console.place(f"Rows of {name} set aside ({written['rows']:,}):", written["path"])


def explanation(console: Console, result: ExplainResult) -> None:
    """Show the strongest drivers, and the contributions of each customer asked for."""
    if not result.customers:
        table = _table(
            f"Drivers of churn as of {result.as_of} (version {result.model_version})",
            "feature",
            "effect",
            "in words",
            right=("effect",),
        )
        for row in result.drivers[:MOST_DRIVERS]:
            _add(table, row["feature"], f"{row['mean_contribution']:.3f}", row["says"])
        console.print(table)
        console.say("Effect: mean |contribution| to the log-odds of churning.")
    for customer, rows in result.customers.items():
        _customer(console, f"Customer {customer} as of {result.as_of}", rows)
    if result.customers:
        console.say("Effect: contribution to the log-odds of churning; above 0 raises the risk.")
    if result.output is not None:
        console.place("Contributions:", result.output)


def _customer(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    table = _table(title, "what", "effect", right=("effect",))
    for row in rows[:MOST_REASONS]:
        effect = Text(
            f"{row['contribution']:+.3f}", style="red" if row["contribution"] > 0 else "green"
        )
        table.add_row(Text(row["says"]), effect)
    if others := rows[MOST_REASONS:]:
        rest = sum(row["contribution"] for row in others)
        _add(table, f"{len(others)} other features", f"{rest:+.3f}")
    console.print(table)


def started(console: Console, result: Starter) -> None:
    """Show which columns were recognised and what to do next."""
    table = _table(f"{result.output} for {result.source}", "ours", "column of the file")
    for ours, theirs in result.columns.items():
        _add(table, ours, theirs)
    console.print(table)
    console.place("Next: churnkit validate", result.output)


def names(console: Console, result: NameList) -> None:
    """Show names with what each means."""
    table = _table(result.kind, "name", "what it is")
    for name, meaning in result.names.items():
        _add(table, name, meaning)
    console.print(table)


def promoted(console: Console, result: Promotion) -> None:
    """Say which version is the champion."""
    console.say(f"{result.name} version {result.version} is now the champion.")
