"""The company report: worked examples, brute force over customers, the truth of a simulated shop."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnkit.data.simulate import simulate_shop
from churnkit.errors import DataError, ParameterError, UnknownNameError
from churnkit.formulas import FORMULAS
from churnkit.retention.company import COMPANY_TABLES, retention_metrics
from churnkit.retention.customer import customer_metrics
from churnkit.retention.definitions import Definitions
from churnkit.retention.report import ALL, REPORT_COLUMNS

START, END = date(2023, 7, 1), date(2024, 7, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop():
    """Give a shop of two years with every table."""
    return simulate_shop(customers=500, days=640, seed=5)


@pytest.fixture
def report(shop, in_engine, engine):
    """Give a function that reports on the shop."""

    def make(names=COMPANY_TABLES, **options):
        frames = in_engine({name: shop.tables[name] for name in names})
        given = {"start": START, "end": END, "time_zone": "UTC"} | options
        return retention_metrics({name: frames[name] for name in names}, engine=engine, **given)

    return make


def days_of(orders):
    """Return customer and day number of each day with an order."""
    heads = (
        orders[orders["amount"] > 0]
        .groupby("order_id")
        .agg(customer=("customer_id", "first"), ts=("ts", "min"))
    )
    return pd.DataFrame({"customer": heads["customer"], "day": heads["ts"].dt.normalize()})


def counted(days, *, start, end, window):
    """Return S, E, N, lost and reactivated from sets of customers."""
    start, end = pd.Timestamp(start), pd.Timestamp(end)

    def active(at):
        inside = (days["day"] >= at - pd.Timedelta(days=window)) & (days["day"] < at)
        return set(days.loc[inside, "customer"])

    first = days.groupby("customer")["day"].min()
    joined = set(first.index[(first >= start) & (first < end)])
    s, e = active(start), active(end)
    return s, e, e & joined, s - e, e - s - joined, joined


@pytest.mark.parametrize("window", [20, 90, 400])
def test_retention_is_that_of_sets_of_customers(shop, report, window):
    """Every month's customers are those that brute force finds, whichever the window."""
    days = days_of(shop.to_pandas()["orders"])
    chosen = Definitions(churn="including_joiners")

    table = report(
        ["orders"], every="month", activity_window_days=window, definitions=chosen
    ).to_pandas()

    kept = table[table["metric"] == "customer_retention_rate"].set_index("period_start")
    lost = table[table["metric"] == "customer_churn_rate"].set_index("period_start")
    assert len(kept) == 12
    for start, row in kept.iterrows():
        s, e, new, gone, back, joined = counted(
            days, start=start, end=row["period_end"], window=window
        )
        assert (row["denominator"], row["numerator"]) == (len(s), len(e - new))
        assert len(e) == len(s) - len(gone) + len(new) + len(back)
        assert lost.loc[start, "numerator"] == len(gone) + len(joined - e)
        assert lost.loc[start, "denominator"] == len(s) + len(joined)


@pytest.mark.parametrize("window", [20, 90])
def test_the_mean_of_daily_counts_each_day(shop, report, window):
    """The denominator of mean_of_daily is the mean of the customers active at each day's end."""
    days = days_of(shop.to_pandas()["orders"])
    chosen = Definitions(churn="mean_of_daily")

    row = next(
        r
        for r in report(
            ["orders"], end=date(2023, 8, 1), activity_window_days=window, definitions=chosen
        ).rows
        if r.metric.metric == "customer_churn_rate"
    )

    counts = []
    for day in pd.date_range("2023-07-01", "2023-07-31"):
        inside = (days["day"] > day - pd.Timedelta(days=window)) & (days["day"] <= day)
        counts.append(days.loc[inside, "customer"].nunique())
    assert row.metric.denominator == pytest.approx(np.mean(counts), rel=1e-12)


