"""Writes the reference pages from the package itself: ``python docs/generate.py``.

``tests/test_docs.py`` fails while a committed page differs from what this writes, so a key, a
command, a feature or a formula cannot go undocumented.
"""

from __future__ import annotations

from pathlib import Path

from churnkit.cli.commands import app
from churnkit.config import reference
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.retention.reference import metrics_reference
from churnkit.retention.sections import SECTION_COLUMNS
from churnkit.scoring import score_schema

HERE = Path(__file__).parent


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
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Return the page of every command: what it does, its arguments and options."""
    from typer.main import get_command

    lines = [
        "# Commands",
        "",
        "Exit codes: 0 done, 1 unexpected, 2 configuration, 3 data, 4 a guard",
    ]
    lines[-1] += " of the model. Results are on stdout, progress and warnings on stderr."
    lines.append("")
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
            f"| `{feature}` | {_cell(builder.phrases[feature].text.format(value='…'))} |"
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


def _cell(value: object) -> str:
    text = "–" if value is None or value == "" else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {
    "commands.md": commands_page,
    "config.md": config_page,
    "features.md": features_page,
    "metrics.md": metrics_reference,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
