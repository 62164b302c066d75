"""What a configuration accepts, and what it is afterwards: complete, plain, unable to change."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import churnkit.data.tables  # noqa: F401  # registers the contracts
from churnkit.config import Config, Data, Retention, load_config
from churnkit.config.keys import section_of
from churnkit.data.contracts import CONTRACTS
from churnkit.formulas import (
    CES_VARIANTS,
    CHURN_VARIANTS,
    LIFESPAN_VARIANTS,
    LIFETIME_VARIANTS,
    NET_VARIANTS,
    REPEAT_VARIANTS,
)

# The page of promises, written out: the defaults of every key.
DEFAULTS = {
    "seed": 7,
    "engine": {
        "kind": "duckdb",
        "threads": None,
        "memory_limit": None,
        "temp_directory": None,
        "master": None,
        "conf": {},
        "training_tasks": None,
    },
    "snapshots": {
        "horizon_days": 90,
        "gap_days": 0,
        "observation_days": 730,
        "every_days": 30,
        "count": 12,
        "test": 1,
        "last": None,
        "customers_share": 1.0,
    },
    "population": {"active_within_days": 365, "min_orders": 1},
    "label": {
        "kind": "no_order",
        "quantile": None,
        "prior_gaps": None,
        "ends": None,
        "resubscribe_days": None,
        "trial_plans": None,
    },
    "features": {
        "rfm": {"windows_days": [30, 90, 180, 365]},
        "regularity": {},
        "basket": {},
        "purchase_model": {"kind": "bg_nbd"},
    },
    "churn": {
        "model": "lightgbm",
        "params": {},
        "calibration": "auto",
        "level": "auto",
    },
    "lifetime_value": {
        "model": "lightgbm",
        "objective": "auto",
        "params": {},
        "interval": 0.8,
        "gross_margin": 1.0,
        "yearly_discount_rate": 0.0,
        "horizon_days": None,
        "level": "auto",
    },
    "search": {"trials": 0, "folds": 3},
    "tracking": {"uri": None, "experiment": "shop", "registered_model": "shop"},
    "scoring": {
        "as_of": None,
        "risk_bands": {"medium": 0.33, "high": 0.66},
        "reasons": 3,
        "numbers": "en",
        "currency": "",
        "output": "out/shop/scores.parquet",
    },
    "retention": {
        "activity_window_days": None,
        "churn": "start_of_period",
        "repeat": "in_period",
        "net_revenue": "closed",
        "lifespan": "observed",
        "discounted": "first_margin_excluded",
        "yearly_discount_rate": None,
        "lift_points": 5.0,
        "csat_options": 5,
        "csat_positive_from": None,
        "ces_options": 7,
        "ces": "share_of_scale",
        "user_events": None,
        "cart_event": "cart_add",
        "purchase_event": "purchase",
        "cart_window_hours": 24.0,
        "funnel_steps": None,
        "funnel_window_hours": 24.0,
        "funnel_by": "customer",
        "ladder_steps": 10,
        "ladder_days": None,
        "segments": None,
        "level": 0.95,
        "output": "out/shop/metrics.parquet",
    },
    "report": {"output": "out/shop/report.html"},
}
DATA_DEFAULTS = {
    "time_zone": "UTC",
    "on_invalid": "quarantine",
    "refunds": "net",
    "duplicates": "keep",
    "orders": {
        "source": "orders.csv",
        "columns": None,
        "computed": {},
        "filter": None,
        "encoding": "utf-8",
        "joined": {},
        "query": None,
        "table": None,
    },
    "events": None,
    "subscriptions": None,
    "support_tickets": None,
    "surveys": None,
    "rewards": None,
    "customers": None,
    "marketing_costs": None,
    "campaigns": None,
}


def test_defaults_stand_for_every_key_but_name_and_orders(minimal):
    """A configuration of two keys resolves to the promised defaults, outputs named after it."""
    resolved = Config.from_mapping(minimal).resolved()

    assert resolved == {"name": "shop", "data": DATA_DEFAULTS, **DEFAULTS}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lifetime_value.gross_margin", 1),
        ("lifetime_value.yearly_discount_rate", 0),
        ("lifetime_value.interval", 0.999),
        ("snapshots.gap_days", 0),
        ("snapshots.horizon_days", 36_500),
        ("scoring.reasons", 0),
        ("engine.threads", 1),
        ("engine.memory_limit", "4GB"),
        ("engine.memory_limit", "512 MiB"),
        ("engine.memory_limit", "80%"),
        ("seed", 2**31 - 1),
        ("scoring.output", "s3/a b/scores.csv"),
        ("data.orders.source", "data/2024-*/orders.csv.gz"),
        ("data.orders.source", "dataset:cdnow"),
        ("data.orders.filter", "country = 'UK'"),
        ("data.orders.computed", {"total": "quantity * price"}),
        ("name", "Shop_1.2-x"),
        ("tracking.experiment", "all shops"),
    ],
)
def test_accepts_values_at_the_edge_of_what_is_allowed(with_value, path, value):
    """Each value is taken as it is and comes back equal."""
    resolved = Config.from_mapping(with_value(path, value)).resolved()

    for step in path.split("."):
        resolved = resolved[step]
    assert resolved == value


def test_whole_numbers_serve_where_fractions_are_expected(with_value):
    """1 and 1.0 say the same: same value, same type, same hash."""
    whole = Config.from_mapping(with_value("lifetime_value.gross_margin", 1))
    fraction = Config.from_mapping(with_value("lifetime_value.gross_margin", 1.0))

    assert type(whole.lifetime_value.gross_margin) is float
    assert whole.hash == fraction.hash


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2011-12-10", dt.date(2011, 12, 10)),
        ("2011-12-10T06:00", dt.datetime(2011, 12, 10, 6)),
        ("2011-12-10T06:00+01:00", dt.datetime.fromisoformat("2011-12-10T06:00+01:00")),
        (dt.date(2011, 12, 10), dt.date(2011, 12, 10)),
        (None, None),
    ],
)
def test_as_of_is_a_date_a_time_or_null(with_value, given, expected):
    """ISO text and Python's own objects become dates or times, and plain text again."""
    config = Config.from_mapping(with_value("scoring.as_of", given))

    assert config.scoring.as_of == expected
    assert type(config.scoring.as_of) is type(expected)
    assert Config.from_mapping(config.resolved()) == config


