"""The table of segment rules: a partition of the 125 score cells, as a property and by example."""

from __future__ import annotations

from itertools import product

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.errors import ParameterError
from churnkit.retention.segments import DEFAULT_RULES, SegmentRule, SegmentRules

CELLS = list(product(range(1, 6), repeat=3))

# The eleven names of the metrics page.
ELEVEN = {
    "champions",
    "loyal",
    "potential_loyalist",
    "new",
    "promising",
    "needs_attention",
    "about_to_sleep",
    "at_risk",
    "cannot_lose_them",
    "hibernating",
    "lost",
}


@st.composite
def partitions(draw, *, at_least=1):
    """Cut the cube of scores again and again, one box in two, and name the boxes."""
    boxes = [((1, 5), (1, 5), (1, 5))]
    for _ in range(draw(st.integers(at_least - 1, 12))):
        axis, which = draw(st.integers(0, 2)), draw(st.integers(0, len(boxes) - 1))
        low, high = boxes[which][axis]
        if low == high:
            continue
        cut = draw(st.integers(low, high - 1))
        box = list(boxes.pop(which))
        for part in ((low, cut), (cut + 1, high)):
            box[axis] = part
            boxes.append(tuple(box))
    return [
        SegmentRule(segment=f"s{i}", r=r, f=f, m=m)
        for i, (r, f, m) in enumerate(draw(st.permutations(boxes)))
    ]


def test_the_default_table_has_the_eleven_segments():
    """The default rules name the eleven segments of the metrics page and no other."""
    assert len(DEFAULT_RULES.segments) == 11
    assert set(DEFAULT_RULES.segments) == ELEVEN


@pytest.mark.parametrize(
    ("cell", "segment"),
    [
        ((5, 5, 5), "champions"),
        ((4, 4, 4), "champions"),
        ((5, 5, 3), "loyal"),
        ((3, 5, 5), "loyal"),
        ((5, 3, 1), "potential_loyalist"),
        ((4, 2, 5), "potential_loyalist"),
        ((5, 1, 5), "new"),
        ((4, 1, 1), "promising"),
        ((3, 3, 1), "needs_attention"),
        ((3, 1, 4), "needs_attention"),
        ((3, 2, 3), "about_to_sleep"),
        ((2, 3, 5), "at_risk"),
        ((1, 5, 3), "at_risk"),
        ((2, 4, 4), "cannot_lose_them"),
        ((2, 2, 5), "hibernating"),
        ((1, 2, 5), "lost"),
        ((1, 1, 1), "lost"),
    ],
)
def test_boundaries_of_the_default_segments(cell, segment):
    """Cells on both sides of the default boundaries have the segment that practice gives them."""
    r, f, m = cell

    assert DEFAULT_RULES.segment(r=r, f=f, m=m) == segment


@settings(deadline=None)
@given(rules=partitions())
def test_every_partition_is_accepted_and_every_cell_has_its_box(rules):
    """Whatever way the cube is cut, each cell has the segment of the one box that holds it."""
    table = SegmentRules(rules=tuple(rules))

    for r, f, m in CELLS:
        inside = [
            rule.segment
            for rule in rules
            if rule.r[0] <= r <= rule.r[1]
            and rule.f[0] <= f <= rule.f[1]
            and rule.m[0] <= m <= rule.m[1]
        ]
        assert [table.segment(r=r, f=f, m=m)] == inside


@settings(deadline=None)
@given(rules=partitions(at_least=2), data=st.data())
def test_a_missing_box_is_a_gap(rules, data):
    """Without any one of its boxes a partition is refused, with the number of cells left over."""
    gone = rules.pop(data.draw(st.integers(0, len(rules) - 1)))
    cells = 1
    for low, high in (gone.r, gone.f, gone.m):
        cells *= high - low + 1
    example = f"r={gone.r[0]} f={gone.f[0]} m={gone.m[0]}"

    with pytest.raises(ParameterError, match=rf"; {cells} cells have none \(e\.g\. {example}"):
        SegmentRules(rules=tuple(rules))


@settings(deadline=None)
@given(rules=partitions(), data=st.data())
def test_a_doubled_cell_is_an_overlap(rules, data):
    """One cell claimed twice is refused, with both names."""
    r, f, m = data.draw(st.sampled_from(CELLS))
    owner = SegmentRules(rules=tuple(rules)).segment(r=r, f=f, m=m)
    rules.append(SegmentRule(segment="again", r=(r, r), f=(f, f), m=(m, m)))

    message = rf"; 1 cells have several \(e\.g\. r={r} f={f} m={m}: {owner} and again\)"
    with pytest.raises(ParameterError, match=message):
        SegmentRules(rules=tuple(rules))


