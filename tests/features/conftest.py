"""Histories for the tests of features, and a plain-Python reading of the same lines."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from churnkit.data.orders import order_table
from churnkit.data.products import product_lines
from churnkit.data.windows import Snapshot
from churnkit.features.build import History, build_features

ZONE = "Europe/London"
CUTOFF = date(2024, 7, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LINE_TYPES = {
    "customer_id": pa.string(),
    "ts_us": pa.int64(),
    "amount": pa.float64(),
    "order_id": pa.string(),
    "product_id": pa.string(),
    "quantity": pa.float64(),
    "discount": pa.float64(),
}
TEXT, NUMBER, TIME = pa.string(), pa.float64(), pa.int64()
BESIDE_TYPES = {
    "events": {
        "customer_id": TEXT,
        "ts_us": TIME,
        "event_type": TEXT,
        "channel": TEXT,
        "campaign_id": TEXT,
        "session_id": TEXT,
        "product_id": TEXT,
        "value": NUMBER,
    },
    "support_tickets": {
        "customer_id": TEXT,
        "opened_at_us": TIME,
        "first_response_at_us": TIME,
        "resolved_at_us": TIME,
        "channel": TEXT,
        "priority": TEXT,
    },
    "surveys": {"customer_id": TEXT, "ts_us": TIME, "survey": TEXT, "score": NUMBER},
    "rewards": {"customer_id": TEXT, "issued_at_us": TIME, "redeemed_at_us": TIME, "value": NUMBER},
    "subscriptions": {
        "customer_id": TEXT,
        "started_at_us": TIME,
        "ended_at_us": TIME,
        "mrr": NUMBER,
        "subscription_id": TEXT,
        "plan": TEXT,
        "seats": NUMBER,
        "billing_months": NUMBER,
        "payment_failed_at_us": TIME,
    },
    "customers": {"customer_id": TEXT, "country": TEXT, "plan_size": TEXT},
}
EVENT_TYPES = ("visit", "product_view", "cart_add", "checkout", "favourite", "purchase", "odd")
EVENT_TYPES += tuple(f"{c}_{s}" for c in ("email", "sms") for s in ("sent", "opened", "clicked"))


def at(days_before_cutoff, *, hour=12.0):
    """Return the instant of an hour of the business day that many days before the cutoff."""
    day = CUTOFF - timedelta(days=days_before_cutoff)
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE))
    instant = local + timedelta(seconds=round(hour * 3600))
    return (instant.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def business_date(ts_us):
    """Return the day in the business zone."""
    return (EPOCH + timedelta(microseconds=ts_us)).astimezone(ZoneInfo(ZONE)).date()


def line(customer, days, amount=10.0, **columns):
    """Return one line, by default an order of its own at noon."""
    hour = columns.pop("hour", 12.0)
    ts_us = at(days, hour=hour)
    given = {
        "order_id": f"{customer}@{ts_us}",
        "product_id": None,
        "quantity": 1.0,
        "discount": 0.0,
    }
    return {"customer_id": customer, "ts_us": ts_us, "amount": amount} | given | columns


def random_lines(seed, *, customers=40, orders=160):
    """Return lines of orders with returns, free lines, shared days and days after the cutoff."""
    rng = random.Random(seed)
    lines = []
    for number in range(orders):
        customer = f"c{rng.randrange(customers):02d}"
        placed, hour = rng.randrange(-120, 900), rng.choice([0.0, 9.5, 9.5, 23.99])
        for _ in range(rng.choice([1, 1, 2, 4])):
            amount = rng.choice([0.0, *(rng.randrange(1, 400) / 4 for _ in range(6))])
            days = placed - rng.choice([0, 0, 0, 3])
            bought = {
                "order_id": f"o{number}",
                "product_id": rng.choice([None, "p1", "p2", "p3", "p4"]),
                "quantity": float(rng.randrange(1, 9)),
                "discount": rng.choice([0.0, 0.25, 2.5]),
            }
            lines.append(line(customer, days, amount, hour=hour, **bought))
            if rng.random() < 0.2:
                part = rng.choice([1.0, 1.0, 0.5])
                later = days - rng.choice([0, 1, 40, 200])
                back = bought | {"quantity": -1.0, "discount": 0.0}
                lines.append(line(customer, later, -amount * part, hour=hour, **back))
    lines += [line("only-returns", 10, -5.0), line("only-free", 10, 0.0)]
    return lines


def random_events(rng, *, rows):
    """Return events of many kinds, some in sessions, some after the cutoff."""
    return [
        {
            "ts_us": at(rng.randrange(-60, 260), hour=rng.choice([0.0, 7.25, 12.5, 12.75, 23.99])),
            "event_type": rng.choice(EVENT_TYPES),
            "session_id": rng.choice([None, "s1", "s2", "s3", "s4"]),
            "product_id": rng.choice([None, "p1", "p2", "p3"]),
        }
        for _ in range(rows)
    ]


def random_tickets(rng, *, rows):
    """Return tickets answered and resolved at once, later, after the cutoff or never."""
    tickets = []
    for _ in range(rows):
        opened = rng.randrange(-40, 800)
        answered = rng.choice([None, opened - rng.choice([0, 1, 30, 200])])
        solved = answered and rng.choice([None, answered - rng.choice([0, 2, 90])])
        tickets.append(
            {
                "opened_at_us": at(opened, hour=1.0),
                "first_response_at_us": answered and at(answered, hour=2.0),
                "resolved_at_us": solved and at(solved, hour=rng.choice([3.0, 9.5])),
                "channel": rng.choice(["email", "phone"]),
                "priority": rng.choice([None, "low", "high", "urgent"]),
            }
        )
    return tickets


def random_surveys(rng, *, rows):
    """Return answers on the three scales."""
    tops = {"csat": (1, 5), "nps": (0, 10), "ces": (1, 7)}
    surveys = []
    for _ in range(rows):
        kind = rng.choice(list(tops))
        score = float(rng.randint(*tops[kind]))
        ts_us = at(rng.randrange(-60, 800), hour=rng.choice([8.0, 8.5, 17.0]) + rng.random())
        surveys.append({"ts_us": ts_us, "survey": kind, "score": score})
    return surveys


def random_rewards(rng, *, rows):
    """Return rewards redeemed at once, later, after the cutoff or never."""
    rewards = []
    for _ in range(rows):
        issued = rng.randrange(-60, 800)
        used = rng.choice([None, issued - rng.choice([0, 5, 60, 400])])
        rewards.append(
            {
                "issued_at_us": at(issued, hour=6.0),
                "redeemed_at_us": None if used is None else at(used, hour=7.0),
                "value": rng.choice([None, 2.5, 10.0]),
            }
        )
    return rewards


def random_subscriptions(rng, *, rows):
    """Return periods of two subscriptions: plans change at once or after a pause."""
    periods = []
    for name in ("a", "b")[: 1 + rows % 2]:
        days = rng.randrange(0, 1400)
        for _ in range(rows):
            last = rng.random() < 0.3
            end = days - rng.choice([20, 100, 300])
            periods.append(
                {
                    "started_at_us": at(days),
                    "ended_at_us": None if last else at(end),
                    "mrr": rng.choice([0.0, 10.0, 20.0, 50.0]),
                    "subscription_id": name,
                    "plan": rng.choice([None, "basic", "pro"]),
                    "seats": rng.choice([None, 1.0, 5.0]),
                    "billing_months": rng.choice([None, 1.0, 12.0]),
                    "payment_failed_at_us": rng.choice([None, at(days - 15, hour=5.0)]),
                }
            )
            days = end - rng.choice([0, 0, 40])
            if last:
                break
    return periods


def random_beside(seed, *, customers=40):
    """Return every table beside the orders; some customers have no row in some of them."""
    rng = random.Random(seed)
    makers = {
        "events": (random_events, 60),
        "support_tickets": (random_tickets, 4),
        "surveys": (random_surveys, 5),
        "rewards": (random_rewards, 5),
        "subscriptions": (random_subscriptions, 4),
    }
    tables = {name: [] for name in BESIDE_TYPES}
    for number in range(customers + 3):
        customer = {"customer_id": f"c{number:02d}"}
        for name, (make, most) in makers.items():
            tables[name] += [customer | row for row in make(rng, rows=rng.randrange(most + 1))]
        if rng.random() < 0.8:
            given = {"country": rng.choice([None, "GB", "DE"]), "plan_size": rng.choice("sml")}
            tables["customers"].append(customer | given)
    return tables


def with_the_future(tables, *, cutoff_us):
    """Return tables whose every later field that is not known at the cutoff has another value."""
    later = {"first_response_at_us", "resolved_at_us", "redeemed_at_us", "ended_at_us"}
    later |= {"payment_failed_at_us"}
    changed = {}
    for name, rows in tables.items():
        past = [row | _moved(row, later, cutoff_us=cutoff_us) for row in rows]
        future = [row | _arriving(row, cutoff_us=cutoff_us) for row in rows]
        changed[name] = rows if name == "customers" else past + future
    return changed


def _moved(row, later, *, cutoff_us):
    """Return the fields of a row that come at or after the cutoff, nulls filled and times moved."""
    hidden = [c for c in later & row.keys() if row[c] is None or row[c] >= cutoff_us]
    return {c: cutoff_us + 7 if row[c] is None else None for c in hidden}


def _arriving(row, *, cutoff_us):
    """Return the same row at or after the cutoff, of its customer or of a new one."""
    times = {c: cutoff_us + i for i, c in enumerate(c for c in row if c.endswith("_us"))}
    return times | ({"customer_id": "later"} if len(str(row)) % 3 == 0 else {})


def known_table(rows, *, first, snapshot, later=()):
    """Return per customer the rows known at the cutoff, later fields at or after it as None."""
    kept = {}
    for row in sorted(rows, key=lambda r: r[first]):
        day = business_date(row[first])
        if snapshot.observation_start <= day < snapshot.cutoff:
            hidden = {
                c: None
                for c in later
                if row[c] is not None and business_date(row[c]) >= snapshot.cutoff
            }
            kept.setdefault(row["customer_id"], []).append(SimpleNamespace(**(row | hidden)))
    return kept


def customer_rows(lines, *, snapshot):
    """Return per customer the order rows of the observation interval, as known at the cutoff.

    The definition without a query engine: lines of one order and day are a row; the first positive
    day of an order places it; an order whose net falls to zero by the cutoff no longer stands.
    """
    known = [x for x in lines if business_date(x["ts_us"]) < snapshot.cutoff]
    by_row = sorted(
        known, key=lambda x: (x["customer_id"], x["order_id"], business_date(x["ts_us"]))
    )
    result = {}
    for (customer, _), group in groupby(by_row, key=lambda x: (x["customer_id"], x["order_id"])):
        order = []
        for day, same in groupby(list(group), key=lambda x: business_date(x["ts_us"])):
            members = list(same)
            amounts = [x["amount"] for x in members]
            row = SimpleNamespace(
                day=day,
                ts_us=min(x["ts_us"] for x in members),
                amount=sum(amounts),
                gross=sum(a for a in amounts if a > 0),
                refund=-sum(a for a in amounts if a < 0),
                quantity=sum(x["quantity"] or 0.0 for x in members),
                discount=sum(x["discount"] or 0.0 for x in members),
                lines=len(members),
                order_id=members[0]["order_id"],
            )
            row.placed = row.amount > 0 and not any(r.placed for r in order)
            order.append(row)
        net, emptied = 0.0, False
        for row in order:
            net += row.amount
            emptied |= net <= 0 and any(r.placed for r in order if r.day <= row.day)
        for row in order:
            row.is_order = row.placed and not emptied
        result.setdefault(customer, []).extend(order)
    return {c: _in_interval(rows, snapshot=snapshot) for c, rows in result.items()}


def _in_interval(rows, *, snapshot):
    """Keep the rows of the observation interval and mark each day's first placed order."""
    seen = [r for r in rows if r.day >= snapshot.observation_start]
    seen.sort(key=lambda r: (r.ts_us, r.order_id))
    days = set()
    for row in seen:
        row.is_order_day = row.placed and row.day not in days
        if row.placed:
            days.add(row.day)
    return seen


