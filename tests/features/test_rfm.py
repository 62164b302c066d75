"""RecencyFrequencyMonetary, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from churnkit.errors import ParameterError
from churnkit.features.build import FEATURE_BUILDERS
from churnkit.features.rfm import RecencyFrequencyMonetary

DAY_US = 86_400_000_000
RFM = RecencyFrequencyMonetary(windows_days=(7, 30, 60), half_lives_days=(10,))


def oracle(rows, *, snapshot):
    """Return the features of one customer by their definitions."""
    days = [r for r in rows if r.is_order_day]
    orders = [r for r in rows if r.is_order]
    first, last = (days[0], days[-1]) if days else (None, None)
    age = {id(r): (snapshot.cutoff_us - r.ts_us) / DAY_US for r in rows}
    values = {
        "days_since_last_order": age[id(last)] if days else None,
        "tenure_days": age[id(first)] if days else None,
        "recency_days": age[id(first)] - age[id(last)] if days else None,
        "orders": len(orders),
        "repeat_orders": len(days) - 1 if days else None,
        "amount_sum": sum(r.amount for r in rows),
        "average_order_value": sum(r.amount for r in rows) / len(orders) if orders else None,
        "first_order_amount": first.amount if days else None,
        "last_order_amount": last.amount if days else None,
        "order_amount_max": max((r.amount for r in orders), default=None),
        "orders_decayed_10d": sum(0.5 ** (age[id(r)] / 10) for r in orders),
        "amount_decayed_10d": sum(r.amount * 0.5 ** (age[id(r)] / 10) for r in rows),
    }
    for d in RFM.windows_days:
        start = snapshot.cutoff - timedelta(days=d)
        before = start - timedelta(days=d)
        recent = [r for r in rows if r.day >= start]
        earlier = [r for r in rows if before <= r.day < start]
        now, then = sum(r.is_order for r in recent), sum(r.is_order for r in earlier)
        values |= {
            f"orders_{d}d": now,
            f"amount_sum_{d}d": sum(r.amount for r in recent),
            f"order_days_{d}d": sum(r.is_order_day for r in recent),
            f"orders_change_{d}d": now - then,
            f"amount_change_{d}d": sum(r.amount for r in recent) - sum(r.amount for r in earlier),
            f"orders_recent_share_{d}d": now / (now + then) if now + then else None,
        }
    return values


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definition_on_random_histories(features_of, plain, snapshot, seed):
    """Every value equals the one-customer-at-a-time oracle, future rows included."""
    lines = plain.random_lines(seed)
    expected = {
        customer: oracle(rows, snapshot=snapshot)
        for customer, rows in plain.customer_rows(lines, snapshot=snapshot).items()
        if rows
    }

    actual = features_of(lines, RFM)

    assert actual.keys() == expected.keys()
    for customer, values in expected.items():
        assert plain.differences(actual[customer], values) == {}, customer
        assert set(values) == set(RFM.feature_names)


def test_windows_include_their_oldest_instant(features_of, plain):
    """A 7-day window is [cutoff - 7 d, cutoff) in business days; the one before it is as long."""
    edges = {
        # (days before the cutoff, hour): orders in the window, orders in the window before it
        (1, 23.99): (1, 0),
        (6, 12.0): (1, 0),
        (7, 0.0): (1, 0),
        (8, 23.99): (0, 1),
        (14, 0.0): (0, 1),
        (15, 23.99): (0, 0),
    }
    lines = [plain.line(f"{days}@{hour}", days, 4.0, hour=hour) for days, hour in edges]

    features = features_of([*lines, plain.line("old", 600)], RFM)

    for (days, hour), (now, before) in edges.items():
        customer = features[f"{days}@{hour}"]
        assert customer["orders_7d"] == customer["order_days_7d"] == now
        assert customer["amount_sum_7d"] == 4.0 * now
        assert customer["orders_change_7d"] == now - before
        assert customer["amount_change_7d"] == 4.0 * (now - before)
        assert customer["orders_recent_share_7d"] == (now if now + before else None)


def test_a_window_across_a_clock_change_is_of_business_days(features_of, plain, snapshot):
    """Days begin at local midnight, whether or not the clock has moved since."""
    lines = [plain.line("a", 200, hour=0.0), plain.line("b", 201, hour=23.99)]
    rfm = RecencyFrequencyMonetary(windows_days=(200,))

    features = features_of(lines, rfm)

    assert features["a"]["orders_200d"] == 1
    assert features["b"]["orders_200d"] == 0


def test_a_change_is_null_unless_both_windows_were_recorded(features_of, plain):
    """Days before the first order of the whole history are unknown, not empty."""
    lines = [plain.line("a", 2), plain.line("b", 59)]

    features = features_of(lines, RFM)["a"]

    assert features["orders_change_7d"] == 1
    assert features["orders_change_30d"] is None
    assert features["amount_change_30d"] is None
    assert features["orders_recent_share_30d"] is None
    assert features["orders_30d"] == 1


def test_a_window_longer_than_the_observation_is_null(features_of, plain, snapshot):
    """A count over 60 days cannot come from 40 observed days."""
    short = dataclasses.replace(snapshot, observation_days=40)
    lines = [plain.line("a", 2), plain.line("a", 500)]

    features = features_of(lines, RFM, at_snapshot=short)["a"]

    assert features["orders"] == 1
    assert features["orders_30d"] == 1
    names = [name for name in RFM.feature_names if name.endswith("_60d")]
    assert len(names) == 6
    assert [features[name] for name in names] == [None] * 6


def test_names_follow_from_the_declaration():
    """Column names are known before any data is read, in a fixed order."""
    assert RFM.feature_names[:3] == ("days_since_last_order", "tenure_days", "recency_days")
    assert RFM.feature_names[10:13] == ("orders_7d", "amount_sum_7d", "order_days_7d")
    assert RFM.feature_names[-2:] == ("orders_decayed_10d", "amount_decayed_10d")
    assert FEATURE_BUILDERS["rfm"] is RecencyFrequencyMonetary


def test_lists_from_a_configuration_equal_tuples():
    """A builder declared with lists is the builder declared with tuples."""
    declared = RecencyFrequencyMonetary(windows_days=[7, 30, 60], half_lives_days=[10])

    assert declared == RFM
    assert hash(declared) == hash(RFM)


@pytest.mark.parametrize("windows", [(0,), (30, -1), (30, 30), (7.5,), (True,)])
def test_rejects_windows_without_length(windows):
    """The message names the argument, the rule and the value given."""
    with pytest.raises(ParameterError, match=r"rfm: windows_days must .* days >= 1; got \("):
        RecencyFrequencyMonetary(windows_days=windows)


def test_rejects_no_windows_and_broken_half_lives():
    """At least one window is needed; half-lives may be left out but must have length."""
    with pytest.raises(ParameterError, match=r"rfm: windows_days must hold at least one length"):
        RecencyFrequencyMonetary(windows_days=[])
    with pytest.raises(ParameterError, match=r"rfm: half_lives_days must .* got \[0\]"):
        RecencyFrequencyMonetary(half_lives_days=[0])

    assert "orders_decayed_30d" not in RecencyFrequencyMonetary(half_lives_days=[]).feature_names
