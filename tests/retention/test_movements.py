"""Subscriptions: movements of recurring revenue that reconcile, retention by hand, survival."""

from __future__ import annotations

from datetime import date

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnkit.data.simulate import Scenario, simulate_shop
from churnkit.errors import DataError, ParameterError
from churnkit.retention.company import retention_metrics
from churnkit.retention.definitions import Definitions
from churnkit.retention.movements import MrrMovement, subscription_states
from churnkit.retention.periods import report_periods
from churnkit.retention.subscriptions import subscription_survival

KINDS = ("new", "expansion", "contraction", "churn", "reactivation")


@pytest.fixture
def subscriptions(load, us):
    """Give a function that makes a table of ``(customer, start, end, mrr)``."""

    def make(rows):
        ends = [None if row[2] is None else us(row[2]) for row in rows]
        return load(
            pa.table(
                {
                    "customer_id": [row[0] for row in rows],
                    "started_at_us": pa.array([us(row[1]) for row in rows], pa.int64()),
                    "ended_at_us": pa.array(ends, pa.int64()),
                    "mrr": pa.array([row[3] for row in rows], pa.float64()),
                }
            )
        )

    return make


def reported(frame, engine, **options):
    """Return the report of January to March 2024 by month."""
    given = {"start": date(2024, 1, 1), "end": date(2024, 4, 1), "every": "month"} | options
    return retention_metrics({"subscriptions": frame}, engine=engine, time_zone="UTC", **given)


ROWS = [
    ("stays", "2023-06-01", None, 10.0),
    ("grows", "2023-06-01", "2024-02-10", 10.0),
    ("grows", "2024-02-10", None, 25.0),
    ("shrinks", "2023-06-01", "2024-02-10", 20.0),
    ("shrinks", "2024-02-10", None, 5.0),
    ("leaves", "2023-06-01", "2024-02-01", 40.0),
    ("returns", "2023-06-01", "2023-09-01", 7.0),
    ("returns", "2024-02-05", None, 8.0),
    ("joins", "2024-02-01", None, 3.0),
    ("passes", "2024-02-03", "2024-02-20", 99.0),
    ("two", "2023-06-01", None, 1.0),
    ("two", "2023-06-01", "2024-02-15", 1.5),
]


def test_movements_of_one_month_by_hand(subscriptions, engine):
    """February has one movement of each kind; who came and went in it leaves no trace."""
    report = reported(subscriptions(ROWS), engine)

    january, february, march = report.movements
    assert all(getattr(january, kind) == 0.0 for kind in KINDS)
    assert (february.start_mrr, february.end_mrr) == (82.5, 52.0)
    assert (february.new, february.reactivation) == (3.0, 8.0)
    assert (february.expansion, february.contraction, february.churn) == (15.0, 16.5, 40.0)
    assert march.start_mrr == march.end_mrr == 52.0
    assert report.values("revenue_churn_rate")[1] == pytest.approx(100 * 56.5 / 82.5)
    assert report.values("gross_revenue_retention")[1] == pytest.approx(100 * 26.0 / 82.5)
    assert report.values("net_revenue_retention")[1] == pytest.approx(100 * 41.0 / 82.5)
    assert report.values("customer_retention_rate") == [100.0, 100.0, 100.0]
    assert report.values("customer_churn_rate")[1] == 20.0


def test_variants_are_named_in_the_rows(subscriptions, engine):
    """Joiners who left and revenue that came back count where the definitions say so."""
    chosen = Definitions(churn="including_joiners", net_revenue="with_reactivations")

    report = reported(subscriptions(ROWS), engine, definitions=chosen)

    lost = next(
        r.metric
        for r in report.rows
        if r.metric.metric == "customer_churn_rate" and r.period.start.month == 2
    )
    assert (lost.numerator, lost.denominator, lost.variant) == (2.0, 7.0, "including_joiners")
    assert report.values("net_revenue_retention")[1] == pytest.approx(100 * 49.0 / 82.5)


def test_the_mean_of_daily_counts_customers_not_subscriptions(subscriptions, engine):
    """Two subscriptions of a customer at once are one customer on each day."""
    report = reported(
        subscriptions(ROWS), engine, every=None, definitions=Definitions(churn="mean_of_daily")
    )

    (row,) = [r.metric for r in report.rows if r.metric.metric == "customer_churn_rate"]
    spans = {}
    for customer, start, end, _ in ROWS:
        for day in pd.date_range("2024-01-01", "2024-03-31"):
            boundary = day + pd.Timedelta(days=1)
            if pd.Timestamp(start) < boundary and (end is None or pd.Timestamp(end) >= boundary):
                spans.setdefault(day, set()).add(customer)
    assert row.denominator == pytest.approx(sum(map(len, spans.values())) / 91)


def test_what_begins_at_midnight_belongs_to_the_period(subscriptions, engine):
    """A first start on the first day of February is new in February, and an end then is its churn."""
    report = reported(subscriptions(ROWS), engine)

    january, february, _ = report.movements
    assert january.new == january.churn == 0.0
    assert february.new == 3.0
    assert february.churn == 40.0