def differences(actual, expected, *, rel=1e-6):
    """Return what differs by name: null equals only null, and a NaN equals nothing."""
    return {
        name: (actual[name], value)
        for name, value in expected.items()
        if not (
            actual[name] == value
            or (None not in (actual[name], value) and actual[name] == pytest.approx(value, rel=rel))
        )
    }


@pytest.fixture
def plain():
    """Give the makers of lines and the plain-Python reading of them."""
    return SimpleNamespace(
        at=at,
        business_date=business_date,
        line=line,
        random_lines=random_lines,
        random_beside=random_beside,
        with_the_future=with_the_future,
        known_table=known_table,
        customer_rows=customer_rows,
        differences=differences,
    )


@pytest.fixture
def snapshot():
    """Give a snapshot in the middle of the random histories, with days in a zone that shifts."""
    return Snapshot(cutoff=CUTOFF, observation_days=730, horizon_days=60, time_zone=ZONE)


@pytest.fixture
def history_of(engine, load):
    """Give a function that turns lines into a checked history on the engine under test."""

    def make(lines, *, columns=frozenset(LINE_TYPES), beside=None, without=(), stays=None):
        kept = [name for name in LINE_TYPES if name in {"customer_id", "ts_us", *columns}]
        table = pa.table(
            {name: pa.array([x[name] for x in lines], LINE_TYPES[name]) for name in kept}
        )
        loaded = load(table)
        mapped = frozenset(kept)
        tables = {
            "orders": order_table(loaded, columns=mapped, engine=engine, time_zone=ZONE),
            **(
                {"lines": product_lines(loaded, columns=mapped, engine=engine)}
                if "product_id" in mapped
                else {}
            ),
        }
        for name, rows in (beside or {}).items():
            types = {c: t for c, t in BESIDE_TYPES[name].items() if c not in without}
            given = {c: pa.array([r.get(c) for r in rows], t) for c, t in types.items()}
            tables[name] = load(pa.table(given))
        return History(tables=tables, engine=engine, stays=stays)

    return make


@pytest.fixture
def features_of(history_of, snapshot):
    """Give a function that returns the features of lines as a dictionary per customer."""

    def make(lines, *builders, at_snapshot=snapshot, **options):
        history = history_of(lines, **options)
        table = build_features(history, at_snapshot, builders=builders).to_arrow()
        rows = {row.pop("customer_id"): row for row in table.to_pylist()}
        assert len(rows) == table.num_rows
        return rows

    return make