def test_worked_example_of_ten_customers(make_orders, engine):
    """Of 10 customers at the start 2 leave: churn 20, strict retention 80, and 75 after 3 returns."""
    first = [(f"c{i}", f"a{i}", "2024-01-05T10:00", 10.0) for i in range(10)]
    again = [(f"c{i}", f"b{i}", "2024-02-05T10:00", 10.0) for i in range(8)]
    new = [(f"n{i}", f"n{i}", "2024-02-06T10:00", 10.0) for i in range(3)]

    report = retention_metrics(
        {"orders": make_orders(first + again + new)},
        engine=engine,
        time_zone="UTC",
        start=date(2024, 2, 1),
        end=date(2024, 3, 1),
        activity_window_days=31,
    )

    assert report.values("customer_churn_rate") == [20.0]
    assert report.values("customer_retention_rate_strict") == [80.0]
    assert report.values("customer_retention_rate") == [80.0]
    assert report.values("purchase_frequency") == [1.0]
    assert report.values("average_order_value") == [10.0]


def test_money_that_was_all_refunded_is_no_denominator(make_orders, load, engine, us):
    """What rounding leaves of 0.1 + 0.2 - 0.3 gives no payback after 10^18 months and no share of it."""
    lines = [
        ("a", "1", "2024-02-03T10:00", 0.1), ("a", "1", "2024-02-03T10:00", 0.2),
        ("a", "1", "2024-02-05T10:00", -0.3), ("b", "2", "2024-02-03T10:00", 0.1),
        ("b", "2", "2024-02-04T10:00", 0.2), ("b", "2", "2024-02-05T10:00", -0.3),
    ]  # fmt: skip
    spent = pa.table({"ts_us": [us("2024-02-02")], "amount": [50.0]})

    report = retention_metrics(
        {"orders": make_orders(lines), "marketing_costs": load(spent)},
        engine=engine,
        time_zone="UTC",
        start=date(2024, 2, 1),
        end=date(2024, 3, 1),
        gross_margin=0.5,
    )

    found = {row.metric.metric: row.metric for row in report.rows}
    reasons = {
        "cac_payback_months": "the monthly margin is zero, so the cost is never paid back",
        "pareto_share": "no revenue",
        "top_decile_spend_ratio": "the other customers spent nothing",
    }
    assert {name: (found[name].status, found[name].reason) for name in reasons} == {
        name: ("zero_denominator", reason) for name, reason in reasons.items()
    }
    assert found["average_order_value"].value == 0.0


def test_an_order_at_the_boundary_belongs_to_the_period_that_begins(make_orders, engine):
    """A first order at midnight of the first day is new there and not active at the start."""
    lines = [("a", "1", "2024-02-01T00:00", 5.0), ("b", "2", "2024-01-31T23:59", 5.0)]

    report = retention_metrics(
        {"orders": make_orders(lines)},
        engine=engine,
        time_zone="UTC",
        start=date(2024, 2, 1),
        end=date(2024, 3, 1),
    )

    row = report.rows[0].metric
    assert (row.metric, row.denominator, row.numerator) == ("customer_retention_rate", 1.0, 1.0)


def test_money_is_that_of_a_group_by(shop, report):
    """Frequency, order value, repeat rate and concentration follow from sums over customers."""
    orders = shop.to_pandas()["orders"]
    inside = orders[(orders["ts"] >= "2023-07-01") & (orders["ts"] < "2024-07-01")]
    days = days_of(orders)
    placed = days[(days["day"] >= "2023-07-01") & (days["day"] < "2024-07-01")]
    revenue = inside.groupby("customer_id")["amount"].sum()
    bought = placed.groupby("customer").size()

    found = report(["orders"])

    oracle = {
        "purchase_frequency": bought.mean(),
        "average_order_value": revenue.sum() / len(placed),
        "repeat_purchase_rate": 100 * (bought > 1).mean(),
        "pareto_share": FORMULAS["pareto_share"](net_revenue=revenue.to_numpy()).value,
        "top_decile_spend_ratio": FORMULAS["top_decile_spend_ratio"](
            net_revenue=revenue.to_numpy()
        ).value,
    }
    for name, value in oracle.items():
        assert found.values(name) == [pytest.approx(value, rel=1e-9)], name


