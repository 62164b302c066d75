"""Writes the reference pages from the package itself: ``python docs/generate.py``.

``tests/test_docs.py`` fails while a committed page differs from what this writes, so a key, a
command, a feature or a formula cannot go undocumented.
"""

from __future__ import annotations

from pathlib import Path

from churnkit.cli.commands import app
from churnkit.config import reference
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.pipeline.view_list import VIEWS
from churnkit.retention.budget import BUDGET_COLUMNS
from churnkit.retention.cohorts import COHORT_COLUMNS
from churnkit.retention.funnels import FUNNEL_COLUMNS
from churnkit.retention.hindsight import HINDSIGHT_COLUMNS
from churnkit.retention.lift import LIFT_COLUMNS
from churnkit.retention.metric_table import METRIC_KINDS
from churnkit.retention.migration import MIGRATION_COLUMNS
from churnkit.retention.reference import metrics_reference
from churnkit.retention.sections import SECTION_COLUMNS
from churnkit.retention.segment_sizes import SEGMENT_COLUMNS
from churnkit.scoring import score_schema

HERE = Path(__file__).parent


DATABASE = """## Tables of a database

```yaml
orders:
  source: postgresql://analyst@db.example.com:5432/shop
  query: SELECT * FROM sales.orders WHERE placed_at >= '2022-01-01'
```

`table: sales.orders` reads a table or view whole; names are taken as they are written. Install
`churnkit-ml[postgres]`. A password is looked for where PostgreSQL's own programs look, in `PGPASSWORD` or
`~/.pgpass`; one in the address is refused, since configurations are logged and printed. `columns`,
`computed` and `filter` work on the query's columns, in the SQL of churnkit's engine. `uuid`, `numeric` and
other types of the database's own come as text; churnkit reads ids, numbers and times from text. The rows
come into churnkit's process as Arrow, all at once, and on Spark are sent from there: select what is
needed, and export histories that do not fit to Parquet.""".splitlines()