def test_gaps_and_overlaps_are_named_together():
    """One message says what is missing and what is claimed twice."""
    rules = (SegmentRule(segment="a", r=(1, 4)), SegmentRule(segment="b", r=(4, 4), f=(5, 5)))

    with pytest.raises(
        ParameterError,
        match=r"each of the 125 score cells one segment; 25 cells have none \(e\.g\. r=5 f=1 m=1,"
        r" r=5 f=1 m=2, r=5 f=1 m=3\); 5 cells have several \(e\.g\. r=4 f=5 m=1: a and b,",
    ):
        SegmentRules(rules=rules)


def test_an_empty_table_is_a_gap_everywhere():
    """Without rules all 125 cells are left over."""
    with pytest.raises(ParameterError, match="125 cells have none"):
        SegmentRules(rules=())


def test_the_expression_agrees_with_the_cells(engine, load):
    """In the engine each of the 125 cells gets the segment that the rules give it in Python."""
    table = pa.table(
        dict(zip(("r_score", "f_score", "m_score"), zip(*CELLS, strict=True), strict=True))
    )

    found = engine.collect(load(table).with_columns(segment=DEFAULT_RULES.expression())).to_pylist()

    assert len(found) == 125
    for row in found:
        r, f, m = row["r_score"], row["f_score"], row["m_score"]
        assert row["segment"] == DEFAULT_RULES.segment(r=r, f=f, m=m)


def test_one_rule_for_everybody(engine, load):
    """A table of one rule gives everybody its segment."""
    rules = SegmentRules(rules=(SegmentRule(segment="any"),))

    frame = load(pa.table({"r_score": [1, 5]})).with_columns(segment=rules.expression())

    assert engine.collect(frame)["segment"].to_pylist() == ["any", "any"]


def test_rules_go_to_a_table_and_back():
    """What to_pandas shows is, read as a table, the same rules."""
    frame = DEFAULT_RULES.to_pandas()

    table = [
        {"segment": row["segment"]}
        | {n: [row[f"{n}_low"], row[f"{n}_high"]] for n in ("r", "f", "m")}
        for row in frame.to_dict("records")
    ]

    assert SegmentRules.from_table(table) == DEFAULT_RULES


def test_a_table_may_hold_single_scores_and_leave_out_what_does_not_matter():
    """One score stands for the range of itself, an absent column for any score."""
    rules = SegmentRules.from_table([{"segment": "best", "r": 5}, {"segment": "rest", "r": [1, 4]}])

    assert rules.rules == (
        SegmentRule(segment="best", r=(5, 5)),
        SegmentRule(segment="rest", r=(1, 4), f=(1, 5), m=(1, 5)),
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            [{"segmnt": "a"}],
            r"rules\[0\]: unknown column 'segmnt'\. Did you mean 'segment'\? Known: segment, r, f, m\.",
        ),
        (
            [{"segment": "a", "r": [1, 3]}, {"r": 4}],
            r"rules\[1\] must name its segment; got {'r': 4}",
        ),
        (
            [{"segment": "a", "r": [0, 5]}],
            r"'a': r must be two whole numbers, .* 1 to 5; got \(0, 5\)",
        ),
        ([{"segment": "a", "f": [3, 2]}], r"'a': f must be two whole numbers.*; got \(3, 2\)"),
        ([{"segment": "a", "m": [1, 6]}], r"'a': m must be two whole numbers.*; got \(1, 6\)"),
        ([{"segment": "a", "m": [1.0, 5]}], r"'a': m must be two whole numbers.*; got \(1.0, 5\)"),
        ([{"segment": "a", "m": True}], r"'a': m must be two whole numbers.*; got \(True, True\)"),
        ([{"segment": "a", "m": "1-5"}], r"'a': m must be two whole numbers.*; got '1-5'"),
        (
            [{"segment": "absent"}],
            r"segment must be a name other than 'absent' and 'all'; got 'absent'",
        ),
        ([{"segment": ""}], r"segment must be a name other than 'absent' and 'all'; got ''"),
        ([{"segment": 7}], r"segment must be a name other than 'absent' and 'all'; got 7"),
        ([{"segment": "all"}], r"segment must be a name other than 'absent' and 'all'; got 'all'"),
    ],
)
def test_a_broken_table_is_refused_where_it_breaks(table, message):
    """The message names the rule, the column and the value."""
    with pytest.raises(ParameterError, match=message):
        SegmentRules.from_table(table)


@pytest.mark.parametrize("r", [0, 6, 2.5])
def test_a_score_outside_the_scale_has_no_segment(r):
    """Scores are whole numbers from 1 to 5."""
    with pytest.raises(ParameterError, match=rf"from 1 to 5; got r={r} f=1 m=1"):
        DEFAULT_RULES.segment(r=r, f=1, m=1)


def test_null_scores_have_no_box():
    """The condition of a rule is null, not true, where a score is null."""
    import polars as pl

    frame = nw.from_native(
        pl.DataFrame(
            {"r_score": [None], "f_score": [1], "m_score": [1]},
            schema_overrides={"r_score": pl.Int64},
        )
    )

    found = frame.select(inside=SegmentRule(segment="any").condition())

    assert found["inside"].to_list() == [None]