def test_lifetime_value_is_its_factors(shop, report):
    """Order value x yearly frequency x the mean of last - first order of everybody so far.

    Of several orders on a customer's last day the last counts, as it does for each customer.
    """
    days = days_of(shop.to_pandas()["orders"])
    heads = shop.to_pandas()["orders"].query("amount > 0").groupby("order_id")
    times = heads.agg(customer=("customer_id", "first"), ts=("ts", "min"))
    known = times[times["ts"] < "2024-07-01"]
    span = known.groupby("customer")["ts"].agg(lambda t: t.max() - t.min())
    years = span.mean() / pd.Timedelta(days=365.25)

    found = report(["orders"], gross_margin=0.5)

    aov, per_year = found.values("average_order_value")[0], found.values("purchase_frequency")[0]
    expected = aov * per_year * 365.25 / 366 * years
    # Some ordered twice on their last day so far.
    last_day = known.assign(day=known["ts"].dt.normalize()).groupby("customer")["day"]
    assert (last_day.agg(lambda d: (d == d.max()).sum()) > 1).any()
    assert days["customer"].nunique() > 100
    assert found.values("customer_lifetime_value") == [pytest.approx(expected, rel=1e-6)]
    assert found.values("customer_lifetime_value_margin") == [pytest.approx(expected / 2, rel=1e-6)]


def test_the_lifespan_is_the_mean_of_those_of_the_customers(make_orders, us, engine):
    """Orders twice a day, across boundaries: at each end the mean of ``recency_days``."""
    lines = [
        ("a", "1", "2024-01-10T09:00", 10.0), ("a", "2", "2024-01-10T21:00", 10.0),
        ("a", "3", "2024-02-20T08:00", 10.0), ("a", "4", "2024-02-20T20:00", 10.0),
        ("b", "5", "2024-01-05T06:00", 10.0), ("b", "6", "2024-01-05T18:00", 10.0),
        ("c", "7", "2024-02-01T00:00", 10.0), ("a", "8", "2024-03-31T23:00", 10.0),
    ]  # fmt: skip
    orders = make_orders(lines)

    found = retention_metrics(
        {"orders": orders},
        engine=engine,
        time_zone="UTC",
        start=date(2024, 1, 1),
        end=date(2024, 4, 1),
        every="month",
    )

    lifespans = []
    for position, end in enumerate(("2024-02-01", "2024-03-01", "2024-04-01")):
        customers = engine.collect(customer_metrics(orders, as_of_us=us(end))).to_pandas()
        placed = [line for line in lines if line[2] < end]
        yearly = len(placed) / len({line[0] for line in placed})
        value = found.values("customer_lifetime_value")[position]
        lifespans.append(value / 10.0 / yearly * 365.25)
        assert lifespans[-1] == pytest.approx(customers["recency_days"].mean(), rel=1e-9)
    assert lifespans[0] == pytest.approx(0.5)


def test_purchases_of_a_short_period_are_those_of_a_year(shop, report):
    """A month's lifetime value rests on the orders of the 365 days that end with it, per buyer."""
    days = days_of(shop.to_pandas()["orders"])

    found = report(["orders"], every="month", start=date(2024, 1, 1), end=date(2024, 4, 1))
    quarter = report(["orders"], every="quarter", start=date(2024, 1, 1), end=date(2024, 4, 1))

    for position, end in enumerate(pd.to_datetime(["2024-02-01", "2024-03-01", "2024-04-01"])):
        known = days[days["day"] < end]
        year = known[known["day"] >= end - pd.Timedelta(days=365)]
        span = known.groupby("customer")["day"].agg(lambda d: d.max() - d.min()).mean()
        purchases = len(year) / year["customer"].nunique()
        aov = found.values("average_order_value")[position]
        # Days instead of instants: the mean span is off by minutes.
        assert found.values("customer_lifetime_value")[position] == pytest.approx(
            aov * purchases * (span / pd.Timedelta(days=365.25)), rel=2e-3
        )
    # The same end: the same purchases and lifespan, only the order value is of another period.
    march = found.values("customer_lifetime_value")[2] / found.values("average_order_value")[2]
    spring = quarter.values("customer_lifetime_value")[0] / quarter.values("average_order_value")[0]
    assert march == pytest.approx(spring, rel=1e-12)


