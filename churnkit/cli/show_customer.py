"""Prints one customer's page: risk and value, history, reasons, contributions and what would change it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from churnkit.cli.tables import plain_table
from churnkit.features.phrases import NumberFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churnkit.cli.console import Console
    from churnkit.pipeline.customer_page import CustomerPage

__all__ = ["customer_page"]

COLOURS = {"high": "red", "medium": "yellow", "low": "green"}
BLOCKS = "▁▂▃▄▅▆▇█"
MONTHS = 24
MOST_REASONS = 5
MOST_BARS = 10
MOST_KINDS = 6
BAR = 10
FORMULAS = (
    ("rfm_segment", "segment", "text"),
    ("orders", "orders", "count"),
    ("average_order_value", "average order", "money"),
    ("purchase_frequency_per_year", "orders a year", "number"),
    ("mean_days_between_orders", "days between orders", "number"),
    ("days_since_last_order", "days since the last", "count"),
    ("tenure_days", "customer for (days)", "count"),
    ("historical_ltv", "earned so far", "money"),
    ("formula_ltv", "lifetime value", "money"),
)


def customer_page(console: Console, page: CustomerPage) -> None:
    """Print everything that is known of a customer, from the verdict to the formulas."""
    amount = NumberFormat(currency=page.currency).amount
    _head(console, page, amount)
    _history(console, page, amount)
    _reasons(console, page)
    _bars(console, page)
    _changes(console, page)
    _formulas(console, page, amount)


def _section(console: Console, title: str) -> None:
    console.print(Text(f"\n{title}", style="bold"))


def _head(console: Console, page: CustomerPage, amount: Any) -> None:
    value = page.value
    colour = COLOURS[page.risk_band]
    line = Text.assemble(
        (f"Customer {page.customer_id}", "bold"),
        f"  as of {page.as_of}\n",
        (f"{page.risk_band} risk", f"bold {colour}"),
        f": {page.churn_probability:.0%} to leave within {value['horizon_days']} days,"
        f" rank {page.risk_rank:,} of {page.population:,}",
    )
    console.print(line)
    console.print(_gauge(page.churn_probability, colour))
    between = ""
    if value["expected_spend_low"] is not None:
        between = (
            f" (likely {amount(value['expected_spend_low'], decimals=0)} to"
            f" {amount(value['expected_spend_high'], decimals=0)})"
        )
    console.print(
        Text(
            f"Expected spend {amount(value['expected_spend'], decimals=0)}{between},"
            f" value at risk {amount(value['value_at_risk'], decimals=0)}"
        )
    )


def _gauge(probability: float, colour: str, *, width: int = 40) -> Text:
    full = round(probability * width)
    return Text.assemble(("█" * full, colour), ("░" * (width - full), "dim"))


def _history(console: Console, page: CustomerPage, amount: Any) -> None:
    _section(console, "History")
    if page.orders:
        first, last = page.orders[0], page.orders[-1]
        plural = "s" if len(page.orders) > 1 else ""
        console.print(
            Text(
                f"{len(page.orders)} order{plural}, the first on {first[0]}, the last on {last[0]}"
                f" ({amount(last[1])})"
            )
        )
    first_days = [days[0] for _, days in page.happenings if days] + [o[0] for o in page.orders[:1]]
    if first_days:
        months, spent = _by_month(page.orders, page.as_of, first=min(first_days))
        lines = [*([("spend", spent)] if page.orders else []), *_event_lines(page, months)]
        grid = Table.grid(padding=(0, 2, 0, 0))
        for kind, counts in lines:
            grid.add_row(Text(f"  {kind}"), Text(_spark(counts)))
        console.print(grid)
        console.print(Text(f"  by month, {months[0]} to {months[-1]}", "dim"))
    known = [(day, p) for day, p in page.past if p is not None]
    if known:
        steps = [*known, (page.as_of, page.churn_probability)]
        said = "  ".join(f"{p:.0%}" for _, p in steps)
        console.print(Text(f"  chance of leaving since {steps[0][0]}: {said}"))


def _by_month(
    orders: Sequence[tuple[str, float]], as_of: str, *, first: str
) -> tuple[list[str], list[float]]:
    """Return the last months before a day, from that of ``first`` on, and what was spent in each."""
    end = date.fromisoformat(as_of)
    count = end.year * 12 + end.month - 1 - (end.day == 1)
    months = [f"{m // 12}-{m % 12 + 1:02d}" for m in range(count - MONTHS + 1, count + 1)]
    spent = dict.fromkeys(months, 0.0)
    for day, paid in orders:
        if day[:7] in spent:
            spent[day[:7]] += paid
    begin = min(first[:7], months[-1])
    shown = [month for month in months if month >= begin]
    return shown, [spent[month] for month in shown]


def _event_lines(page: CustomerPage, months: Sequence[str]) -> list[tuple[str, list[float]]]:
    """Return, for the first kinds, on how many days of each month they happened."""
    lines = []
    for kind, days in page.happenings[:MOST_KINDS]:
        counts = dict.fromkeys(months, 0.0)
        for day in days:
            if day[:7] in counts:
                counts[day[:7]] += 1.0
        lines.append((kind, list(counts.values())))
    return lines


def _spark(values: Sequence[float]) -> str:
    """Return bars as text, a dot where there is nothing."""
    top = max(values, default=0.0)
    if top <= 0.0:
        return "·" * len(values)
    return "".join(
        "·" if v <= 0.0 else BLOCKS[min(int(v / top * len(BLOCKS)), len(BLOCKS) - 1)]
        for v in values
    )


def _listed(console: Console, rows: Sequence[tuple[Text, str]]) -> None:
    """Print marks with sentences beside them, further lines below the sentence."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for mark, sentence in rows:
        grid.add_row(mark, Text(sentence))
    console.print(grid)


