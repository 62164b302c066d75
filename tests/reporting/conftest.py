"""A page about simulated customers, without an engine and without training."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from churnkit.data.contracts import CheckResult, TableReport
from churnkit.data.windows import midnight_us
from churnkit.formulas import customer_churn_rate, repeat_purchase_rate
from churnkit.reporting import CustomerView, DriverSample, LevelPoint, Report, TestOutcome
from churnkit.retention.cohorts import CohortTriangle
from churnkit.retention.periods import Period
from churnkit.retention.report import ALL, AbsentMetric, ReportRow, RetentionReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMERS = 60
FEATURES = ("days_since_last_order", "orders_90d", "amount_sum_90d")


def outcome(*, seed: int = 1, n: int = 800) -> TestOutcome:
    """Return a test whose probabilities are right by construction."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 2, n)
    expected = rng.gamma(1.5, 40.0, n) * (1 - p)
    return TestOutcome(
        cutoff="2011-09-01",
        churned=rng.random(n) < p,
        churn_probability=p,
        future_spend=expected * rng.lognormal(-0.08, 0.4, n),
        expected_spend=expected,
    )


def customer(number: int, **scores: Any) -> CustomerView:
    """Return a customer; the higher the number, the less is at risk."""
    p = 0.05 + 0.9 * ((7 * number) % CUSTOMERS) / CUSTOMERS
    row = {
        "customer_id": f"c{number:03d}",
        "status": "scored",
        "risk_band": "high" if p >= 0.66 else "medium" if p >= 0.33 else "low",
        "risk_rank": number + 1,
        "churn_probability": p,
        "expected_spend": 100.0 + number,
        "expected_spend_low": 10.0,
        "expected_spend_high": 400.0,
        "value_at_risk": 5000.0 - 10 * number,
        "expected_next_order_at": None,
        "p_alive": 0.8,
        "orders": number % 9 + 1,
        "average_order_value": 25.0,
        "purchase_frequency_per_year": 4.0,
        "mean_days_between_orders": None,
        "days_since_last_order": 3.0 * number,
        "tenure_days": 400.0,
        "historical_ltv": 250.0,
        "formula_ltv": 300.0,
        "r_score": 3,
        "f_score": 2,
        "m_score": 4,
        "rfm_segment": "at_risk" if number % 2 else "champions",
    }
    return CustomerView(
        scores=row | scores,
        reasons=[("no order for 143 days (customers who stay: 31)", 0.9), ("5 orders", -0.4)],
        past=[("2011-10-01", None), ("2011-11-01", 0.4)],
        orders=[("2011-01-05", 20.0), ("2011-06-05", 35.5)],
        happenings=[("ticket", ("2011-03-01",)), ("email open", ("2011-02-01", "2011-04-01"))],
        base=-0.25,
    )


