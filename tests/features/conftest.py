"""Histories of orders for the tests of features, and a plain-Python reading of the same lines."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from churnkit.data.orders import order_table
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

    def make(lines, *, columns=frozenset(LINE_TYPES)):
        kept = [name for name in LINE_TYPES if name in {"customer_id", "ts_us", *columns}]
        table = pa.table(
            {name: pa.array([x[name] for x in lines], LINE_TYPES[name]) for name in kept}
        )
        loaded = load(table)
        mapped = frozenset(kept)
        tables = {
            "orders": order_table(loaded, columns=mapped, engine=engine, time_zone=ZONE),
            **({"lines": loaded} if "product_id" in mapped else {}),
        }
        return History(tables=tables, engine=engine)

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
