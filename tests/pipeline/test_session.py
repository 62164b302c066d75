"""What a verb opens: the tables that it reads, in one order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from churnkit.data.simulate import simulate_shop
from churnkit.pipeline.configured import as_config
from churnkit.pipeline.session import open_session
from churnkit.pipeline.tables import OTHER_TABLES


def test_tables_come_in_one_order_however_python_hashes_their_names():
    """The page lists them so: the orders, what the features read, and then the others."""
    needed = ("events", "subscriptions", "support_tickets", "surveys", "rewards", "customers")
    tables = simulate_shop(customers=60, days=200, seed=3).tables
    features = {"subscription": {"plans": ["basic", "plus", "pro"]}, "engagement": {}}
    features |= {"support": {}, "survey": {}, "loyalty": {}}
    features["attributes"] = {"categories": ["country"]}
    config = as_config(
        {
            "name": "shop",
            "engine": {"threads": 1},
            "data": {name: {"source": "given.csv"} for name in ("orders", *needed)},
            "features": {"rfm": {}, **features},
        }
    )

    given = {name: tables[name] for name in ("orders", *needed)}
    with open_session(config, tables=given, also=OTHER_TABLES) as session:
        found = [report.table for report in session.reports]

    assert found == ["orders", *needed]


@pytest.mark.parametrize(("as_of", "warned"), [("2024-01-09", False), ("2024-02-01", True)])
def test_orders_that_end_long_before_the_day_of_a_run_are_pointed_out(caplog, as_of, warned):
    """A nightly job on an extract that has stopped coming would call everybody lost."""
    orders = pa.table({"customer_id": ["a", "b"], "ts": ["2023-12-24", "2024-01-02"]})
    config = as_config(
        {"name": "shop", "engine": {"threads": 1}, "data": {"orders": {"source": "given.csv"}}}
    )

    with open_session(config, tables={"orders": orders}, as_of=as_of):
        told = caplog.text

    assert ("orders end on 2024-01-02, 30 days before as_of 2024-02-01" in told) is warned
