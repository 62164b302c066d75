"""Support, on every engine, against a plain-Python oracle."""

from __future__ import annotations

from itertools import pairwise

import pytest

from churnkit.errors import ParameterError
from churnkit.features.support import Support

BUILDER = Support()
US_PER_DAY = 86_400_000_000
LATER = ("first_response_at_us", "resolved_at_us")


def oracle(tickets, *, orders, cutoff_us, days_ago):
    """Return the features of one customer by their definitions; tickets as known at the cutoff."""

    def hours(name):
        waits = [(getattr(t, name) - t.opened_at_us) / 3.6e9 for t in tickets if getattr(t, name)]
        return (sum(waits) / len(waits), max(waits)) if waits else (None, None)

    ages = [(cutoff_us - t.opened_at_us) / US_PER_DAY for t in tickets]
    still_open = [t for t in tickets if t.resolved_at_us is None]
    in_order = sorted(tickets, key=lambda t: (t.opened_at_us, t.resolved_at_us or 2**62))
    reopened = 0
    for before, after in pairwise(in_order):
        if before.resolved_at_us is not None:
            reopened += 0 <= after.opened_at_us - before.resolved_at_us <= 7 * US_PER_DAY
    answer_mean, answer_max = hours("first_response_at_us")
    resolution_mean, resolution_max = hours("resolved_at_us")
    return {
        "tickets_30d": sum(days_ago(t.opened_at_us) <= 30 for t in tickets),
        "tickets_90d": sum(days_ago(t.opened_at_us) <= 90 for t in tickets),
        "days_since_ticket": min(ages, default=None),
        "tickets_per_order": len(tickets) / orders if orders else None,
        "open_tickets": len(still_open),
        "open_ticket_days_max": max(
            ((cutoff_us - t.opened_at_us) / US_PER_DAY for t in still_open), default=None
        ),
        "unanswered_tickets": sum(t.first_response_at_us is None for t in still_open),
        "first_response_hours_mean": answer_mean,
        "first_response_hours_max": answer_max,
        "resolution_hours_mean": resolution_mean,
        "resolution_hours_max": resolution_max,
        "tickets_escalated": sum(t.priority in {"high", "urgent"} for t in tickets),
        "tickets_reopened": reopened,
    }


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definition_on_random_histories(features_of, plain, snapshot, seed):
    """Every value equals the one-customer-at-a-time oracle, answers after the cutoff included."""
    rows = plain.random_beside(seed)["support_tickets"]
    known = plain.known_table(rows, first="opened_at_us", snapshot=snapshot, later=LATER)
    lines = [plain.line(f"c{i:02d}", 100 + d) for i in range(40) for d in range(i % 3 + 1)]

    actual = features_of(lines, BUILDER, beside={"support_tickets": rows})

    for i in range(40):
        expected = oracle(
            known.get(f"c{i:02d}", []),
            orders=i % 3 + 1,
            cutoff_us=snapshot.cutoff_us,
            days_ago=lambda ts: (snapshot.cutoff - plain.business_date(ts)).days,
        )
        assert tuple(expected) == BUILDER.feature_names
        assert plain.differences(actual[f"c{i:02d}"], expected) == {}, i


@pytest.mark.parametrize("later", LATER)
def test_an_answer_or_resolution_at_the_cutoff_is_not_known(features_of, plain, snapshot, later):
    """Per column: the last instant before the cutoff counts, the cutoff itself does not."""
    ticket = {"customer_id": "a", "opened_at_us": plain.at(2), "priority": "low"}
    lines = [plain.line("a", 9)]
    name = {"first_response_at_us": "first_response", "resolved_at_us": "resolution"}[later]

    def waited(at_us):
        beside = {"support_tickets": [ticket | {later: at_us}]}
        return features_of(lines, BUILDER, beside=beside)["a"][f"{name}_hours_mean"]

    assert waited(snapshot.cutoff_us - 3_600_000_000) == pytest.approx(35.0)
    assert waited(snapshot.cutoff_us) is None


def test_what_the_source_does_not_say_is_null(features_of, plain):
    """Without the optional columns the names stay; only openings are known."""
    tickets = [{"customer_id": "a", "opened_at_us": plain.at(d)} for d in (5, 200)]

    found = features_of(
        [plain.line("a", 9)],
        BUILDER,
        beside={"support_tickets": tickets},
        without=(*LATER, "priority"),
    )["a"]

    known = {n for n in BUILDER.feature_names if found[n] is not None}
    assert known == {"tickets_30d", "tickets_90d", "days_since_ticket", "tickets_per_order"}


def test_windows_before_the_first_ticket_of_all_are_unknown(features_of, plain):
    """A help desk that opened last month has no count of three months."""
    tickets = [{"customer_id": "b", "opened_at_us": plain.at(40)}]

    found = features_of([plain.line("a", 9)], BUILDER, beside={"support_tickets": tickets})["a"]

    assert (found["tickets_30d"], found["tickets_90d"], found["open_tickets"]) == (0.0, None, 0.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"windows_days": [0]}, r"windows_days must hold distinct whole numbers .* got \[0\]"),
        ({"escalated": "high"}, "escalated must be a list of distinct names; got 'high'"),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    """The message names the option and what it was given."""
    with pytest.raises(ParameterError, match=f"support: {sentence}"):
        Support(**options)
