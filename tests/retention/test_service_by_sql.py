"""Every figure of a subscription service, by month, recomputed by SQL that shares no code with it."""

from __future__ import annotations

from datetime import date

import duckdb
import pandas as pd
import pytest

from churnkit.data.simulate import simulate_shop
from churnkit.retention.company import retention_metrics

TABLES = ("subscriptions", "support_tickets", "surveys")
START, END = date(2023, 4, 1), date(2024, 2, 1)

MONTHS = """
WITH periods AS (
    SELECT m AS p, m + INTERVAL 1 MONTH AS q
    FROM (SELECT unnest(generate_series(TIMESTAMP '2023-04-01', TIMESTAMP '2024-01-01',
                                        INTERVAL 1 MONTH)) AS m)
),
born AS (SELECT customer_id, min(started_at) AS first FROM subscriptions GROUP BY ALL),
ends AS (
    SELECT p, q, b.customer_id, first,
        sum(mrr) FILTER (started_at < p AND (ended_at IS NULL OR ended_at >= p)) AS before,
        sum(mrr) FILTER (started_at < q AND (ended_at IS NULL OR ended_at >= q)) AS after,
        bool_or(started_at < q AND (ended_at IS NULL OR ended_at >= p)) AS present
    FROM periods, born b JOIN subscriptions s USING (customer_id) GROUP BY ALL
),
moved AS (
    SELECT p,
        count(*) FILTER (before IS NOT NULL) AS s,
        count(*) FILTER (after IS NOT NULL) AS e,
        count(*) FILTER (after IS NOT NULL AND first >= p) AS n,
        count(*) FILTER (before IS NOT NULL AND after IS NOT NULL) AS kept,
        count(*) FILTER (present) AS there,
        coalesce(sum(before), 0) AS start_mrr,
        coalesce(sum(after), 0) AS end_mrr,
        coalesce(sum(before) FILTER (after IS NULL), 0) AS churn,
        coalesce(sum(before - after) FILTER (after < before), 0) AS contraction,
        coalesce(sum(after - before) FILTER (after > before), 0) AS expansion,
        coalesce(sum(after) FILTER (before IS NULL AND first >= p), 0) AS new,
        coalesce(sum(after) FILTER (before IS NULL AND first < p), 0) AS reactivation
    FROM ends GROUP BY p
),
tickets AS (
    SELECT p, count(*) AS opened,
        count(*) FILTER (resolved_at < TIMESTAMP '2024-02-01') AS resolved,
        median(date_diff('microsecond', opened_at, resolved_at) / 3.6e9)
            FILTER (resolved_at < TIMESTAMP '2024-02-01') AS resolution,
        median(date_diff('microsecond', opened_at, first_response_at) / 3.6e9)
            FILTER (first_response_at < TIMESTAMP '2024-02-01') AS response
    FROM periods JOIN support_tickets ON opened_at >= p AND opened_at < q GROUP BY p
),
answers AS (
    SELECT p,
        100.0 * avg(CAST(score >= 4 AS INTEGER)) FILTER (survey = 'csat') AS csat,
        100.0 * (avg(CAST(score >= 9 AS INTEGER)) FILTER (survey = 'nps')
                 - avg(CAST(score <= 6 AS INTEGER)) FILTER (survey = 'nps')) AS nps,
        100.0 * avg(score) FILTER (survey = 'ces') / 7 AS ces
    FROM periods JOIN surveys ON ts >= p AND ts < q GROUP BY p
)
SELECT * FROM moved JOIN tickets USING (p) JOIN answers USING (p) ORDER BY p
"""


@pytest.fixture(scope="module")
def shop():
    """Give a service of two years with subscriptions, tickets and answers."""
    return simulate_shop(customers=400, days=420, seed=12)


@pytest.fixture(scope="module")
def expected(shop):
    """Give a row per month, by SQL on the raw tables."""
    with duckdb.connect() as connection:
        for name in TABLES:
            connection.register(name, shop.tables[name])
        return connection.execute(MONTHS).df()


def test_every_figure_of_the_service_is_that_of_sql(shop, expected, in_engine, engine):
    """Customers, recurring revenue, tickets and satisfaction of ten months agree."""
    frames = in_engine({name: shop.tables[name] for name in TABLES})

    report = retention_metrics(
        frames, engine=engine, time_zone="UTC", start=START, end=END, every="month"
    )

    x = expected
    oracle = {
        "customer_retention_rate": 100 * (x["e"] - x["n"]) / x["s"],
        "customer_retention_rate_strict": 100 * x["kept"] / x["s"],
        "customer_churn_rate": 100 * (1 - x["kept"] / x["s"]),
        "revenue_churn_rate": 100 * (x["churn"] + x["contraction"]) / x["start_mrr"],
        "gross_revenue_retention": 100 - 100 * (x["churn"] + x["contraction"]) / x["start_mrr"],
        "net_revenue_retention": 100
        * (x["start_mrr"] - x["churn"] - x["contraction"] + x["expansion"])
        / x["start_mrr"],
        "support_contacts": x["opened"],
        "resolution_rate": 100 * x["resolved"] / x["opened"],
        "resolution_hours": x["resolution"],
        "first_response_hours": x["response"],
        "contact_rate": x["opened"] / x["there"],
        "csat": x["csat"],
        "nps": x["nps"],
        "ces": x["ces"],
    }
    assert len(x) == 10
    assert {row.metric.metric for row in report.rows} == set(oracle)
    for name, values in oracle.items():
        assert report.values(name) == pytest.approx(values.tolist(), rel=1e-9), name
    movements = report.movements_to_pandas()
    steps = ["start_mrr", "new", "expansion", "contraction", "churn", "reactivation", "end_mrr"]
    pd.testing.assert_frame_equal(movements[steps], x[steps], check_dtype=False)
    assert (x[["new", "contraction", "churn"]].sum() > 0).all()