def _reasons(console: Console, page: CustomerPage) -> None:
    for title, reasons, sign, colour in (
        ("What raises the risk", page.raises, "▲", "red"),
        ("What keeps the customer", page.keeps, "▼", "green"),
    ):
        _section(console, title)
        shown = [(Text(f" {sign}", colour), reason.says) for reason in reasons[:MOST_REASONS]]
        _listed(console, shown or [(Text("  "), "nothing")])


def _bars(console: Console, page: CustomerPage) -> None:
    """Print a diverging bar for each strong driver, in points of the probability, down to the total."""
    steps = page.steps
    rows, rest = page.drivers[:MOST_BARS], page.drivers[MOST_BARS:]
    lines = [(row["says"].split(" (", maxsplit=1)[0], row["probability_points"]) for row in rows]
    if rest:
        lines.append((f"{len(rest)} other drivers", sum(r["probability_points"] for r in rest)))
    final = zip(page.step_words, ("purchase_model", "calibration"), strict=True)
    lines += [(says, steps[name]) for says, name in final if steps[name] != 0.0]
    scale = max((abs(points) for _, points in lines), default=0.0) or 1.0
    table = plain_table(
        "From the average customer to this one, in percentage points",
        "",
        "lower",
        "higher",
        "points",
        right=("points",),
    )
    table.columns[1].no_wrap = table.columns[2].no_wrap = True
    table.columns[1].justify = "right"
    table.add_row(Text("an average customer"), "", "", f"{100.0 * steps['base_probability']:.1f} %")
    for says, points in lines:
        bar = "█" * max(round(abs(points) / scale * BAR), int(abs(points) >= 0.05))
        down, up = (bar, "") if points < 0 else ("", bar)
        table.add_row(Text(says), Text(down, "green"), Text(up, "red"), f"{points:+.1f}")
    table.add_row(
        Text("this customer", "bold"),
        "",
        "",
        Text(f"{100.0 * page.churn_probability:.1f} %", "bold"),
    )
    console.print(Text())
    console.print(table)
    console.say("Points add up exactly; the portfolio's level is in the average customer.")


def _changes(console: Console, page: CustomerPage) -> None:
    _section(console, "What if")
    blank = Text("  ")
    if page.below is None:
        _listed(console, [(blank, "The risk is in the lowest band already.")])
        return
    if not page.what_if:
        nothing = "No change that was tried, within what the data show, lowers the risk steadily."
        _listed(console, [(blank, nothing)])
        return
    rows = []
    for change in page.what_if:
        mark = Text(" ✓", "green") if change.reaches else Text(" ·", "dim")
        end = "below" if change.reaches else "not below"
        said = f"{change.says}: {change.churn_probability:.0%}, {end} {page.below:.0%}"
        rows.append((mark, said))
    _listed(console, [*rows, (blank, page.what_if_note)])


def _formulas(console: Console, page: CustomerPage, amount: Any) -> None:
    shown = {
        "text": lambda v: str(v).replace("_", " "),
        "count": lambda v: f"{v:,.0f}",
        "number": lambda v: f"{v:,.1f}",
        "money": amount,
    }
    cells = [
        (label, shown[kind](page.formulas[key]))
        for key, label, kind in FORMULAS
        if key in page.formulas
    ]
    if page.value["p_alive"] is not None:
        cells.append(("still a customer (purchase model)", f"{page.value['p_alive']:.0%}"))
    if not cells:
        return
    _section(console, "Beside the model, by formula")
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(2):
        grid.add_column()
        grid.add_column(justify="right", no_wrap=True)
    half = (len(cells) + 1) // 2
    for left, right in zip(cells[:half], [*cells[half:], ("", "")], strict=False):
        grid.add_row(*(Text(part) for part in (f"  {left[0]}", left[1], right[0], right[1])))
    console.print(grid)
