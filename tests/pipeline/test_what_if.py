"""What would bring a customer under the band: copies of the customer against the same history as data."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import churnkit
from churnkit.config import Config
from churnkit.data.simulate import simulate_shop
from churnkit.data.windows import US_PER_DAY, Snapshot
from churnkit.features.engagement import Engagement
from churnkit.features.support import Support
from churnkit.models.bundle import load_bundle
from churnkit.pipeline import what_if as subject
from churnkit.pipeline.levers import Step, steps_of
from churnkit.pipeline.population import explain_population
from churnkit.pipeline.session import open_session

AS_OF = pd.Timestamp("2024-01-20")


CUTOFF_US = int(AS_OF.tz_localize("UTC").timestamp() * 1e6)


def copies(customer, rows):
    """Return the steps of a customer at the date of these tests."""
    return steps_of(customer, rows, cutoff_us=CUTOFF_US, day_us=lambda us: us // US_PER_DAY)


@pytest.fixture(scope="module")
def open_shop(shop):
    """Give the open shop, its model, and its population."""
    bundle = load_bundle(shop.bundle)
    with open_session(Config.from_mapping(shop.config), bundle=bundle) as session:
        yield session, bundle, explain_population(session, bundle, as_of=session.as_of)


@pytest.fixture(scope="module")
def changed(open_shop):
    """Give what would change of everybody above a probability of 0.3."""
    session, bundle, population = open_shop
    p = population.predictions.churn_probability
    targets = {name: 0.3 for name, row in population.rows.items() if p[row] >= 0.5}
    return targets, subject.what_if(session, bundle, population, targets=targets)


def test_a_copy_with_orders_has_the_features_of_such_a_history(open_shop, shop):
    """The oracle: the same orders as rows of the input, built from the start."""
    session, bundle, population = open_shop
    customer = next(
        name for name in population.rows if 2 <= (shop.orders["customer_id"] == name).sum() <= 6
    )
    rows = subject._rows_of(session, [customer])[customer]
    steps = [s for s in copies(customer, rows) if s.lever == "orders"]
    found = subject._predicted(session, bundle, population, steps=steps, tables=rows)

    before = shop.orders[shop.orders["customer_id"] == customer]
    before = before[pd.to_datetime(before["ts"]) < AS_OF]
    last = before[before["ts"] == before["ts"].max()]
    for step in steps:
        every = pd.Timedelta(days=30) // step.number
        times = [AS_OF - pd.Timedelta(days=1) - every * n for n in range(step.number)]
        added = [last.assign(ts=f"{at:%Y-%m-%dT%H:%M:%S}", order_id=f"new {at}") for at in times]
        orders = pd.concat([shop.orders, *added])
        expected = churnkit.build_features(shop.config, tables={"orders": orders}).to_pandas()
        own = expected.loc[customer, list(bundle.feature_names)].to_numpy(dtype=np.float32)
        # What the portfolio's purchase model says moves with everybody's orders, theirs included.
        alike = [not name.startswith("purchase_model") for name in bundle.feature_names]
        np.testing.assert_allclose(found[step.name][1][alike], own[alike], rtol=1e-4, atol=1e-4)


def test_the_copy_as_it_is_has_the_probability_of_the_customer(open_shop):
    """Copies do not disturb the level, so nothing changed is nothing gained."""
    session, bundle, population = open_shop
    customer = next(iter(population.rows))
    rows = subject._rows_of(session, [customer])[customer]
    same = next(copies(customer, rows))

    found = subject._predicted(session, bundle, population, steps=[same], tables=rows)

    p = population.predictions.churn_probability[population.rows[customer]]
    assert found[same.name][0] == pytest.approx(p, abs=0.01)


def test_what_is_said_lowers_the_risk(open_shop, changed):
    """Every change has a lower probability than the customer's, and reaches only what is below."""
    _, _, population = open_shop
    targets, found = changed

    assert set(found) == set(targets)
    assert any(found.values())
    for name, changes in found.items():
        p = population.predictions.churn_probability[population.rows[name]]
        for change in changes:
            assert change.churn_probability < p + 0.01
            assert change.reaches == (change.churn_probability < targets[name])
            assert "like the last within 30 days" in change.says


def test_a_ladder_that_rises_is_no_advice():
    """The model is not monotone along it."""
    found = choose([0.5, 0.6, 0.2])

    assert found is None


