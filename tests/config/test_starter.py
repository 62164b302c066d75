"""The files that come with churnkit or are written by it, and the list of all keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from churnkit.config import Config, StarterTable, load_config, reference, starter_config
from churnkit.config.not_built import NOT_BUILT_YET
from churnkit.config.snapshots import OPTIONS_OF
from churnkit.errors import ConfigError

TABLES = (
    "events",
    "subscriptions",
    "support_tickets",
    "surveys",
    "rewards",
    "customers",
    "marketing_costs",
    "campaigns",
)
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def starter(name, source, columns, **options):
    """Return the text for a file of orders."""
    return starter_config(name, {"orders": StarterTable(source=source, columns=columns)}, **options)


def keys_of(value, prefix=""):
    """Return the dotted paths of all keys in a nested mapping."""
    if not isinstance(value, dict):
        return set()
    below = [keys_of(inner, f"{prefix}{key}.") for key, inner in value.items()]
    return {f"{prefix}{key}" for key in value}.union(*below)


def usable_keys():
    """Return the keys that do something everywhere: nothing for Spark, databases or CSV, no columns.

    What is inside a table that is not given is not there to be named.
    """
    elsewhere = {"engine.master", "engine.conf", "engine.training_tasks"}
    elsewhere |= {f"data.orders.{name}" for name in ("encoding", "joined", "query", "table")}
    elsewhere |= {f"label.{name}" for names in OPTIONS_OF.values() for name in names}
    tables = {f"data.{name}." for name in TABLES}
    return {
        key.path
        for key in reference()
        if key.path not in elsewhere
        and ".columns." not in key.path
        and not any(key.path.startswith(table) for table in tables)
    }


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_complete(path):
    """Every file in configs/ loads, is named as the file, and holds every key that does something."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))

    config = load_config(path)

    assert config.name == path.stem
    without = {"data.orders."} if raw["data"]["orders"] is None else set()
    wanted = {key for key in usable_keys() if not any(key.startswith(w) for w in without)}
    assert keys_of(raw) >= wanted


def test_shipped_configs_are_the_benchmarks():
    """The two shipped files ask for the horizons and columns of the benchmark, on everybody seen."""
    shipped = {path.stem: load_config(path) for path in CONFIGS}

    assert set(shipped) >= {"cdnow", "online_retail_ii"}
    cdnow, retail = shipped["cdnow"], shipped["online_retail_ii"]
    assert (cdnow.snapshots.horizon_days, retail.snapshots.horizon_days) == (91, 90)
    assert (cdnow.data.time_zone, retail.data.time_zone) == ("UTC", "Europe/London")
    assert cdnow.data.orders.column_mapping["ts"] == "timestamp"
    assert retail.data.orders.column_mapping["order_id"] == "order_id"
    for config in (cdnow, retail):
        assert config.population.active_within_days == config.snapshots.observation_days == 730


def test_a_starter_config_loads_with_every_default(minimal, write):
    """The text for a new data file is complete, says the defaults, and keeps what was asked for."""
    columns = {"customer_id": "Kunden-Nr.", "ts": "12:30", "amount": "no"}

    text = starter("shop", "data/my orders.csv", columns, time_zone="Europe/Berlin")

    path = write(text)
    config = load_config(path)
    assert config.data.orders.source == "data/my orders.csv"
    assert config.data.orders.column_mapping == columns
    assert config.data.time_zone == "Europe/Berlin"
    resolved = config.resolved()
    defaults = Config.from_mapping(minimal).resolved()
    assert resolved | {"data": None} == defaults | {"data": None}
    assert keys_of(yaml.safe_load(text)) >= usable_keys()


def test_a_starter_config_names_the_columns_that_could_be_added():
    """Optional columns that were not found stand there as comments."""
    text = starter("shop", "o.csv", {"customer_id": "a", "ts": "b", "order_id": "c"})

    commented = [line.strip() for line in text.splitlines() if line.startswith("      # ")]
    assert [line.split()[1] for line in commented] == [
        "amount:",
        "product_id:",
        "quantity:",
        "discount:",
    ]


