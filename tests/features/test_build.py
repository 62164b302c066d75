"""The cut of the future, the merged group-by, and what is refused when builders break their word."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys

import narwhals as nw
import numpy as np
import pyarrow as pa
import pytest

from churnkit.errors import ConfigError, DataError
from churnkit.features.build import (
    BASE_COLUMNS,
    Aggregation,
    Count,
    History,
    Phrase,
    build_features,
    ratio,
    sum_if,
    unknown,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Declared:
    """A builder that declares what a test gives it."""

    feature_names: tuple[str, ...]
    aggregates: dict = dataclasses.field(default_factory=dict)
    counts: dict = dataclasses.field(default_factory=dict)
    features: dict = dataclasses.field(default_factory=dict)
    finish: object = None
    tables: tuple[str, ...] = ("orders",)

    @property
    def phrases(self):
        """Say each feature."""
        return {name: Phrase(text="it is {value}") for name in self.feature_names}

    def build(self, known):
        """Return the declaration once per table."""
        return [
            Aggregation(
                rows=known[table],
                aggregates=self.aggregates,
                counts=self.counts,
                features=self.features,
                finish=self.finish,
            )
            for table in self.tables
        ]


def test_base_columns_are_the_definitions_of_each_customer(history_of, plain, snapshot):
    """Counts, ends, money and the last horizon equal a plain reading of the lines."""
    lines = plain.random_lines(3)
    rows_of = {c: r for c, r in plain.customer_rows(lines, snapshot=snapshot).items() if r}
    horizon_start = plain.at(snapshot.horizon_days, hour=0.0)

    table = build_features(history_of(lines), snapshot, builders=[]).to_arrow()

    actual = {row.pop("customer_id"): row for row in table.to_pylist()}
    assert tuple(table.column_names) == BASE_COLUMNS
    assert actual.keys() == rows_of.keys()
    for customer, rows in rows_of.items():
        times = [r.ts_us for r in rows if r.is_order_day]
        recent = [r for r in rows if r.ts_us >= horizon_start]
        assert actual[customer] == pytest.approx(
            {
                "orders": sum(r.is_order for r in rows),
                "order_days": len(times),
                "first_order_us": min(times, default=None),
                "last_order_us": max(times, default=None),
                "net_revenue": sum(r.amount for r in rows),
                "order_amount": sum(r.amount for r in rows if r.is_order),
                "horizon_orders": sum(r.is_order for r in recent),
                "horizon_amount": sum(r.amount for r in recent),
            }
        ), customer


def test_the_observation_is_half_open_in_business_days(features_of, plain, snapshot):
    """The first instant of the observation is seen, the first of the cutoff is not."""
    lines = [
        plain.line("first", 730, hour=0.0),
        plain.line("before", 731, hour=23.99),
        plain.line("last", 1, hour=23.99),
        plain.line("after", 0, hour=0.0),
    ]

    features = features_of(lines)

    assert features.keys() == {"first", "last"}


def test_ages_are_days_before_the_cutoff(features_of, plain):
    """An order at noon of the day before is half a day old, in every table."""
    builder = Declared(
        feature_names=("age",), aggregates={"age": nw.col("age_days").min()}, tables=("lines",)
    )

    features = features_of([plain.line("a", 1, hour=12.0)], builder)

    assert features["a"]["age"] == 0.5


def test_reaches_back_to_the_first_day_of_the_whole_history(history_of, plain, snapshot):
    """Days count as observed from the oldest row on, but not past the observation interval."""
    history = history_of([plain.line("a", 40), plain.line("b", 3)])
    long = history_of([plain.line("a", 900), plain.line("b", 3)])

    known, known_long = history.known(snapshot), long.known(snapshot)

    assert known.reaches_back(40)
    assert not known.reaches_back(41)
    assert known_long.reaches_back(730)
    assert not known_long.reaches_back(731)


def test_a_base_column_can_be_a_feature(features_of, plain):
    """A builder lists it and need not build it."""
    builder = Declared(feature_names=("orders", "net_revenue"))

    features = features_of([plain.line("a", 3, 7.5)], builder)

    assert features["a"]["orders"] == 1.0
    assert features["a"]["net_revenue"] == 7.5


def test_a_promise_that_is_not_kept_is_refused(history_of, plain, snapshot):
    """The engine's features are checked before any query, finished ones in the first rows."""
    history = history_of([plain.line("a", 3)])
    idle = Declared(feature_names=("x",))
    finishing = Declared(feature_names=("x",), finish=lambda table: {})

    with pytest.raises(DataError, match=r"Declared.* promised x and does not build it"):
        build_features(history, snapshot, builders=[idle])
    with pytest.raises(DataError, match=r"promised x and does not build it"):
        build_features(history, snapshot, builders=[finishing]).to_arrow()


def test_only_rows_of_orders_are_counted_in_shared_sums(history_of, plain, snapshot):
    """Another table may have more rows of a customer than the sums have room for."""
    history = history_of([plain.line("a", 3)])
    counts = {"x": Count(mark="age_days", where=nw.col("ts_us") > 0)}
    builder = Declared(feature_names=("x",), counts=counts, tables=("lines",))

    with pytest.raises(DataError, match=r"Declared.* may only count rows of orders; got x"):
        build_features(history, snapshot, builders=[builder])


