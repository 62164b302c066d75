"""What rises of retention are worth: by hand, on every engine."""

from __future__ import annotations

from datetime import date

import pytest

from churnkit.retention.lift import lift_scenarios

# Before the period of 2023-07 to 2023-12: a, b, c and d; a, b and new e order in it.
LINES = [
    *((name, f"{name}1", "2023-05-01T00:00:00", 100.0) for name in "abcd"),
    ("a", "a2", "2023-11-01T00:00:00", 60.0),
    ("b", "b2", "2023-12-01T00:00:00", 40.0),
    ("e", "e1", "2023-12-01T00:00:00", 20.0),
]
# Seven orders of five customers in the year, of 40 each in the period of 184 days.
MARGIN = 40.0 * 7 / 5 * 184 / 365.25


@pytest.fixture
def lift(make_orders, engine):
    """Give a function that returns the scenarios of half a year."""

    def make(**options):
        return lift_scenarios(
            make_orders(LINES),
            engine=engine,
            start=date(2023, 7, 1),
            end=date(2024, 1, 1),
            time_zone="UTC",
            activity_window_days=90,
            **{"points": (5.0, 10.0), **options},
        )

    return make


def test_the_lifetime_value_of_more_retention(lift):
    """Two of four stay with their margin m: m / 0.5 now, m / 0.45 with five points."""
    found = lift()

    assert (found.retention, found.customers) == (50.0, 4)
    assert found.margin_per_customer == pytest.approx(MARGIN)
    (five, ten) = found.scenarios
    assert five.lifetime_value.value == pytest.approx(MARGIN / 0.45)
    assert five.lifetime_value_lift.value == pytest.approx(100 * (0.5 / 0.45 - 1))
    assert ten.lifetime_value_lift.value == pytest.approx(25.0)
    assert five.margin_gain == pytest.approx(4 * 0.05 * MARGIN)
    assert found.profit is None
    assert five.profit_lift is None


def test_the_profit_is_margin_less_marketing_costs(lift):
    """Half the revenue of 120 less 40 is 20; of four customers one in twenty more adds to it."""
    found = lift(gross_margin=0.5, marketing_cost=40.0)

    assert found.profit == pytest.approx(20.0)
    assert found.scenarios[0].profit_lift.value == pytest.approx(100 * 4 * 0.05 * MARGIN / 2 / 20)
    assert found.scenarios[0].lifetime_value_lift.value == pytest.approx(100 * (0.5 / 0.45 - 1))


def test_points_that_retention_has_no_room_for_are_left_out(lift):
    """From 50 % nobody can rise by 60 points or fall by 70."""
    found = lift(points=(-70.0, 1.0, 60.0, 1.0))

    assert [each.points for each in found.scenarios] == [1.0]
    assert found.to_pandas()["retention"].tolist() == [51.0]


def test_without_customers_at_the_start_there_is_nothing(make_orders, engine):
    """Before the first order nobody can be retained: no scenario, and no retention."""
    found = lift_scenarios(
        make_orders(LINES),
        engine=engine,
        start=date(2023, 4, 1),
        end=date(2023, 6, 1),
        time_zone="UTC",
        activity_window_days=90,
        points=(5.0,),
    )

    assert (found.scenarios, found.retention, found.customers) == ((), None, 0)
    assert found.to_pandas().empty
