"""The command ``metrics``: the company's metrics, or one view of retention."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churnkit.cli.options import AsJson, ConfigPath, Debug, Overrides, Quiet, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from churnkit.cli.console import Console

__all__ = ["metrics"]


def metrics(
    config: ConfigPath,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day. Default: of the data.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day after the last. Default: of the data.")
    ] = None,
    view: Annotated[
        str,
        typer.Option(
            metavar="VIEW",
            help="All metrics of the company, or cohorts, survival, funnel, ladder, segments,"
            " migration, concentration, power_users, lift, budget, hindsight: churnkit list views.",
        ),
    ] = "company",
    every: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="A series by month, quarter or year.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Segments: a column of customers, or rfm_segment, as they were on the first day.",
        ),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of cohorts: rate, customers, revenue, unbounded_rate or unbounded_customers.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="REF", help="Of hindsight: a model to compare, trained before --start."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The rows, .parquet, .csv or .json, or the figure, .html."
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compute retention metrics over the whole history, over periods and by segment, or one view.

    Example: churnkit metrics configs/online_retail_ii.yaml --every quarter

    Example: churnkit metrics configs/cdnow.yaml --view cohorts --output cohorts.html
    """

    def verb(console: Console, loaded: Any) -> tuple[Any, Callable[[], None]]:
        from churnkit.cli import show_metrics, show_views
        from churnkit.pipeline import retention_metrics as do

        asked: dict[str, Any] = {"start": start, "end": end, "every": every, "by": by}
        asked |= {"view": view, "measure": measure, "model": model}
        result = do(loaded, **asked, output=output, progress=console.progress)
        show = show_metrics.metrics if view == "company" else show_views.view
        return result, lambda: show(console, result)

    carry_out(verb, config, overrides=overrides, as_json=as_json, quiet=quiet, debug=debug)
