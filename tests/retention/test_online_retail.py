"""Every figure of the bundled shop recomputed by SQL that shares no code with the report."""

from __future__ import annotations

from datetime import date

import duckdb
import pandas as pd
import pytest

from churnkit.data.contracts import CONTRACTS
from churnkit.data.orders import order_table
from churnkit.data.sources import TableSpec, load_table
from churnkit.datasets import dataset_path
from churnkit.engines import DuckDBEngine
from churnkit.retention.cohorts import cohort_triangle
from churnkit.retention.company import retention_metrics

WINDOW = 90

LINES = f"""
CREATE TABLE lines AS
SELECT customer_id, order_id, amount, "timestamp" AS ts, CAST("timestamp" AS DATE) AS day
FROM read_parquet('{dataset_path("online_retail_ii")}') WHERE customer_id IS NOT NULL;
CREATE TABLE placed AS
SELECT customer_id, order_id, min(day) AS day FROM (
    SELECT customer_id, order_id, day FROM lines
    GROUP BY customer_id, order_id, day HAVING sum(amount) > 0
) GROUP BY customer_id, order_id;
CREATE TABLE moments AS
-- On the shop's clock a life from winter to summer would be an hour too long.
SELECT customer_id, day, min(ts - INTERVAL 1 HOUR * CAST(
    ts BETWEEN '2010-03-28 01:00' AND '2010-10-31 02:00'
    OR ts BETWEEN '2011-03-27 01:00' AND '2011-10-30 02:00' AS INTEGER)) AS ts
FROM lines JOIN placed USING (customer_id, order_id, day)
GROUP BY customer_id, day, order_id;
CREATE TABLE periods (p DATE, q DATE);
"""

QUARTERS = """
WITH first AS (SELECT customer_id, min(day) AS day FROM placed GROUP BY customer_id),
at_start AS (
    SELECT DISTINCT p, customer_id FROM periods JOIN placed
    ON day < p AND day >= p - INTERVAL 90 DAY
),
at_end AS (
    SELECT DISTINCT p, customer_id FROM periods JOIN placed
    ON day < q AND day >= q - INTERVAL 90 DAY
),
joined AS (SELECT p, customer_id FROM periods JOIN first ON day >= p AND day < q),
bought AS (
    SELECT p, customer_id, count(*) AS orders FROM periods JOIN placed
    ON day >= p AND day < q GROUP BY ALL
),
paid AS (
    SELECT p, customer_id, sum(amount) AS revenue FROM periods JOIN lines
    ON day >= p AND day < q GROUP BY ALL
),
ranked AS (
    SELECT p, revenue, row_number() OVER (PARTITION BY p ORDER BY revenue DESC) AS place,
        count(*) OVER (PARTITION BY p) AS n
    FROM paid
)
SELECT p,
    (SELECT count(*) FROM at_start a WHERE a.p = periods.p) AS s,
    (SELECT count(*) FROM at_end a WHERE a.p = periods.p) AS e,
    (SELECT count(*) FROM at_end a JOIN joined USING (p, customer_id) WHERE a.p = periods.p) AS n,
    (SELECT count(*) FROM at_start a JOIN at_end USING (p, customer_id) WHERE a.p = periods.p)
        AS kept,
    (SELECT count(*) FROM bought b WHERE b.p = periods.p) AS buyers,
    (SELECT count(*) FROM bought b WHERE b.p = periods.p AND orders > 1) AS repeat,
    (SELECT sum(orders) FROM bought b WHERE b.p = periods.p) AS orders,
    (SELECT sum(revenue) FROM paid b WHERE b.p = periods.p) AS revenue,
    (SELECT sum(revenue) FROM ranked r WHERE r.p = periods.p AND place <= ceil(0.2 * n)) AS top,
    (SELECT count(*) / count(DISTINCT customer_id) FROM placed
        WHERE day < q AND day >= q - INTERVAL 365 DAY) AS yearly,
    (SELECT avg(life) FROM (
        SELECT date_diff('microsecond', min(ts), max(ts)) / 86400e6 / 365.25 AS life
        FROM moments WHERE ts < q GROUP BY customer_id)) AS lifespan,
    (SELECT avg(revenue) FILTER (place <= ceil(0.1 * n)) / avg(revenue) FILTER (place > ceil(0.1 * n))
        FROM ranked r WHERE r.p = periods.p) AS decile
FROM periods ORDER BY p
"""