@pytest.mark.parametrize(("days", "expected"), [(None, None), (800, None), (365, 90), (180, 30)])
def test_in_a_short_history_orders_count_for_a_horizon(write, days, expected):
    """Below two years, an order that counts for one would leave nobody who can have left."""
    text = starter("shop", "o.csv", {"customer_id": "a", "ts": "b"}, days=days)

    config = load_config(write(text))

    assert config.retention.activity_window_days == expected
    assert expected in {None, config.snapshots.horizon_days}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Orders 2024 (final)", "Orders_2024_final_"),
        ("_x", "x"),
        ("Käufe", "K_ufe"),
        ("2024", "2024"),
        ("???", "churn"),
        ("null", "null"),
    ],
)
def test_a_starter_config_makes_a_name_of_any_file_name(write, name, expected):
    """Characters that a name may not hold are replaced; numbers and words of YAML stay text."""
    text = starter(name, "o.csv", {"customer_id": "a", "ts": "b"})

    assert load_config(write(text)).name == expected


def test_a_starter_config_is_refused_with_all_faults():
    """Wrong arguments are told as a file's faults would be."""
    with pytest.raises(ConfigError, match="starter_config") as caught:
        starter("shop", "o.xlsx", {"customer_id": "a", "t": "b"}, time_zone="Mars")

    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "data.time_zone",
        "data.orders.source",
        "data.orders.columns.ts",
        "data.orders.columns.t",
    ]
    with pytest.raises(
        ConfigError, match=r"^starter_config: columns must be .* got \{.*\{3: 'a'\}"
    ):
        starter("shop", "o.csv", {3: "a"})


def test_the_reference_lists_every_key_with_its_meaning(with_value):
    """No key is undocumented: what a resolved configuration holds, the reference explains."""
    listed = reference()
    free = ("features.", "engine.conf.", "churn.params.", "lifetime_value.params.")
    mapping = with_value("name", "shop")
    # Optional columns are only in it if they are named.
    for path in [key.path for key in listed if key.default in {"required", "looked for"}]:
        if ".columns." in path:
            table, column = path.removeprefix("data.").split(".columns.")
            section = mapping["data"].setdefault(table, {"source": "x.csv"})
            section.setdefault("columns", {})[column] = "a"
    resolved = Config.from_mapping(mapping).resolved()

    paths = {key.path for key in listed}
    assert len(paths) == len(listed)
    assert {path for path in keys_of(resolved) if not path.startswith(free)} == paths
    for key in listed:
        assert key.type, key
        assert len(key.meaning) > 5, key


def test_the_reference_says_defaults_and_what_is_required():
    """Defaults are YAML as one would write them; the few required keys say so."""
    listed = {key.path: key for key in reference()}

    assert listed["snapshots.horizon_days"].default == "90"
    assert listed["lifetime_value.gross_margin"].default == "1.0"
    assert listed["scoring.as_of"].default == "null"
    assert listed["data.orders.columns.amount"].default == "looked for"
    assert listed["scoring.output"].default == "out/{name}/scores.parquet"
    assert listed["features"].default.startswith("{rfm: {windows_days: [30, 90, 180, 365]}, ")
    assert listed["snapshots"].default == ""
    assert listed["data.orders"].default == listed["data.events"].default == "null"
    required = [path for path, key in listed.items() if key.default == "required"]
    inside = tuple(f"data.{name}." for name in TABLES)
    assert {f"{table}source" for table in inside} - set(required) == {"data.campaigns.source"}
    assert [path for path in required if not path.startswith(inside)] == [
        "name",
        "data",
        "data.orders.source",
        "data.orders.columns.customer_id",
        "data.orders.columns.ts",
    ]
    not_built = {p for p, key in listed.items() if key.meaning.startswith("not built yet: ")}
    assert not_built == {entry for entry in NOT_BUILT_YET if "=" not in entry}
