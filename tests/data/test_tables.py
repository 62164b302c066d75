"""Contracts of the tables beside the orders: what is counted and set aside, and what is kept."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pyarrow as pa
import pytest

from churnkit.data import tables  # registers the contracts
from churnkit.data.contracts import CONTRACTS
from churnkit.data.simulate import simulate_shop
from churnkit.data.sources import TableSpec, load_table
from churnkit.errors import ParameterError

DAY = pd.Timestamp("2024-01-01")


@pytest.fixture
def loaded(reader):
    """Give a function that returns the rows kept, the counts of broken rules and the rows set aside."""

    def load(name, frame, as_of=None, **options):
        table = load_table(
            TableSpec(source=frame),
            contract=CONTRACTS[name](**options),
            engine=reader,
            time_zone="UTC",
            as_of_us=None if as_of is None else as_of.value // 1000,
        )
        broken = {c.name: c.rows for c in table.report.checks if c.rows}
        kept = reader.collect(table.rows).to_pandas()
        return kept, broken, reader.collect(table.rejected).to_pandas()

    return load


def test_every_simulated_table_passes_its_contract(loaded):
    """No row of a simulated shop breaks a rule."""
    names = [
        "events", "subscriptions", "support_tickets", "surveys", "rewards", "customers",
        "marketing_costs",
    ]  # fmt: skip
    shop = simulate_shop(customers=100, days=120, seed=3, tables=names)

    found = {name: loaded(name, shop.tables[name]) for name in names}

    for name, (kept, broken, _) in found.items():
        assert len(kept) == shop.tables[name].num_rows
        assert set(broken) <= {"exact_duplicates"}, name


def test_an_end_before_its_start_is_set_aside(loaded):
    """A subscription cannot end before it starts; one that ends at its start is kept."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "started_at": [DAY] * 3,
            "ended_at": [DAY - pd.Timedelta(days=1), DAY, pd.NaT],
            "mrr": [10.0, 10.0, 10.0],
        }
    )

    kept, broken, rejected = loaded("subscriptions", frame)

    assert broken == {"ended_at_before_started_at": 1}
    assert sorted(kept["customer_id"]) == ["b", "c"]
    assert rejected["reason"].tolist() == ["ended_at is before started_at"]


def test_overlapping_periods_of_one_subscription_are_set_aside(loaded):
    """What is kept of one subscription_id never overlaps; two subscriptions of a customer may."""
    days = [0, 10, 50, 0, 5, 200]
    ends = [100, 20, 60, 90, 95, None]
    frame = pd.DataFrame(
        {
            "customer_id": ["a"] * 6,
            "subscription_id": ["s", "s", "s", "t", "u", "s"],
            "started_at": [DAY + pd.Timedelta(days=d) for d in days],
            "ended_at": [pd.NaT if e is None else DAY + pd.Timedelta(days=e) for e in ends],
            "mrr": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        }
    )

    kept, broken, _ = loaded("subscriptions", frame)

    assert broken == {"subscription_overlap": 1}
    assert sorted(kept["mrr"]) == [2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize("empty", [1, 2])
def test_an_empty_period_overlaps_nothing_that_starts_with_it(loaded, empty):
    """A plan changed in its first instant leaves an empty period: the one that runs is kept."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a"] * (2 + empty) + ["b", "b"],
            "subscription_id": ["s"] * (2 + empty) + ["t", "t"],
            "started_at": [DAY - pd.Timedelta(days=9)] + [DAY] * (1 + empty) + [DAY, DAY],
            "ended_at": [DAY] * (1 + empty) + [pd.NaT, DAY + pd.Timedelta(days=5), pd.NaT],
            "mrr": [float(m) for m in range(4 + empty)],
        }
    )

    kept, broken, _ = loaded("subscriptions", frame)

    assert broken == {"subscription_overlap": 1}
    assert sorted(kept["mrr"]) == [float(m) for m in range(3 + empty)]


def test_an_open_period_overlaps_every_later_one(loaded):
    """A period without an end is set aside where the same subscription starts again."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "subscription_id": ["s", "s"],
            "started_at": [DAY, DAY + pd.Timedelta(days=30)],
            "ended_at": [pd.NaT, pd.NaT],
            "mrr": [1.0, -2.0],
        }
    )

    _, broken, _ = loaded(
        "subscriptions",
        pd.concat([frame, frame.assign(customer_id="b", subscription_id=None, mrr=3.0)]),
    )

    assert broken == {"subscription_overlap": 1, "mrr_negative": 1}


def test_a_score_off_its_scale_is_set_aside(loaded):
    """An NPS score of 11, half a star and a survey of no known kind are counted by rule."""
    frame = pd.DataFrame(
        {
            "customer_id": [str(i) for i in range(43)],
            "ts": [DAY] * 43,
            "survey": ["nps"] * 20 + ["csat"] * 20 + ["ces", "stars", "nps"],
            "score": [10.0] * 20 + [5.0] * 19 + [4.5] + [7.0, 3.0, 11.0],
        }
    )

    kept, broken, rejected = loaded("surveys", frame)

    assert broken == {"survey_unknown": 1, "score_off_scale": 2}
    assert len(kept) == 40
    assert rejected.loc[rejected["score"] == "11.0", "reason"].tolist() == [
        "score is not on the scale of its survey (csat 1 to 5, nps 0 to 10, ces 1 to 7)"
    ]


def test_a_survey_on_another_scale_is_set_aside_as_a_whole(loaded):
    """Answers from 1 to 10 to a five-point survey are not halved into its lower part."""
    frame = pd.DataFrame(
        {
            "customer_id": [str(i) for i in range(30)],
            "ts": [DAY] * 30,
            "survey": ["csat"] * 20 + ["nps"] * 10,
            "score": [*range(1, 11)] * 3,
        }
    )

    kept, broken, _ = loaded("surveys", frame)
    ten, _, _ = loaded("surveys", frame, csat_options=10)

    assert broken["scale_mismatch"] == 20
    assert set(kept["survey"]) == {"nps"}
    assert len(ten) == 30


