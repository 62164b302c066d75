"""Segments at two dates side by side, on every engine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnkit.errors import ParameterError
from churnkit.retention.customer import customer_metrics
from churnkit.retention.migration import SegmentMigration, segment_migration
from churnkit.retention.segments import ABSENT, DEFAULT_RULES, SegmentRule, SegmentRules

RULES = SegmentRules(
    rules=(SegmentRule(segment="warm", r=(3, 5)), SegmentRule(segment="cold", r=(1, 2)))
)


def segments(**by_customer):
    """Return customers with their segment."""
    ids, names = list(by_customer), list(by_customer.values())
    return pa.table(
        {"customer_id": pa.array(ids, pa.string()), "rfm_segment": pa.array(names, pa.string())}
    )


def test_customers_are_counted_from_segment_to_segment(engine, load):
    """Stayers, movers and newcomers are each counted once, whoever left the table too."""
    earlier = load(segments(a="warm", b="warm", c="cold", d="cold"))
    later = load(segments(a="warm", b="cold", c="warm", e="warm", f="warm"))

    moved = segment_migration(earlier, later, engine=engine, rules=RULES)

    assert moved == SegmentMigration(
        states=("warm", "cold", ABSENT),
        customers={
            ("warm", "warm"): 1,
            ("warm", "cold"): 1,
            ("cold", "warm"): 1,
            ("cold", ABSENT): 1,
            (ABSENT, "warm"): 2,
        },
    )


def test_the_matrix_has_every_state_on_both_sides():
    """Rows are the earlier states, columns the later ones; percent are of the row, NaN without one."""
    moved = SegmentMigration(
        states=("warm", "cold", ABSENT), customers={("warm", "warm"): 1, ("warm", "cold"): 3}
    )

    counts, shares = moved.to_pandas(), moved.to_pandas(percent=True)

    index, columns = (pd.Index(moved.states, name=name) for name in ("earlier", "later"))
    pd.testing.assert_frame_equal(
        counts, pd.DataFrame([[1, 3, 0], [0, 0, 0], [0, 0, 0]], index=index, columns=columns)
    )
    none = [np.nan] * 3
    pd.testing.assert_frame_equal(
        shares, pd.DataFrame([[25.0, 75.0, 0.0], none, none], index=index, columns=columns)
    )


def test_two_dates_of_one_history(engine, make_orders, us):
    """Row and column sums are the customers at the dates; newcomers come from absent, nobody goes there."""
    orders = make_orders(
        [
            ("a", "1", "2024-01-01", 10.0),
            ("b", "2", "2024-02-01", 10.0),
            ("a", "3", "2024-05-01", 10.0),
            ("c", "4", "2024-05-02", 30.0),
        ]
    )
    earlier, later = (
        customer_metrics(orders, as_of_us=us(date)) for date in ("2024-03-01", "2024-06-01")
    )

    moved = segment_migration(earlier, later, engine=engine).to_pandas()

    assert moved.loc[ABSENT].sum() == 1
    assert moved[ABSENT].sum() == 0
    assert moved.to_numpy().sum() == 3
    assert list(moved.index) == [*DEFAULT_RULES.segments, ABSENT]


def test_empty_frames_give_a_matrix_of_zeros(engine, load):
    """Without customers nothing moves, and the states are there all the same."""
    moved = segment_migration(load(segments()), load(segments()), engine=engine, rules=RULES)

    assert moved.to_pandas().to_numpy().tolist() == [[0, 0, 0]] * 3


def test_segments_of_other_rules_are_refused(engine, load):
    """A segment that the rules do not know is named."""
    frame = load(segments(a="champions"))

    with pytest.raises(
        ParameterError, match=r"rules must be those .* got 'champions' in it\. Known: warm, cold\."
    ):
        segment_migration(frame, frame, engine=engine, rules=RULES)
