"""Subscription, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from churnkit.errors import ParameterError
from churnkit.features.subscription import Subscription

BUILDER = Subscription(plans=("basic", "pro"), seats=True, renewals=True, failed_payments=True)
US_PER_DAY = 86_400_000_000


def oracle(periods, *, snapshot, day_of, then_us):
    """Return the features of one customer by their definitions, from all periods of the future too."""

    def age(ts_us):
        return (snapshot.cutoff_us - ts_us) / US_PER_DAY

    start, end = snapshot.observation_start_us, snapshot.cutoff_us
    known = [p for p in periods if p["started_at_us"] < end]
    ends = {id(p): e for p in known if (e := p["ended_at_us"]) is not None and e < end}
    known = [p for p in known if id(p) not in ends or ends[id(p)] >= start]
    ends = {key: e for key, e in ends.items() if e >= start}
    runs = [p for p in known if id(p) not in ends]
    ages = [age(p["started_at_us"]) for p in known]
    mrr = sum(p["mrr"] for p in runs)
    before = [
        p for p in known if p["started_at_us"] < then_us and ends.get(id(p), then_us) >= then_us
    ]
    days = {}
    for p in known:
        if p["started_at_us"] >= start:
            days.setdefault(day_of(p["started_at_us"]), []).append(
                (p["started_at_us"], 1, p["mrr"])
            )
        if id(p) in ends:
            days.setdefault(day_of(ends[id(p)]), []).append((ends[id(p)], -1, p["mrr"]))
    up, down, gone, n_gone = [], [], [], 0
    for moves in days.values():
        at_us, signs = max(m[0] for m in moves), {m[1] for m in moves}
        step = sum(sign * amount for _, sign, amount in moves)
        if signs == {-1}:
            gone.append(age(at_us))
            n_gone += len(moves)
        elif signs == {1, -1} and step:
            (up if step > 0 else down).append(age(at_us))
    plans = [("basic", "pro").index(p["plan"]) for p in runs if p["plan"] is not None]
    failed = [t for p in known if (t := p["payment_failed_at_us"]) is not None and t < end]
    ahead = []
    for p in runs:
        if p["billing_months"] is not None:
            period = p["billing_months"] * 30.4375
            ahead.append(period - math.fmod(age(p["started_at_us"]), period))

    def seats(periods):
        return sum(p["seats"] or 0.0 for p in periods)

    return {
        "active_subscriptions": len(runs),
        "subscription_mrr": mrr,
        "subscription_tenure_days": max(ages, default=None),
        "days_since_subscription_start": min(ages, default=None),
        "subscriptions_ended": n_gone,
        "days_since_subscription_end": min(gone, default=None),
        "subscription_upgrades": len(up),
        "subscription_downgrades": len(down),
        "days_since_upgrade": min(up, default=None),
        "days_since_downgrade": min(down, default=None),
        "subscription_mrr_change_90d": mrr - sum(p["mrr"] for p in before),
        "subscription_plan": max(plans, default=None),
        "subscription_seats": seats(runs),
        "subscription_seats_change_90d": seats(runs) - seats(before),
        "days_until_renewal": min(ahead, default=None),
        "failed_payments_90d": sum(t >= then_us for t in failed),
        "days_since_failed_payment": min(map(age, failed), default=None),
    }


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_definition_on_random_histories(features_of, plain, snapshot, seed):
    """Every value equals the one-customer-at-a-time oracle, ends after the cutoff included."""
    rows = plain.random_beside(seed)["subscriptions"]
    lines = [plain.line(f"c{i:02d}", 100) for i in range(40)]

    actual = features_of(lines, BUILDER, beside={"subscriptions": rows})

    for customer, values in actual.items():
        expected = oracle(
            [row for row in rows if row["customer_id"] == customer],
            snapshot=snapshot,
            day_of=plain.business_date,
            then_us=plain.at(90, hour=0.0),
        )
        assert tuple(expected) == BUILDER.feature_names
        assert plain.differences(values, expected) == {}, customer


def test_an_end_at_the_cutoff_is_not_known(features_of, plain, snapshot):
    """Announced or not: a subscription whose end lies ahead runs."""
    period = {"customer_id": "a", "started_at_us": plain.at(1000), "mrr": 20.0, "plan": "pro"}

    def found(ended_at_us):
        beside = {"subscriptions": [period | {"ended_at_us": ended_at_us}]}
        row = features_of([plain.line("a", 9)], BUILDER, beside=beside)["a"]
        return row["active_subscriptions"], row["subscription_mrr"], row["subscription_plan"]

    assert found(snapshot.cutoff_us) == found(None) == (1.0, 20.0, 1.0)
    assert found(snapshot.cutoff_us - 1) == (0.0, 0.0, None)


def test_a_subscription_older_than_the_observation_keeps_its_start(features_of, plain, snapshot):
    """What reaches into the observation interval is kept whole; what ended before is forgotten."""
    start = snapshot.observation_start - timedelta(days=100)
    old = plain.at((snapshot.cutoff - start).days)
    periods = [
        {"customer_id": c, "started_at_us": old, "ended_at_us": e, "mrr": 5.0}
        for c, e in (("runs", None), ("ended", plain.at(snapshot.observation_days + 1)))
    ]

    found = features_of(
        [plain.line(c, 9) for c in ("runs", "ended")], BUILDER, beside={"subscriptions": periods}
    )

    assert found["runs"]["subscription_tenure_days"] == pytest.approx(829.5, abs=0.1)
    assert found["ended"]["subscription_tenure_days"] is None


def test_without_plans_in_the_options_there_is_no_plan(features_of, plain):
    """Names follow from the options; with plans asked for and none in the source, it is null."""
    periods = [{"customer_id": "a", "started_at_us": plain.at(5), "mrr": 5.0}]

    found = features_of(
        [plain.line("a", 9)], BUILDER, beside={"subscriptions": periods}, without=("plan",)
    )["a"]

    assert found["subscription_plan"] is None
    assert "subscription_plan" not in Subscription().feature_names


@pytest.mark.parametrize(
    ("column", "made"),
    [
        ("seats", {"subscription_seats", "subscription_seats_change_90d"}),
        ("billing_months", {"days_until_renewal"}),
        ("payment_failed_at_us", {"failed_payments_90d", "days_since_failed_payment"}),
    ],
)
def test_what_a_source_does_not_give_is_null(features_of, plain, column, made):
    """Each option's features are null where its column is missing, and no others are."""
    rows = plain.random_beside(2)["subscriptions"]
    lines = [plain.line(f"c{i:02d}", 100) for i in range(40)]

    full, without = (
        features_of(lines, BUILDER, beside={"subscriptions": rows}, without=left_out)
        for left_out in ((), (column,))
    )

    for customer, values in full.items():
        expected = values | dict.fromkeys(made)
        assert without[customer] == expected, customer


