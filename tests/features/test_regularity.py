"""Regularity, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from datetime import date, timedelta

import pytest

from churnkit.features.build import FEATURE_BUILDERS
from churnkit.features.regularity import Regularity

DAY_US = 86_400_000_000
REGULARITY = Regularity()
SEASON = ("orders_same_season", "amount_same_season")


def oracle(rows, *, snapshot):
    """Return the features of one customer by their definitions."""
    times = [r.ts_us for r in rows if r.is_order_day]
    gaps = [(b - a) / DAY_US for a, b in itertools.pairwise(times)]
    orders = [r for r in rows if r.is_order]
    mean = statistics.fmean(gaps) if gaps else None
    sd = statistics.stdev(gaps) if len(gaps) > 1 else None
    silence = (snapshot.cutoff_us - times[-1]) / DAY_US if times else None
    weekend = sum(r.day.weekday() >= 5 for r in orders)
    start = snapshot.label_start - timedelta(days=365)
    season = [r for r in rows if start <= r.day < start + timedelta(days=snapshot.horizon_days)]
    return {
        "order_gap_days_mean": mean,
        "order_gap_days_sd": sd,
        "order_gap_cv": sd / mean if len(gaps) > 1 else None,
        "order_gap_days_last": gaps[-1] if gaps else None,
        "order_gap_days_max": max(gaps, default=None),
        "overdue_ratio": silence / mean if gaps else None,
        "overdue_longest_ratio": silence / max(gaps) if gaps else None,
        "weekend_order_share": weekend / len(orders) if orders else None,
        "last_order_month": [r.day for r in rows if r.is_order_day][-1].month if times else None,
        "cutoff_month": snapshot.cutoff.month,
        "cutoff_weekday": snapshot.cutoff.weekday(),
        "orders_same_season": sum(r.is_order for r in season),
        "amount_same_season": sum(r.amount for r in season),
    }


@pytest.mark.parametrize(("seed", "gap_days"), [(0, 0), (1, 14), (2, 0)])
def test_agrees_with_the_definition_on_random_histories(
    features_of, plain, snapshot, seed, gap_days
):
    """Every value equals the one-customer-at-a-time oracle, future rows included."""
    snapshot = dataclasses.replace(snapshot, gap_days=gap_days)
    lines = plain.random_lines(seed)
    expected = {
        customer: oracle(rows, snapshot=snapshot)
        for customer, rows in plain.customer_rows(lines, snapshot=snapshot).items()
        if rows
    }

    actual = features_of(lines, REGULARITY, at_snapshot=snapshot)

    assert actual.keys() == expected.keys()
    for customer, values in expected.items():
        assert plain.differences(actual[customer], values) == {}, customer
        assert tuple(values) == REGULARITY.feature_names


def test_an_order_as_late_as_the_mean_gap_is_overdue_by_one(features_of, plain):
    """Orders 50, 30 and 20 days ago: mean gap 15, last 10, silent for 20 days at noon to midnight."""
    lines = [plain.line("a", days, hour=0.0) for days in (50, 30, 20)]

    features = features_of(lines, REGULARITY)["a"]

    assert features["order_gap_days_mean"] == 15.0
    assert features["order_gap_days_last"] == 10.0
    assert features["order_gap_days_max"] == 20.0
    assert features["order_gap_days_sd"] == pytest.approx(50**0.5)
    assert features["order_gap_cv"] == pytest.approx(50**0.5 / 15)
    assert features["overdue_ratio"] == pytest.approx(20 / 15)
    assert features["overdue_longest_ratio"] == 1.0


def test_orders_of_one_day_have_no_gap_between_them(features_of, plain):
    """Two orders on one day are one order day."""
    lines = [plain.line("a", 5, hour=9.0), plain.line("a", 5, hour=15.0)]

    features = features_of(lines, REGULARITY)["a"]

    assert features["orders"] == 2
    assert features["order_gap_days_mean"] is None
    assert features["overdue_ratio"] is None


def test_same_season_is_the_horizon_a_year_earlier(features_of, plain):
    """With a horizon of 60 days the season is [cutoff - 365, cutoff - 305), both ends as said."""
    edges = {(366, 23.99): 0, (365, 0.0): 1, (306, 23.99): 1, (305, 0.0): 0}
    lines = [plain.line(f"{days}@{hour}", days, 8.0, hour=hour) for days, hour in edges]

    features = features_of([*lines, plain.line("old", 600)], REGULARITY)

    for (days, hour), expected in edges.items():
        assert features[f"{days}@{hour}"]["orders_same_season"] == expected
        assert features[f"{days}@{hour}"]["amount_same_season"] == 8.0 * expected


@pytest.mark.parametrize(
    ("first_order", "changes"),
    [
        (364, {}),
        (600, {"observation_days": 364}),
        (600, {"horizon_days": 366}),
        (600, {"horizon_days": 300, "gap_days": 66}),
    ],
)
def test_a_season_that_was_not_recorded_in_full_is_null(
    features_of, plain, snapshot, first_order, changes
):
    """Nothing is said of last year by a history that does not cover it."""
    lines = [plain.line("a", 3), plain.line("old", first_order)]
    snapshot = dataclasses.replace(snapshot, **changes)

    features = features_of(lines, REGULARITY, at_snapshot=snapshot)["a"]

    assert [features[name] for name in SEASON] == [None, None]


def test_a_season_recorded_from_its_first_day_is_counted(features_of, plain):
    """The season is known when the first order of the history is on its first day."""
    lines = [plain.line("a", 3), plain.line("old", 365)]

    features = features_of(lines, REGULARITY)

    assert [features["a"][name] for name in SEASON] == [0.0, 0.0]
    assert features["old"]["orders_same_season"] == 1.0


def test_month_of_the_last_order_is_the_calendar_month(features_of, plain, snapshot):
    """The month is that of the business zone, at both ends of days across leap years."""
    days_back = {*range(1, 731), *range(731, 20_000, 13)}
    ends = [(days, hour) for days in days_back for hour in (0.0, 23.99)]
    lines = [plain.line(f"{days}@{hour}", days, hour=hour) for days, hour in ends]
    long = dataclasses.replace(snapshot, observation_days=20_000)

    features = features_of(lines, REGULARITY, at_snapshot=long)

    months = {name: row["last_order_month"] for name, row in features.items()}
    assert months == {
        f"{days}@{hour}": (snapshot.cutoff - timedelta(days=days)).month for days, hour in ends
    }


def test_calendar_is_of_the_cutoff(features_of, plain, snapshot):
    """2024-02-29 was a Thursday."""
    leap = dataclasses.replace(snapshot, cutoff=date(2024, 2, 29))

    features = features_of([plain.line("a", 300)], REGULARITY, at_snapshot=leap)["a"]

    assert (features["cutoff_month"], features["cutoff_weekday"]) == (2.0, 3.0)


def test_is_registered():
    """A configuration finds the builder by its name."""
    assert FEATURE_BUILDERS["regularity"] is Regularity
