"""Funnels and carts: worked examples, brute force over all sequences, the truth of a simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.retention.carts import abandoned_carts
from churnkit.retention.funnels import funnel

HOUR = 3_600_000_000
STEPS = ("view", "cart", "buy")


@pytest.fixture
def events(load):
    """Give a function that makes events of ``(customer, hour, type)`` or with a session."""

    def make(rows):
        return load(
            pa.table(
                {
                    "customer_id": [str(row[0]) for row in rows],
                    "ts_us": pa.array([round(row[1] * HOUR) for row in rows], pa.int64()),
                    "event_type": [row[2] for row in rows],
                    "session_id": pa.array(
                        [row[3] if len(row) > 3 else None for row in rows], pa.string()
                    ),
                }
            )
        )

    return make


def run(frame, engine, **options):
    """Return the users of each step, and the funnel."""
    given = {"steps": STEPS, "within_hours": 24, "start_us": 0, "end_us": 1000 * HOUR}
    found = funnel(frame, engine=engine, **(given | options))
    return [step.users for step in found.steps], found


def test_steps_must_come_in_order_and_in_time(events, engine):
    """A cart before the view, or a purchase after the window, does not convert."""
    rows = [
        ("a", 1, "view"), ("a", 2, "cart"), ("a", 4, "buy"),
        ("b", 1, "cart"), ("b", 2, "view"), ("b", 3, "buy"),
        ("c", 1, "view"), ("c", 2, "cart"), ("c", 25, "buy"),
        ("d", 1, "view"), ("d", 30, "view"), ("d", 31, "cart"), ("d", 31, "other"),
    ]  # fmt: skip

    users, found = run(events(rows), engine)

    assert users == [4, 3, 1]
    assert found.steps[1].conversion.value == 75.0
    assert found.steps[2].drop_off.value == pytest.approx(100 * 2 / 3)
    assert found.steps[2].share_of_first.value == 25.0
    assert [step.median_hours for step in found.steps] == [None, 1.0, 2.0]
    assert found.to_pandas()["users"].tolist() == users


def test_a_later_attempt_may_get_further(events, engine):
    """The times are those of the attempt that got furthest."""
    first = [("a", 1, "view"), ("a", 2, "cart")]
    rows = [*first, ("a", 100, "view"), ("a", 103, "cart"), ("a", 110, "buy")]

    users, found = run(events(rows), engine)

    assert users == [1, 1, 1]
    assert [step.median_hours for step in found.steps] == [None, 3.0, 7.0]


def test_steps_of_one_session(events, engine):
    """With sessions, steps of two sessions are two funnels; events without a session are left out."""
    rows = [("a", 1, "view", "s"), ("a", 2, "cart", "t"), ("a", 3, "view", "t"), ("a", 4, "view")]

    users, _ = run(events(rows), engine, by_session=True)

    assert users == [2, 0, 0]


def test_attempts_whose_window_is_not_over_are_left_out(events, engine):
    """Whoever began less than a window before the end may still be on the way."""
    rows = [("a", 1, "view"), ("a", 2, "cart"), ("b", 30, "view")]

    users, _ = run(events(rows), engine, end_us=40 * HOUR)
    known, _ = run(events(rows), engine, end_us=40 * HOUR, known_until_us=54 * HOUR)

    assert users == [1, 1, 0]
    assert known == [2, 1, 0]


def test_events_of_one_instant_count_in_the_order_of_steps(events, engine):
    """Logs with one time for a whole page keep their steps."""
    users, _ = run(events([("a", 1, "buy"), ("a", 1, "cart"), ("a", 1, "view")]), engine)

    assert users == [1, 1, 1]


def brute(rows, window):
    """Return the users per step by trying every sequence."""
    reached = np.zeros(3, dtype=int)
    for who in {row[0] for row in rows}:
        times = [[t for c, t, e in rows if c == who and e == step] for step in STEPS]
        depth = 1 if times[0] else 0
        for k in (2, 3):
            for path in itertools.product(*times[:k]):
                if list(path) == sorted(path) and path[-1] - path[0] < window:
                    depth = max(depth, k)
        reached[:depth] += 1
    return reached.tolist()


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 40), st.sampled_from([*STEPS, "other"])),
        min_size=1,
        max_size=25,
    ),
    window=st.integers(1, 45),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_sequence_gets_further(events, engine, rows, window):
    """The greedy way finds as many users at each step as all sequences together."""
    users, _ = run(events(rows), engine, within_hours=window)

    assert users == brute(rows, window)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": ["view"]}, r"at least two event types, each once; got \['view'\]"),
        ({"steps": ["view", "view"]}, r"each once; got \['view', 'view'\]"),
        ({"within_hours": 0}, r"within_hours must be > 0; got 0"),
    ],
)
def test_impossible_funnels_are_refused(events, engine, options, sentence):
    """The message names the argument and the value."""
    with pytest.raises(ParameterError, match=sentence):
        run(events([("a", 1, "view")]), engine, **options)


def carts(frame, engine, *, by_session, window=24):
    """Return customer, hour and whether abandoned of each cart."""
    found = abandoned_carts(
        frame,
        cart_event="cart",
        purchase_event="buy",
        window_us=window * HOUR,
        by_session=by_session,
    )
    rows = engine.collect(found).to_pylist()
    return sorted((r["customer_id"], r["ts_us"] // HOUR, r["abandoned"]) for r in rows)


def test_a_cart_lasts_until_a_purchase_or_a_pause(events, engine):
    """Without sessions, additions in a row are one cart; a purchase or a day of pause ends it."""
    rows = [
        ("a", 1, "cart"), ("a", 2, "cart"), ("a", 3, "buy"), ("a", 4, "cart"),
        ("b", 1, "cart"), ("b", 30, "cart"), ("b", 40, "buy"), ("b", 41, "view"),
        ("c", 1, "buy"),
    ]  # fmt: skip

    found = carts(events(rows), engine, by_session=False)

    assert found == [("a", 1, 0), ("a", 4, 1), ("b", 1, 1), ("b", 30, 0)]


def test_a_session_has_one_cart(events, engine):
    """A purchase of the customer in a later session within the window saves the cart."""
    rows = [
        ("a", 1, "cart", "s"), ("a", 2, "cart", "s"), ("a", 9, "cart", "t"), ("a", 10, "buy", "t"),
        ("a", 50, "cart", "u"), ("a", 60, "cart", "v"),
    ]  # fmt: skip

    found = carts(events(rows), engine, by_session=True)

    assert found == [("a", 1, 0), ("a", 9, 0), ("a", 50, 1), ("a", 60, 1)]


def test_what_is_put_into_a_cart_without_a_session_is_not_lost(events, engine):
    """Where some events have no session, they fill a cart until a purchase or a pause."""
    rows = [
        ("a", 1, "cart", None), ("a", 2, "cart", None), ("a", 3, "buy", None),
        ("a", 4, "cart", "s"), ("a", 5, "cart", None), ("a", 40, "cart", None),
        ("b", 1, "cart", None),
    ]  # fmt: skip

    found = carts(events(rows), engine, by_session=True)

    assert found == [("a", 1, 0), ("a", 4, 1), ("a", 40, 1), ("b", 1, 1)]