@pytest.mark.parametrize("every", ["month", "quarter"])
def test_the_margin_of_a_customer_is_not_that_of_the_buyers_of_a_month(
    make_orders, load, us, every, engine
):
    """Who orders 50 twice a year brings 50 / 12 a month at half margin, in whichever period one looks."""
    twice = [
        (
            f"c{month}",
            f"{month} {half}",
            f"{2022 + (month + half - 1) // 12}-{(month + half - 1) % 12 + 1:02}-01",
            50.0,
        )
        for month in range(1, 13)
        for half in (0, 6, 12, 18)
    ]
    spent = pa.table({"ts_us": [us("2023-07-02")], "amount": [300.0]})
    tables = {
        "orders": make_orders([*twice, ("new", "new", "2023-07-15", 50.0)]),
        "marketing_costs": load(spent),
    }

    report = retention_metrics(
        tables,
        engine=engine,
        time_zone="UTC",
        start=date(2023, 7, 1),
        end=date(2023, 10, 1),
        every=every,
        gross_margin=0.5,
    )

    yearly = 0.5 * 50.0 * 25 / 13
    assert report.values("cac_payback_months")[0] == pytest.approx(300.0 / (yearly / 12), rel=0.05)
    days = {"month": 31, "quarter": 92}[every]
    (first, *_) = [r.metric for r in report.rows if r.metric.metric == "discounted_lifetime_value"]
    assert first.numerator == pytest.approx(yearly * days / 365.25, rel=0.05)


def test_a_lift_of_retention_is_that_of_the_discounted_value(report):
    """Five points more retention raise m (1 + d) / (1 + d - r) by what the row says."""
    chosen = Definitions(yearly_discount_rate=0.1, discounted="first_margin_counted")
    found = report(["orders"], gross_margin=0.5, definitions=chosen, activity_window_days=120)

    rate = found.values("customer_retention_rate_strict")[0] / 100
    margin = found.values("average_order_value")[0] * found.values("purchase_frequency")[0] * 0.5
    d = 1.1 ** (366 / 365.25) - 1
    # Everybody with revenue ordered in this shop's year, so that margins per buyer agree.
    assert found.values("discounted_lifetime_value") == [
        pytest.approx(margin * (1 + d) / (1 + d - rate), rel=1e-9)
    ]
    assert found.values("retention_lift") == [
        pytest.approx(100 * ((1 + d - rate) / (1 + d - rate - 0.05) - 1), rel=1e-9)
    ]


def test_retention_near_its_top_cannot_be_lifted(make_orders, engine):
    """Where everybody stays there is no lift, and the reason says so."""
    lines = [("a", "1", "2024-01-05", 9.0), ("a", "2", "2024-02-05", 9.0)]

    report = retention_metrics(
        {"orders": make_orders(lines)},
        engine=engine,
        time_zone="UTC",
        start=date(2024, 2, 1),
        end=date(2024, 3, 1),
        gross_margin=0.5,
    )

    (lift,) = [r.metric for r in report.rows if r.metric.metric == "retention_lift"]
    assert lift.reason == "retention cannot change by 5 points from 100.0%"


def test_a_survey_that_was_never_asked_is_absent(load, engine):
    """A table of CSAT answers has no NPS of zero answers."""
    answers = pa.table(
        {"customer_id": ["a"], "ts_us": [1_704_100_000_000_000], "survey": ["csat"], "score": [5.0]}
    )

    report = retention_metrics(
        {"surveys": load(answers)},
        engine=engine,
        time_zone="UTC",
        start=date(2024, 1, 1),
        end=date(2024, 2, 1),
    )

    reasons = {gone.metric: gone.reason for gone in report.absent}
    assert report.values("csat") == [100.0]
    assert reasons["nps"] == "surveys has no survey 'nps'"


