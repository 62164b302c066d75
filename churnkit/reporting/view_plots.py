"""Plotly figures of segments, their migration, the ladder, concentration, lift, budget and hindsight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.reporting.series import COLOURS, styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from churnkit.retention.budget import BudgetSplit
    from churnkit.retention.concentration import PowerUsers, RevenueConcentration
    from churnkit.retention.hindsight import Hindsight
    from churnkit.retention.lift import RetentionLift
    from churnkit.retention.metric_table import MetricTable
    from churnkit.retention.migration import SegmentMigration
    from churnkit.retention.segment_sizes import SegmentSizes

__all__ = [
    "plot_budget",
    "plot_concentration",
    "plot_hindsight",
    "plot_ladder",
    "plot_lift",
    "plot_migration",
    "plot_power_users",
    "plot_segments",
]

BLUE, ORANGE, GREY = COLOURS[0], COLOURS[1], "#BBBBBB"


def _words(name: str) -> str:
    return name.replace("_", " ")


def plot_segments(result: SegmentSizes) -> Figure:
    """Draw each segment's share of the customers beside its share of the net revenue."""
    import plotly.graph_objects as go

    names = [_words(row["segment"]) for row in result.rows]
    figure = go.Figure()
    for column, name, colour in (
        ("customers_percent", "of the customers", GREY),
        ("revenue_percent", "of the net revenue", BLUE),
    ):
        values = [row[column] for row in result.rows]
        figure.add_trace(
            go.Bar(
                y=names,
                x=values,
                name=name,
                orientation="h",
                marker={"color": colour},
                text=["" if v is None else f"{v:.1f}" for v in values],
                textposition="outside",
                cliponaxis=False,
            )
        )
    figure.update_layout(barmode="group", bargap=0.25, legend=_LEGEND)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="%")
    return styled(figure, title="RFM segments", height=180 + 44 * len(names), left=140)


def plot_migration(result: SegmentMigration) -> Figure:
    """Draw a heat map: of the customers of each earlier segment, the percentage now in each."""
    import plotly.graph_objects as go

    counts, table = result.to_pandas(), result.to_pandas(percent=True)
    there = counts.sum(axis=1) > 0
    table, counts = table[there], counts[there]
    texts = [
        ["" if cell < 0.5 else f"{cell:.0f}" for cell in row] for row in table.to_numpy(dtype=float)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(dtype=float),
            x=[_words(name) for name in table.columns],
            y=[f"{_words(str(a))} ({n:,})" for a, n in counts.sum(axis=1).items()],
            text=texts,
            texttemplate="%{text}",
            customdata=counts.to_numpy(),
            hovertemplate="%{y} → %{x}: %{customdata:,} customers, %{z:.1f} %<extra></extra>",
            colorscale="Blues",
            zmin=0,
            zmax=100,
            xgap=1,
            ygap=1,
            colorbar={"title": "%"},
        )
    )
    figure.update_yaxes(autorange="reversed", title="earlier (customers)", showgrid=False)
    figure.update_xaxes(title="later", side="top", showgrid=False, tickangle=-45)
    title = "Where the customers of each segment went, in %"
    return styled(figure, title=title, height=300 + 30 * len(table), left=200, top=210)


def plot_ladder(result: MetricTable) -> Figure:
    """Draw the probability of the next order after each, with its interval and the number at risk."""
    import plotly.graph_objects as go

    known = [row for row in result.rows if row.value is not None]
    steps = [row.variant.removeprefix("k=").partition(" ")[0] for row in known]
    values = [100.0 * (row.value or 0.0) for row in known]
    figure = go.Figure(
        go.Bar(
            x=[f"{step}<br>{row.n:,}" for step, row in zip(steps, known, strict=True)],
            y=values,
            marker={"color": BLUE},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [
                    100.0 * (r.ci_high or 0.0) - v for r, v in zip(known, values, strict=True)
                ],
                "arrayminus": [
                    v - 100.0 * (r.ci_low or 0.0) for r, v in zip(known, values, strict=True)
                ],
                "color": "#333333",
                "thickness": 1.2,
            },
            text=[f"{v:.0f}" for v in values],
            textposition="inside",
            insidetextanchor="start",
            hovertemplate="after order %{x}: %{y:.1f} %<extra></extra>",
        )
    )
    figure.update_yaxes(title="order again, in %", range=[0, 105])
    figure.update_xaxes(title="after which order, and customers at risk", type="category")
    return styled(figure, title="How likely the next order is")


