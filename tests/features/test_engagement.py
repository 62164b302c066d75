"""Engagement, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from churnkit.errors import ParameterError
from churnkit.features.build import build_features
from churnkit.features.engagement import Engagement
from churnkit.features.event_types import uncounted_event_types

BUILDER = Engagement(windows_days=(30, 90), half_lives_days=(30,))
TYPES, CHANNELS, WINDOWS = BUILDER.event_types, BUILDER.channels, BUILDER.windows_days
US_PER_DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def share(part, whole):
    """Return a quotient, at most 1; None without a denominator."""
    return min(part / whole, 1.0) if whole else None


class _Oracle:
    """Features of one customer at a time, by their definitions."""

    def __init__(self, events, *, snapshot, business_date):
        self.snapshot, self.business_date = snapshot, business_date
        self.events = events
        self.everybody = [e for rows in events.values() for e in rows]

    def age(self, e):
        return (self.snapshot.cutoff_us - e.ts_us) / US_PER_DAY

    def days_ago(self, e):
        return (self.snapshot.cutoff - self.business_date(e.ts_us)).days

    def local(self, e):
        moment = EPOCH + timedelta(microseconds=e.ts_us)
        return moment.astimezone(ZoneInfo(self.snapshot.time_zone))

    def count(self, rows, kind, days):
        return sum(e.event_type == kind and self.days_ago(e) <= days for e in rows)

    def since(self, rows, kinds):
        return min((self.age(e) for e in rows if e.event_type in kinds), default=None)

    def features(self, customer):
        rows = self.events.get(customer, [])
        found = {}
        for kind in TYPES:
            for d in WINDOWS:
                n = self.count(rows, kind, d)
                found[f"event_{kind}_{d}d"] = n
                found[f"event_{kind}_change_{d}d"] = 2 * n - self.count(rows, kind, 2 * d)
                days = {self.days_ago(e) for e in rows if e.event_type == kind}
                found[f"event_{kind}_days_{d}d"] = sum(day <= d for day in days)
            found[f"days_since_event_{kind}"] = self.since(rows, {kind})
        return found | self.activity(rows) | self.sessions(rows) | self.messages(rows)

    def active_days(self, rows):
        own = {*TYPES, *(f"{c}_{s}" for c in CHANNELS for s in ("opened", "clicked"))}
        return {self.days_ago(e) for e in rows if e.event_type in own}

    def activity(self, rows):
        days, found = self.active_days(rows), {}
        for d in WINDOWS:
            n, twice = (sum(x <= length for x in days) for length in (d, 2 * d))
            found |= {f"active_days_{d}d": n, f"active_days_change_{d}d": 2 * n - twice}
        found["active_days_decayed_30d"] = sum(0.5 ** (x / 30) for x in days)
        found["days_since_active"] = min(days, default=None)
        gap = (max(days) - min(days)) / (len(days) - 1) if len(days) > 1 else None
        found["active_gap_days_mean"] = gap
        found["active_overdue_ratio"] = min(days) / gap if gap else None
        return found

    def sessions(self, rows):
        sessions = {}
        for e in rows:
            if e.session_id and e.event_type in TYPES and self.days_ago(e) <= 90:
                sessions.setdefault(e.session_id, []).append(e)
        minutes = [max(e.ts_us for e in s) - min(e.ts_us for e in s) for s in sessions.values()]
        kinds = [{e.event_type for e in s} for s in sessions.values()]
        carts = [k for k in kinds if "cart_add" in k]
        n = len(sessions)
        viewed = {
            e.product_id
            for e in rows
            if e.event_type == "product_view" and e.product_id and self.days_ago(e) <= 90
        }
        return {
            "sessions_90d": n,
            "session_events_mean_90d": sum(map(len, sessions.values())) / n if n else None,
            "session_minutes_mean_90d": sum(minutes) / n / 60e6 if n else None,
            "cart_abandonment_share_90d": share(
                sum("purchase" not in k for k in carts), len(carts)
            ),
            "products_viewed_90d": len(viewed),
        }

    def messages(self, rows):
        found = {}
        for c in CHANNELS:
            for d in WINDOWS:
                for step in ("sent", "opened", "clicked"):
                    found[f"message_{c}_{step}_{d}d"] = self.count(rows, f"{c}_{step}", d)
            sent, opened, clicked = (
                found[f"message_{c}_{step}_90d"] for step in ("sent", "opened", "clicked")
            )
            found |= {
                f"message_{c}_open_share_90d": share(opened, sent),
                f"message_{c}_click_share_90d": share(clicked, sent),
                f"message_{c}_reachable": float(opened + clicked > 0) if sent else None,
                f"days_since_message_{c}_opened": self.since(rows, {f"{c}_opened"}),
            }
        for d in WINDOWS:
            sent, opened = (
                sum(found[f"message_{c}_{step}_{d}d"] for c in CHANNELS)
                for step in ("sent", "opened")
            )
            found |= {
                f"message_open_share_{d}d": share(opened, sent),
                f"messages_per_week_{d}d": sent * 7 / d,
                f"messages_unopened_per_week_{d}d": max(sent - opened, 0) * 7 / d,
            }
        weight = {
            step: sum(
                0.5 ** (self.age(e) / 30)
                for e in rows
                if e.event_type in {f"{c}_{step}" for c in CHANNELS}
            )
            for step in ("sent", "opened")
        }
        return found | {
            "message_open_share_decayed_30d": share(weight["opened"], weight["sent"]),
            "days_since_message_opened": self.since(rows, {f"{c}_opened" for c in CHANNELS}),
            "preferred_channel": self.preferred_channel(rows),
            "best_send_hour": self.best_hour(rows),
            "best_send_day": self.best_day(rows),
        }

    def preferred_channel(self, rows):
        mine, all_of = (Counter(e.event_type for e in x) for x in (rows, self.everybody))
        if not sum(mine[f"{c}_opened"] for c in CHANNELS):
            return None
        rate = []
        for c in CHANNELS:
            usual = share(all_of[f"{c}_opened"], all_of[f"{c}_sent"]) or 0.0
            rate.append((mine[f"{c}_opened"] + 4 * usual) / (mine[f"{c}_sent"] + 4))
        return rate.index(max(rate))

    def answers(self, rows, slot):
        kinds = {"visit", *(f"{c}_opened" for c in CHANNELS)}
        return Counter(slot(self.local(e)) for e in rows if e.event_type in kinds)

    def smoothed(self, rows, slot, slots):
        mine, all_of = self.answers(rows, slot), self.answers(self.everybody, slot)
        total = sum(all_of.values())
        return [mine[s] + 5 * all_of[s] / total for s in range(slots)] if mine else None

    def best_hour(self, rows):
        counts = self.smoothed(rows, lambda t: t.hour, 24)
        if counts is None:
            return None
        apart = [min(h, 24 - h) for h in range(24)]
        heights = [
            round(sum(n * math.exp(-(apart[abs(h - x)] ** 2) / 8) for x, n in enumerate(counts)), 9)
            for h in range(24)
        ]
        return heights.index(max(heights))

    def best_day(self, rows):
        counts = self.smoothed(rows, lambda t: t.weekday(), 7)
        return None if counts is None else counts.index(max(counts))


@pytest.fixture
def spine(plain):
    """Give an order of each customer, and of one who has nothing else."""
    return [plain.line(c, 100) for c in (*(f"c{i:02d}" for i in range(40)), "only-orders")]


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definition_on_random_histories(features_of, plain, snapshot, spine, seed):
    """Every value equals the one-customer-at-a-time oracle, future rows and odd types included."""
    beside = {"events": plain.random_beside(seed)["events"]}
    events = plain.known_table(beside["events"], first="ts_us", snapshot=snapshot)
    oracle = _Oracle(events, snapshot=snapshot, business_date=plain.business_date)
    active = {f"c{i:02d}": oracle.active_days(events.get(f"c{i:02d}", ())) for i in range(40)}
    in_month = {c: sum(d <= 30 for d in days) for c, days in active.items() if days}

    actual = features_of(spine, BUILDER, beside=beside)

    assert len(actual) == 41
    for customer, values in actual.items():
        expected = oracle.features(customer)
        below = sum(n < in_month.get(customer, 0) for n in in_month.values())
        expected["power_user_rank"] = below / (len(in_month) - 1) if customer in in_month else None
        assert set(expected) == set(BUILDER.feature_names)
        assert plain.differences(values, expected) == {}, customer


def test_windows_before_the_first_event_of_all_are_unknown(features_of, plain):
    """Not recorded is not the same as did not happen: such windows and changes are null."""
    visit = {"customer_id": "a", "event_type": "visit"}
    events = [visit | {"ts_us": plain.at(45)}, visit | {"ts_us": plain.at(3)}]

    found = features_of([plain.line("a", 99)], BUILDER, beside={"events": events})["a"]

    assert (found["event_visit_30d"], found["event_visit_90d"]) == (1.0, None)
    assert found["event_visit_change_30d"] is None
    assert found["messages_per_week_90d"] is found["sessions_90d"] is None
    assert found["days_since_event_visit"] == pytest.approx(2.5)


def test_without_session_and_product_ids_a_day_is_a_session(features_of, plain):
    """The columns keep their names; what cannot be known is null."""
    kinds = ("visit", "cart_add", "visit")
    events = [
        {"customer_id": "a", "event_type": kind, "ts_us": plain.at(days, hour=9.0 + i)}
        for i, (kind, days) in enumerate(zip(kinds, (5, 5, 4), strict=True))
    ]
    events.append({"customer_id": "z", "event_type": "visit", "ts_us": plain.at(300)})

    found = features_of(
        [plain.line("a", 99)],
        BUILDER,
        beside={"events": events},
        without=("session_id", "product_id"),
    )["a"]

    assert (found["sessions_90d"], found["session_minutes_mean_90d"]) == (2.0, 30.0)
    assert found["cart_abandonment_share_90d"] == 1.0
    assert found["products_viewed_90d"] is None


def test_a_thin_history_follows_the_population_and_a_long_one_itself(features_of, plain):
    """One answer at night moves nobody from the evening; thirty do."""

    def visits(customer, hour, times):
        rows = [plain.at(d, hour=hour) for d in range(1, times + 1)]
        return [{"customer_id": customer, "event_type": "visit", "ts_us": ts} for ts in rows]

    events = visits("crowd", 20.5, 200) + visits("thin", 3.5, 1) + visits("night", 3.5, 30)
    lines = [plain.line(c, 99) for c in ("crowd", "thin", "night", "silent")]

    found = features_of(lines, BUILDER, beside={"events": events})

    hours = {c: row["best_send_hour"] for c, row in found.items()}
    assert hours == {"crowd": 20.0, "thin": 20.0, "night": 3.0, "silent": None}


def test_names_follow_from_the_options():
    """Event types, channels and windows make the names; none of them is read from data."""
    builder = Engagement(event_types=["login"], channels=["in_app"], windows_days=[14])

    names = builder.feature_names

    assert "event_login_change_14d" in names
    assert "message_in_app_open_share_14d" in names
    assert not any("visit" in name or "email" in name for name in names)
    assert builder.phrases["preferred_channel"].say(0.0) == "answers messages best by in app"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"windows_days": []},
            r"windows_days must hold distinct whole numbers of days >= 1; got \[\]",
        ),
        ({"windows_days": [30, 30]}, "windows_days must hold distinct whole numbers"),
        ({"half_lives_days": [0.5]}, "half_lives_days must hold distinct whole numbers"),
        ({"event_types": "visit"}, "event_types must be a list of distinct names; got 'visit'"),
        ({"channels": ["sms", "sms"]}, "channels must be a list of distinct names"),
        ({"prior_answers": 0.0}, "prior_answers must be positive and finite; got 0.0"),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    """The message names the option and what it was given."""
    with pytest.raises(ParameterError, match=rf"engagement: {sentence}"):
        Engagement(**options)


def test_no_channels_give_no_message_features(features_of, plain, spine):
    """A shop without messages asks for none and gets the rest."""
    builder = Engagement(channels=())
    events = plain.random_beside(4)["events"]

    found = features_of(spine, builder, beside={"events": events})

    assert not any("message" in name or "channel" in name for name in builder.feature_names)
    assert found["c01"]["active_days_30d"] is not None


def test_days_of_a_type_are_counted_once_and_other_types_are_listed(history_of, plain, snapshot):
    """Three visits on two days are two days; a type without a feature is named with its rows."""
    kinds = [("visit", 1), ("visit", 1), ("visit", 5), ("visit", 40), ("odd", 2), ("odd", 3)]
    events = [
        {"customer_id": "a", "ts_us": plain.at(days, hour=9.0 + i), "event_type": kind}
        for i, (kind, days) in enumerate(kinds)
    ]
    events.append({"customer_id": "b", "ts_us": plain.at(300), "event_type": "visit"})
    history = history_of([plain.line("a", 9)], beside={"events": events})
    builder = Engagement()

    row = build_features(history, snapshot, builders=[builder]).to_arrow().to_pylist()[0]
    others = uncounted_event_types(
        history.tables["events"], builders=[builder], engine=history.engine
    )

    assert (row["event_visit_30d"], row["event_visit_days_30d"]) == (3.0, 2.0)
    assert row["event_visit_days_90d"] == 3.0
    assert others == {"odd": 2}
    assert uncounted_event_types(history.tables["events"], builders=[], engine=history.engine) == {}