def test_a_shop_shows_its_true_rates(shop, report):
    """Over the whole history the report recovers what the shop was made with."""
    table = report(start=shop.start, end=shop.end).to_pandas().set_index("metric")
    rates = shop.truth.rates

    for name in ("csat", "nps", "ces", "redemption_rate", "contact_rate", "cart_abandonment_rate"):
        row = table.loc[name]
        half = (row["ci_high"] - row["ci_low"]) / 2
        assert row["value"] == pytest.approx(rates[name], abs=2.2 * half), name
    cost = table.loc["customer_acquisition_cost", "value"]
    joined = shop.truth.customers()["joined_on"].notna().sum()
    spent = shop.to_pandas()["marketing_costs"]["amount"].sum()
    assert table.loc["customer_acquisition_cost", "numerator"] == pytest.approx(spent)
    assert cost == pytest.approx(rates["customer_acquisition_cost"], rel=0.8)
    assert joined > 100


def test_support_is_measured_without_orders(shop, report):
    """Tickets, response and resolution need no orders; contacts are then counted per subscriber."""
    tickets = shop.to_pandas()["support_tickets"]
    opened = tickets[(tickets["opened_at"] >= str(START)) & (tickets["opened_at"] < str(END))]
    done = opened["resolved_at"] < pd.Timestamp(END)
    contracts = shop.to_pandas()["subscriptions"]
    there = contracts["started_at"] < pd.Timestamp(END)
    there &= ~(contracts["ended_at"] < pd.Timestamp(START))

    alone = report(names=("support_tickets",)).to_pandas().set_index("metric")
    subscribed = report(names=("support_tickets", "subscriptions"))

    assert alone.loc["support_contacts", "value"] == len(opened)
    assert alone.loc["resolution_rate", "value"] == pytest.approx(100 * done.mean())
    for metric, column in (
        ("first_response_hours", "first_response_at"),
        ("resolution_hours", "resolved_at"),
    ):
        waited = (opened[column] - opened["opened_at"])[opened[column] < pd.Timestamp(END)]
        hours = waited.dt.total_seconds() / 3600
        assert alone.loc[metric, "value"] == pytest.approx(hours.median())
        assert alone.loc[metric, "n"] == len(hours)
        assert alone.loc[metric, "ci_low"] < hours.median() < alone.loc[metric, "ci_high"]
    assert "contact_rate" not in alone.index
    (rate,) = [row for row in subscribed.rows if row.metric.metric == "contact_rate"]
    assert rate.metric.variant == "per_customer"
    assert rate.metric.numerator == len(opened)
    assert rate.metric.denominator == contracts.loc[there, "customer_id"].nunique()


def test_rewards_without_the_time_of_their_use_have_no_redemption_rate(shop, in_engine, engine):
    """Rewards of which nobody knows whether they were used are no rewards that nobody used."""
    frames = in_engine({"rewards": shop.tables["rewards"].select(["customer_id", "issued_at"])})

    found = retention_metrics(frames, engine=engine, time_zone="UTC", start=START, end=END)

    assert found.rows == ()
    reasons = {gone.metric: gone.reason for gone in found.absent}
    assert reasons["redemption_rate"] == "rewards has no column redeemed_at"


def test_tickets_without_times_have_no_metrics_of_time(shop, in_engine, engine):
    """A column that is not given makes its metrics absent, with the reason."""
    tickets = shop.tables["support_tickets"].select(["customer_id", "opened_at"])
    frames = in_engine({"support_tickets": tickets})

    found = retention_metrics(frames, engine=engine, time_zone="UTC", start=START, end=END)

    assert [row.metric.metric for row in found.rows] == ["support_contacts"]
    reasons = {gone.metric: gone.reason for gone in found.absent}
    assert reasons["resolution_rate"] == "support_tickets has no column resolved_at"
    assert reasons["first_response_hours"] == "support_tickets has no column first_response_at"
    assert reasons["contact_rate"] == "orders and subscriptions are not given"


