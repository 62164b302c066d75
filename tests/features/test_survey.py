"""Survey, on every engine, against a plain-Python oracle."""

from __future__ import annotations

import pytest

from churnkit.features.survey import Survey

BUILDER = Survey()
US_PER_DAY = 86_400_000_000


def oracle(answers, *, cutoff_us):
    """Return the features of one customer by their definitions."""
    found = {}
    for kind in ("csat", "nps", "ces"):
        mine = [a for a in answers if a.survey == kind]
        latest = max((a.ts_us for a in mine), default=None)
        last = [a.score for a in mine if a.ts_us == latest]
        before = [a.score for a in mine if a.ts_us != latest]
        found |= {
            f"{kind}_last": sum(last) / len(last) if last else None,
            f"{kind}_mean": sum(a.score for a in mine) / len(mine) if mine else None,
            f"{kind}_change": sum(last) / len(last) - sum(before) / len(before) if before else None,
            f"days_since_{kind}": (cutoff_us - latest) / US_PER_DAY if mine else None,
        }
    return found | {"survey_answers": len(answers), "survey_silent": float(not answers)}


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_definition_on_random_histories(features_of, plain, snapshot, seed):
    """Every value equals the one-customer-at-a-time oracle, future answers included."""
    rows = plain.random_beside(seed)["surveys"]
    rows += [row | {"score": row["score"] - 1.0} for row in rows if row["score"] > 3]
    known = plain.known_table(rows, first="ts_us", snapshot=snapshot)
    lines = [plain.line(f"c{i:02d}", 100) for i in range(40)]

    actual = features_of(lines, BUILDER, beside={"surveys": rows})

    for customer, values in actual.items():
        expected = oracle(known.get(customer, []), cutoff_us=snapshot.cutoff_us)
        assert tuple(expected) == BUILDER.feature_names
        assert plain.differences(values, expected) == {}, customer


def test_nobody_is_silent_before_the_first_survey(features_of, plain, snapshot):
    """Not asked is not the same as not answering: silence is null until anybody has answered."""
    answer = {"customer_id": "b", "survey": "nps", "score": 9.0}
    lines = [plain.line("a", 9)]

    def silent(ts_us):
        beside = {"surveys": [answer | {"ts_us": ts_us}]}
        return features_of(lines, BUILDER, beside=beside)["a"]["survey_silent"]

    assert silent(snapshot.cutoff_us) is None
    assert silent(plain.at(5)) == 1.0
