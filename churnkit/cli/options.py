"""Arguments and options that several commands share, and how a command is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnkit.cli.console import Console

__all__ = [
    "AsJson",
    "AsOf",
    "ConfigPath",
    "Debug",
    "Model",
    "Overrides",
    "Quiet",
    "RequireSkill",
    "carry_out",
]

ConfigPath = Annotated[
    str, typer.Argument(metavar="CONFIG", help="YAML file, such as configs/online_retail_ii.yaml.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a key: snapshots.horizon_days=60."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON for machines instead of tables.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no warnings.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
AsOf = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="First day not known. Default: the day after the last."),
]
RequireSkill = Annotated[
    bool,
    typer.Option(
        "--require-skill",
        help="Refuse a model no better than the base rate or, of subscribers, than the base rate by"
        " time subscribed (exit code 4).",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="REF", help="Bundle folder or models:/name@alias. Default: champion."),
]


def carry_out(
    verb: Callable[[Console, Any], tuple[Any, Callable[[], None]]],
    config: str,
    *,
    overrides: list[str] | None,
    as_json: bool,
    quiet: bool,
    debug: bool,
) -> None:
    """Load the configuration, carry out a verb, and print its result or its error."""
    from churnkit.cli.console import Console
    from churnkit.config import load_config

    with Console.opened(as_json=as_json, quiet=quiet, debug=debug) as console:
        result, show = verb(console, load_config(config, overrides=overrides or ()))
        console.finish(result, show)