def test_user_events_that_nobody_has_make_no_company_without_users(shop, in_engine, engine):
    """A wrong name would say that nobody is active: the metrics are absent, with the reason."""
    chosen = Definitions(user_events=("sign_in", "tap"))

    found = retention_metrics(
        in_engine({"events": shop.tables["events"]}),
        engine=engine,
        time_zone="UTC",
        start=START,
        end=END,
        definitions=chosen,
    )

    reasons = {gone.metric: gone.reason for gone in found.absent}
    assert {row.metric.metric for row in found.rows} == {"cart_abandonment_rate"}
    for name in ("active_users", "stickiness", "power_user_share"):
        assert reasons[name] == "events has no event_type 'sign_in' or 'tap'"


def test_without_purchases_no_cart_is_called_abandoned(report):
    """A wrong name of the purchase would make every cart look left behind: the metric is absent."""
    found = report(names=("events",), definitions=Definitions(purchase_event="paid"))

    reasons = {gone.metric: gone.reason for gone in found.absent}
    assert reasons["cart_abandonment_rate"] == "events has no event_type 'paid'"


def test_an_attribute_may_be_called_as_everybody_is(shop, in_engine, engine):
    """Customers whose country is 'all' are a segment of their own beside the total."""
    customers = shop.to_pandas()["customers"]
    named = customers.assign(country=customers["country"].replace("DE", "all"))
    assert (named["country"] == "all").any()
    tables = {"orders": shop.tables["orders"], "customers": pa.Table.from_pandas(named)}
    plain = in_engine({"orders": shop.tables["orders"], "customers": shop.tables["customers"]})
    options = {"engine": engine, "time_zone": "UTC", "start": START, "end": END, "by": "country"}

    found = retention_metrics(in_engine(tables), **options).to_pandas()
    expected = retention_metrics(plain, **options).to_pandas()

    assert found.groupby(["metric", "source"])["segment"].apply(lambda s: s.is_unique).all()
    for ours, theirs in ((ALL, ALL), ("country=all", "DE")):
        columns = ["metric", "value", "n", "ci_low"]
        pd.testing.assert_frame_equal(
            found.loc[found["segment"] == ours, columns].reset_index(drop=True),
            expected.loc[expected["segment"] == theirs, columns].reset_index(drop=True),
        )


def test_segments_partition_the_customers(report):
    """Starts, orders and answers of the segments add up to everybody's, in every quarter."""
    table = report(every="quarter", by="country").to_pandas()

    for metric in ("customer_churn_rate", "purchase_frequency", "csat", "redemption_rate"):
        for (_, source), rows in table[table["metric"] == metric].groupby(
            ["period_start", "source"]
        ):
            whole = rows[rows["segment"] == ALL]
            parts = rows[rows["segment"] != ALL]
            assert len(parts) == 5, (metric, source)
            assert whole["numerator"].sum() == pytest.approx(parts["numerator"].sum())
            assert whole["denominator"].sum() == pytest.approx(parts["denominator"].sum())


def test_a_segment_has_a_row_of_every_metric_also_without_one_in_its_table(shop, in_engine, engine):
    """Nobody in DE answered, and a stranger did: counts are 0, rates null with the reason."""
    frames = shop.to_pandas()
    customers = frames["customers"]
    silent = set(customers.loc[customers["country"] == "DE", "customer_id"])
    for name in ("surveys", "support_tickets", "events"):
        frames[name] = frames[name][~frames[name]["customer_id"].isin(silent)]
    strangers = frames["surveys"].head(1).assign(customer_id=10**9)
    frames["surveys"] = pd.concat([frames["surveys"], strangers])
    tables = {
        name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()
    }
    options = {"engine": engine, "time_zone": "UTC", "start": START, "end": END, "every": "quarter"}

    loaded = in_engine(tables)
    by_country, by_rfm = (
        retention_metrics(loaded, by=by, **options).to_pandas() for by in ("country", "rfm_segment")
    )

    for found in (by_country, by_rfm):
        parts = found[found["segment"] != ALL]
        for start, there in parts.groupby("period_start"):
            metrics = set(zip(there["metric"], there["source"], strict=True))
            assert len(there) == len(metrics) * there["segment"].nunique(), start
    assert "unknown" in set(by_country["segment"])
    there = by_country[by_country["segment"] == "DE"].groupby("metric")
    assert (there.get_group("active_users")["value"] == 0).all()
    assert (there.get_group("support_contacts")["value"] == 0).all()
    assert there.get_group("csat")["value"].isna().all()
    assert set(there.get_group("csat")["status"]) == {"zero_denominator"}


