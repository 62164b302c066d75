"""Turns results into tables that people read."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from churnkit.cli.show_metrics import recent_metrics
from churnkit.cli.tables import add_row, plain_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churnkit.cli.console import Console
    from churnkit.data.contracts import TableReport
    from churnkit.evaluation.backtest import Backtest
    from churnkit.labels import HorizonAdvice
    from churnkit.pipeline.listing import NameList, Promotion
    from churnkit.pipeline.reporting import ReportResult
    from churnkit.pipeline.results import (
        RunResult,
        ScoreResult,
        TrainResult,
        ValidationResult,
    )
    from churnkit.pipeline.starter import Starter

__all__ = [
    "backtest",
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
MOST_EXAMPLES = 3


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
    console.say(f"History from {result.first_day} to {result.end_day} (not included).")
    tests = f"; test at {', '.join(result.test_cutoffs)}" if result.test_cutoffs else ""
    console.say(
        f"Train at {len(result.train_cutoffs)} cutoffs, {result.train_cutoffs[0]} to"
        f" {result.train_cutoffs[-1]}{tests}."
    )
    for reason, cutoffs in groupby(result.skipped, key=lambda cutoff: result.skipped[cutoff]):
        console.say(f"Not used: {', '.join(cutoffs)}: {reason}.")
    if result.uncounted_event_types:
        kinds = [f"{name} ({n:,})" for name, n in result.uncounted_event_types.items()]
        console.say(f"Event types that no feature counts: {', '.join(kinds)}.")
    if result.horizons is not None:
        _horizons(console, result.horizons)
        if result.horizons.nobody_returned:
            return
    console.say("The configuration and the data are fit to run.")


def _horizons(console: Console, advice: HorizonAdvice) -> None:
    """Show, for a grid of horizons, who would have been given up too early or noticed too late."""
    numbers = ("days", "customers", "called churned", "of them return", "of the rest never return")
    table = plain_table("What a horizon would have meant", *numbers, right=numbers)
    for outcome in advice.outcomes:
        rates = (outcome.returning_rate, outcome.never_returning_rate)
        add_row(
            table,
            str(outcome.horizon_days),
            f"{outcome.customers:,}",
            f"{outcome.churned:,}",
            *("–" if rate is None else f"{rate:.0%}" for rate in rates),
        )
    if not advice.outcomes:
        return
    console.print(table)
    if advice.nobody_returned:
        console.warn(
            "nobody ordered again within any of these horizons, so there is nothing to learn from:"
            " does customer_id name customers, and not orders?"
        )
    else:
        console.say(
            "No horizon tried has at most 10 % of the churned returning."
            if advice.suggested_days is None
            else f"Suggested horizon_days: {advice.suggested_days}: at most 10 % of the churned return."
        )


def _tables(
    console: Console, reports: tuple[TableReport, ...], *, every_check: bool = False
) -> None:
    for report in reports:
        table = plain_table(
            f"{report.table}: {report.source}", "check", "rows", "", "such as", right=("rows",)
        )
        add_row(table, "rows read", f"{report.rows_read:,}", "", "")
        for check in report.checks:
            if check.rows or every_check:
                fate = ("set aside" if check.set_aside else "kept") if check.rows else ""
                add_row(table, check.sentence, f"{check.rows:,}", fate, _examples(check.examples))
        add_row(table, "rows used", f"{report.rows_used:,}", "", "", style="bold")
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
    if (curve := _retention_curve(result.notes)) is not None:
        console.say(curve)
    state = "is now the champion" if result.is_champion else "is not the champion"
    console.say(f"Model {result.name} version {result.version} {state}: {result.champion_reason}.")
    console.place("Model:   ", result.bundle_folder)
    console.place("Run:     ", result.run_id)


def _retention_curve(notes: Mapping[str, Any]) -> str | None:
    """Say what a model of subscriptions took from the retention curve; None of other models."""
    if "contract.horizon_days" not in notes:
        return None
    if not any(name.startswith("level.missed_log_odds.") for name in notes):
        return "Nobody was seen to leave before the cutoffs: there is no retention curve to blend with."
    share = 1.0 - notes["churn.weight"]
    level = {
        "auto": "it sets the level, corrected by what it missed before",
        "purchase_model": "it sets the level",
        "none": "the level is their own",
    }[notes["level.churn"]]
    return (
        f"Chances to leave: {1.0 - share:.0%} the model and {share:.0%} the retention curve at each"
        f" customer's tenure, as a later snapshot had it; {level}."
    )


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
    table = plain_table(title, "model", *headings, right=headings)
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
    model = means.get("model", {})
    if (share := model.get("mrr.at_risk_share")) is not None:
        lost, fallen = (model.get(f"mrr.{n}_share") or 0.0 for n in ("lost", "downgrade"))
        console.say(
            f"Monthly revenue: {share:.1%} was said to be at risk, {lost:.1%} was lost;"
            f" downgrades, apart, took {fallen:.1%}."
        )


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
    table = plain_table(f"Scores as of {manifest['as_of']}", "customers", "rows", right=("rows",))
    kind = "subscriptions" if "mrr_at_risk" in manifest["totals"] else "orders"
    for status in ("scored", "inactive", f"no_valid_{kind}"):
        add_row(table, status, f"{manifest['statuses'].get(status, 0):,}")
        if status == "scored":
            for band in ("high", "medium", "low"):
                add_row(table, f"  {band} risk", f"{manifest['risk_bands'].get(band, 0):,}")
    add_row(table, "all", f"{manifest['rows']:,}", style="bold")
    console.print(table)
    totals, band = manifest["totals"], manifest["expected_spend_total"]
    days, orders = manifest["horizon_days"], f"{totals['expected_orders']:,.0f} orders, "
    at_risk = f"{totals['value_at_risk']:,.0f} value at risk"
    if "mrr_at_risk" in totals:
        orders, at_risk = "", f"{totals['mrr_at_risk']:,.0f} monthly revenue and {at_risk}"
    console.say(
        f"Expected in the next {days} days: {orders}{totals['expected_spend']:,.0f} spend; {at_risk}."
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


def started(console: Console, result: Starter) -> None:
    """Show which columns were recognised and what to do next."""
    for name, one in result.tables.items():
        title = f"{result.output}: data.{name} from {one.source}"
        table = plain_table(title, "ours", "column of the file")
        for ours, theirs in one.columns.items():
            add_row(table, ours, theirs)
        console.print(table)
        for column, sql in one.computed.items():
            ours = column.removesuffix("_converted")
            console.say(f"{ours} is held in another form, read as: {sql}")
        if one.filter is not None:
            console.say(f"{name.capitalize()} are the rows where {one.filter}")
    for note in result.notes:
        console.say(f"Note: {note}.")
    console.place("Next: churnkit validate", result.output)


def names(console: Console, result: NameList) -> None:
    """Show names with what each means."""
    table = plain_table(result.kind, "name", "what it is")
    for name, meaning in result.names.items():
        add_row(table, name, meaning)
    console.print(table)


def promoted(console: Console, result: Promotion) -> None:
    """Say which version is the champion."""
    console.say(f"{result.name} version {result.version} is now the champion.")
