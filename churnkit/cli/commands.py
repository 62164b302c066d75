"""The commands on a configuration: their arguments, their help, and what each prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churnkit.cli.commands_without_config import init, list_names, promote
from churnkit.cli.metrics_command import metrics
from churnkit.cli.options import (
    AsJson,
    AsOf,
    ConfigPath,
    Debug,
    Model,
    Overrides,
    Quiet,
    RequireSkill,
    carry_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnkit.cli.console import Console

__all__ = ["app"]

app = typer.Typer(
    name="churnkit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Churn risk, customer lifetime value and retention metrics from order histories.\n\n"
    "Start with [bold]churnkit run configs/online_retail_ii.yaml[/bold], or make a configuration"
    " for your own file with [bold]churnkit init orders.csv[/bold].",
    epilog="Exit codes: 0 done, 1 unexpected, 2 configuration, 3 data, 4 a guard of the model,"
    " 130 stopped by Ctrl-C, 143 by SIGTERM.",
)


@app.command()
def run(
    config: ConfigPath,
    require_skill: RequireSkill = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Validate, train, test beside the baselines, register, score, measure and report: the whole job.

    Example: churnkit run configs/online_retail_ii.yaml --set snapshots.horizon_days=60
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show
        from churnkit.pipeline import run as do

        result = do(loaded, require_skill=require_skill, progress=console.progress)
        return result, lambda: show.run(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


@app.command()
def validate(
    config: ConfigPath,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check the configuration and the data, count what is wrong, and do nothing else.

    Example: churnkit validate configs/cdnow.yaml
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show
        from churnkit.pipeline import validate as do

        result = do(loaded, progress=console.progress)
        return result, lambda: show.validation(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


@app.command()
def train(
    config: ConfigPath,
    require_skill: RequireSkill = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fit, test beside the baselines, save and register a model.

    The alias champion moves only if the new model is no worse on the same test snapshots.

    Example: churnkit train configs/cdnow.yaml --set seed=11
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show
        from churnkit.pipeline import train as do

        result = do(loaded, require_skill=require_skill, progress=console.progress)
        return result, lambda: show.training(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


@app.command()
def backtest(
    config: ConfigPath,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train as of each test cutoff and compare the model with every baseline; register nothing.

    Example: churnkit backtest configs/cdnow.yaml --set snapshots.test=3 --output out/backtest.json
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show
        from churnkit.pipeline import backtest as do

        result = do(loaded, output=output, progress=console.progress)
        return result, lambda: show.backtest(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


@app.command()
def score(
    config: ConfigPath,
    as_of: AsOf = None,
    model: Model = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The score table, .parquet or .csv."),
    ] = None,
    value_days: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS", min=1, help="Days that expected_ltv counts, whatever trained."
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write one row per customer: risk, value, reasons and formula metrics, and a manifest.

    Example: churnkit score configs/online_retail_ii.yaml --as-of 2011-12-10 --output scores.csv
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show
        from churnkit.pipeline import score as do

        result = do(
            loaded,
            as_of=as_of,
            model=model,
            output=output,
            value_days=value_days,
            progress=console.progress,
        )
        return result, lambda: show.scores(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


app.command()(metrics)


@app.command()
def explain(
    config: ConfigPath,
    customer: Annotated[
        list[str] | None,
        typer.Option("--customer", metavar="ID", help="A customer to explain; may be repeated."),
    ] = None,
    as_of: AsOf = None,
    compare: Annotated[
        str | None, typer.Option(metavar="DATE", help="How drivers changed since another date.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(metavar="SEGMENT", help="risk_band, rfm_segment or a column of customers."),
    ] = "risk_band",
    target: Annotated[
        str, typer.Option(metavar="WHAT", help="What is explained: churn or spend.")
    ] = "churn",
    model: Model = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Contributions of everybody, .parquet or .csv."),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say what drives churn or spend, over everybody, by segment, between dates and for a customer.

    Example: churnkit explain configs/online_retail_ii.yaml --customer 12347
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show_explanation
        from churnkit.pipeline import explain as do

        asked: dict[str, Any] = {"compare": compare, "by": by, "target": target, "model": model}
        result = do(
            loaded,
            customers=customer or (),
            as_of=as_of,
            output=output,
            progress=console.progress,
            **asked,
        )
        return result, lambda: show_explanation.explanation(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


@app.command()
def report(
    config: ConfigPath,
    as_of: AsOf = None,
    model: Model = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page, .html. Default: report.output.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write one self-contained HTML page: customers, retention, the model, drivers and the data.

    Example: churnkit report configs/online_retail_ii.yaml --output report.html
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show
        from churnkit.pipeline import report as do

        result = do(loaded, as_of=as_of, model=model, output=output, progress=console.progress)
        return result, lambda: show.page(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)


app.command()(init)
app.command(name="list")(list_names)
app.command()(promote)


def _version(wanted: bool) -> None:
    if wanted:
        from churnkit import __version__

        typer.echo(f"churnkit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Say what the whole command is for."""
