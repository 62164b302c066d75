"""Figures of retention results: they hold the numbers of the results, and no more."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from churnkit.data.orders import order_table
from churnkit.data.simulate import simulate_shop
from churnkit.engines import DuckDBEngine
from churnkit.errors import ParameterError
from churnkit.reporting.plots import plot, plot_metric, plot_mrr_bridge
from churnkit.retention.cohorts import cohort_triangle
from churnkit.retention.company import retention_metrics
from churnkit.retention.funnels import funnel
from churnkit.retention.subscriptions import subscription_survival

DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def results():
    """Give one result of each type, of a small shop."""
    shop = simulate_shop(
        customers=400, days=500, seed=6, tables=["orders", "subscriptions", "events"]
    )

    def frame(engine, name, **times):
        table = shop.tables[name]
        columns = {
            column: table[column].cast(
                pa.string() if column.endswith("_id") else table[column].type
            )
            for column in table.column_names
            if column not in times
        }
        for column, new in times.items():
            columns[new] = table[column].cast(pa.timestamp("us")).cast(pa.int64())
        return engine.select(f"SELECT * FROM {engine.add_arrow(pa.table(columns))}")

    with DuckDBEngine(threads=2) as engine:
        names = frozenset({"customer_id", "order_id", "ts_us", "amount"})
        lines = frame(engine, "orders", ts="ts_us")
        orders = order_table(
            lines.select(*sorted(names)), columns=names, engine=engine, time_zone="UTC"
        )
        subscriptions = frame(
            engine, "subscriptions", started_at="started_at_us", ended_at="ended_at_us"
        )
        when = {"engine": engine, "time_zone": "UTC", "start": date(2023, 4, 1)}
        end_us = (date(2024, 5, 1) - date(1970, 1, 1)).days * DAY_US
        yield {
            "report": retention_metrics(
                {"orders": orders, "subscriptions": subscriptions},
                end=date(2024, 4, 10),
                every="quarter",
                **when,
            ),
            "cohorts": cohort_triangle(orders, end=date(2024, 4, 10), every="quarter", **when),
            "survival": subscription_survival(subscriptions, as_of_us=end_us, engine=engine),
            "funnel": funnel(
                frame(engine, "events", ts="ts_us"),
                steps=["product_view", "cart_add", "purchase"],
                within_hours=24,
                start_us=end_us - 300 * DAY_US,
                end_us=end_us,
                engine=engine,
            ),
        }


def test_a_triangle_is_a_heat_map_with_empty_cells(results):
    """Unobserved cells are neither coloured nor written."""
    figure = plot(results["cohorts"])

    (heat,) = figure.data
    assert heat.type == "heatmap"
    np.testing.assert_allclose(
        np.array(heat.z, dtype=float), results["cohorts"].to_pandas().to_numpy()
    )
    assert list(heat.text[-1]) == ["100", "", "", ""]
    assert heat.zmax < 100


def test_a_bridge_goes_from_start_to_end(results):
    """The steps of all periods are added up and lead to the last MRR."""
    figure = plot_mrr_bridge(results["report"])

    (bridge,) = figure.data
    table = results["report"].movements_to_pandas()
    assert bridge.type == "waterfall"
    assert sum(bridge.y[:-1]) == pytest.approx(bridge.y[-1])
    assert bridge.y[-1] == table["end_mrr"].iloc[-1]
    with pytest.raises(ParameterError, match=r"got 'DE'. Known: all"):
        plot_mrr_bridge(results["report"], segment="DE")


def test_a_series_has_its_interval_as_a_band(results):
    """The line holds the values at the ends of periods; a cut-off period has an open marker."""
    figure = plot(results["report"], metric="customer_churn_rate", source="subscriptions")

    band, line = figure.data
    rows = [
        row.metric
        for row in results["report"].rows
        if row.metric.metric == "customer_churn_rate" and row.source == "subscriptions"
    ]
    assert list(line.y) == [row.value for row in rows]
    assert list(line.marker.symbol) == ["circle"] * 4 + ["circle-open"]
    assert max(band.y) == max(row.ci_high for row in rows)
    assert "subscriptions" in figure.layout.title.text


def test_a_series_that_is_absent_says_why(results):
    """The message has the reason of the report."""
    with pytest.raises(ParameterError, match=r"'nps' for all; got none: surveys is not given"):
        plot_metric(results["report"], metric="nps")


def test_survival_starts_at_one_and_a_funnel_has_its_users(results):
    """Both figures hold the numbers of their results."""
    curve, steps = plot(results["survival"]), plot(results["funnel"])

    assert curve.data[-1].y[0] == 1.0
    assert list(curve.data[-1].y[1:]) == results["survival"].survival.tolist()
    assert list(steps.data[0].x) == [step.users for step in results["funnel"].steps]


def test_every_figure_can_be_written(results):
    """Titles stand over each, and the figure is valid HTML for a browser."""
    for result in results.values():
        text = plot(result).to_html(include_plotlyjs=False, full_html=False)

        assert "plotly" in text


def test_what_has_no_figure_is_refused():
    """The message lists what can be drawn."""
    with pytest.raises(ParameterError, match=r"result must be one of CohortTriangle.*; got int"):
        plot(3)
