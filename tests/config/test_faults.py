"""What a configuration refuses, and the sentence for each fault."""

from __future__ import annotations

import pytest

from churnkit.config import Config, reference
from churnkit.config.not_built import NOT_BUILT_YET


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("nmae", "nmae: unknown key. Did you mean 'name'?"),
        (
            "snapshots.horizon_day",
            "snapshots.horizon_day: unknown key. Did you mean 'horizon_days'?",
        ),
        (
            "horizon_days",
            "horizon_days: unknown key."
            " Did you mean 'snapshots.horizon_days' or 'lifetime_value.horizon_days'?",
        ),
        (
            "label.zzz",
            "label.zzz: unknown key. Known: kind, quantile,"
            " prior_gaps, ends, resubscribe_days, trial_plans.",
        ),
        (
            "scoring.risk_bands.hihg",
            "scoring.risk_bands.hihg: unknown key. Did you mean 'high'?",
        ),
        ("data.orders.colums", "data.orders.colums: unknown key. Did you mean 'columns'?"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest_name(with_value, message_of, path, sentence):
    """The nearest key of the section is offered, else its place elsewhere, else the list."""
    assert message_of(with_value(path, 1)) == f"c.yaml: {sentence}"


def test_unknown_columns_are_refused_with_the_nearest_name(with_value, message_of):
    """A mapping of columns knows only the contract's names, and needs customer_id and ts."""
    message = message_of(with_value("data.orders.columns", {"customer_id": "id", "tss": "when"}))

    assert message.splitlines() == [
        "c.yaml: data.orders.columns.ts: required key is missing:"
        " when: a timestamp, a date or ISO 8601 text",
        "c.yaml: data.orders.columns.tss: unknown key. Did you mean 'ts'?",
    ]


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            "snapshots.horizon_days",
            "90",
            "must be a whole number from 1 to 36500; got '90' (text; remove the quotes)",
        ),
        ("snapshots.horizon_days", 0, "must be a whole number from 1 to 36500; got 0"),
        ("snapshots.horizon_days", 90.0, "must be a whole number from 1 to 36500; got 90.0"),
        ("snapshots.count", True, "must be a whole number >= 1; got true"),
        ("snapshots.test", 0, "must be a whole number >= 1; got 0"),
        ("snapshots.gap_days", -1, "must be a whole number from 0 to 36500; got -1"),
        (
            "snapshots.last",
            "2011-02-30",
            "must be a date such as 2011-12-10, or null; got '2011-02-30'",
        ),
        (
            "snapshots.last",
            "2011-12-10T06:00",
            "must be a date such as 2011-12-10, or null; got '2011-12-10T06:00'",
        ),
        (
            "snapshots.last",
            "9999-12-31",
            "must be a date in the years 1901 to 2999, or null; got '9999-12-31'",
        ),
        ("scoring.as_of", 20111210, "must be a date such as 2011-12-10, or null; got 20111210"),
        ("scoring.reasons", None, "must be a whole number from 0 to 50; got null"),
        (
            "scoring.output",
            "scores.txt",
            "must be a path ending in .parquet or .csv; got 'scores.txt'",
        ),
        ("report.output", "report.pdf", "must be a path ending in .html; got 'report.pdf'"),
        ("lifetime_value.interval", 1, "must be a number above 0 and below 1; got 1"),
        ("lifetime_value.interval", 0.0, "must be a number above 0 and below 1; got 0.0"),
        (
            "lifetime_value.gross_margin",
            "0.4",
            "must be a number above 0; got '0.4' (text; remove the quotes)",
        ),
        ("lifetime_value.gross_margin", 0, "must be a number above 0; got 0"),
        ("lifetime_value.yearly_discount_rate", -0.1, "must be a number >= 0; got -0.1"),
        ("lifetime_value.yearly_discount_rate", float("nan"), "must be a number >= 0; got nan"),
        (
            "lifetime_value.objective",
            "tweedy",
            "must be 'auto', 'tweedie', 'hurdle_gamma' or 'hurdle_lognormal'; got 'tweedy'."
            " Did you mean 'tweedie'?",
        ),
        (
            "churn.level",
            "no",
            "must be 'auto', 'purchase_model' or 'none'; got 'no'. Did you mean 'none'?",
        ),
        ("churn.model", "", "must be non-empty text; got ''"),
        ("churn.params", [1], "must be a mapping of options; got [1]"),
        ("data.orders.computed", ["a"], "must be a mapping of options; got ['a']"),
        ("data.orders.computed.total", 3, "must be non-empty text; got 3"),
        ("data.orders.computed.total", " ", "must be non-empty text; got ' '"),
        (
            "churn.params",
            {"seeds": {1, 2}},
            "must be text, a number, true, false, null, a list or a mapping; got {1, 2}",
        ),
        ("churn", None, "must be a mapping; got null; leave the key out for its defaults"),
        ("churn", "lightgbm", "must be a mapping; got 'lightgbm'"),
        ("data.on_invalid", "skip", "must be 'quarantine' or 'raise'; got 'skip'"),
        (
            "data.time_zone",
            "Europe/Londn",
            "must be an IANA time zone such as Europe/London; got 'Europe/Londn'."
            " Did you mean 'Europe/London'?",
        ),
        (
            "data.time_zone",
            "../../etc/passwd",
            "must be an IANA time zone such as Europe/London; got '../../etc/passwd'",
        ),
        (
            "data.orders.source",
            "orders.xlsx",
            "must be dataset:NAME, table:NAME, postgresql://…, or a path or glob ending in .parquet,"
            " .csv, .tsv or .txt, or one of the last three and .gz; got 'orders.xlsx'",
        ),
        (
            "data.orders.encoding",
            "utf8",
            "must be 'utf-8', 'latin-1' or 'utf-16'; got 'utf8'. Did you mean 'utf-8'?",
        ),
        (
            "data.orders.table",
            "orders",
            "is only for postgresql:// sources; the source is 'orders.csv'",
        ),
        (
            "data.orders.source",
            "postgresql://me:secret@host/db",
            "must not hold a password; set PGPASSWORD, or write it to ~/.pgpass",
        ),
        (
            "data.orders.source",
            "postgresql://me@host/db?sslmode=require&password=secret",
            "must not hold a password; set PGPASSWORD, or write it to ~/.pgpass",
        ),
        ("data.orders", "orders.csv", "must be a mapping or null; got 'orders.csv'"),
        (
            "retention.churn",
            "start",
            "must be 'start_of_period', 'including_joiners' or 'mean_of_daily'; got 'start'",
        ),
        ("retention.csat_options", 1, "must be a whole number from 2 to 100; got 1"),
        ("retention.csat_positive_from", 6, "must be at most retention.csat_options (5); got 6"),
        ("retention.user_events", "visit", "must be a list of event types, or null; got 'visit'"),
        ("retention.user_events", [3], "must be a list of event types, or null; got [3]"),
        (
            "retention.segments",
            "mine",
            "must be a list of rules, each a mapping of segment, r, f and m, or null; got 'mine'",
        ),
        ("retention.segments", ["loyal"], "must be a mapping of segment, r, f and m; got 'loyal'"),
        (
            "retention.output",
            "metrics.json",
            "must be a path ending in .parquet or .csv; got 'metrics.json'",
        ),
        ("engine.threads", 0, "must be a whole number >= 1 or null; got 0"),
        (
            "engine.memory_limit",
            "4 gigs",
            "must be a size such as '4GB' or '512MiB' or null; got '4 gigs'",
        ),
        ("engine.master", "local[2]", "is only for engine.kind 'spark'; got 'local[2]'"),
        ("engine.conf", {"a": 1}, "is only for engine.kind 'spark'; got {'a': 1}"),
        ("engine.training_tasks", 2, "is only for engine.kind 'spark'; got 2"),
        ("population.min_orders", 0, "must be a whole number >= 1; got 0"),
        (
            "population.active_within_days",
            731,
            "must be at most snapshots.observation_days (730); got 731",
        ),
        (
            "scoring.risk_bands",
            {"medium": 0.7},
            "must be above scoring.risk_bands.medium (0.7); got 0.66",
        ),
        ("seed", 2**31, "must be a whole number from 0 to 2147483647; got 2147483648"),
        (
            "name",
            "a/b",
            "must be letters, digits, '_', '-' and '.', beginning with a letter or a digit; got 'a/b'",
        ),
        ("features", {}, "must be a mapping of at least one feature to its options; got {}"),
        (
            "features",
            ["rfm"],
            "must be a mapping of at least one feature to its options; got ['rfm']",
        ),
    ],
)
def test_values_are_refused_in_plain_sentences(with_value, message_of, path, value, sentence):
    """The sentence says what is allowed and what was given, and comes with file and path."""
    message = message_of(with_value(path, value))

    where, found_path, said = message.split(": ", maxsplit=2)
    assert where == "c.yaml"
    assert found_path.startswith(path)
    assert said == sentence


