"""What the verbs do with rows that break the contract of the orders."""

from __future__ import annotations

from copy import deepcopy

import pyarrow.parquet as pq
import pytest

import churnkit
from churnkit.errors import DataError

# One fault a line, more than five of one kind, and a row that breaks two rules.
FAULTY = """\
customer_id,ts,amount,order_id
,2023-10-01,10,f1
   ,2023-10-01,10,f2
b1,,10,f3
b2,yesterday,10,f4
b3,2024-01-20,10,f5
b4,2023-10-01,,f6
b5,2023-10-01,twelve,f7
b6,2023-10-01,inf,f8
c1,2023-10-01,n/a,f9
c2,2023-10-01,n/a,f10
c3,2023-10-01,n/a,f11
c4,2023-10-01,n/a,f12
c5,2023-10-01,n/a,f13
c6,2023-10-01,n/a,f14
d1,2023-10-01,15,f15
d1,2023-10-01,15,f15
"\"\"7\"\"",2023-10-01,10,f16
7.0,2023-10-01,10,f17
7,2023-10-01,10,f18
e1,never,nothing,f19
"""
COUNTS = {
    "customer_id_missing": 2,
    "customer_id_mixed_type": 2,
    "ts_missing": 1,
    "ts_unparsable": 2,
    "ts_in_future": 1,
    "amount_missing": 1,
    "amount_not_numeric": 8,
    "amount_not_finite": 1,
    "exact_duplicates": 1,
}


@pytest.fixture
def faulty(shop, tmp_path):
    """Give a configuration of the shop with a page of faults in its file."""
    sound = shop.orders[shop.orders["customer_id"].str.fullmatch("[0-9]+")]
    sound = sound[sound["ts"] < shop.as_of].drop_duplicates()
    text = sound.to_csv(index=False) + FAULTY.partition("\n")[2]
    (tmp_path / "faulty.csv").write_text(text)
    config = deepcopy(shop.config)
    config["data"]["orders"]["source"] = str(tmp_path / "faulty.csv")
    return config


def test_every_fault_is_counted_with_at_most_five_examples(faulty):
    """Each check has its count and up to five rows by name; sound rows have none."""
    report = churnkit.validate(faulty).tables[0]

    checks = {c.name: c for c in report.checks}
    assert {name: c.rows for name, c in checks.items() if c.rows} == COUNTS
    assert checks["amount_not_numeric"].examples == tuple(
        f"amount {value}" for value in ("n/a", "nothing", "twelve")
    )
    assert all(1 <= len(c.examples) <= 5 for c in checks.values() if c.rows)
    assert not checks["exact_duplicates"].set_aside
    # The row that breaks two rules is one row; the duplicate is kept.
    assert report.rows_set_aside == sum(COUNTS.values()) - 1 - 1


def test_rejected_file_holds_each_row_with_all_its_reasons(faulty, score):
    """One row per row set aside, as it stood, and every rule that it breaks."""
    result = score(faulty)

    rows = pq.read_table(f"{result.output}.rejected.parquet").to_pylist()
    reasons = {row["order_id"]: row["reason"] for row in rows}
    assert len(rows) == result.manifest["inputs"]["orders"]["rows_set_aside"] == 17
    assert reasons["f7"] == "amount is not a number"
    assert reasons["f19"] == "ts is not a time (ISO 8601 expected); amount is not a number"
    assert reasons["f5"] == "ts is in the future (not before as_of)"
    assert "f15" not in reasons
    statuses = result.to_pandas().set_index("customer_id")["status"]
    assert statuses.reindex(["b1", "c6", "d1", "7", "e1"]).tolist() == [
        "no_valid_orders",
        "no_valid_orders",
        "scored",
        "scored",
        "no_valid_orders",
    ]
    assert "b3" not in statuses.index


def test_raise_stops_with_every_broken_rule_in_one_sentence(faulty, workplace):
    """With ``on_invalid: raise`` nothing is scored, and all rules are named at once."""
    faulty["data"]["on_invalid"] = "raise"

    with pytest.raises(DataError) as refused:
        churnkit.validate(faulty)

    said = str(refused.value)
    for words in (
        "customer_id is null or blank in 2 of",
        "customer_id is of mixed types",
        "ts is not a time (ISO 8601 expected) in 2 of",
        "ts is in the future (not before as_of) in 1 of",
        "amount is infinite or NaN in 1 of",
        "amount is not a number in 8 of",
        "set data.on_invalid: quarantine to go on without them",
    ):
        assert words in said
    assert "\n" not in said
    assert not (workplace / "out").exists()


def test_duplicates_are_dropped_only_if_configured(faulty):
    """``duplicates: drop`` sets the second of two equal rows aside."""
    faulty["data"]["duplicates"] = "drop"

    report = churnkit.validate(faulty).tables[0]

    repeated = next(c for c in report.checks if c.name == "exact_duplicates")
    assert (repeated.rows, repeated.set_aside) == (1, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"orders: .*file\.csv"),
        ("customer_id,when,amount\na,2023-01-01,5\n", r"has no column 'ts' for ts.*Columns: "),
        ("customer_id,ts,amount,order_id\n", r"orders: .*file\.csv holds no row"),
        (
            "customer_id,ts,amount,order_id\na,2023-01-01,-5,1\n",
            r"orders: no row is an order; all amounts are zero or refunds",
        ),
    ],
)
def test_files_that_cannot_be_used_are_one_sentence(config_of, tmp_path, content, message):
    """Empty, without a needed column, without rows, without a single order."""
    (tmp_path / "file.csv").write_text(content)

    with pytest.raises(DataError, match=message) as refused:
        churnkit.validate(config_of(tmp_path / "file.csv"))

    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_what_its_name_says(config_of, tmp_path):
    """Text under the name of a Parquet file is refused with the path."""
    (tmp_path / "orders.parquet").write_text("customer_id,ts\n")

    with pytest.raises(DataError, match=r"orders: .*orders\.parquet"):
        churnkit.validate(config_of(tmp_path / "orders.parquet"))


def test_a_range_without_orders_is_refused(config_of, tmp_path):
    """``as_of`` before the first order leaves nothing to read."""
    (tmp_path / "o.csv").write_text("customer_id,ts,amount,order_id\na,2024-05-01,5,1\n")

    with pytest.raises(DataError, match=r"holds no valid row .*ts is in the future"):
        churnkit.validate(config_of(tmp_path / "o.csv"))