def test_rfm_segments_are_those_before_the_period(report):
    """Nobody who came in the period is in a segment; the absent have nobody at the start."""
    table = report(["orders"], every="quarter", by="rfm_segment").to_pandas()

    rates = table[table["metric"] == "customer_churn_rate"]
    absent = rates[rates["segment"] == "absent"]
    whole = rates[rates["segment"] == ALL].set_index("period_start")["denominator"]
    parts = rates[rates["segment"] != ALL].groupby("period_start")["denominator"].sum()
    assert absent["status"].tolist() == ["zero_denominator"] * 4
    assert parts.tolist() == whole.tolist()
    assert {"champions", "lost"} <= set(rates["segment"])


def test_a_table_that_is_not_given_makes_its_metrics_absent(report):
    """Metrics are in the rows or absent with a reason, never both, and never zero."""
    found = report(["orders", "surveys"])

    rows = {row.metric.metric for row in found.rows}
    absent = {gone.metric: gone.reason for gone in found.absent}
    assert not rows & set(absent)
    assert absent["redemption_rate"] == "rewards is not given"
    assert absent["net_revenue_retention"] == "subscriptions is not given"
    assert absent["customer_lifetime_value_margin"] == "gross_margin is not given"
    with pytest.raises(
        UnknownNameError, match="no 'redemption_rate' for segment 'all'; rewards is not"
    ):
        found.values("redemption_rate")


def test_every_company_formula_has_a_row_or_a_reason(report):
    """With all tables and a margin nothing of the company page is absent."""
    found = report(gross_margin=0.4)

    elsewhere = {
        "budget_mix", "cohort_retention", "funnel_conversion", "funnel_drop_off",
        "repurchase_probability",
    }  # fmt: skip
    assert found.absent == ()
    assert {row.metric.metric for row in found.rows} == set(FORMULAS.names()) - elsewhere


def test_costs_are_not_known_by_segment(report):
    """The reason says why the acquisition cost has no rows by segment."""
    found = report(["orders", "customers", "marketing_costs"], by="country")

    reasons = {gone.metric: gone.reason for gone in found.absent}
    assert reasons["customer_acquisition_cost"] == "marketing_costs are not known by country"


def test_a_period_without_anything_has_reasons_for_values(report):
    """Before all data every rate has a null value and a reason, and no warning is raised."""
    table = report(start=date(2005, 1, 1), end=date(2006, 1, 1), gross_margin=0.4).to_pandas()

    rates = table[~table["metric"].isin(["active_users", "support_contacts"])]
    assert rates["value"].isna().all()
    assert (rates["status"] == "zero_denominator").all()
    assert (rates["reason"] != "").all()


def test_arrow_and_pandas_hold_the_same(report):
    """Both tables have the columns of the contract; Arrow keeps dates and nulls."""
    found = report(["orders"], start=date(2005, 1, 1), end=date(2006, 1, 1))

    arrow, frame = found.to_arrow(), found.to_pandas()

    assert arrow.column_names == list(frame.columns) == list(REPORT_COLUMNS)
    assert arrow.schema.field("period_start").type == pa.date32()
    assert arrow["value"].null_count == frame["value"].isna().sum() == len(frame)