def test_required_keys_are_named(minimal, message_of):
    """What has no default is asked for by name and meaning."""
    assert message_of({"name": "shop"}).startswith(
        "c.yaml: data: required key is missing: the input"
    )
    assert message_of({"data": minimal["data"]}).startswith(
        "c.yaml: name: required key is missing:"
    )
    assert message_of({"name": "shop", "data": {}}).startswith(
        "c.yaml: data.orders: required key is missing:"
    )


def test_all_faults_come_in_one_message(message_of):
    """Faults of every kind and section are told together, one line each, none twice."""
    mapping = {
        "name": "a b",
        "seed": "7",
        "sede": 8,
        "engine": {"kind": "spark"},
        "data": {
            "orders": {"source": "orders.xlsx", "columns": {"ts": 3}},
            "events": {"sauce": "e.csv", "source": "events.csv"},
            "campaigns": {"sauce": "e.csv", "source": "postgresql://host/db"},
        },
        "snapshots": {"horizon_days": "x"},
        "features": {"rfm": 5, "basket": {"windows": [1, float("inf"), {"deep": object}]}},
        "scoring": {"risk_bands": {"medium": 2, "high": 0.5}},
    }

    lines = message_of(mapping).splitlines()

    assert sorted(line.split(": ")[1] for line in lines) == [
        "data.campaigns",
        "data.events.sauce",
        "data.orders.columns.customer_id",
        "data.orders.columns.ts",
        "data.orders.source",
        "features.basket.windows[1]",
        "features.basket.windows[2].deep",
        "features.rfm",
        "name",
        "scoring.risk_bands.medium",
        "sede",
        "seed",
        "snapshots.horizon_days",
    ]