def months(count: int) -> list[Period]:
    """Return the months from January 2010."""
    days = [date(2010 + m // 12, m % 12 + 1, 1) for m in range(count + 1)]
    return [
        Period(
            start=a,
            end=b,
            start_us=midnight_us(a, time_zone="UTC"),
            end_us=midnight_us(b, time_zone="UTC"),
        )
        for a, b in pairwise(days)
    ]


def metrics() -> RetentionReport:
    """Return churn and repeat rates over fourteen months."""
    rows = []
    for i, period in enumerate(months(14)):
        found = [
            customer_churn_rate(customers_at_start=500, lost_customers=20 + i),
            repeat_purchase_rate(customers=500, repeat_customers=100 + 5 * i),
        ]
        rows += [ReportRow(metric=m, source="orders", period=period, segment=ALL) for m in found]
    rows.sort(key=lambda row: row.metric.metric)
    absent = AbsentMetric(metric="nps", reason="surveys is not given")
    return RetentionReport(rows=tuple(rows), absent=(absent,), movements=())


def triangle() -> CohortTriangle:
    """Return three cohorts that halve at each age."""
    customers = ((80, 40, 20), (60, 30, None), (40, None, None))
    return CohortTriangle(
        cohorts=tuple(months(3)),
        size=(80, 60, 40),
        customers=customers,
        unbounded_customers=customers,
        revenue=customers,
    )


def level(month: int, *, tested: bool = False) -> LevelPoint:
    """Return the totals of a cutoff in 2011."""
    return LevelPoint(
        cutoff=f"2011-{month:02d}-01",
        tested=tested,
        customers=100,
        expected_churners=40.0 + month,
        churners=45,
        expected_spend=900.0,
        future_spend=1000.0,
    )


def orders_report(**changes: Any) -> TableReport:
    """Return what was read of orders."""
    check = CheckResult(
        name="customer_id_missing",
        sentence="customer_id is null or blank",
        rows=212,
        examples=("order_id 15", "order_id 27"),
        set_aside=True,
    )
    report = TableReport(
        table="orders",
        source="orders.csv",
        rows_read=10_000,
        rows_used=9_788,
        rows_set_aside=212,
        checks=(check,),
        customers=900,
        amount=1e5,
        first_at="2010-01-01T09:00:00+00:00",
        last_at="2011-12-09T12:00:00+00:00",
        fingerprint="0123456789abcdef",
        files=(),
    )
    return replace(report, **changes)


def drivers() -> DriverSample:
    """Return contributions that rise with the feature, the first the strongest."""
    rng = np.random.default_rng(3)
    values = rng.gamma(2.0, 30.0, (300, 3)).astype(np.float32)
    values[:20, 2] = np.nan
    weights = np.nan_to_num(values - np.nanmean(values, axis=0)) * np.array([0.02, -0.01, 0.005])
    return DriverSample(
        names=FEATURES,
        phrases={
            "days_since_last_order": "no order for … days",
            "orders_90d": "… orders in 90 days",
            "amount_sum_90d": "… spent in 90 days",
        },
        values=values,
        contributions=weights.astype(np.float64),
    )


@pytest.fixture(name="customer")
def _customer() -> Any:
    """Give a function that makes a customer; see :func:`customer`."""
    return customer


@pytest.fixture(name="outcome")
def _outcome() -> Any:
    """Give a function that makes a test's outcome; see :func:`outcome`."""
    return outcome


@pytest.fixture(name="orders_report")
def _orders_report() -> Any:
    """Give a function that says what was read of orders; see :func:`orders_report`."""
    return orders_report


@pytest.fixture
def report() -> Report:
    """Give a complete page's content."""
    views = [customer(i) for i in range(CUSTOMERS)]
    metric = {"churn.auc": 0.8, "churn.brier": 0.18, "spend.total_bias": -0.02}
    return Report(
        name="shop",
        manifest={
            "as_of": "2011-12-10",
            "horizon_days": 90,
            "statuses": {"scored": CUSTOMERS, "inactive": 5},
            "risk_bands": {"high": 20, "medium": 20, "low": 20},
            "totals": {
                "expected_orders": 44.0,
                "expected_spend": 12_000.0,
                "expected_ltv": 12_000.0,
                "value_at_risk": sum(v.scores["value_at_risk"] for v in views),
            },
            "drift": {"churn_probability": 0.02, "features": {"orders_90d": 0.31, "rare": None}},
            "model": {"name": "shop", "version": "3"},
        },
        scores=pa.Table.from_pylist([dict(v.scores) for v in views]),
        customers=views,
        means={"model": metric, "rfm": metric | {"churn.auc": 0.7, "spend.total_bias": 0.01}}
        | {f"rule_{i}": metric | {"churn.auc": 0.6} for i in range(6)},
        tests=[outcome()],
        levels=[level(1), level(2), level(3, tested=True)],
        drivers=drivers(),
        metrics=metrics(),
        cohorts=triangle(),
        tables=[orders_report()],
        made=[("churnkit", "0.1.0")],
        config_text="name: shop\n",
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Give a headless Chromium that records what the page says and asks for."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(shutil.which("chromedriver") or "chromedriver", log_output=os.devnull)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def as_file(tmp_path: Path) -> Any:
    """Give a function that writes a page and returns its address."""

    def write(page: str) -> str:
        path = tmp_path / "report.html"
        path.write_text(page, encoding="utf-8")
        return path.as_uri()

    return write
