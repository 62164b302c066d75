"""Turns the views of retention into tables of 80 columns and sentences."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from churnkit.retention.periods import last_boundary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from churnkit.cli.console import Console
    from churnkit.data.contracts import TableReport
    from churnkit.pipeline.views import ViewResult

__all__ = ["places", "view"]

MOST_ROWS, MOST_COHORTS, MOST_EXAMPLES = 20, 36, 3
COHORT_WIDTH, AGE_WIDTH = 19, 6
AGES = (7, 14, 30, 60, 90, 180, 365, 730, 1095)

# Column of the result, heading, how it is written.
Shown = tuple[tuple[str, str, str], ...]
SHOWN: Mapping[str, Shown] = {
    "budget": (
        ("stage", "stage", "{}"),
        ("acquisition_percent", "acquisition", "{:.0f} %"),
        ("retention_percent", "retention", "{:.0f} %"),
        ("acquisition", "for acquisition", "{:,.0f}"),
        ("retention", "for retention", "{:,.0f}"),
    ),
    "funnel": (
        ("step", "step", "{}"),
        ("event_type", "event", "{}"),
        ("users", "reach it", "{:,}"),
        ("conversion", "of the\nstep before", "{:.1f} %"),
        ("conversion_ci_low", "from", "{:.1f}"),
        ("conversion_ci_high", "to", "{:.1f}"),
        ("share_of_first", "of the\nfirst", "{:.1f} %"),
        ("median_hours", "median\nhours", "{:,.2f}"),
    ),
    "hindsight": (
        ("forecast", "forecast", "{}"),
        ("predicted", "predicted", "{:,.0f}"),
        ("actual", "spent", "{:,.0f}"),
        ("overshoot", "overshoot", "{:+.1f} %"),
        ("ci_low", "from", "{:+.1f}"),
        ("ci_high", "to", "{:+.1f}"),
        ("mean_absolute_error", "mean error\nper customer", "{:,.2f}"),
        ("customers", "customers", "{:,}"),
    ),
    "lift": (
        ("points", "points", "{:+g}"),
        ("retention", "retention", "{:.1f} %"),
        ("lifetime_value", "lifetime\nvalue", "{:,.2f}"),
        ("lifetime_value_lift", "its\nchange", "{:+.1f} %"),
        ("margin_gain", "gain in\nthe period", "{:,.0f}"),
        ("profit_lift", "change of\nthe profit", "{:+.1f} %"),
    ),
    "power_users": (("customer_id", "user", "{}"), ("actions", "actions", "{:,}")),
    "segments": (
        ("segment", "segment", "{}"),
        ("customers", "customers", "{:,}"),
        ("customers_percent", "share", "{:.1f} %"),
        ("net_revenue", "net\nrevenue", "{:,.0f}"),
        ("revenue_percent", "share", "{:.1f} %"),
        ("orders_per_customer", "orders\neach", "{:.1f}"),
        ("net_revenue_per_customer", "revenue\neach", "{:,.0f}"),
        ("days_since_last_order", "days\nsince", "{:,.0f}"),
    ),
}
ORDER_NUMBER = "k="
PARTIAL = "~"


def view(console: Console, result: ViewResult) -> None:
    """Show a view as a table, what it says, and where it was written."""
    last = result.end - timedelta(days=1)
    title = f"{result.name}: {result.view.replace('_', ' ')}, {result.start} to {last}"
    own: dict[str, Callable[[Console, str, ViewResult], None]] = {
        "cohorts": _cohorts,
        "concentration": _values,
        "ladder": _ladder,
        "migration": _migration,
        "survival": _survival,
    }
    if result.view in own:
        own[result.view](console, title, result)
    else:
        _rows(console, title, result.to_arrow().to_pylist(), SHOWN[result.view])
    for sentence in result.says:
        console.say(sentence)
    places(console, result.output, result.rejected_rows, tables=result.tables)


def places(
    console: Console,
    output: object,
    rejected: Mapping[str, Any],
    *,
    tables: Sequence[TableReport] = (),
) -> None:
    """Say which rows were set aside and why, and where they and a result were written."""
    for table in tables:
        for check in (c for c in table.checks if c.rows and c.set_aside):
            shown = ", ".join(check.examples[:MOST_EXAMPLES])
            such = f", such as {shown}" if shown else ""
            console.say(
                f"{table.table}: {check.rows:,} of {table.rows_read:,} rows set aside,"
                f" {check.sentence}{such}."
            )
    if output is not None:
        console.place("Metrics: ", output)
    for name, written in rejected.items():
        console.place(f"Rows of {name} set aside ({written['rows']:,}):", written["path"])


def _table(*columns: str, left: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        number = column not in left
        table.add_column(
            Text(column), justify="right" if number else "left", no_wrap=number, vertical="bottom"
        )
    return table


def _print(console: Console, title: str, table: Table) -> None:
    """Print a table below its title, which may be wider."""
    console.print(Text(title, style="bold"))
    console.print(table)


def _text(form: str, value: Any) -> Text:
    return Text("–" if value is None else form.format(value))


def _percent(share: float | None) -> Text:
    return _text("{:.1f} %", None if share is None else 100.0 * share)


def _rows(console: Console, title: str, rows: Sequence[Mapping[str, Any]], shown: Shown) -> None:
    """Show the rows of a result, the first ones where there are many."""
    texts = [heading for _, heading, form in shown if form == "{}"]
    table = _table(*(heading for _, heading, _ in shown), left=texts)
    for row in rows[:MOST_ROWS]:
        table.add_row(*(_text(form, row[name]) for name, _, form in shown))
    _print(console, title, table)
    if len(rows) > MOST_ROWS:
        console.say(f"The first {MOST_ROWS} of {len(rows):,} rows; all with --output FILE.")


def _values(console: Console, title: str, result: ViewResult) -> None:
    """Show metric values with their intervals."""
    table = _table("metric", "value", "from", "to", "n", left=("metric",))
    for row in result.data.rows:
        form = "{:.1f} %" if row.unit == "percent" else "{:,.3f}"
        cells = (row.value, row.ci_low, row.ci_high)
        table.add_row(row.metric, *(_text(form, cell) for cell in cells), _text("{:,}", row.n))
    _print(console, title, table)
    _curve(console, result.data.curve)


def _curve(console: Console, curve: Sequence[float]) -> None:
    if curve:
        tops = ", ".join(f"{10 * n} %: {curve[n]:.1f} %" for n in range(1, 10))
        console.say(f"Net revenue of the top {tops}.")


def _ladder(console: Console, title: str, result: ViewResult) -> None:
    """Show the probability of the next order after each."""
    table = _table("after order", "at risk", "order again", "probability", "from", "to")
    for row in result.data.rows:
        after = row.variant.removeprefix(ORDER_NUMBER)
        cells = [_percent(cell) for cell in (row.value, row.ci_low, row.ci_high)]
        again = f"{row.numerator:,.0f}"
        table.add_row(after, f"{row.denominator:,.0f}", again, *cells)
    _print(console, title, table)


def _cohorts(console: Console, title: str, result: ViewResult) -> None:
    """Show a triangle: the newest cohorts and the first ages that fit."""
    triangle, measure = result.data, result.measure or "rate"
    frame = triangle.to_pandas(measure)
    rate = measure.endswith("rate")
    texts = [
        ["" if cell != cell else _short(cell, rate=rate) for cell in row]  # NaN
        for row in frame.to_numpy()
    ]
    width = max([AGE_WIDTH, *(len(text) + 1 for row in texts for text in row)])
    ages = min(max((console.out.width - COHORT_WIDTH) // width, 1), frame.shape[1])
    first = max(len(frame) - MOST_COHORTS, 0)
    title += f": {measure.replace('_', ' ')}{' in %' if rate else ''} by {result.every}"
    table = _table("cohort", "customers", *(str(age) for age in range(ages)), left=("cohort",))
    for number in range(first, len(frame)):
        if not triangle.size[number]:
            continue
        start = triangle.cohorts[number].start
        # A cohort that the start of the history cuts off is not as long as the others.
        mark = PARTIAL if last_boundary(start, every=result.every or "month") != start else ""
        table.add_row(f"{start:%Y-%m}{mark}", f"{triangle.size[number]:,}", *texts[number][:ages])
    _print(console, title, table)
    cut = [f"the last {len(frame) - first} of {len(frame)} cohorts"] if first else []
    cut += [f"ages 0 to {ages - 1} of {frame.shape[1] - 1}"] if ages < frame.shape[1] else []
    if cut:
        console.say(f"Shown are {' and '.join(cut)}; all with --output FILE.")


def _short(value: float, *, rate: bool) -> str:
    if rate:
        return f"{value:.1f}"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:,.1f}k" if abs(value) >= 1e4 else f"{value:,.0f}"


def _migration(console: Console, title: str, result: ViewResult) -> None:
    """Show where the customers of each segment went, in percent; columns by number."""
    states = result.data.states
    counts = result.data.to_pandas()
    numbers = [str(n) for n in range(1, len(states) + 1)]
    title += ": of each row's customers, in %"
    table = _table("earlier", "n", *numbers, left=("earlier",))
    for number, state in enumerate(states, start=1):
        row = counts.loc[state]
        total = int(row.sum())
        cells = ["" if not n else f"{100 * n / total:.0f}" for n in row]
        table.add_row(f"{number} {state}", f"{total:,}", *cells)
    _print(console, title, table)
    console.say("Columns are the segments now, by the number of their row.")


def _survival(console: Console, title: str, result: ViewResult) -> None:
    """Show the curve at round ages."""
    curve = result.data
    table = _table("longer than", "share", "from", "to")
    for age in (age for age in AGES if age <= curve.days.max()):
        at = int((curve.days <= age).sum()) - 1
        bounds = (curve.ci_low[at], curve.ci_high[at]) if at >= 0 else (None, None)
        known = [None if b is None or b != b else b for b in bounds]  # NaN
        table.add_row(f"{age} days", _percent(curve.at(age)), *(_percent(bound) for bound in known))
    _print(console, title, table)