@pytest.mark.parametrize(
    ("asked", "got"),
    [({}, "neither"), ({"query": "SELECT 1", "table": "orders"}, "both")],
)
def test_a_database_is_asked_one_thing(minimal, message_of, asked, got):
    """A query, or a table that is read whole."""
    orders = {"source": "postgresql://me@host:5432/db", **asked}

    said = message_of({**minimal, "data": {"orders": orders}})

    rule = "a postgresql:// source needs query or table, one of both"
    assert said == f"c.yaml: data.orders.query: {rule}; got {got}"


@pytest.mark.parametrize(
    ("joined", "where", "sentence"),
    [
        ({"items": "i.csv"}, "query", "is needed where there is joined, to say how; got null"),
        (
            {"order items": "i.csv"},
            "joined.order items",
            "must be a word of letters, digits and '_', neither source nor asked; got 'order items'",
        ),
        (
            {"Source": "i.csv"},
            "joined.Source",
            "must be a word of letters, digits and '_', neither source nor asked; got 'Source'",
        ),
        (
            {"items": "i.xlsx"},
            "joined.items",
            "must be a path or glob ending in .parquet, .csv, .tsv or .txt, or one of the last three"
            " and .gz; got 'i.xlsx'",
        ),
    ],
)
def test_files_are_joined_under_names_that_a_query_can_say(
    minimal, message_of, joined, where, sentence
):
    """Each a word with a file; without a query nothing says how."""
    said = message_of({**minimal, "data": {"orders": {"source": "o.csv", "joined": joined}}})

    assert said == f"c.yaml: data.orders.{where}: {sentence}"


def test_a_database_joins_in_its_own_query(minimal, message_of):
    """Files are not joined to what a database answers."""
    asked = {"source": "postgresql://h/db", "query": "SELECT 1", "joined": {"items": "i.csv"}}

    said = message_of({**minimal, "data": {"orders": asked}})

    rule = "is only for files; the source is 'postgresql://h/db'"
    assert said == f"c.yaml: data.orders.joined: {rule}"


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({"query": "SELECT 1 AS x"}, "SELECT 1 AS x"),
        ({"table": "orders"}, 'SELECT * FROM "orders"'),
        ({"table": 'shop.Or"ders'}, 'SELECT * FROM "shop"."Or""ders"'),
    ],
)
def test_a_table_of_a_database_is_a_query_of_all_of_it(minimal, asked, query):
    """Names are taken as they are written, with the schema before the dot."""
    orders = {"source": "postgresql://host/db", **asked}

    config = Config.from_mapping({**minimal, "data": {"orders": orders}})

    assert config.data.orders.asked == query


@pytest.mark.parametrize("entry", NOT_BUILT_YET)
def test_what_is_not_built_is_refused_by_name(with_value, message_of, entry):
    """Every entry of the list of things to come is refused with its own sentence, and only that."""
    path, _, value = entry.replace("data.*", "data.orders").partition("=")
    mapping = with_value(path, value.replace("*", "user@host/db") or {"source": "x.csv"})

    assert message_of(mapping) == f"c.yaml: {path}: {NOT_BUILT_YET[entry]}"