def test_a_scale_has_at_least_two_options():
    """A scale of one answer is refused by name."""
    with pytest.raises(ParameterError, match=r"surveys: csat_options must be >= 2; got 1"):
        CONTRACTS["surveys"](csat_options=1)


def test_a_ticket_resolved_before_it_was_opened_is_set_aside(loaded):
    """Answers and solutions come after the question; unanswered tickets are kept."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "opened_at": [DAY] * 3,
            "first_response_at": [DAY, DAY - pd.Timedelta(hours=1), pd.NaT],
            "resolved_at": [DAY - pd.Timedelta(days=1), DAY, pd.NaT],
        }
    )

    kept, broken, _ = loaded("support_tickets", frame)

    assert broken == {"resolved_at_before_opened_at": 1, "first_response_at_before_opened_at": 1}
    assert kept["customer_id"].tolist() == ["c"]


def test_a_reward_redeemed_before_it_was_issued_is_set_aside(loaded):
    """A reward cannot be used before there is one."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "issued_at": [DAY] * 2,
            "redeemed_at": [DAY - pd.Timedelta(days=1), DAY],
        }
    )

    kept, broken, _ = loaded("rewards", frame)

    assert broken == {"redeemed_at_before_issued_at": 1}
    assert kept["customer_id"].tolist() == ["b"]


def test_a_customer_has_one_row_of_attributes(loaded):
    """Of several rows of a customer one is kept, and their number is told."""
    frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "country": ["GB", "DE", None]})

    kept, broken, _ = loaded("customers", frame, attributes=["country"])

    assert broken == {"customer_repeated": 1}
    assert kept.sort_values("customer_id")["country"].fillna("").tolist() == ["DE", ""]


@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1)])
def test_of_several_rows_of_a_customer_the_one_known_first_is_kept(loaded, rows):
    """A row of the future, or of equal attributes, never takes the place of an earlier one."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b"],
            "since": [DAY, DAY + pd.Timedelta(days=9), DAY, DAY + pd.Timedelta(days=1)],
            "country": ["GB", "DE", "GB", "GB"],
        }
    )

    kept, broken, _ = loaded(
        "customers",
        frame[rows],
        as_of=DAY + pd.Timedelta(days=5),
        attributes=["country"],
    )

    assert broken == {"customer_repeated": 2, "since_in_future": 1}
    assert kept["since_us"].tolist() == [DAY.value // 1000] * 2
    assert kept["country"].tolist() == ["GB", "GB"]


def test_attributes_known_since_ever_are_kept(loaded):
    """A date that stands for none makes an order doubtful, and says nothing against an attribute."""
    since = [datetime(1, 1, 1), datetime(1900, 1, 1)]
    frame = pa.table({"customer_id": ["a", "b"], "since": since, "country": ["GB", "DE"]})

    kept, broken, _ = loaded("customers", frame, attributes=["country"])

    assert not broken
    assert sorted(kept["country"]) == ["DE", "GB"]


def test_a_future_period_sets_no_earlier_one_aside(loaded):
    """What starts after the day of the run is not known on it, nor that an open period overlaps it."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b"],
            "subscription_id": ["s", "s", "t", "t"],
            "started_at": [DAY, DAY + pd.Timedelta(days=9)] * 2,
            "ended_at": [pd.NaT, pd.NaT, DAY + pd.Timedelta(days=20), pd.NaT],
            "mrr": 1.0,
        }
    )

    kept, broken, _ = loaded("subscriptions", frame, as_of=DAY + pd.Timedelta(days=5))

    assert broken == {"started_at_in_future": 2}
    assert sorted(kept["customer_id"]) == ["a", "b"]


def test_future_answers_do_not_say_on_which_scale_earlier_ones_are(loaded):
    """Answers after the day of the run are set aside alone, whatever their scale."""
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "ts": [DAY, DAY + pd.Timedelta(days=9), DAY + pd.Timedelta(days=9)],
            "survey": "csat",
            "score": [5, 10, 9],
        }
    )

    kept, broken, _ = loaded("surveys", frame, as_of=DAY + pd.Timedelta(days=5))

    assert broken == {"ts_in_future": 2, "score_off_scale": 2}
    assert kept["customer_id"].tolist() == ["a"]


def test_the_tables_of_a_shop_have_contracts():
    """Every input table of the metrics page is registered."""
    assert tables.SURVEYS == ("csat", "nps", "ces")
    assert {"orders", "events", "subscriptions", "support_tickets", "surveys", "rewards"} < set(
        CONTRACTS.names()
    )


def test_impossible_seats_billing_and_failed_payments_are_set_aside(loaded):
    """Seats are not negative, a billing period is longer than nothing, and nothing fails before."""
    frame = pd.DataFrame(
        {
            "customer_id": list("abcd"),
            "started_at": [DAY] * 4,
            "ended_at": [pd.NaT] * 4,
            "mrr": [10.0] * 4,
            "seats": [-1.0, 0.0, None, 5.0],
            "billing_months": [1.0, 0.0, 12.0, None],
            "payment_failed_at": [pd.NaT, pd.NaT, DAY - pd.Timedelta(hours=1), DAY],
        }
    )

    kept, broken, _ = loaded("subscriptions", frame)

    assert kept["customer_id"].tolist() == ["d"]
    assert broken == {
        "seats_negative": 1,
        "billing_months_not_positive": 1,
        "payment_failed_at_before_started_at": 1,
    }