def test_options_become_plain_values(minimal):
    """Tuples and NumPy's floats inside options are written as YAML's own; nothing means no options."""
    params = {"rate": np.float64(0.5), "sizes": (1, 2)}

    config = Config.from_mapping(
        {**minimal, "churn": {"params": params}, "lifetime_value": {"params": None}}
    )

    assert config.to_yaml().count("params:\n    rate: 0.5\n    sizes:\n    - 1\n    - 2\n") == 1
    assert type(config.churn.params["rate"]) is float
    assert dict(config.lifetime_value.params) == {}


@pytest.mark.parametrize("options", [None, True, {}])
def test_a_feature_without_options_has_an_empty_mapping(minimal, options):
    """``true``, nothing and ``{}`` all ask for the feature's own defaults, in the order given."""
    config = Config.from_mapping({**minimal, "features": {"rfm": options, "basket": options}})

    assert list(config.features) == ["rfm", "basket"]
    assert len(config.features) == 2
    assert dict(config.features["rfm"]) == {}


def test_columns_are_a_plain_mapping_without_those_left_out(minimal, with_value):
    """What a source needs: our names with its own, and nothing where the names are ours already."""
    columns = {"customer_id": "Customer ID", "ts": "InvoiceDate"}

    named = Config.from_mapping(with_value("data.orders.columns", columns))
    unnamed = Config.from_mapping(minimal)

    assert named.data.orders.column_mapping == columns
    assert unnamed.data.orders.column_mapping == {}


def test_outputs_may_use_the_name_of_the_run(minimal):
    """``{name}`` in a path or an MLflow name is replaced, null means the name itself."""
    mapping = {
        **minimal,
        "tracking": {"experiment": None, "registered_model": "churn-{name}"},
        "report": {"output": "pages/{name}.html"},
    }

    config = Config.from_mapping(mapping)

    assert config.tracking.experiment == "shop"
    assert config.tracking.registered_model == "churn-shop"
    assert config.report.output == "pages/shop.html"


def test_a_configuration_cannot_change(minimal):
    """Neither fields nor the mappings and lists inside can be set, and the input stays apart."""
    mapping = {**minimal, "features": {"rfm": {"windows_days": [7]}}}
    config = Config.from_mapping(mapping)

    mapping["features"]["rfm"]["windows_days"].append(30)
    config.resolved()["features"]["rfm"]["windows_days"].append(30)

    assert config.features["rfm"]["windows_days"] == (7,)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 8
    with pytest.raises(ValueError, match="frozen"):
        config.snapshots.horizon_days = 8
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.features["rfm"] = {}
    with pytest.raises(TypeError, match="does not support item assignment"):
        config.features["rfm"]["windows_days"] = ()


def test_the_input_mapping_is_left_as_it_was(minimal):
    """Reading a mapping, overrides or not, changes nothing in it."""
    mapping = {**minimal, "features": {"rfm": None}}
    before = copy.deepcopy(mapping)

    Config.from_mapping(mapping)

    assert mapping == before


def test_a_configuration_can_be_copied_pickled_and_hashed(minimal):
    """Worker processes and caches can hold one."""
    config = Config.from_mapping(minimal)

    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        assert hash(twin) == hash(config)


SMALLEST = {"name": "shop", "data": {"orders": {"source": "orders.csv"}}}

