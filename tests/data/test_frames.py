"""Frames in memory as Arrow: every library, every dtype of pandas, mixed Python objects."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from churnkit.data.frames import frame_to_arrow
from churnkit.errors import DataError, ParameterError

IDS = frozenset({"id"})


def column(values, *, ids=frozenset(), **options):
    """Return a pandas column as it arrives in Arrow."""
    series = pd.Series(values, **options)
    return frame_to_arrow(pd.DataFrame({"id": series}), ids=ids)["id"]


def test_libraries_give_the_same_table():
    """pandas, Polars eager and lazy, and Arrow hold the same cells."""
    table = pa.table({"id": ["a", None], "n": [1, 2]})

    for frame in (table, table.to_pandas(), pl.from_arrow(table), pl.from_arrow(table).lazy()):
        assert frame_to_arrow(frame).to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pd.Series(["a", None], dtype=object), ["a", None]),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series([2**63], dtype="uint64"), [2**63]),
        (pd.Series([1.5, np.nan]), [1.5, None]),
        (pd.Series([1.5, None], dtype="Float64"), [1.5, None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series(["a", "b", None]).astype("category"), ["a", "b", None]),
        (pd.Series([7, 8, None], dtype="Int64").astype("category"), [7, 8, None]),
        (pd.Series([None, None], dtype=object), [None, None]),
        (pd.Series([1, 2], dtype="int64[pyarrow]"), [1, 2]),
        (pd.Series([Decimal("1.50"), None], dtype=object), [Decimal("1.50"), None]),
        (pd.Series([1, 2.5, None], dtype=object), [1.0, 2.5, None]),
        (pd.Series([10**30, 5], dtype=object), [f"1{'0' * 30}", "5"]),
        (pd.Series([date(2024, 1, 2), None], dtype=object), ["2024-01-02", None]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pd.Series) else None,
)
def test_pandas_dtypes_keep_their_cells(series, expected):
    """Cells of every dtype arrive as they are, missing ones as null."""
    assert frame_to_arrow(pd.DataFrame({"id": series}))["id"].to_pylist() == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/London"])
def test_pandas_times_keep_their_unit_and_zone(unit, zone):
    """The type says whether a time knows its zone; the instant is the same."""
    stamps = pd.Series(pd.to_datetime(["2024-07-01 10:00", None])).dt.tz_localize(zone)

    found = frame_to_arrow(pd.DataFrame({"id": stamps.dt.as_unit(unit)}))["id"]

    assert found.type == pa.timestamp(unit, "UTC" if zone else None)
    assert found[0].as_py() == stamps[0].to_pydatetime()
    assert found.null_count == 1


def test_objects_of_naive_and_aware_times_become_text():
    """Each time keeps its own offset, or none: neither is taken for the other."""
    east = timezone(timedelta(hours=2))
    values = [datetime(2024, 7, 1, 10), datetime(2024, 7, 1, 10, tzinfo=east), pd.NaT, None]

    assert column(values, dtype=object).to_pylist() == [
        "2024-07-01T10:00:00",
        "2024-07-01T10:00:00+02:00",
        None,
        None,
    ]


def test_missing_values_of_every_kind_are_null_in_mixed_columns():
    """None, NaN, NA and NaT leave no text such as 'nan' behind."""
    values = ["a", 1, None, np.nan, pd.NA, pd.NaT]

    assert column(values, dtype=object).to_pylist() == ["a", "1", None, None, None, None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, "2"], ["1", "2", '"2"']),
        (["1", "2", 2], ["1", "2", "2 (number)"]),
        ([1, "1"], ["1", '"1"']),
        ([1, 2.0, "3"], ["1", "2", '"3"']),
        (["A1", "B2", 7], ["A1", "B2", "7"]),
        ([7, 8, "n/a"], ["7", "8", "n/a"]),
        ([7, 8, True, "9"], ["7", "8", "True", '"9"']),
        ([np.int64(7), 8, " 7 "], ["7", "8", '" 7 "']),
    ],
)
def test_the_rarer_type_of_an_id_keeps_its_mark(values, expected):
    """The number 1 and the text "1" stay apart; text that is no number is left alone."""
    assert column(values, ids=IDS, dtype=object).to_pylist() == expected


def test_only_ids_are_marked():
    """A number written as text in an amount stays readable as a number."""
    assert column([1, 2, "3.5", "4"], dtype=object).to_pylist() == ["1", "2", "3.5", "4"]


def test_an_object_that_is_no_frame_is_refused():
    """The message says what is accepted and what was given."""
    message = r"^source must be a path, a glob or a dataframe \(pandas, Polars, Arrow\); got dict$"
    with pytest.raises(ParameterError, match=message):
        frame_to_arrow({"customer_id": [1]})


def test_two_columns_of_one_name_are_refused():
    """A name must mean one column."""
    frame = pd.DataFrame([[1, 2]], columns=["id", "id"])

    with pytest.raises(DataError, match=r"^the frame in memory has two columns of one name; .*id"):
        frame_to_arrow(frame)


def test_a_column_that_arrow_cannot_hold_is_named():
    """The message has the column and its dtype."""
    frame = pd.DataFrame({"id": pd.Series([1 + 2j, 3j])})

    with pytest.raises(DataError, match=r"^column 'id' of the frame in memory \(complex128\)"):
        frame_to_arrow(frame)


def test_a_polars_column_that_arrow_cannot_hold_is_refused():
    """Python objects in Polars have no Arrow type."""
    frame = pl.DataFrame({"id": pl.Series([object()], dtype=pl.Object)})

    with pytest.raises(DataError, match=r"^column 'id' of the frame in memory holds"):
        frame_to_arrow(frame)


def test_column_names_may_be_numbers():
    """Columns without text names get their number as text."""
    assert frame_to_arrow(pd.DataFrame({0: ["a"], 1: [2]})).column_names == ["0", "1"]


def test_times_of_arrow_keep_their_zone():
    """An aware time from Arrow or Polars is the same instant."""
    stamp = datetime(2024, 7, 1, 9, tzinfo=UTC)
    frame = pl.DataFrame({"id": [stamp]}).with_columns(
        pl.col("id").dt.convert_time_zone("Asia/Kolkata")
    )

    assert frame_to_arrow(frame)["id"].to_pylist() == [stamp]
