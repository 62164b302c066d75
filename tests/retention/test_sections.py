"""Metrics that other tables add to a customer, against plain Python over the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from churnkit.data.simulate import simulate_shop
from churnkit.retention.customer import customer_metric_columns, customer_metrics
from churnkit.retention.definitions import Definitions
from churnkit.retention.sections import SECTION_COLUMNS, customer_sections, section_metrics

AS_OF = date(2023, 9, 1)
ZONE = "Europe/Berlin"
TABLES = ("surveys", "support_tickets", "rewards", "events", "subscriptions")


@pytest.fixture(scope="module")
def shop():
    """Give a shop of ten months with every table."""
    return simulate_shop(customers=150, days=300, seed=11)


@pytest.fixture
def metrics(shop, in_engine, engine, us):
    """Give a function that returns the metrics of each customer of some tables."""

    def of(tables, *, as_of=AS_OF, zone="UTC", **chosen):
        frames = in_engine(tables)
        sections = customer_sections(
            {name: frame for name, frame in frames.items() if name != "orders"},
            as_of=as_of,
            time_zone=zone,
            definitions=Definitions(**chosen),
        )
        if "orders" in frames:
            found = customer_metrics(frames["orders"], as_of_us=us(str(as_of)), sections=sections)
        else:
            ids = {
                c for t in tables.values() for c in t["customer_id"].cast(pa.string()).to_pylist()
            }
            everyone = pa.table({"customer_id": pa.array(sorted(ids), pa.string())})
            loaded = in_engine({"customers": everyone})["customers"]
            found = section_metrics(loaded, sections=sections)
        return {row["customer_id"]: row for row in engine.collect(found).to_pylist()}

    return of


def table(*rows, times=()):
    """Return rows of dicts as an Arrow table, columns named in ``times`` as UTC timestamps."""
    frame = pd.DataFrame(list(rows))
    for name in times:
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    return pa.Table.from_pandas(frame, preserve_index=False)


def commonest(values):
    """Return the most frequent value, the least of several; None without any."""
    counts = Counter(values)
    return min((v for v in counts if counts[v] == max(counts.values())), default=None)


def by_customer(frame):
    """Return the rows of a pandas frame by customer id as text."""
    found = defaultdict(list)
    for row in frame.to_dict("records"):
        found[str(row["customer_id"])].append(row)
    return found


def test_every_column_is_that_of_plain_python(shop, metrics):
    """For everybody in a simulated shop, each metric is what a loop over their rows gives."""
    frames = shop.to_pandas()
    at = pd.Timestamp(AS_OF)
    known = {
        "surveys": frames["surveys"][frames["surveys"]["ts"] < at],
        "support_tickets": frames["support_tickets"][frames["support_tickets"]["opened_at"] < at],
        "rewards": frames["rewards"][frames["rewards"]["issued_at"] < at],
        "events": frames["events"][frames["events"]["ts"] < at],
    }
    rows = {name: by_customer(frame) for name, frame in known.items()}
    running = frames["subscriptions"]
    running = running[(running["started_at"] < at) & ~(running["ended_at"] < at)]
    mrr = running.groupby(running["customer_id"].astype(str))["mrr"].sum()

    found = metrics({name: shop.tables[name] for name in ("orders", *TABLES)})

    assert len(found) > 80
    for customer, row in found.items():
        answers = rows["surveys"][customer]
        scores = {
            kind: [a["score"] for a in answers if a["survey"] == kind]
            for kind in ("csat", "nps", "ces")
        }
        mean = lambda values: sum(values) / len(values) if values else None  # noqa: E731
        assert row["csat"] == pytest.approx(mean([100.0 * (s >= 4) for s in scores["csat"]]))
        assert row["ces"] == pytest.approx(mean([100.0 * s / 7 for s in scores["ces"]]))
        grade = None
        if scores["nps"]:
            last = scores["nps"][-1]
            grade = "promoter" if last >= 9 else "detractor" if last <= 6 else "passive"
        assert row["nps_class"] == grade
        contacts = len(rows["support_tickets"][customer])
        assert row["support_contacts"] == contacts
        rate = contacts / row["orders"] if row["orders"] else None
        assert row["contact_rate"] == pytest.approx(rate)
        rewards = rows["rewards"][customer]
        used = sum(r["redeemed_at"] < at for r in rewards)
        assert row["rewards_redeemed"] == used
        assert row["redemption_rate"] == pytest.approx(
            mean([100.0 * used / len(rewards)] if rewards else [])
        )
        events = rows["events"][customer]
        recent = [e for e in events if e["ts"] >= at - timedelta(days=30)]
        sessions = {e["session_id"] for e in recent if not pd.isna(e["session_id"])}
        assert row["sessions_30d"] == len(sessions)
        assert row["preferred_channel"] == commonest(
            e["channel"] for e in events if isinstance(e["channel"], str)
        )
        weekday = commonest(e["ts"].weekday() for e in events)
        names = list(pd.date_range("2024-01-01", periods=7).day_name())
        assert row["best_send_day"] == (None if weekday is None else names[weekday])
        assert row["best_send_hour"] == commonest(e["ts"].hour for e in events)
        assert row["mrr"] == pytest.approx(mrr.get(customer, 0.0))


def test_columns_are_those_announced_and_in_order(shop, in_engine):
    """All tables give all columns in order; a table or column that is not there gives none."""
    frames = in_engine({name: shop.tables[name] for name in TABLES})
    plain = frames["events"].drop("session_id", "channel")
    rewards = frames["rewards"].drop("redeemed_at_us")

    every = customer_sections(frames, as_of=AS_OF, time_zone="UTC")
    fewer = customer_sections({"events": plain, "rewards": rewards}, as_of=AS_OF, time_zone="UTC")

    assert tuple(name for section in every for name in section.names) == tuple(SECTION_COLUMNS)
    assert [name for section in fewer for name in section.names] == [
        "best_send_day",
        "best_send_hour",
        "cart_abandonment_rate",
    ]
    assert set(customer_metric_columns(every)) >= set(SECTION_COLUMNS)


def test_what_happens_later_changes_nothing(shop, metrics):
    """With the future cut from every table, later times included, the metrics are the same."""
    at = pd.Timestamp(AS_OF)
    first = {"support_tickets": "opened_at", "rewards": "issued_at", "subscriptions": "started_at"}
    cut = {}
    for name in ("orders", *TABLES):
        frame = shop.to_pandas()[name]
        frame = frame[frame[first.get(name, "ts")] < at].copy()
        for later in {"resolved_at", "first_response_at", "redeemed_at", "ended_at"} & set(frame):
            frame.loc[frame[later] >= at, later] = pd.NaT
        cut[name] = pa.Table.from_pandas(frame, preserve_index=False).cast(shop.tables[name].schema)

    whole = metrics({name: shop.tables[name] for name in cut})
    known = metrics(cut)

    assert whole.keys() == known.keys()
    for customer, row in whole.items():
        assert {n: row[n] for n in SECTION_COLUMNS} == pytest.approx(
            {n: known[customer][n] for n in SECTION_COLUMNS}
        )


def test_a_customer_by_hand(metrics):
    """Shares, ties and the last answer are what pencil and paper give."""
    surveys = table(
        {"customer_id": "a", "ts": "2023-01-01", "survey": "csat", "score": 5},
        {"customer_id": "a", "ts": "2023-02-01", "survey": "csat", "score": 3},
        {"customer_id": "a", "ts": "2023-01-01", "survey": "nps", "score": 10},
        {"customer_id": "a", "ts": "2023-03-01", "survey": "nps", "score": 7},
        {"customer_id": "a", "ts": "2023-03-01", "survey": "nps", "score": 6},
        {"customer_id": "a", "ts": "2023-09-01", "survey": "nps", "score": 10},
        {"customer_id": "a", "ts": "2023-01-01", "survey": "ces", "score": 6},
        {"customer_id": "a", "ts": "2023-01-02", "survey": "ces", "score": 7},
        {"customer_id": "a", "ts": "2023-01-03", "survey": "ces", "score": 1},
        times=("ts",),
    )
    rewards = table(
        {"customer_id": "a", "issued_at": "2023-08-01", "redeemed_at": "2023-08-02"},
        {"customer_id": "a", "issued_at": "2023-08-01", "redeemed_at": "2023-09-01"},
        {"customer_id": "b", "issued_at": "2023-09-01", "redeemed_at": "2023-09-02"},
        times=("issued_at", "redeemed_at"),
    )

    found = metrics(
        {"surveys": surveys, "rewards": rewards}, ces="top_two_box", csat_positive_from=5
    )

    a, b = found["a"], found["b"]
    assert (a["csat"], a["nps_class"]) == (50.0, "detractor")
    assert a["ces"] == pytest.approx(200 / 3)
    assert (a["rewards_redeemed"], a["redemption_rate"]) == (1, 50.0)
    assert (b["rewards_redeemed"], b["redemption_rate"], b["csat"]) == (0, None, None)


def test_effort_may_be_a_mean_of_the_scale(metrics):
    """The variant ``mean`` gives points of the scale."""
    surveys = table(
        {"customer_id": "a", "ts": "2023-01-01", "survey": "ces", "score": 6},
        {"customer_id": "a", "ts": "2023-01-02", "survey": "ces", "score": 7},
        times=("ts",),
    )

    assert metrics({"surveys": surveys}, ces="mean")["a"]["ces"] == 6.5


def test_carts_are_abandoned_once_their_window_has_passed(metrics):
    """A cart without a purchase in time counts; one that can still be bought does not yet."""
    at = "2023-08-{} 10:00".format
    events = table(
        {"customer_id": "a", "ts": at("01"), "event_type": "cart_add", "session_id": "1"},
        {"customer_id": "a", "ts": at("02"), "event_type": "purchase", "session_id": "1"},
        {"customer_id": "a", "ts": at("10"), "event_type": "cart_add", "session_id": "2"},
        {"customer_id": "a", "ts": at("10"), "event_type": "cart_add", "session_id": "2"},
        {"customer_id": "a", "ts": at("31"), "event_type": "cart_add", "session_id": "3"},
        {"customer_id": "b", "ts": at("31"), "event_type": "visit", "session_id": "4"},
        times=("ts",),
    )

    strict = metrics({"events": events})
    lenient = metrics({"events": events}, cart_window_hours=25.0)

    assert strict["a"]["cart_abandonment_rate"] == 100.0
    assert lenient["a"]["cart_abandonment_rate"] == 50.0
    assert strict["b"]["cart_abandonment_rate"] is None


def test_days_and_hours_are_those_of_the_business_zone(metrics):
    """An evening in UTC is the next day in Berlin; ties go to the earliest."""
    events = table(
        {"customer_id": "a", "ts": "2023-07-02 22:30", "event_type": "open"},
        {"customer_id": "b", "ts": "2023-01-01 22:30", "event_type": "open"},
        {"customer_id": "b", "ts": "2023-01-03 06:30", "event_type": "open"},
        {"customer_id": "b", "ts": "2023-01-04 05:30", "event_type": "sent"},
        {"customer_id": "b", "ts": "2023-01-04 05:30", "event_type": "sent"},
        times=("ts",),
    )

    found = metrics({"events": events}, zone=ZONE, user_events=("open",))

    assert (found["a"]["best_send_day"], found["a"]["best_send_hour"]) == ("Monday", 0)
    assert (found["b"]["best_send_day"], found["b"]["best_send_hour"]) == ("Tuesday", 7)
    assert metrics({"events": events}, zone=ZONE)["b"]["best_send_day"] == "Wednesday"


def test_revenue_is_that_of_subscriptions_that_run_before_the_date(metrics):
    """Who ends or starts at the first instant of the date ends or starts after it."""
    subscriptions = table(
        {"customer_id": "a", "started_at": "2023-01-01", "ended_at": "2023-09-01", "mrr": 10.0},
        {"customer_id": "a", "started_at": "2023-01-01", "ended_at": None, "mrr": 5.0},
        {"customer_id": "b", "started_at": "2023-09-01", "ended_at": None, "mrr": 7.0},
        {"customer_id": "c", "started_at": "2023-01-01", "ended_at": "2023-08-31", "mrr": 9.0},
        times=("started_at", "ended_at"),
    )

    found = metrics({"subscriptions": subscriptions})

    assert {customer: row["mrr"] for customer, row in found.items()} == {"a": 15.0, "b": 0, "c": 0}