def test_the_smallest_step_below_the_band_is_taken():
    """Further steps are not asked for."""
    assert choose([0.5, 0.25, 0.2]).churn_probability == 0.25
    assert choose([0.5, 0.25, 0.2]).reaches


def test_the_best_step_is_said_where_none_is_enough():
    """And that it is not enough."""
    found = choose([0.5, 0.45, 0.4])

    assert (found.churn_probability, found.reaches) == (0.4, False)


def test_steps_outside_the_data_are_left_out():
    """A feature beyond what anybody in the population has stops the ladder there."""
    found = choose([0.5, 0.45, 0.2], values=[0.0, 1.0, 99.0])

    assert (found.churn_probability, found.reaches) == (0.45, False)
    assert choose([0.5, 0.2], values=[0.0, 99.0]) is None


def choose(probabilities, *, values=None):
    """Return the choice on a ladder whose only feature has a range of 0 to 10."""

    class Range:
        lowest, highest = np.zeros(1, np.float32), np.full(1, 10, np.float32)

    values = values or range(len(probabilities))
    steps = [
        (
            Step(customer="c", lever="orders", number=i, says=f"{i}", tables={}),
            p,
            np.array([value], np.float32),
        )
        for i, (p, value) in enumerate(zip(probabilities, values, strict=True))
    ]
    return subject._choose(
        steps[1:], start=(steps[0][1], steps[0][2]), target=0.3, population=Range()
    )


def test_nobody_to_bring_down(open_shop):
    """Without customers above the lowest band nothing is built."""
    session, bundle, population = open_shop

    assert subject.what_if(session, bundle, population, targets={}) == {}


@pytest.fixture(scope="module")
def busy_shop(shop):
    """Give the open shop with visits and tickets, and the frames that they came from."""
    made = simulate_shop(customers=300, days=420, seed=7, tables=["events", "support_tickets"])
    frames = {name: made.tables[name].to_pandas() for name in ("events", "support_tickets")}
    tickets = frames["support_tickets"]
    opened = tickets["opened_at"] < AS_OF
    tickets.loc[opened & (tickets.index % 3 == 0), "resolved_at"] = pd.NaT
    config = Config.from_mapping(shop.config)
    with open_session(config, tables=frames, also=tuple(frames)) as session:
        others = {name: session.others[name] for name in frames}
        yield session, session.read.beside(others).history, frames


def features_of(session, history, steps, tables):
    """Return the features of copies of the first step, and of everybody as the data are."""
    builders = [Engagement(), Support()]
    snapshot = Snapshot(
        cutoff=session.as_of, time_zone="UTC", observation_days=365, horizon_days=60, gap_days=0
    )
    copies = subject._built(history, snapshot, builders=builders, steps=steps, tables=tables)
    return copies.to_pandas().set_index("customer_id")


def copies_of(session, history, customer, lever):
    """Return steps of a lever and the rows of a customer."""
    read = dataclasses.replace(session.read, history=history)
    rows = subject._rows_of(dataclasses.replace(session, history=read), [customer])[customer]
    steps = list(copies(customer, rows))
    return [step for step in steps if step.lever in {lever, "as is"}], rows


def test_more_activity_is_more_active_days(busy_shop):
    """Each step has so many more active days in thirty, and nothing of support moves."""
    session, history, frames = busy_shop
    visits = frames["events"].query("event_type == 'visit'")
    orders = history.engine.collect(history.tables["orders"].select("customer_id"))
    buyers = set(orders["customer_id"].to_pylist())
    counts = visits[visits["customer_id"].astype(str).isin(buyers)]["customer_id"].value_counts()
    # Of several with the fewest visits the first: how ties are sorted differs among processors.
    customer = str(counts.sort_index().sort_values(kind="stable").index[0])
    steps, rows = copies_of(session, history, customer, "activity")

    found = features_of(session, history, steps, rows)

    before, *after = (found.loc[step.name] for step in steps)
    assert [step.number for step in steps] == [0, 2, 4, 8]
    for step, row in zip(steps[1:], after, strict=True):
        assert "within 30 days" in step.says
        gained = row["active_days_30d"] - before["active_days_30d"]
        assert 0 <= gained <= step.number
        assert row["event_visit_30d"] > before["event_visit_30d"]
        assert row["days_since_active"] <= 1
        assert row["open_tickets"] == before["open_tickets"]
        assert row["messages_per_week_30d"] == before["messages_per_week_30d"]


