"""The purchase model of a portfolio: days are the business's own, whatever the hour."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from churnkit.data.windows import Snapshot
from churnkit.models.purchase import forecast_purchases

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def forecast_at(zone, *, hours, cutoff=date(2024, 7, 1)):
    """Return the forecast for customers whose order days are the same in every zone."""
    rng = np.random.default_rng(5)
    n = 400
    first = rng.integers(60, 600, n)
    order_days = np.where(rng.random(n) < 0.5, 1, rng.integers(2, 6, n)).astype(float)
    last = np.where(order_days > 1, rng.integers(1, first - 8), first)

    def instants(days_ago):
        local = [
            datetime(cutoff.year, cutoff.month, cutoff.day, hour, tzinfo=ZoneInfo(zone))
            - timedelta(days=int(days))
            for days, hour in zip(days_ago, hours(rng, n), strict=True)
        ]
        return np.array([(at - EPOCH) / timedelta(microseconds=1) for at in local])

    amount = 20.0 * order_days
    base = {
        "order_days": order_days,
        "first_order_us": instants(first),
        "last_order_us": instants(last),
        "order_amount": amount,
        "net_revenue": amount,
    }
    snapshot = Snapshot(cutoff=cutoff, observation_days=730, horizon_days=60, time_zone=zone)
    return forecast_purchases(base, snapshot)


@pytest.mark.parametrize(
    "zone", ["Europe/London", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"]
)
def test_the_hour_of_an_order_and_the_zone_change_nothing(zone):
    """The same business days give the same forecast, be it London at night or Auckland at noon."""
    expected = forecast_at("UTC", hours=lambda _, n: np.full(n, 12))

    found = forecast_at(zone, hours=lambda rng, n: rng.integers(0, 24, n))

    np.testing.assert_array_equal(found.order_probability, expected.order_probability)
    np.testing.assert_array_equal(found.expected_spend, expected.expected_spend)
    np.testing.assert_array_equal(found.next_order_days, expected.next_order_days)
