"""What single customers did beside ordering, counted again with pandas."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from churnkit.data.simulate import simulate_shop
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.happenings import MOST_DAYS, happenings_of, orders_of
from churnkit.pipeline.session import open_session

ZONE = "Europe/Berlin"


@pytest.fixture(scope="module")
def tables():
    """Give a small shop with all its tables."""
    return simulate_shop(customers=60, days=200, seed=3, start=dt.date(2024, 1, 1)).to_pandas()


@pytest.fixture(scope="module")
def seen(tables):
    """Give the customers looked at, their happenings and their orders, as of a day within."""
    data = {"time_zone": ZONE, "orders": {"source": "orders.parquet"}}
    config = as_config({"name": "shop", "engine": {"threads": 1}, "data": data})
    ids = sorted(tables["orders"]["customer_id"].astype(str).unique())[:25]
    also = ("events", "support_tickets", "surveys", "rewards", "subscriptions")
    given = {name: tables[name] for name in ("orders", *also)}
    with open_session(config, tables=given, as_of="2024-06-15", also=also) as session:
        return ids, happenings_of(session, ids), orders_of(session, ids)


def days_of(frame, ids, *, time, before="2024-06-15"):
    """Return the days on which each customer is in a table, the newest of them, before a day."""
    rows = frame[frame["customer_id"].astype(str).isin(ids) & (frame[time] < before)]
    days = rows[time].dt.strftime("%Y-%m-%d").groupby(rows["customer_id"].astype(str))
    return {name: tuple(sorted(set(group))[-MOST_DAYS:]) for name, group in days}


@pytest.mark.parametrize(
    ("words", "table", "time", "where"),
    [
        ("visit", "events", "ts", {"event_type": "visit"}),
        ("ticket", "support_tickets", "opened_at", {}),
        ("answer to NPS", "surveys", "ts", {"survey": "nps"}),
        ("reward redeemed", "rewards", "redeemed_at", {}),
        ("subscription ended", "subscriptions", "ended_at", {}),
    ],
)
def test_days_are_those_of_the_table(tables, seen, words, table, time, where):
    """Each kind has the business days of its rows before the day of the page, the newest sixty."""
    ids, found, _ = seen
    frame = tables[table]
    for column, value in where.items():
        frame = frame[frame[column] == value]

    ours = {name: dict(kinds)[words] for name, kinds in found.items() if words in dict(kinds)}

    expected = days_of(frame, ids, time=time)
    assert expected
    assert ours == expected


def test_orders_are_those_of_the_table(tables, seen):
    """Orders come with their day and what was paid for them, oldest first."""
    ids, _, found = seen
    orders = tables["orders"][tables["orders"]["ts"] < "2024-06-15"]
    paid = orders[orders["amount"] > 0].groupby(["customer_id", "order_id"], as_index=False)
    sums = paid.agg(day=("ts", "min"), amount=("amount", "sum"))
    sums["customer_id"] = sums["customer_id"].astype(str)

    for name in ids:
        theirs = sums[sums["customer_id"] == name].sort_values("day")
        days = [str(pd.Timestamp(day).date()) for day in theirs["day"]]
        assert [day for day, _ in found.get(name, [])] == days
        assert sum(amount for _, amount in found.get(name, [])) == pytest.approx(
            float(theirs["amount"].sum())
        )


def test_orders_of_one_time_come_in_one_order_whatever_the_rows():
    """Engines return rows in any order; of two orders of one instant the smaller comes first."""
    config = as_config({"name": "shop", "data": {"orders": {"source": "orders.parquet"}}})
    at = pd.Timestamp("2024-02-01 10:00")
    rows = {"customer_id": "a", "ts": at, "amount": [30.0, 10.0, 20.0], "order_id": ["x", "y", "z"]}
    frame = pd.DataFrame(rows)

    found = []
    for given in (frame, frame.iloc[::-1]):
        with open_session(config, tables={"orders": given}) as session:
            found.append(orders_of(session, ["a"])["a"])

    assert found == [[("2024-02-01", 10.0), ("2024-02-01", 20.0), ("2024-02-01", 30.0)]] * 2