def plot_concentration(result: RevenueConcentration) -> Figure:
    """Draw which share of the net revenue the top customers bring, against an even spread."""
    import plotly.graph_objects as go

    tops = [10 * step for step in range(len(result.curve))]
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, 100],
                y=[0, 100],
                mode="lines",
                line={"color": GREY, "dash": "dash"},
                name="all alike",
                hoverinfo="skip",
            ),
            go.Scatter(
                x=tops,
                y=list(result.curve),
                mode="lines+markers",
                line={"color": BLUE, "width": 2},
                name="net revenue",
                hovertemplate="top %{x} %: %{y:.1f} % of the net revenue<extra></extra>",
            ),
        ]
    )
    if result.curve:
        share = result.curve[2]
        figure.add_annotation(
            x=20, y=share, text=f"top 20 %: {share:.0f} %", ax=60, ay=30, arrowcolor="#777777"
        )
    figure.update_layout(legend=_LEGEND)
    figure.update_xaxes(title="customers, those who spend most first, in %", range=[0, 100])
    figure.update_yaxes(title="of the net revenue, in %", rangemode="tozero")
    return styled(figure, title="How concentrated the revenue is")


def plot_power_users(result: PowerUsers, *, most: int = 30) -> Figure:
    """Draw the actions of the most active users, at most ``most`` of them."""
    import plotly.graph_objects as go

    users = result.users.slice(0, most)
    figure = go.Figure(
        go.Bar(
            x=users["customer_id"].to_pylist(),
            y=users["actions"].to_pylist(),
            marker={"color": BLUE},
        )
    )
    figure.update_xaxes(title="", type="category", tickangle=-45)
    figure.update_yaxes(title="actions")
    share = result.share.value
    said = "" if share is None else f": {share:.1f} % of all actions"
    title = f"The {result.users.num_rows:,} most active users{said}"
    return styled(figure, title=title, bottom=110)


def plot_lift(result: RetentionLift) -> Figure:
    """Draw how the lifetime value, and the profit if it is known, rises with retention."""
    import plotly.graph_objects as go

    figure = go.Figure()
    series: list[tuple[str, list[Any], str]] = [
        ("lifetime value", [s.lifetime_value_lift.value for s in result.scenarios], BLUE),
    ]
    if any(s.profit_lift is not None for s in result.scenarios):
        profits = [s.profit_lift and s.profit_lift.value for s in result.scenarios]
        series.append(("profit of the period", profits, ORANGE))
    for name, values, colour in series:
        figure.add_trace(
            go.Bar(
                x=[f"{s.points:+g}" for s in result.scenarios],
                y=values,
                name=name,
                marker={"color": colour},
                text=["" if v is None else f"{v:+.1f}" for v in values],
                textposition="outside",
                cliponaxis=False,
            )
        )
    figure.update_layout(barmode="group", showlegend=len(series) > 1, legend=_LEGEND)
    figure.update_xaxes(title="points of retention", type="category")
    figure.update_yaxes(title="change in %")
    now = "" if result.retention is None else f" (now {result.retention:.1f} %)"
    return styled(figure, title=f"What more retention would be worth{now}")


def plot_budget(result: BudgetSplit) -> Figure:
    """Draw the split between acquisition and retention at each stage of a brand."""
    import plotly.graph_objects as go

    rows = result.to_arrow().to_pylist()
    figure = go.Figure()
    for name, colour in (("acquisition", GREY), ("retention", BLUE)):
        figure.add_trace(
            go.Bar(
                y=[_words(row["stage"]) for row in rows],
                x=[row[f"{name}_percent"] for row in rows],
                name=name,
                orientation="h",
                marker={"color": colour},
                text=[
                    f"{row[f'{name}_percent']:.0f} %"
                    + ("" if row[name] is None else f": {row[name]:,.0f}")
                    for row in rows
                ],
                textposition="inside",
                insidetextanchor="middle",
            )
        )
    figure.update_layout(barmode="stack", legend=_LEGEND)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="% of the budget", range=[0, 100])
    title = f"How practice splits a budget of {result.budget:,.0f} by stage of the brand"
    return styled(figure, title=title, left=110)


def plot_hindsight(result: Hindsight) -> Figure:
    """Draw what the formula, and a model, said would be spent beside what was."""
    import plotly.graph_objects as go

    rows = result.to_arrow().to_pylist()
    names = [*(row["forecast"] for row in rows), "spent"]
    values = [*(row["predicted"] for row in rows), result.actual]
    texts = [
        *(
            f"{row['predicted']:,.0f}"
            + ("" if row["overshoot"] is None else f"<br>{row['overshoot']:+.1f} %")
            for row in rows
        ),
        f"{result.actual:,.0f}",
    ]
    figure = go.Figure(
        go.Bar(
            x=names,
            y=values,
            text=texts,
            textposition="outside",
            cliponaxis=False,
            marker={"color": [*COLOURS[: len(rows)], "#4D4D4D"]},
            width=0.5,
        )
    )
    figure.update_yaxes(title="currency of the input", rangemode="tozero")
    title = f"Said before and spent after, {result.customers:,} customers"
    return styled(figure, title=title, top=100)


_LEGEND = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"}
