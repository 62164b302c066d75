"""The retention curve of all subscribers, as a base column, on every engine."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from churnkit.btyd import fit_retention_curve
from churnkit.data.stays import StayRule
from churnkit.features.subscription import Subscription

US_PER_DAY = 86_400_000_000


@pytest.fixture
def periods(plain):
    """Give periods of one stay each: some ended, some run, one ends and one starts later."""
    rng = np.random.default_rng(4)
    rows = []
    for number in range(60):
        begun = int(rng.integers(5, 400))
        days = int(rng.integers(3, 300))
        rows.append(
            {
                "customer_id": f"c{number:02d}",
                "started_at_us": plain.at(begun),
                "ended_at_us": plain.at(begun - days) if number % 3 else None,
                "mrr": 10.0,
                "subscription_id": f"s{number}",
            }
        )
    return rows


def log_stays(features_of, plain, periods, *, ends="last", **options):
    """Return ``log_stay`` by customer."""
    found = features_of(
        [plain.line("c00", 9)],
        Subscription(),
        beside={"subscriptions": periods},
        stays=StayRule(ends=ends, resubscribe_days=0),
        **options,
    )
    return {customer: row["log_stay"] for customer, row in found.items()}


def days(us):
    """Return whole days."""
    return us // US_PER_DAY


def test_it_is_the_chance_to_stay_by_the_curve_of_all_stays_known(
    features_of, plain, periods, snapshot
):
    """Fitted to stays read one by one; for each running one, the log of lasting to the horizon."""
    cutoff = snapshot.cutoff_us

    found = log_stays(features_of, plain, periods)

    known = [p for p in periods if p["started_at_us"] < cutoff]
    gone = [p["ended_at_us"] is not None and p["ended_at_us"] < cutoff for p in known]
    age = [days(cutoff - p["started_at_us"]) for p in known]
    left = [
        days(p["ended_at_us"] - p["started_at_us"]) if g else a
        for p, g, a in zip(known, gone, age, strict=True)
    ]
    curve = fit_retention_curve(age, left_days=left, ended=gone)
    running = {
        p["customer_id"]: float(np.log1p(-curve.leaving_probability(a, within_days=60)))
        for p, g, a in zip(known, gone, age, strict=True)
        if not g
    }
    assert any(gone)
    assert len(running) > 20
    assert {c: v for c, v in found.items() if c in running} == pytest.approx(running)


def test_nothing_after_the_cutoff_moves_it(features_of, plain, periods, snapshot):
    """Ends that lie ahead and subscriptions that start later are not known."""
    cutoff = snapshot.cutoff_us
    changed = [
        p | {"ended_at_us": cutoff + 5 if p["ended_at_us"] is None else None}
        if p["ended_at_us"] is None or p["ended_at_us"] >= cutoff
        else p
        for p in periods
    ]
    new = [
        p | {"customer_id": "new", "started_at_us": cutoff + 1, "ended_at_us": cutoff + 9}
        for p in periods[:20]
    ]

    assert log_stays(features_of, plain, changed + new) == pytest.approx(
        log_stays(features_of, plain, periods)
    )


def test_several_stays_last_together_with_the_product(features_of, plain, periods):
    """Where the end of any subscription counts, the logs of two that run add up."""
    one = {"started_at_us": plain.at(50), "ended_at_us": None, "mrr": 10.0}
    two = {"started_at_us": plain.at(90), "ended_at_us": None, "mrr": 10.0}
    rows = [
        *periods,
        one | {"customer_id": "a", "subscription_id": "x"},
        two | {"customer_id": "b", "subscription_id": "y"},
        one | {"customer_id": "both", "subscription_id": "x2"},
        two | {"customer_id": "both", "subscription_id": "y2"},
    ]

    found = log_stays(features_of, plain, rows, ends="any")

    assert found["both"] == pytest.approx(found["a"] + found["b"])


def test_where_nobody_left_it_is_null_and_says_so(features_of, plain, periods, caplog):
    """There is no curve to learn."""
    running = [p | {"ended_at_us": None} for p in periods]

    with caplog.at_level(logging.WARNING, logger="churnkit"):
        found = log_stays(features_of, plain, running)

    assert set(found.values()) == {None}
    assert "retention curve: somebody must have left; got 0 of 60 at 2024-07-01" in caplog.text


def test_who_is_all_but_sure_to_leave_has_a_finite_log(features_of, plain):
    """Where all end within hours, staying for months is less likely than a double tells from never."""
    rows = [
        {
            "customer_id": f"c{number:02d}",
            "started_at_us": plain.at(10 + number, hour=8.0),
            "ended_at_us": plain.at(10 + number, hour=20.0),
            "mrr": 10.0,
            "subscription_id": f"s{number}",
        }
        for number in range(40)
    ]
    runs = {"customer_id": "runs", "subscription_id": "r", "ended_at_us": None}

    found = log_stays(features_of, plain, [*rows, rows[0] | {"started_at_us": plain.at(1)} | runs])

    assert -np.inf < found["runs"] < np.log(1e-16)
