"""Loyalty, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import pytest

from churnkit.errors import ParameterError
from churnkit.features.loyalty import Loyalty

BUILDER = Loyalty()
US_PER_DAY = 86_400_000_000


def oracle(rewards, orders, *, cutoff_us, days_ago):
    """Return the features of one customer by their definitions; rewards as known at the cutoff."""
    used = [r for r in rewards if r.redeemed_at_us is not None]
    waits = [(r.redeemed_at_us - r.issued_at_us) / US_PER_DAY for r in used]
    standing = [o for o in orders if o.is_order]
    discounted = [o for o in standing if o.discount > 0]
    spend = sum(o.amount for o in standing)
    return {
        "rewards_issued_90d": sum(days_ago(r.issued_at_us) <= 90 for r in rewards),
        "rewards_redeemed_90d": sum(days_ago(r.redeemed_at_us) <= 90 for r in used),
        "rewards_issued": len(rewards),
        "rewards_redeemed": len(used),
        "reward_redemption_share": len(used) / len(rewards) if rewards else None,
        "days_since_reward": min(
            ((cutoff_us - r.issued_at_us) / US_PER_DAY for r in rewards), default=None
        ),
        "days_since_redemption": min(
            ((cutoff_us - r.redeemed_at_us) / US_PER_DAY for r in used), default=None
        ),
        "redemption_days_mean": sum(waits) / len(waits) if waits else None,
        "reward_value_unused": sum(r.value or 0.0 for r in rewards if r not in used),
        "discounted_spend_share": sum(o.amount for o in discounted) / spend if spend else None,
        "discounted_order_share": len(discounted) / len(standing) if standing else None,
    }


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definition_on_random_histories(features_of, plain, snapshot, seed):
    """Every value equals the one-customer-at-a-time oracle, redemptions after the cutoff included."""
    lines, rows = plain.random_lines(seed), plain.random_beside(seed)["rewards"]
    known = plain.known_table(
        rows, first="issued_at_us", snapshot=snapshot, later=("redeemed_at_us",)
    )
    orders = plain.customer_rows(lines, snapshot=snapshot)

    actual = features_of(lines, BUILDER, beside={"rewards": rows})

    for customer, values in actual.items():
        expected = oracle(
            known.get(customer, []),
            orders[customer],
            cutoff_us=snapshot.cutoff_us,
            days_ago=lambda ts: (snapshot.cutoff - plain.business_date(ts)).days,
        )
        assert tuple(expected) == BUILDER.feature_names
        assert plain.differences(values, expected) == {}, customer


def test_a_redemption_at_the_cutoff_is_not_known(features_of, plain, snapshot):
    """The reward is known and open; the instant before the cutoff counts, the cutoff does not."""
    reward = {"customer_id": "a", "issued_at_us": plain.at(200), "value": 5.0}

    def found(redeemed_at_us):
        beside = {"rewards": [reward | {"redeemed_at_us": redeemed_at_us}]}
        row = features_of([plain.line("a", 9)], BUILDER, beside=beside)["a"]
        return row["rewards_redeemed_90d"], row["reward_value_unused"]

    assert found(snapshot.cutoff_us - 1) == (1.0, 0.0)
    assert found(snapshot.cutoff_us) == (0.0, 5.0)


def test_what_the_source_does_not_say_is_null(features_of, plain):
    """Without redemptions, values and discounts the names stay; only issues are known."""
    rewards = [{"customer_id": "a", "issued_at_us": plain.at(d)} for d in (5, 200)]

    found = features_of(
        [plain.line("a", 9)],
        BUILDER,
        columns=("amount", "order_id"),
        beside={"rewards": rewards},
        without=("redeemed_at_us", "value"),
    )["a"]

    known = {n for n in BUILDER.feature_names if found[n] is not None}
    assert known == {"rewards_issued_90d", "rewards_issued", "days_since_reward"}


def test_impossible_windows_are_refused():
    """The message names the option and what it was given."""
    with pytest.raises(ParameterError, match=r"loyalty: windows_days must hold .* got \[True\]"):
        Loyalty(windows_days=[True])
