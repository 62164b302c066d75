"""Formula metrics of customers, on every engine, against plain Python, the formulas and pandas."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnkit import formulas
from churnkit.datasets import load_cdnow
from churnkit.errors import ParameterError
from churnkit.retention.customer import (
    CUSTOMER_METRIC_COLUMNS,
    MetricSection,
    customer_metric_columns,
    customer_metrics,
)
from churnkit.retention.segments import DEFAULT_RULES, SegmentRule, SegmentRules

AS_OF = "2024-07-01"
DAY_US = 86_400_000_000
WHEN_NO_ORDER = {
    "average_order_value",
    "first_order_us",
    "last_order_us",
    "days_since_last_order",
    "recency_days",
    "tenure_days",
    "purchase_frequency_per_year",
    "mean_days_between_orders",
    "formula_ltv",
}

LINES = [
    ("regular", "1", "2022-07-01", 60.0),
    ("regular", "2", "2023-07-01T12:00", 40.0),
    ("regular", "3", "2024-06-01", 20.0),
    ("once", "4", "2024-06-30", 25.0),
    ("returned", "5", "2024-05-01", 30.0),
    ("returned", "5", "2024-05-20", -30.0),
    ("returned", "6", "2024-02-01", 10.0),
    ("only_returns", "7", "2024-03-01", -15.0),
    ("future", "8", AS_OF, 99.0),
]


def rows_of(engine, frame):
    """Return the rows by customer."""
    return {row["customer_id"]: row for row in engine.collect(frame).to_pylist()}


def random_lines(seed, *, customers=40):
    """Return lines with several orders a day, returns on the day and later, and the future."""
    rng = random.Random(seed)
    lines, orders = [], itertools.count()
    for customer in range(customers):
        for _ in range(rng.choice([1, 1, 2, 3, 8])):
            order, day = str(next(orders)), rng.randrange(19_000, 20_000)
            ts = day * DAY_US + rng.randrange(DAY_US)
            lines.append(
                (f"c{customer}", order, ts, rng.choice([5.0, 10.0, 10.0, 32.5, 0.0, -4.0]))
            )
            if rng.random() < 0.3:
                later = ts + rng.choice([0, rng.randrange(200)]) * DAY_US
                lines.append((f"c{customer}", order, later, -rng.choice([5.0, 10.0])))
    return lines


def oracle_totals(lines, as_of_us):
    """Return revenue and times of standing orders by customer, one customer at a time."""
    revenue, days = defaultdict(float), defaultdict(lambda: defaultdict(list))
    for customer, order, ts, amount in lines:
        if ts < as_of_us:
            revenue[customer] += amount
            days[customer, order][ts // DAY_US].append((ts, amount))
    times = {customer: [] for customer in revenue}
    for (customer, _), by_day in days.items():
        placed, net, refunded = None, 0.0, False
        for day in sorted(by_day):
            amount = sum(a for _, a in by_day[day])
            if amount > 0 and placed is None:
                placed = min(ts for ts, _ in by_day[day])
            net += amount
            refunded |= placed is not None and net <= 0
        if placed is not None and not refunded:
            times[customer].append(placed)
    return {customer: (revenue[customer], sorted(at)) for customer, at in times.items()}


def oracle_scores(values):
    """Return the score of each value: how many fifths of all are worse; 5 for the best, 3 if alike."""
    best, worst = max(values), min(values)
    fifths = [1 + 5 * sum(other < value for other in values) // len(values) for value in values]
    return [
        3 if best == worst else 5 if value == best else score
        for value, score in zip(values, fifths, strict=True)
    ]


def test_a_small_history_by_hand(engine, make_orders, us):
    """Each metric has the value that its definition gives with pencil and paper."""
    orders = make_orders(LINES)

    rows = rows_of(engine, customer_metrics(orders, as_of_us=us(AS_OF)))

    assert set(rows) == {"regular", "once", "returned", "only_returns"}
    regular = rows["regular"]
    assert (regular["orders"], regular["net_revenue"]) == (3, 120.0)
    assert regular["average_order_value"] == pytest.approx(40.0)
    assert regular["first_order_us"] == us("2022-07-01")
    assert regular["last_order_us"] == us("2024-06-01")
    assert regular["days_since_last_order"] == pytest.approx(30.0)
    assert regular["recency_days"] == pytest.approx(701.0)
    assert regular["tenure_days"] == pytest.approx(731.0)
    assert regular["purchase_frequency_per_year"] == pytest.approx(3 * 365.25 / 731)
    assert regular["mean_days_between_orders"] == pytest.approx(350.5)
    assert regular["is_repeat_customer"] is True
    assert regular["historical_ltv"] == 120.0
    years = (701.0 + 0.0 + 0.0) / 3 / 365.25
    assert regular["formula_ltv"] == pytest.approx(40.0 * 3 * 365.25 / 731 * years)
    assert rows["once"]["mean_days_between_orders"] is None
    assert rows["once"]["purchase_frequency_per_year"] == pytest.approx(1.0)
    assert rows["once"]["is_repeat_customer"] is False


def test_a_refunded_order_is_none_from_its_refund_on(engine, make_orders, us):
    """An order counts up to the day before its refund in full, and not after it."""
    orders = make_orders(LINES)

    before = rows_of(engine, customer_metrics(orders, as_of_us=us("2024-05-20")))["returned"]
    after = rows_of(engine, customer_metrics(orders, as_of_us=us("2024-05-21")))["returned"]

    assert (before["orders"], before["net_revenue"]) == (2, 40.0)
    assert (after["orders"], after["net_revenue"]) == (1, 10.0)
    assert after["last_order_us"] == us("2024-02-01")


def test_a_customer_with_returns_only_is_kept(engine, make_orders, us):
    """Nobody is lost: without an order the counts are 0, what needs one is null, the scores are 1."""
    orders = make_orders(LINES)

    row = rows_of(engine, customer_metrics(orders, as_of_us=us(AS_OF)))["only_returns"]

    assert {name for name, value in row.items() if value is None} == WHEN_NO_ORDER
    assert (row["orders"], row["net_revenue"], row["historical_ltv"]) == (0, -15.0, -15.0)
    assert (row["r_score"], row["f_score"], row["m_score"]) == (1, 1, 1)
    assert (row["rfm_segment"], row["is_repeat_customer"]) == ("lost", False)


def test_the_columns_are_known_before_data(engine, make_orders, us):
    """The columns are the promised ones in their order, and whole numbers and flags have their types."""
    orders = make_orders(LINES)

    table = engine.collect(customer_metrics(orders, as_of_us=us(AS_OF)))

    assert tuple(table.column_names) == CUSTOMER_METRIC_COLUMNS
    whole = ("orders", "first_order_us", "last_order_us", "r_score", "f_score", "m_score")
    assert all(table.schema.field(name).type == pa.int64() for name in whole)
    assert table.schema.field("is_repeat_customer").type == pa.bool_()
    others = set(CUSTOMER_METRIC_COLUMNS) - {
        *whole,
        "customer_id",
        "is_repeat_customer",
        "rfm_segment",
    }
    assert all(table.schema.field(name).type == pa.float64() for name in others)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_one_customer_at_a_time(engine, make_orders, seed):
    """Random histories give what plain Python and the formulas of one customer give."""
    lines, as_of_us = random_lines(seed), 19_800 * DAY_US

    rows = rows_of(engine, customer_metrics(make_orders(lines), as_of_us=as_of_us))

    totals = oracle_totals(lines, as_of_us)
    assert set(rows) == set(totals)
    buyers = [customer for customer, (_, times) in totals.items() if times]
    count = np.array([len(totals[c][1]) for c in buyers])
    revenue = np.array([totals[c][0] for c in buyers])
    recency = np.array([totals[c][1][-1] - totals[c][1][0] for c in buyers]) / DAY_US
    tenure = np.array([as_of_us - totals[c][1][0] for c in buyers]) / DAY_US
    frequency = formulas.purchase_frequency_per_year(count, tenure_days=tenure)
    expected = {
        "orders": count,
        "net_revenue": revenue,
        "average_order_value": revenue / count,
        "first_order_us": [totals[c][1][0] for c in buyers],
        "last_order_us": [totals[c][1][-1] for c in buyers],
        "days_since_last_order": tenure - recency,
        "recency_days": recency,
        "tenure_days": tenure,
        "purchase_frequency_per_year": frequency,
        "mean_days_between_orders": formulas.mean_days_between_orders(count, recency_days=recency),
        "is_repeat_customer": count > 1,
        "historical_ltv": revenue,
        "formula_ltv": formulas.formula_ltv(
            revenue / count,
            purchases_per_year=frequency,
            expected_lifespan_years=recency.mean() / formulas.DAYS_PER_YEAR,
        ),
        "r_score": oracle_scores([totals[c][1][-1] for c in buyers]),
        "f_score": oracle_scores(list(count)),
        "m_score": oracle_scores(list(revenue)),
    }
    for name, values in expected.items():
        found = np.array([rows[c][name] for c in buyers], dtype=float)
        np.testing.assert_allclose(found, np.asarray(values, float), rtol=1e-12, err_msg=name)
    for customer in buyers:
        r, f, m = (rows[customer][f"{name}_score"] for name in "rfm")
        assert rows[customer]["rfm_segment"] == DEFAULT_RULES.segment(r=r, f=f, m=m)


def test_the_future_changes_nothing(engine, make_orders):
    """Lines at or after the date, refunds of earlier orders among them, change no value of any row."""
    lines, as_of_us = random_lines(7), 19_700 * DAY_US
    past = [line for line in lines if line[2] < as_of_us]
    future = [
        ("c0", "new", as_of_us, 1e6),
        ("unborn", "other", as_of_us + DAY_US, 5.0),
        *((customer, order, as_of_us + 5 * DAY_US, -1e3) for customer, order, _, _ in past),
    ]

    alone, with_future = (
        engine.collect(customer_metrics(make_orders(lines), as_of_us=as_of_us))
        .to_pandas()
        .sort_values("customer_id", ignore_index=True)
        for lines in (past, past + future)
    )

    pd.testing.assert_frame_equal(with_future, alone, rtol=1e-12)


def test_an_empty_history_gives_no_rows(engine, make_orders, us):
    """Before the first row there is no customer, and the columns are there all the same."""
    table = engine.collect(customer_metrics(make_orders(LINES), as_of_us=us("2000-01-01")))

    assert table.num_rows == 0
    assert tuple(table.column_names) == CUSTOMER_METRIC_COLUMNS


def test_a_single_customer_has_the_middle_scores(engine, make_orders, us):
    """One customer is neither better nor worse than others."""
    orders = make_orders([("a", "1", "2024-01-01", 10.0)])

    row = rows_of(engine, customer_metrics(orders, as_of_us=us(AS_OF)))["a"]

    assert [row[name] for name in ("r_score", "f_score", "m_score")] == [3, 3, 3]
    assert row["rfm_segment"] == "needs_attention"


def test_lifespan_from_churn_and_margin(engine, make_orders, us):
    """With the churn variant the lifespan is its inverse; both lifetime values carry the margin."""
    orders = make_orders(LINES)

    frame = customer_metrics(
        orders,
        as_of_us=us(AS_OF),
        lifespan="churn",
        yearly_churn_probability=0.25,
        gross_margin=0.4,
    )

    row = rows_of(engine, frame)["regular"]
    assert row["formula_ltv"] == pytest.approx(40.0 * 3 * 365.25 / 731 * 4.0 * 0.4)
    assert row["historical_ltv"] == pytest.approx(48.0)
    assert row["net_revenue"] == 120.0


def test_without_churn_the_formula_value_has_no_end(engine, make_orders, us):
    """A yearly churn of zero gives a null lifetime value for everybody, not infinity."""
    orders = make_orders(LINES)

    frame = customer_metrics(
        orders, as_of_us=us(AS_OF), lifespan="churn", yearly_churn_probability=0.0
    )

    assert engine.collect(frame)["formula_ltv"].null_count == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"lifespan": "observd"},
            r"lifespan must be a known name; got 'observd'. Did you mean 'obs",
        ),
        ({"lifespan": "churn"}, r"yearly_churn_probability must be given with variant='churn'"),
        (
            {"lifespan": "churn", "yearly_churn_probability": 25.0},
            r"yearly_churn_probability must be a fraction in \[0, 1\]; got 25.0",
        ),
        ({"gross_margin": 40.0}, r"gross_margin must be a fraction <= 1; got 40.0"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    """An argument out of its range is named before any data is read."""
    orders = nw.from_native(pa.table({"ts_us": [0]})).lazy()

    with pytest.raises(ParameterError, match=message):
        customer_metrics(orders, as_of_us=0, **arguments)


def test_segments_follow_the_users_rules(engine, make_orders, us):
    """A table of rules of one's own replaces the default one."""
    rules = SegmentRules(
        rules=(SegmentRule(segment="warm", r=(2, 5)), SegmentRule(segment="cold", r=(1, 1)))
    )

    frame = customer_metrics(make_orders(LINES), as_of_us=us(AS_OF), segments=rules)

    found = {customer: row["rfm_segment"] for customer, row in rows_of(engine, frame).items()}
    assert found == {"once": "warm", "regular": "warm", "returned": "cold", "only_returns": "cold"}