COHORTS = """
WITH months AS (SELECT DISTINCT customer_id, date_trunc('month', day) AS m FROM placed),
born AS (SELECT customer_id, min(m) AS c FROM months GROUP BY customer_id)
SELECT CAST(c AS DATE) AS cohort, date_diff('month', c, m) AS age, count(*) AS customers
FROM months JOIN born USING (customer_id)
WHERE c >= DATE '2010-03-01' AND m < DATE '2011-12-01' GROUP BY ALL
"""


@pytest.fixture(scope="module")
def sql():
    """Give a connection of its own with the raw lines."""
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.execute(LINES)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def loaded():
    """Give the engine and the order table, read as the product reads it."""
    with DuckDBEngine(threads=2) as engine:
        table = load_table(
            TableSpec(source=dataset_path("online_retail_ii"), columns={"ts": "timestamp"}),
            contract=CONTRACTS["orders"](),
            engine=engine,
            time_zone="Europe/London",
        )
        yield (
            engine,
            order_table(
                table.rows, columns=table.columns, engine=engine, time_zone="Europe/London"
            ),
        )


@pytest.mark.slow
def test_quarters_are_those_of_plain_sql(sql, loaded):
    """Customers, orders, money and concentration of eight quarters agree with the raw lines."""
    engine, orders = loaded
    report = retention_metrics(
        {"orders": orders},
        engine=engine,
        time_zone="Europe/London",
        start=date(2010, 1, 1),
        end=date(2011, 12, 10),
        every="quarter",
        activity_window_days=WINDOW,
    )
    table = report.to_pandas()
    bounds = table[["period_start", "period_end"]].drop_duplicates().sort_values("period_start")
    sql.executemany("INSERT INTO periods VALUES (?, ?)", bounds.values.tolist())

    expected = sql.sql(QUARTERS).df()

    oracle = {
        "customer_retention_rate": 100 * (expected["e"] - expected["n"]) / expected["s"],
        "customer_retention_rate_strict": 100 * expected["kept"] / expected["s"],
        "customer_churn_rate": 100 * (1 - expected["kept"] / expected["s"]),
        "repeat_purchase_rate": 100 * expected["repeat"] / expected["buyers"],
        "purchase_frequency": expected["orders"] / expected["buyers"],
        "average_order_value": expected["revenue"] / expected["orders"],
        "pareto_share": 100 * expected["top"] / expected["revenue"],
        "top_decile_spend_ratio": expected["decile"],
        "customer_lifetime_value": expected["revenue"]
        / expected["orders"]
        * expected["yearly"]
        * expected["lifespan"],
    }
    assert {row.metric.metric for row in report.rows} == set(oracle)
    assert len(expected) == 8
    for name, values in oracle.items():
        assert report.values(name) == pytest.approx(values.tolist(), rel=1e-9), name


@pytest.mark.slow
def test_monthly_cohorts_are_those_of_plain_sql(sql, loaded):
    """Every cell of the triangle from March 2010 to November 2011 agrees with the raw lines."""
    engine, orders = loaded

    found = cohort_triangle(
        orders,
        engine=engine,
        time_zone="Europe/London",
        start=date(2010, 3, 1),
        end=date(2011, 12, 10),
    ).to_pandas("customers")

    expected = sql.sql(COHORTS).df()
    expected["cohort"] = pd.to_datetime(expected["cohort"]).dt.date
    wide = expected.pivot_table(index="cohort", columns="age", values="customers").reindex(
        index=found.index, columns=found.columns
    )
    pd.testing.assert_frame_equal(
        found, wide.where(found.isna(), wide.fillna(0.0)), check_dtype=False, check_names=False
    )
    assert found.iloc[0, 0] > 400