def test_months_of_a_simulated_shop_reconcile(in_engine, engine):
    """The MRR at each end is that of a sum over running subscriptions, and the next start."""
    shop = simulate_shop(customers=600, days=500, seed=4, tables=["subscriptions"])
    rows = shop.to_pandas()["subscriptions"]

    report = retention_metrics(
        in_engine(shop.tables),
        engine=engine,
        time_zone="UTC",
        start=date(2023, 2, 1),
        end=date(2024, 4, 1),
        every="month",
    )

    table = report.movements_to_pandas()
    assert len(table) == 14
    assert table["start_mrr"].tolist()[1:] == pytest.approx(table["end_mrr"].tolist()[:-1])
    for _, moved in table.iterrows():
        at = pd.Timestamp(moved["period_end"])
        running = rows[(rows["started_at"] < at) & ~(rows["ended_at"] < at)]
        assert moved["end_mrr"] == pytest.approx(running["mrr"].sum())
    assert (table[list(KINDS)] >= 0).all().all()


def test_a_table_without_revenue_has_customers_only(subscriptions, engine):
    """Without mrr the metrics of customers stay and those of revenue are absent with the reason."""
    report = reported(subscriptions(ROWS).drop("mrr"), engine)

    absent = {gone.metric: gone.reason for gone in report.absent}
    assert report.values("customer_churn_rate")[1] == 20.0
    assert report.movements == ()
    assert absent["revenue_churn_rate"] == "subscriptions has no column mrr"


def test_many_periods_are_one_query(subscriptions, engine):
    """The months of forty years do not exceed what an engine takes in one expression."""
    periods = report_periods(
        start=date(1995, 1, 1), end=date(2035, 1, 1), every="month", time_zone="UTC"
    )

    states = subscription_states(subscriptions(ROWS), periods=periods, has_mrr=True, engine=engine)
    table = engine.collect(states.filter(nw.col("customer_id") == "returns")).to_pandas()

    months = table[table["n_end"] > 0].sort_values("period")["period"].tolist()
    first, back = 28 * 12 + 5, 29 * 12 + 1
    assert months == [first, first + 1, first + 2, *range(back, 40 * 12)]
    assert table.loc[table["is_first"] == 1, "period"].tolist() == [first]


def test_movements_that_do_not_add_up_are_refused():
    """The object cannot be made of numbers that contradict each other."""
    (period,) = report_periods(
        start=date(2024, 1, 1), end=date(2024, 2, 1), every=None, time_zone="UTC"
    ).each

    with pytest.raises(DataError, match=r"must give the MRR at the end; got 110.0 and 120.0"):
        MrrMovement(
            period=period, segment="all", start_mrr=100.0, new=10.0, expansion=0.0,
            contraction=0.0, churn=0.0, reactivation=0.0, end_mrr=120.0,
        )  # fmt: skip


def test_survival_is_the_product_of_kaplan_and_meier(subscriptions, engine, us):
    """A worked example with two running subscriptions: 0.8, then 0.8 x 2/3."""
    rows = [
        ("a", "2024-01-01", "2024-01-11", 1.0),
        ("b", "2024-01-01", None, 1.0),
        ("c", "2024-01-01", "2024-01-21", 1.0),
        ("d", "2024-01-16", None, 1.0),
        ("e", "2024-01-01", "2024-02-20", 1.0),
        ("late", "2024-02-01", None, 1.0),
    ]

    curve = subscription_survival(subscriptions(rows), as_of_us=us("2024-01-31"), engine=engine)

    assert (curve.subscriptions, curve.ended) == (5, 2)
    assert curve.at(9.99) == 1.0
    assert curve.at(10) == pytest.approx(0.8)
    assert curve.at(20) == pytest.approx(0.8 * 2 / 3)
    assert curve.median_days() is None
    assert curve.to_pandas().columns.tolist() == ["days", "survival", "ci_low", "ci_high"]


def test_survival_recovers_a_constant_hazard(in_engine, engine):
    """With one hazard in all states the curve is exponential, running subscriptions included."""
    hazard = 0.10
    shape = Scenario(subscription_churn_per_month=(hazard,) * 3)
    shop = simulate_shop(customers=4000, days=400, seed=2, tables=["subscriptions"], scenario=shape)
    start_us = pd.Timestamp("2023-01-01").value // 1000
    frame = in_engine(shop.tables)["subscriptions"].filter(nw.col("started_at_us") >= start_us)

    curve = subscription_survival(frame, as_of_us=start_us + 400 * 86_400_000_000, engine=engine)

    # Changes of plan end a row as well, at their own rate.
    months = np.array([3.0, 6.0, 9.0])
    seen = np.array([curve.at(30.4375 * m) for m in months])
    assert seen == pytest.approx(np.exp(-(hazard + 0.02) * months), abs=0.03)


def test_survival_needs_a_subscription(subscriptions, engine, us):
    """A curve of nothing is refused."""
    with pytest.raises(ParameterError, match="must hold one that starts before as_of_us; got none"):
        subscription_survival(subscriptions(ROWS), as_of_us=us("2020-01-01"), engine=engine)
