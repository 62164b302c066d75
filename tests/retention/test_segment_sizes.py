"""The size of segments: all customers once, shares of everybody, empty segments too."""

from __future__ import annotations

import pyarrow as pa
import pytest

from churnkit.retention.segment_sizes import segment_sizes
from churnkit.retention.segments import SegmentRules

RULES = SegmentRules.from_table(
    [
        {"segment": "recent", "r": [4, 5]},
        {"segment": "gone", "r": 1},
        {"segment": "other", "r": [2, 3]},
    ]
)


def test_sizes_and_shares_by_hand(engine, load):
    """Two recent customers of three, who brought 80 of 100."""
    customers = load(
        pa.table(
            {
                "rfm_segment": ["recent", "recent", "gone"],
                "orders": [3, 2, 1],
                "net_revenue": [50.0, 30.0, 20.0],
                "days_since_last_order": [10.0, 20.0, 300.0],
            }
        )
    )

    table = segment_sizes(customers, engine=engine, rules=RULES).to_pandas().set_index("segment")

    assert list(table.index) == ["recent", "gone", "other"]
    assert table["customers"].tolist() == [2, 1, 0]
    assert table["customers_percent"].tolist() == pytest.approx([200 / 3, 100 / 3, 0])
    assert table["revenue_percent"].tolist() == pytest.approx([80, 20, 0])
    assert table.loc["recent", "orders_per_customer"] == 2.5
    assert table.loc["recent", "net_revenue_per_customer"] == 40.0
    assert table.loc["recent", "days_since_last_order"] == 15.0
    assert table.loc["other", ["orders_per_customer", "days_since_last_order"]].isna().all()


def test_shares_of_money_need_money(engine, load):
    """Where returns outweigh sales there is no share of the revenue."""
    customers = load(
        pa.table(
            {
                "rfm_segment": ["gone"],
                "orders": [0],
                "net_revenue": [-5.0],
                "days_since_last_order": pa.array([None], pa.float64()),
            }
        )
    )

    table = segment_sizes(customers, engine=engine, rules=RULES).to_pandas().set_index("segment")

    assert table["revenue_percent"].isna().all()
    assert table["net_revenue"].tolist() == [0.0, -5.0, 0.0]