def test_users_are_active_by_their_own_actions(shop, report):
    """Active users are the unique ones; with user_events only those of the named kinds."""
    events = shop.to_pandas()["events"]
    inside = events[(events["ts"] >= "2023-07-01") & (events["ts"] < "2023-08-01")]
    own = inside[inside["event_type"].isin(["visit", "purchase"])]

    every = report(["events"], end=date(2023, 8, 1))
    chosen = report(
        ["events"],
        end=date(2023, 8, 1),
        definitions=Definitions(user_events=("visit", "purchase")),
    )

    daily = own.groupby(own["ts"].dt.date)["customer_id"].nunique()
    share = FORMULAS["power_user_share"](actions=own.groupby("customer_id").size().to_numpy())
    assert every.values("active_users") == [inside["customer_id"].nunique()]
    assert chosen.values("active_users") == [own["customer_id"].nunique()]
    assert chosen.values("stickiness") == [
        pytest.approx(daily.sum() / 31 / own["customer_id"].nunique())
    ]
    assert chosen.values("power_user_share") == [pytest.approx(share.value)]


def test_stickiness_of_a_longer_period_is_that_of_its_last_month(shop, report):
    """The 30 days before the end count, and the row says so."""
    events = shop.to_pandas()["events"]
    late = events[(events["ts"] >= "2024-06-01") & (events["ts"] < "2024-07-01")]
    daily = late.groupby(late["ts"].dt.date)["customer_id"].nunique()

    (row,) = [r.metric for r in report(["events"]).rows if r.metric.metric == "stickiness"]

    assert row.variant == "last_30_days"
    assert row.value == pytest.approx(daily.sum() / 30 / late["customer_id"].nunique())


def test_days_are_those_of_the_business_zone(make_orders, engine):
    """An order at 22:30 UTC in summer is one of the next day in Berlin."""
    orders = make_orders([("a", "1", "2024-06-30T22:30", 5.0)])
    months = {
        "engine": engine,
        "start": date(2024, 6, 1),
        "end": date(2024, 8, 1),
        "every": "month",
    }

    utc = retention_metrics({"orders": orders}, time_zone="UTC", **months)
    berlin = retention_metrics({"orders": orders}, time_zone="Europe/Berlin", **months)

    assert utc.values("purchase_frequency") == [1.0, None]
    assert berlin.values("purchase_frequency") == [None, 1.0]


def test_an_order_table_that_contradicts_itself_is_refused(load, engine):
    """An order that knows the one before, which does not know it, breaks the identity."""
    day = (date(2024, 1, 10) - EPOCH.date()).days
    us = [(day + offset) * 86_400_000_000 for offset in (0, 40)]
    table = pa.table(
        {
            "customer_id": ["a", "a"],
            "ts_us": us,
            "day": [day, day + 40],
            "amount": [1.0, 1.0],
            "is_order": [1, 1],
            "is_order_day": [1, 1],
            "previous_order_us": pa.array([None, us[0]], pa.int64()),
            "next_order_us": pa.array([None, None], pa.int64()),
        }
    )

    with pytest.raises(DataError, match=r"orders: .*customers at the (end|start)"):
        retention_metrics(
            {"orders": load(table)},
            engine=engine,
            time_zone="UTC",
            start=date(2024, 2, 1),
            end=date(2024, 3, 1),
        )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"every": "monthly"}, r"every must be a length of period; got 'monthly'. Did you mean 'month'"),
        ({"end": date(2023, 7, 1)}, r"end must be after start \(2023-07-01\); got 2023-07-01"),
        ({"by": "county"}, r"by must be a column of customers.*got 'county'. Did you mean 'country'"),
        ({"activity_window_days": 0}, r"activity_window_days must be >= 1; got 0"),
    ],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(report, options, sentence):
    """Messages name the argument, the value and the nearest known one."""
    with pytest.raises(ParameterError, match=sentence):
        report(["orders", "customers"], **options)


def test_an_unknown_table_is_refused():
    """A misspelt table is not ignored."""
    with pytest.raises(ParameterError, match=r"got 'survey'. Did you mean 'surveys'"):
        retention_metrics(
            {"survey": nw.from_native(pa.table({"a": [1]})).lazy()},
            engine=None,
            time_zone="UTC",
            start=START,
            end=START + timedelta(days=1),
        )


def test_an_unknown_variant_is_refused():
    """A misspelt variant is refused where the definitions are made."""
    with pytest.raises(ParameterError, match=r"churn must be a variant; got 'daily'"):
        Definitions(churn="daily")
