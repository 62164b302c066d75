"""Stays: periods joined by the rule, on every engine, against plain Python."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from churnkit.data.stays import StayRule, paid_periods, stays_at
from churnkit.data.windows import US_PER_DAY
from churnkit.errors import ParameterError

TYPES = {
    "customer_id": pa.string(),
    "started_at_us": pa.int64(),
    "ended_at_us": pa.int64(),
    "mrr": pa.float64(),
    "subscription_id": pa.string(),
    "plan": pa.string(),
}


def period(customer, start, end, *, mrr=10.0, contract=None, plan="pro"):
    """Return a period by days; no end is one that runs."""
    ended = None if end is None else end * US_PER_DAY
    values = (customer, start * US_PER_DAY, ended, mrr, contract, plan)
    return dict(zip(TYPES, values, strict=True))


@pytest.fixture
def stays_of(engine, load):
    """Give a function that returns stays in days: customer, start, end, running, MRR."""

    def make(periods, *, cutoff=100, **options):
        columns = {n: pa.array([p[n] for p in periods], t) for n, t in TYPES.items()}
        frame = stays_at(
            load(pa.table(columns)), rule=StayRule(**options), cutoff_us=cutoff * US_PER_DAY
        )
        rows = [
            (
                row["customer_id"],
                row["started_at_us"] // US_PER_DAY,
                None if row["ended_at_us"] is None else row["ended_at_us"] // US_PER_DAY,
                row["running"],
                row["mrr"],
            )
            for row in engine.collect(frame).to_pylist()
        ]
        return sorted(rows, key=lambda row: (*row[:2], row[2] or 0))

    return make


def test_a_short_pause_joins_and_a_long_one_parts(stays_of):
    """A pause of exactly the allowed days still joins; one day more begins a new stay."""
    periods = [period("a", 0, 10), period("a", 40, 50), period("a", 81, None, mrr=20.0)]

    assert stays_of(periods) == [("a", 0, 50, 0.0, 0.0), ("a", 81, None, 1.0, 20.0)]
    assert stays_of(periods, resubscribe_days=31) == [("a", 0, None, 1.0, 20.0)]


def test_a_short_period_inside_a_long_one_does_not_end_the_stay(stays_of):
    """What counts is how far any earlier period reaches, not the one just before."""
    periods = [period("a", 0, 90), period("a", 5, 10), period("a", 60, None)]

    assert stays_of(periods, resubscribe_days=0) == [("a", 0, None, 1.0, 10.0)]


def test_the_future_is_not_looked_at(stays_of):
    """An end at or after the cutoff has not happened, and a later start is no stay yet."""
    periods = [period("a", 0, 100), period("a", 100, None), period("b", 0, 99)]

    assert stays_of(periods) == [("a", 0, None, 1.0, 10.0), ("b", 0, 99, 0.0, 0.0)]


def test_trials_are_no_stays(stays_of):
    """Neither a period without revenue nor a plan that is named a trial makes a subscriber."""
    periods = [
        period("a", 0, 14, mrr=0.0),
        period("a", 14, None),
        period("b", 0, None, plan="free month"),
    ]

    assert stays_of(periods, trial_plans=["free month"]) == [("a", 14, None, 1.0, 10.0)]


def test_each_contract_may_be_a_stay_of_its_own(stays_of):
    """With ``any``, periods join only under one id; those without an id stand alone."""
    periods = [
        period("a", 0, 10, contract="x"),
        period("a", 12, None, contract="x"),
        period("a", 0, 11, contract="y"),
        period("a", 3, 20),
        period("a", 25, None),
    ]

    assert stays_of(periods, ends="any") == [
        ("a", 0, None, 1.0, 10.0),
        ("a", 0, 11, 0.0, 0.0),
        ("a", 3, 20, 0.0, 0.0),
        ("a", 25, None, 1.0, 10.0),
    ]


def by_hand(periods, *, cutoff, pause):
    """Return the stays of one customer by marking every day."""
    known = [p for p in periods if p["started_at_us"] < cutoff and p["mrr"] > 0]
    stays = []
    for p in sorted(known, key=lambda p: p["started_at_us"]):
        gone = p["ended_at_us"]
        end = None if gone is None or gone >= cutoff else gone
        if stays and (stays[-1][1] is None or p["started_at_us"] - pause <= stays[-1][1]):
            first, last, n, mrr = stays.pop()
            end = None if last is None or end is None else max(last, end)
        else:
            first, n, mrr = p["started_at_us"], 0, 0.0
        runs = gone is None or gone >= cutoff
        stays.append((first, end, n + runs, mrr + p["mrr"] * runs))
    return stays


@pytest.mark.parametrize("seed", range(3))
def test_stays_are_those_made_by_hand(stays_of, seed):
    """Random periods that overlap, touch and pause."""
    rng = random.Random(seed)
    periods = []
    for customer in "abcdefgh":
        for _ in range(rng.randrange(1, 9)):
            start = rng.randrange(0, 120)
            end = rng.choice([None, start + rng.randrange(0, 40)])
            periods.append(period(customer, start, end, mrr=rng.choice([0.0, 5.0, 9.0])))

    found = stays_of(periods, resubscribe_days=7)

    expected = []
    for customer in "abcdefgh":
        mine = [p for p in periods if p["customer_id"] == customer]
        for first, end, n, mrr in by_hand(mine, cutoff=100 * US_PER_DAY, pause=7 * US_PER_DAY):
            gone = None if end is None else end // US_PER_DAY
            expected.append((customer, first // US_PER_DAY, gone, float(n), mrr))
    assert found == sorted(expected, key=lambda s: (s[0], s[1]))


def test_without_plans_nothing_is_a_trial_by_its_plan(load, engine):
    """A table that has no plan is read all the same."""
    table = pa.table({"customer_id": ["a"], "started_at_us": [0], "mrr": [1.0]})

    kept = paid_periods(load(table), rule=StayRule(trial_plans=["free"]))

    assert engine.collect(kept).num_rows == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ends": "all"}, "ends must be 'last' or 'any'; got 'all'"),
        ({"resubscribe_days": -1}, "resubscribe_days must be a whole number >= 0; got -1"),
        ({"trial_plans": "free"}, "trial_plans must be a list; got 'free'"),
    ],
)
def test_rules_out_of_range_are_refused(options, message):
    """The message names the option."""
    with pytest.raises(ParameterError, match=message):
        StayRule(**options)