def test_a_section_adds_its_columns(engine, load, make_orders, us):
    """Another table's columns are joined, and derived ones see them beside the orders."""
    contacts = nw.col("support_contacts").fill_null(0)
    section = MetricSection(
        names=("support_contacts", "contact_rate"),
        rows=load(pa.table({"customer_id": ["regular", "nobody"], "support_contacts": [6, 1]})),
        derived={
            "support_contacts": contacts,
            "contact_rate": nw.when(nw.col("orders") > 0).then(contacts / nw.col("orders")),
        },
    )

    frame = customer_metrics(make_orders(LINES), as_of_us=us(AS_OF), sections=(section,))

    rows = rows_of(engine, frame)
    assert tuple(rows["once"]) == customer_metric_columns((section,))
    found = {c: (row["support_contacts"], row["contact_rate"]) for c, row in rows.items()}
    assert found == {
        "regular": (6, 2.0),
        "once": (0, 0.0),
        "returned": (0, 0.0),
        "only_returns": (0, None),
    }


def test_two_sections_cannot_add_one_column():
    """A column that is there already is refused by name."""
    section = MetricSection(names=("orders",), rows=nw.from_native(pa.table({"a": [1]})).lazy())

    with pytest.raises(ParameterError, match=r"sections must add each column once; got 'orders'"):
        customer_metric_columns((section,))