@pytest.mark.parametrize(
    ("name", "tables"),
    [("_x", ("orders", "orders")), ("_x", ("orders", "lines")), ("orders", ("orders",))],
)
def test_one_name_for_two_aggregates_is_refused(history_of, plain, snapshot, name, tables):
    """Names are unique over all tables and may not be those of the base."""
    history = history_of([plain.line("a", 3)])
    builder = Declared(feature_names=(), aggregates={name: nw.len()}, tables=tables)

    with pytest.raises(DataError, match=rf"two builders aggregate under the name\(s\) {name}"):
        build_features(history, snapshot, builders=[builder])


def test_a_finisher_may_not_replace_a_column(history_of, plain, snapshot):
    """What the engine made is not overwritten after the fact."""
    history = history_of([plain.line("a", 3)])
    builder = Declared(
        feature_names=("orders",), finish=lambda table: {"orders": np.zeros(table.num_rows)}
    )

    with pytest.raises(DataError, match=r"two builders make the column\(s\) orders"):
        build_features(history, snapshot, builders=[builder]).to_arrow()


def test_a_finisher_sees_its_aggregates_and_its_nan_is_null(features_of, plain):
    """Internal aggregates reach the finisher and not the result."""
    builder = Declared(
        feature_names=("root",),
        aggregates={"_declared_money": nw.col("amount").sum()},
        finish=lambda table: {
            "root": np.sqrt(np.where(table["_declared_money"].to_numpy() > 0, 16.0, np.nan))
        },
    )

    features = features_of([plain.line("a", 3), plain.line("b", 3, -1.0)], builder)

    assert features["a"]["root"] == 4.0
    assert features["b"]["root"] is None
    assert "_declared_money" not in features["a"]


def test_a_missing_table_is_named(history_of, plain, snapshot):
    """The message says which section of the configuration is missing."""
    history = history_of([plain.line("a", 3)])
    builder = Declared(feature_names=(), tables=("events",))

    with pytest.raises(ConfigError, match=r"needs the table data\.events, which is not configured"):
        build_features(history, snapshot, builders=[builder])


def test_sums_and_quotients_have_no_surprises(features_of, plain):
    """Nothing to sum is 0; a denominator that is not positive gives null."""
    builder = Declared(
        feature_names=("none", "some", "half", "by_zero", "by_null", "nothing"),
        aggregates={
            "none": sum_if(nw.col("amount") > 99),
            "some": sum_if(nw.col("amount") > 1, nw.col("amount")),
        },
        features={
            "half": ratio(nw.col("some"), nw.col("some") * 2.0),
            "by_zero": ratio(nw.col("some"), nw.col("none")),
            "by_null": ratio(nw.col("some"), nw.lit(None).cast(nw.Float64)),
            **unknown("nothing"),
        },
    )

    features = features_of([plain.line("a", 3, 8.0), plain.line("a", 2, 1.0)], builder)["a"]

    assert [features[name] for name in builder.feature_names] == [0.0, 8.0, 0.5, None, None, None]


def test_importing_the_room_loads_no_heavy_library():
    """Builders are known at start-up without what they need to run."""
    heavy = "{'pandas', 'scipy', 'lightgbm', 'sklearn', 'duckdb', 'pyarrow', 'polars'}"
    code = f"import sys, churnkit.features; print(sorted({heavy} & set(sys.modules)))"

    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert found.stdout.strip() == "[]"


def drawn_customers(reader, ids, *, share, seed=7):
    """Return which of these customers a history of them keeps."""
    orders = pa.table({"customer_id": ids, "ts_us": list(range(len(ids)))})
    costs = pa.table({"amount": [1.0]})
    tables = {
        name: reader.select(f"SELECT * FROM {reader.add_arrow(table)}")
        for name, table in (("orders", orders), ("marketing_costs", costs))
    }
    kept = History(tables=tables, engine=reader).sample(share, seed=seed)
    assert reader.collect(kept.tables["marketing_costs"]).num_rows == 1
    return reader.collect(kept.tables["orders"])["customer_id"].to_pylist()


def test_a_sample_keeps_all_rows_of_the_customers_whom_the_hash_of_their_id_draws(reader):
    """Python's own MD5 draws the same on every engine; the share is about what was asked for."""
    ids = [f"c{i // 2:04d} ü" for i in range(2000)]
    limit = int(0.25 * 16**13)
    expected = [c for c in ids if int(hashlib.md5(f"7 {c}".encode()).hexdigest()[:13], 16) < limit]

    found = drawn_customers(reader, ids, share=0.25)

    assert found == expected
    assert len(found) == pytest.approx(500, abs=90)


def test_another_seed_draws_other_customers(reader):
    """The seed of the run decides who is drawn."""
    ids = [f"c{i}" for i in range(200)]

    one, other = (drawn_customers(reader, ids, share=0.5, seed=seed) for seed in (1, 2))

    assert set(one) != set(other)
    assert 60 < len(one) < 140