def test_labels_are_offered_by_name(with_value, message_of):
    """A refusal and the reference name every kind."""
    message = message_of(with_value("label.kind", "no_orders"))
    kinds = {key.path: key.type for key in reference()}

    choices = "'no_order', 'own_gap' or 'subscription_end'"
    assert (
        message
        == f"c.yaml: label.kind: must be {choices}; got 'no_orders'. Did you mean 'no_order'?"
    )
    assert kinds["label.kind"] == choices


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ({"quantile": 0.8}, "quantile: is only for label.kind 'own_gap'; got 0.8"),
        (
            {"kind": "own_gap", "trial_plans": ["free"]},
            "trial_plans: is only for label.kind 'subscription_end'; got ['free']",
        ),
        (
            {"kind": "subscription_end", "ends": "all"},
            "ends: must be 'last' or 'any' or null; got 'all'",
        ),
        (
            {"kind": "subscription_end", "trial_plans": "free"},
            "trial_plans: must be a list of names, or null; got 'free'",
        ),
    ],
)
def test_options_of_another_label_are_refused(with_value, message_of, label, sentence):
    """An option that the kind does not have would silently do nothing."""
    assert message_of(with_value("label", label)) == f"c.yaml: label.{sentence}"


@pytest.mark.parametrize(
    ("table", "columns", "wrong"),
    [
        ("events", ["customer_id", "ts", "event_type", "channel", "campaign_id"], "even_type"),
        ("events", ["customer_id", "ts", "event_type", "session_id", "product_id", "value"], "x"),
        ("subscriptions", ["customer_id", "started_at", "ended_at", "mrr", "plan"], "arr"),
        ("support_tickets", ["customer_id", "opened_at", "first_response_at", "priority"], "x"),
        ("surveys", ["customer_id", "ts", "survey", "score"], "scores"),
        ("rewards", ["customer_id", "issued_at", "redeemed_at", "value"], "issued"),
        ("marketing_costs", ["ts", "amount", "channel"], "customer_id"),
        ("campaigns", ["customer_id", "ts", "treatment", "outcome", "cost"], "cots"),
    ],
)
def test_tables_know_their_columns(with_value, message_of, monkeypatch, table, columns, wrong):
    """Each table takes its columns and refuses others; one to come needs its entry deleted only."""
    monkeypatch.delitem(NOT_BUILT_YET, f"data.{table}", raising=False)
    named = {column: column.upper() for column in columns}

    config = Config.from_mapping(with_value(f"data.{table}", {"source": "x.csv", "columns": named}))
    message = message_of(
        with_value(f"data.{table}", {"source": "x.csv", "columns": {**named, wrong: "x"}})
    )

    assert getattr(config.data, table).column_mapping == named
    assert message.startswith(f"c.yaml: data.{table}.columns.{wrong}: unknown key.")


@pytest.mark.parametrize(
    ("path", "table", "sentence"),
    [
        (
            "data.orders",
            {"columns": {"customer_id": "id", "ts": None}},
            "columns.ts: must be the name of a column, as text; got null",
        ),
        (
            "data.orders",
            {"columns": {"customer_id": "id", "ts": "at", "amount": 3}},
            "columns.amount: must be the name of a column, as text, or null for none; got 3",
        ),
        (
            "data.surveys",
            {"columns": {"customer_id": "id", "ts": "at", "score": "x", "survey": None}},
            "kind: is needed where columns.survey is null: 'csat', 'nps' or 'ces'; got null",
        ),
    ],
)
def test_only_optional_columns_may_be_not_there(with_value, message_of, path, table, sentence):
    """A needed column cannot be null, nor the survey where nothing else says which it is."""
    message = message_of(with_value(path, {"source": "x.csv", **table}))

    assert message == f"c.yaml: {path}.{sentence}"


def test_customers_may_have_attributes_of_any_name(with_value, message_of):
    """The attributes table needs the id and takes other columns under any name, as text."""
    columns = {"customer_id": "id", "age": "AGE", "home town": "city"}

    config = Config.from_mapping(
        with_value("data.customers", {"source": "c.csv", "columns": columns})
    )
    message = message_of(
        with_value("data.customers", {"source": "c.csv", "columns": {**columns, "age": 3}})
    )

    assert config.data.customers.column_mapping == columns
    assert message == (
        "c.yaml: data.customers.columns.age: must be the name of a column, as text; got 3"
    )


@pytest.mark.parametrize("table", ["customers", "marketing_costs"])
def test_a_table_without_metrics_of_its_own_does_not_replace_the_orders(message_of, table):
    """Tables that only add to others leave the orders, or a table with metrics, asked for."""
    mapping = {"name": "shop", "data": {table: {"source": "x.csv"}}}

    message = message_of(mapping)

    assert message == (
        "c.yaml: data.orders: required key is missing: the transaction history, one row per order"
        " or order line; metrics alone can also be made of events, subscriptions, support_tickets,"
        " surveys, rewards, and models with label.kind subscription_end of subscriptions"
    )
