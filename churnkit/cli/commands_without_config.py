"""The commands that need no configuration: ``init``, ``list`` and ``promote``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.options import AsJson, Debug, Quiet

__all__ = ["init", "list_names", "promote"]


def init(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files, .parquet, .csv, .tsv or .txt (.gz): orders, events, subscriptions, …"
            " TABLE=FILE says which table one is, where the columns do not; orders=LOG events=LOG"
            " takes the purchases or visits in a log of events for orders.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="YAML", help="Default: the first file's name with .yaml.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Business zone of naive times.")] = "UTC",
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help="A column whose name says nothing: customer_id='Loyalty Card'; may be repeated.",
        ),
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            metavar="dmy|mdy",
            help="Whether the day or the month is first in dates that can be read both ways.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a commented configuration for data files by looking at their columns.

    Example: churnkit init orders.csv events.parquet --time-zone Europe/London
    """
    from churnkit.cli import show
    from churnkit.cli.console import Console

    with Console.opened(as_json=as_json, quiet=quiet, debug=debug) as console:
        from churnkit.pipeline import init as do

        result = do(
            *files,
            output=output,
            time_zone=time_zone,
            column=column or (),
            dates=dates,
            replace=force,
        )
        console.finish(result, lambda: show.started(console, result))


def list_names(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="features, models, baselines, config, …")
    ] = "kinds",
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List what a configuration may name: features, models, calibrations, keys and more.

    Example: churnkit list features
    """
    from churnkit.cli import show
    from churnkit.cli.console import Console

    with Console.opened(as_json=as_json, quiet=quiet, debug=debug) as console:
        from churnkit.pipeline import list_names as do

        result = do(kind)
        console.finish(result, lambda: show.names(console, result))


def promote(
    name: Annotated[str, typer.Argument(help="Registered model.")],
    version: Annotated[str, typer.Argument(help="Version that becomes the champion.")],
    uri: Annotated[
        str | None, typer.Option(help="Tracking server. Default: the store in models/.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Move the alias champion to a version of a registered model.

    Example: churnkit promote online_retail_ii 3
    """
    from churnkit.cli import show
    from churnkit.cli.console import Console

    with Console.opened(as_json=as_json, quiet=quiet, debug=debug) as console:
        from churnkit.pipeline import promote as do

        result = do(name, version, uri=uri)
        console.finish(result, lambda: show.promoted(console, result))