def test_what_happens_later_is_not_known(features_of, plain, snapshot):
    """Failed payments, ends and starts at or after the cutoff change no feature of any option."""
    rows = plain.random_beside(7)["subscriptions"]
    later = plain.with_the_future({"subscriptions": rows}, cutoff_us=snapshot.cutoff_us)
    lines = [plain.line(f"c{i:02d}", 100) for i in range(40)]

    now = features_of(lines, BUILDER, beside={"subscriptions": rows})
    then = features_of(lines, BUILDER, beside=later)

    assert now == then
    assert any(values["failed_payments_90d"] for values in now.values())


def test_a_renewal_is_as_often_as_the_contract_is_billed(features_of, plain):
    """Forty days into a contract of months, the second renewal is 20.9 days ahead."""
    period = {"customer_id": "a", "started_at_us": plain.at(40, hour=0.0), "mrr": 5.0}

    def found(**columns):
        beside = {"subscriptions": [period | columns]}
        return features_of([plain.line("a", 9)], BUILDER, beside=beside)["a"]["days_until_renewal"]

    assert found(billing_months=1.0) == pytest.approx(2 * 30.4375 - 40.0)
    assert found(billing_months=12.0) == pytest.approx(365.25 - 40.0)
    assert found(billing_months=None) is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"windows_days": []}, r"windows_days must hold distinct whole numbers .* got \[\]"),
        ({"seats": "yes"}, "seats must be true or false; got 'yes'"),
        ({"plans": ["pro", "pro"]}, "plans must be a list of distinct names"),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    """The message names the option and what it was given."""
    with pytest.raises(ParameterError, match=f"subscription: {sentence}"):
        Subscription(**options)
