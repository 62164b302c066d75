"""The bundled data: counts published by their sources, column types, and the listing."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pandas as pd
import pytest

from churnkit.datasets import DATASETS, dataset_path, load_cdnow, load_online_retail_ii
from churnkit.errors import UnknownNameError


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    """Return Online Retail II, read once for all tests."""
    return load_online_retail_ii()


def test_online_retail_ii_is_the_source_without_the_overlap_of_its_sheets(lines):
    """All lines of both sheets are there, less the 22,523 that both hold."""
    overlap = lines[lines["timestamp"].between("2010-12-01", "2010-12-10", inclusive="left")]

    assert len(lines) == 1_067_370 - 22_523
    assert len(overlap) == 22_523
    assert lines["customer_id"].nunique() == 5_942
    assert lines["order_id"].nunique() == 53_628


def test_online_retail_ii_keeps_what_real_data_hold(lines):
    """Cancellations, lines without a customer and negative quantities are left in."""
    cancelled = lines["order_id"].str.startswith("C")

    assert cancelled.sum() == 19_165
    assert lines["customer_id"].isna().sum() == 235_287
    assert (lines["quantity"] < 0).sum() > cancelled.sum()


def test_online_retail_ii_columns(lines):
    """Columns, types and the naive London clock are as documented."""
    texts = ["order_id", "product_id", "country"]

    kinds = {name: str(kind) for name, kind in lines.drop(columns=texts).dtypes.items()}

    assert kinds == {
        "customer_id": "Int64",
        "timestamp": "datetime64[us]",
        "amount": "float64",
        "quantity": "int64",
        "unit_price": "float64",
    }
    assert all(pd.api.types.is_string_dtype(lines[name]) for name in texts)
    assert lines["timestamp"].is_monotonic_increasing
    assert lines["timestamp"].dt.hour.between(6, 21).all()


def test_online_retail_ii_amounts_are_quantity_times_price(lines):
    """No amount departs from quantity times unit price by more than rounding."""
    error = (lines["amount"] - lines["quantity"] * lines["unit_price"]).abs()

    assert error.max() < 1e-6


def test_cdnow_has_the_published_counts():
    """Rows, customers and oddities are those that the papers and the data's notes state."""
    orders = load_cdnow()

    assert len(orders) == 69_659
    assert orders["customer_id"].nunique() == 23_570
    assert (orders["amount"] == 0).sum() == 80
    assert orders.duplicated().sum() == 255
    assert orders.groupby("customer_id")["timestamp"].min().max() < pd.Timestamp("1997-04-01")
    assert {name: str(kind) for name, kind in orders.dtypes.items()} == {
        "customer_id": "int64",
        "timestamp": "datetime64[us]",
        "amount": "float64",
        "quantity": "int64",
    }


def test_cdnow_sample_is_all_of_every_tenth_customer():
    """The sample holds 2,357 customers and exactly their rows of the full data."""
    full, sample = load_cdnow(), load_cdnow(sample=True)
    columns = list(sample)

    theirs = full[full["customer_id"].isin(sample["customer_id"])]

    assert len(sample) == 6_919
    assert sample["customer_id"].nunique() == 2_357
    pd.testing.assert_frame_equal(
        theirs.sort_values(columns, ignore_index=True),
        sample.sort_values(columns, ignore_index=True),
    )


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_listing_tells_the_truth(name):
    """Rows, customers and days of the listing are those of the file, as DuckDB reads it."""
    listed = DATASETS[name]

    found = duckdb.execute(
        "select count(*), count(distinct customer_id), "
        "min(timestamp)::date::varchar, max(timestamp)::date::varchar from read_parquet(?)",
        [str(dataset_path(name))],
    ).fetchone()

    assert found == (listed.rows, listed.customers, listed.first_day, listed.last_day)
    assert listed.name == name


def test_all_files_together_stay_small():
    """The bundled data take less than 6 MB, so that the wheel stays easy to install."""
    total = sum(dataset_path(name).stat().st_size for name in DATASETS)

    assert 0 < total < 6e6


def test_unknown_name_is_answered_with_the_nearest():
    """A misspelt name raises, and the message offers the right one and lists all."""
    with pytest.raises(
        UnknownNameError,
        match=r"unknown dataset 'online_retail'\. Did you mean 'online_retail_ii'\? Known: cdnow, ",
    ):
        dataset_path("online_retail")


def test_listing_needs_no_heavy_library():
    """Importing the listing loads neither pandas nor Arrow, so that the shell starts fast."""
    heavy = {"pandas", "pyarrow", "numpy"}
    code = f"import sys, churnkit.datasets; print(sorted({heavy} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