def test_cdnow_sample_as_pandas_computes_it(engine, make_orders):
    """On the published sample every number is what pandas recomputes from the raw rows."""
    raw = load_cdnow(sample=True)
    as_of = pd.Timestamp("1998-01-01")
    lines = [
        (str(c), str(i), int(ts.value // 1000), float(a))
        for i, (c, ts, a) in enumerate(
            zip(raw["customer_id"], raw["timestamp"], raw["amount"], strict=True)
        )
    ]

    frame = customer_metrics(make_orders(lines), as_of_us=as_of.value // 1000)

    found = engine.collect(frame).to_pandas().set_index("customer_id").sort_index()
    known = raw[raw["timestamp"] < as_of].assign(customer_id=raw["customer_id"].astype(str))
    paid = known[known["amount"] > 0].groupby("customer_id")["timestamp"]
    expected = pd.DataFrame(
        {
            "net_revenue": known.groupby("customer_id")["amount"].sum(),
            "orders": paid.count(),
            "first": paid.min(),
            "last": paid.max(),
        }
    ).sort_index()
    assert len(found) == 2357
    assert found.index.tolist() == expected.index.tolist()
    assert found["orders"].tolist() == expected["orders"].fillna(0).tolist()
    np.testing.assert_allclose(found["net_revenue"], expected["net_revenue"], rtol=1e-12)
    since = (as_of - expected["last"]) / pd.Timedelta(days=1)
    np.testing.assert_allclose(found["days_since_last_order"], since)
    buyers = expected.dropna()
    years = (buyers["last"] - buyers["first"]).mean() / pd.Timedelta(days=365.25)
    exposure = ((as_of - buyers["first"]) / pd.Timedelta(days=1)).clip(lower=365.25)
    ltv = buyers["net_revenue"] * 365.25 / exposure * years
    np.testing.assert_allclose(found.loc[buyers.index, "formula_ltv"], ltv, rtol=1e-9)
    values = {"r": buyers["last"], "f": buyers["orders"], "m": buyers["net_revenue"].round(6)}
    for name, each in values.items():
        scores = (1 + 5 * (each.rank(method="min") - 1) // len(each)).where(each < each.max(), 5)
        assert found.loc[buyers.index, f"{name}_score"].tolist() == scores.tolist()
    # The cohort was acquired by March: nobody is new at the end of the year.
    assert set(found["rfm_segment"]) == {*DEFAULT_RULES.segments} - {"new"}