texts = st.text(max_size=8)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
plain = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(params=st.dictionaries(texts, plain, max_size=3))
def test_yaml_reads_back_to_an_equal_configuration(tmp_path_factory, params):
    """Whatever options hold, the resolved YAML and the resolved mapping give the same configuration."""
    config = Config.from_mapping({**SMALLEST, "churn": {"params": params}})
    path = tmp_path_factory.mktemp("yaml") / "c.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8", newline="")

    again = load_config(path)

    assert again == config == Config.from_mapping(config.resolved())
    assert again.hash == config.hash
    assert again.resolved()["churn"]["params"] == params


def test_null_says_that_a_column_is_not_there(write):
    """It is not the same as leaving the key out, also not once it is written and read again."""
    named = "name: shop\ndata: {orders: {source: a.csv, columns: {customer_id: who, ts: at%s}}}\n"

    looked_for, not_there = (load_config(write(named % end)) for end in ("", ", amount: null"))

    for config, absent in ((looked_for, set()), (not_there, {"amount"})):
        again = load_config(write(config.to_yaml()))
        assert again.data.orders.not_there == config.data.orders.not_there == absent
        assert again == config
        assert hash(again) == hash(config)
        assert again.hash == config.hash
    assert looked_for != not_there
    assert looked_for.hash != not_there.hash
    mapped = {"customer_id": "who", "ts": "at"}
    assert not_there.data.orders.column_mapping == looked_for.data.orders.column_mapping == mapped


def test_the_hash_is_of_what_is_said_not_how(write):
    """Comments, key order and written-out defaults change nothing; any value does."""
    terse = load_config(write("name: shop\ndata: {orders: {source: orders.csv}}\nseed: 3\n"))
    wordy = load_config(
        write(
            "# same\nseed: 3\nengine: {kind: duckdb}\ndata: {orders: {source: orders.csv}}\nname: shop"
        )
    )
    other = load_config(
        write("name: shop\ndata: {orders: {source: orders.csv}}\nseed: 3\nchurn: {params: {x: 15}}")
    )

    assert terse.hash == wordy.hash
    assert terse.hash != other.hash
    assert len(terse.hash) == 16
    assert set(terse.hash) <= set("0123456789abcdef")


def test_the_order_of_features_is_part_of_the_hash(minimal):
    """Features become the model's columns in their order, so another order is another model."""
    one = Config.from_mapping({**minimal, "features": {"rfm": {}, "basket": {}}})
    other = Config.from_mapping({**minimal, "features": {"basket": {}, "rfm": {}}})

    assert one.hash != other.hash


@pytest.mark.parametrize(
    "table", ["events", "subscriptions", "support_tickets", "surveys", "rewards"]
)
def test_orders_may_be_missing_beside_a_table_with_metrics(table):
    """A configuration for metrics alone needs no orders."""
    config = Config.from_mapping({"name": "shop", "data": {table: {"source": "x.csv"}}})

    assert config.data.orders is None
    assert getattr(config.data, table).source == "x.csv"


def test_segment_rules_and_event_types_come_back_as_they_were(with_value):
    """Lists are kept in their order, frozen, and written out again as plain lists."""
    rules = [{"segment": "recent", "r": [3, 5]}, {"segment": "gone", "r": [1, 2]}]
    mapping = with_value("retention.segments", rules)
    mapping["retention"]["user_events"] = ["visit", "cart_add"]

    config = Config.from_mapping(mapping)

    assert config.retention.user_events == ("visit", "cart_add")
    assert config.resolved()["retention"]["segments"] == rules
    assert Config.from_mapping(config.resolved()) == config
    assert hash(config) == hash(Config.from_mapping(mapping))


@pytest.mark.parametrize("name", [n for n in CONTRACTS.names() if n != "customers"])
def test_columns_are_those_of_the_contract(name):
    """A table's mapping names the columns that its contract checks, required ones alike."""
    contract = {column.name: column.required for column in CONTRACTS[name]().columns}
    if name == "surveys":
        # The key ``kind`` may say it for all rows; the table that is checked has it in any case.
        contract["survey"] = False

    table = section_of(Data.model_fields[name].annotation)
    columns = section_of(table.model_fields["columns"].annotation).model_fields

    assert {column: field.is_required() for column, field in columns.items()} == contract


def test_variants_are_those_of_the_formulas():
    """A key that chooses a variant allows those that the formula has, the same by default."""
    variants = {
        "churn": CHURN_VARIANTS,
        "repeat": REPEAT_VARIANTS,
        "net_revenue": NET_VARIANTS,
        "lifespan": LIFESPAN_VARIANTS,
        "ces": CES_VARIANTS,
        "discounted": LIFETIME_VARIANTS,
    }

    allowed = {key: get_args(Retention.model_fields[key].annotation) for key in variants}

    assert allowed == {key: tuple(known) for key, known in variants.items()}
    assert [Retention.model_fields[key].default for key in variants] == [
        next(iter(known)) for known in variants.values()
    ]