def test_messages_opened_are_those_that_were_sent(busy_shop):
    """The share opened rises by one of those sent at each step, and no message is added."""
    session, history, frames = busy_shop
    events = frames["events"]
    lately = events[
        events["ts"].between(AS_OF - pd.Timedelta(days=29), AS_OF - pd.Timedelta(hours=2))
    ]
    sent = lately[lately["event_type"].str.endswith("_sent")]["customer_id"].value_counts()
    opened = lately[lately["event_type"].str.endswith("_opened")]["customer_id"].value_counts()
    customer = str((sent - opened.reindex(sent.index, fill_value=0)).idxmax())
    steps, rows = copies_of(session, history, customer, "messages")

    found = features_of(session, history, steps, rows)

    before, *after = (found.loc[step.name] for step in steps)
    assert len(after) >= 1
    for step, row in zip(steps[1:], after, strict=True):
        assert row["messages_per_week_30d"] == before["messages_per_week_30d"]
        gained = row["message_open_share_30d"] - before["message_open_share_30d"]
        weekly = before["messages_per_week_30d"] * 30 / 7
        assert gained == pytest.approx(step.number / weekly, rel=1e-3)


def event(at_days, kind, **others):
    """Return an event so many days before the cutoff."""
    return {"ts_us": CUTOFF_US - int(at_days * US_PER_DAY), "event_type": kind, **others}


def test_activity_repeats_the_last_active_day():
    """All that was done on it, at the same times of day, in sessions of its own; messages stay out."""
    rows = {
        "events": [
            event(40.0, "visit", session_id="a"),
            event(10.25, "visit", session_id="b"),
            event(10.125, "cart_add", session_id="b"),
            event(2.0, "email_sent", session_id=None),
            event(1.5, "email_opened", session_id=None),
        ]
    }

    found = {s.number: s for s in copies("c", rows) if s.lever == "activity"}

    added = found[2].tables["events"][5:]
    assert [(row["event_type"], CUTOFF_US - row["ts_us"]) for row in added] == [
        ("visit", 0.25 * US_PER_DAY),
        ("cart_add", 0.125 * US_PER_DAY),
        ("visit", 15.25 * US_PER_DAY),
        ("cart_add", 15.125 * US_PER_DAY),
    ]
    assert len({row["session_id"] for row in added}) == 2
    assert not {"a", "b"} & {row["session_id"] for row in added}
    assert found[8].says == "active on 8 more days like the last (cart add, visit) within 30 days"


def test_only_messages_that_wait_can_be_opened():
    """The newest first, an hour after each was sent; an old one and an opened one are left."""
    rows = {
        "events": [
            event(45.0, "sms_sent"),
            event(20.0, "email_sent"),
            event(19.0, "email_opened"),
            event(9.0, "email_sent"),
            event(5.0, "push_sent"),
        ]
    }

    found = [s for s in copies("c", rows) if s.lever == "messages"]

    assert [s.number for s in found] == [1, 2]
    assert [
        (row["event_type"], round((CUTOFF_US - row["ts_us"]) / US_PER_DAY, 2))
        for row in found[-1].tables["events"][5:]
    ] == [("push_opened", 4.96), ("email_opened", 8.96)]


def test_a_customer_without_a_history_has_no_lever():
    """Only the copy as it is."""
    assert [step.lever for step in copies("c", {"events": [], "orders": []})] == ["as is"]


def test_resolved_tickets_are_open_no_more(busy_shop):
    """The copy has none open; the count of tickets is the same."""
    session, history, frames = busy_shop
    tickets = frames["support_tickets"]
    lately = tickets["opened_at"].between(AS_OF - pd.Timedelta(days=300), AS_OF)
    waiting = tickets[tickets["resolved_at"].isna() & lately]
    customer = str(waiting["customer_id"].iloc[0])
    steps, rows = copies_of(session, history, customer, "tickets")

    found = features_of(session, history, steps, rows)

    before, after = (found.loc[step.name] for step in steps)
    assert before["open_tickets"] >= 1
    assert after["open_tickets"] == 0
    assert after["tickets_90d"] == before["tickets_90d"]
    assert "resolved the day before" in steps[1].says