def config_page() -> str:
    """Return the page of every configuration key."""
    lines = [
        "# Configuration",
        "",
        "One YAML file a use; unknown keys are refused with the nearest name, and all faults are"
        " told at once. Any key can be replaced on the command line: `--set snapshots.horizon_days=60`.",
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{k.path}` | {_cell(k.type)} | {_cell(k.default)} | {_cell(k.meaning)} |"
        for k in reference()
    ]
    return "\n".join([*lines, "", *DATABASE]) + "\n"


def commands_page() -> str:
    """Return the page of every command: what it does, its arguments and options."""
    from typer.main import get_command

    lines = [
        "# Commands",
        "",
        f"{app.info.epilog} Results are on stdout, progress and warnings on stderr.",
        "",
    ]
    for name, command in sorted(get_command(app).commands.items()):
        lines += [f"## churnkit {name}", "", (command.help or "").strip(), ""]
        lines += ["| argument | meaning |", "|---|---|"]
        for parameter in command.params:
            shown = ", ".join(sorted(parameter.opts, key=len, reverse=True))
            if parameter.param_type_name == "argument":
                shown = parameter.metavar or parameter.name.upper()
            elif parameter.metavar:
                shown += f" {parameter.metavar}"
            lines.append(f"| `{shown}` | {_cell(getattr(parameter, 'help', None))} |")
        lines.append("")
    return "\n".join(lines)


def features_page() -> str:
    """Return the page of every feature, by builder, and of the score table's columns."""
    lines = [
        "# Features",
        "",
        "What each builder makes with its default options. A feature at a cutoff is computed from"
        " rows of the observation interval before it, and from nothing else.",
        "",
    ]
    for name in FEATURE_BUILDERS.names():
        builder = FEATURE_BUILDERS[name]()
        lines += [f"## {name}", "", "| feature | in words |", "|---|---|"]
        lines += [
            f"| `{feature}` | {_cell(builder.phrases[feature].label)} |"
            for feature in builder.feature_names
        ]
        lines.append("")
    lines += [
        "# Columns of the score table",
        "",
        f"Those from `{next(iter(SECTION_COLUMNS))}` to `{list(SECTION_COLUMNS)[-1]}` are there where"
        " their table is configured: surveys, support_tickets, rewards, events, subscriptions.",
        "",
        "| column | type |",
        "|---|---|",
    ]
    reasons = ("reason_1", "reason_1_feature", "reason_1_contribution")
    schema = score_schema(
        reason_columns=reasons, time_zone="UTC", section_names=tuple(SECTION_COLUMNS)
    )
    lines += [f"| `{field.name}` | {field.type} |" for field in schema]
    return "\n".join(lines) + "\n"


VIEWS_INTRODUCTION = """
# Views

`churnkit metrics CONFIG --view NAME` shows one view of retention; from Python it is
`churnkit.retention_metrics(config, view="NAME")`. A result has `.data` (the object of the view), `.says`
(what it says, in sentences), `.to_pandas()`, `.to_dict()` and `.plot()` (a Plotly figure). `--output` writes
the rows as `.csv` or `.parquet`, everything as `.json`, or the figure as a self-contained `.html`.

| view | shows | needs | begins by default | options | rows |
|---|---|---|---|---|---|
"""

VIEWS_NOTES = """
- **cohorts**: a customer belongs to the period of the first order ever. Bounded (`rate`, `customers`): an
  order in the period of that age; unbounded: in that period or later, too low at the newest ages. Cells
  that have not been observed have no row; a last part of a period is left out.
- **survival** (Kaplan-Meier, log-log Greenwood interval): each row of subscriptions is one life;
  subscriptions that still run are censored at the end.
- **funnel**: `retention.funnel_steps` in their order, the last within `retention.funnel_window_hours` of the
  first, by `retention.funnel_by`. First steps whose window is not over are left out.
- **ladder**: of the customers with k orders, who has k + 1. Everybody is at risk, a lower bound; with
  `retention.ladder_days` only those whose days are over, and only orders within them count.
- **segments**, **migration**: RFM scores are relative to the customers of their date; `absent` are those who
  had not come yet. `retention.segments` replaces the rules.
- **concentration**: net revenue of the period; returns make the top's share larger.
- **lift**: strict retention of the period, its margin per customer, discounted by
  `retention.yearly_discount_rate`. The lift of the lifetime value is the same for any margin; the profit
  is margin less marketing costs and needs both.
- **budget**: a yardstick of practice, not an optimum; amounts are the period's marketing costs split so.
- **hindsight**: `formula_ltv` at the start, its share of the horizon, against the net spend of all customers
  known at the start; `--model` adds a model, which must have been trained without anything after the start.
  Customers outside the model's population count as predicted 0. The interval resamples customers.
"""

BEGINS = {
    "history": "with the history",
    "always": "with the history, always",
    "horizon": "`snapshots.horizon_days` before the end",
    "year": "a year before the end",
}
COLUMNS = {
    "budget": BUDGET_COLUMNS,
    "cohorts": COHORT_COLUMNS,
    "concentration": METRIC_KINDS,
    "funnel": FUNNEL_COLUMNS,
    "hindsight": HINDSIGHT_COLUMNS,
    "ladder": METRIC_KINDS,
    "lift": LIFT_COLUMNS,
    "migration": MIGRATION_COLUMNS,
    "power_users": ("customer_id", "actions"),
    "segments": SEGMENT_COLUMNS,
    "survival": ("days", "survival", "ci_low", "ci_high"),
}


def metrics_page() -> str:
    """Return the page of every metric and view."""
    lines = []
    for name, view in VIEWS.items():
        options = ", ".join(f"`--{option}`" for option in view.options)
        cells = (view.what, view.needs, BEGINS[view.begins], options, ", ".join(COLUMNS[name]))
        lines.append(f"| `{name}` | {' | '.join(_cell(cell) for cell in cells)} |\n")
    return metrics_reference() + VIEWS_INTRODUCTION + "".join(lines) + VIEWS_NOTES


def _cell(value: object) -> str:
    text = "–" if value is None or value == "" else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {
    "commands.md": commands_page,
    "config.md": config_page,
    "features.md": features_page,
    "metrics.md": metrics_page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
