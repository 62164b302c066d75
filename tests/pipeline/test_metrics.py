"""The verb ``retention_metrics``: tables in, report and files out; and metrics in the score table."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

import churnkit
from churnkit.config import Config
from churnkit.data.simulate import simulate_shop
from churnkit.errors import ConfigError, DataError, ParameterError
from churnkit.pipeline.definitions import definitions_of
from churnkit.pipeline.metrics import monthly_metrics_in
from churnkit.pipeline.session import open_session
from churnkit.retention.definitions import Definitions
from churnkit.retention.sections import SECTION_COLUMNS

TABLES = ("orders", "events", "subscriptions", "support_tickets", "surveys", "rewards")
START, END = "2023-03-01", "2023-09-01"


@pytest.fixture(scope="module")
def frames():
    """Give the tables of a shop of ten months as pandas frames."""
    return simulate_shop(customers=120, days=300, seed=4).to_pandas()


@pytest.fixture
def files(frames, tmp_path):
    """Give a function that makes a configuration of the shop's tables as Parquet files."""

    def make(*names, **sections):
        data = {}
        for name in names:
            path = tmp_path / f"{name}.parquet"
            frames[name].to_parquet(path)
            data[name] = {"source": str(path)}
        return {"name": "shop", "engine": {"threads": 1}, "data": data, **sections}

    return make


def value(result, metric, *, source=None, segment="all"):
    """Return the only value of a metric."""
    (found,) = result.report.values(metric, source=source, segment=segment)
    return found


def test_a_column_that_is_null_in_the_configuration_is_not_there(frames, files):
    """Without the amount, though a column is called so, every line counts as 1."""
    config = files("orders")
    mapped = {"customer_id": "customer_id", "ts": "ts"}

    priced, counted = (
        churnkit.retention_metrics(
            {**config, "data": {"orders": {**config["data"]["orders"], "columns": columns}}}
        )
        for columns in (mapped, {**mapped, "amount": None, "quantity": None, "discount": None})
    )

    lines = len(frames["orders"])
    assert priced.tables[0].amount == pytest.approx(frames["orders"].amount.sum())
    assert priced.tables[0].amount != lines
    assert counted.tables[0].amount is None
    orders = frames["orders"].order_id.nunique()
    assert value(counted, "average_order_value") == pytest.approx(lines / orders)


def test_every_configured_table_is_read_and_measured(frames, files):
    """Orders, answers, tickets, rewards and revenue give the numbers that pandas gives."""
    config = files(*TABLES, "customers", "marketing_costs")

    result = churnkit.retention_metrics(config, start=START, end=END)

    assert {report.table for report in result.tables} == {*TABLES, "customers", "marketing_costs"}

    def inside(name, column="ts"):
        rows = frames[name]
        return rows[(rows[column] >= START) & (rows[column] < END)]

    scores = inside("surveys").query("survey == 'csat'")["score"]
    assert value(result, "csat") == pytest.approx(100 * (scores >= 4).mean())
    heads = frames["orders"].query("amount > 0").groupby("order_id")["ts"].min()
    orders = ((heads >= START) & (heads < END)).sum()
    tickets = len(inside("support_tickets", "opened_at"))
    assert value(result, "contact_rate") == pytest.approx(tickets / orders)
    redeemed = inside("rewards", "issued_at")["redeemed_at"] < END
    assert value(result, "redemption_rate") == pytest.approx(100 * redeemed.mean())
    assert value(result, "active_users") == inside("events")["customer_id"].nunique()
    contracts = frames["subscriptions"]
    running = contracts[(contracts["started_at"] < END) & ~(contracts["ended_at"] < END)]
    (moved,) = result.report.movements
    assert moved.end_mrr == pytest.approx(running["mrr"].sum())
    assert result.survival.subscriptions == (contracts["started_at"] < END).sum()
    spent = inside("marketing_costs")["amount"].sum()
    rows = result.to_pandas().query("metric == 'customer_acquisition_cost'")
    assert rows["numerator"].iloc[0] == pytest.approx(spent)


def test_frames_stand_in_for_files(frames, files):
    """The same tables as frames, configured or not, give the same report."""
    given = {name: frames[name] for name in ("orders", "surveys")}
    by_file = churnkit.retention_metrics(files("orders", "surveys"), start=START, end=END)

    by_frame = churnkit.retention_metrics(files("orders"), tables=given, start=START, end=END)

    pd.testing.assert_frame_equal(by_frame.to_pandas(), by_file.to_pandas())


def test_the_default_period_is_the_whole_history_in_full_days(frames, files):
    """From the day of the first row of a customer to the day after the last, costs left out."""
    config = files("orders", "surveys", "marketing_costs")
    days = pd.concat([frames["orders"]["ts"], frames["surveys"]["ts"]]).dt.date

    result = churnkit.retention_metrics(config)

    assert result.start == days.min()
    assert result.end == days.max() + dt.timedelta(days=1)


def test_metrics_and_validation_need_no_orders_and_models_say_that_they_do(files, workplace):
    """Subscriptions alone give revenue metrics and are validated; every other verb refuses."""
    config = files("subscriptions")

    result = churnkit.retention_metrics(config, every="month", start=START, end=END)
    checked = churnkit.validate(config)

    assert len(result.report.values("net_revenue_retention")) == 6
    absent = {gone.metric: gone.reason for gone in result.report.absent}
    assert absent["csat"] == "surveys is not given"
    assert "orders" in absent["average_order_value"]
    assert checked.train_cutoffs == checked.test_cutoffs == ()
    for verb in (churnkit.train, churnkit.backtest, churnkit.run, churnkit.build_features):
        with pytest.raises(
            ConfigError,
            match=r"^shop: data\.orders: required key is missing: label\.kind .no_order. needs it; only",
        ):
            verb(config)


def test_segments_are_attributes_or_rfm(frames, files):
    """Unmapped attributes are all columns of the file; mapped ones are those that are named."""
    unmapped = files("orders", "customers")
    mapped = files("orders", "customers")
    mapped["data"]["customers"]["columns"] = {"customer_id": "customer_id", "land": "country"}

    by_column = churnkit.retention_metrics(unmapped, start=START, end=END, by="country")
    by_name = churnkit.retention_metrics(mapped, start=START, end=END, by="land")

    countries = set(frames["customers"]["country"])
    pd.testing.assert_frame_equal(by_column.to_pandas(), by_name.to_pandas())
    assert set(by_column.to_pandas()["segment"]) >= {"all", *countries}
    with pytest.raises(ParameterError, match=r"by must be .* Known: land, rfm_segment\."):
        churnkit.retention_metrics(mapped, start=START, end=END, by="country")


def test_bad_rows_are_counted_set_aside_and_quoted(frames, files, tmp_path):
    """An NPS score of 11 is in the counts, in the file beside the output, and not in the metric."""
    config = files("orders", "surveys")
    answers = frames["surveys"]
    bad = answers.query("survey == 'nps'").head(1).assign(score=11)
    tables = {"surveys": pd.concat([answers, bad])}
    target = tmp_path / "m.parquet"

    clean = churnkit.retention_metrics(config, start=START, end=END)
    result = churnkit.retention_metrics(config, tables=tables, start=START, end=END, output=target)

    (report,) = [r for r in result.tables if r.table == "surveys"]
    assert report.rows_set_aside == 1
    assert result.rejected_rows["surveys"]["rows"] == 1
    rejected = pd.read_parquet(f"{target}.surveys.rejected.parquet")
    assert "not on the scale" in rejected["reason"].iloc[0]
    pd.testing.assert_frame_equal(result.to_pandas(), clean.to_pandas())
    config["data"]["on_invalid"] = "raise"
    with pytest.raises(DataError, match=r"surveys: .*score is not on the scale"):
        churnkit.retention_metrics(config, tables=tables)


def test_the_scales_of_surveys_are_the_configured_ones(frames, files):
    """An answer of 9 is good on a scale of ten and a mismatch on one of five."""
    tens = frames["surveys"].query("survey == 'csat'").assign(score=9)
    ten = {"csat_options": 10, "csat_positive_from": 9}

    result = churnkit.retention_metrics(
        files("orders", "surveys", retention=ten), tables={"surveys": tens}
    )

    assert value(result, "csat") == 100.0
    with pytest.raises(DataError, match="on another scale"):
        churnkit.retention_metrics(files("orders", "surveys"), tables={"surveys": tens})


def test_a_file_of_one_survey_needs_no_column_that_says_so(frames, files, tmp_path):
    """``kind`` says which survey all rows are, and the answers are the same."""
    scores = frames["surveys"].query("survey == 'csat'")
    config = files("surveys")
    one = files("surveys")
    scores.drop(columns="survey").to_parquet(tmp_path / "csat.parquet")
    one["data"]["surveys"] = {"source": str(tmp_path / "csat.parquet"), "kind": "csat"}

    result = churnkit.retention_metrics(one, start=START, end=END)

    every = churnkit.retention_metrics(config, start=START, end=END)
    assert value(result, "csat") == value(every, "csat")
    assert {gone.metric for gone in result.report.absent} >= {"nps", "ces"}
    config["data"]["surveys"]["kind"] = "csat"
    with pytest.raises(
        DataError, match=r"has a column 'survey': it cannot also be the same for all"
    ):
        churnkit.retention_metrics(config)
    config["data"]["surveys"]["columns"] = {
        "customer_id": "customer_id",
        "ts": "ts",
        "score": "score",
        "survey": "survey",
    }
    with pytest.raises(
        ConfigError, match=r"data\.surveys\.kind: takes the place of columns\.survey"
    ):
        churnkit.retention_metrics(config)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_outputs_hold_the_rows(files, tmp_path, suffix):
    """Each format holds every row; JSON holds the absent metrics too."""
    target = tmp_path / f"metrics.{suffix}"

    result = churnkit.retention_metrics(
        files("orders"), start=START, end=END, every="quarter", output=target
    )

    if suffix == "json":
        plain = json.loads(target.read_text())
        rows = pd.DataFrame(plain["metrics"])
        assert plain["absent"]["nps"] == "surveys is not given"
        assert plain == json.loads(json.dumps(result.to_dict()))
    else:
        rows = pd.read_parquet(target) if suffix == "parquet" else pd.read_csv(target)
    assert list(rows["metric"]) == [row.metric.metric for row in result.report.rows]
    np.testing.assert_allclose(
        rows["value"].astype(float),
        [np.nan if r.metric.value is None else r.metric.value for r in result.report.rows],
    )
    assert result.output == target


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"output": "m.txt"}, r"output must end in a known suffix; got 'm\.txt'\. Known: \.csv"),
        ({"start": "2023-3-1"}, "start: must be a date such as 2011-12-10; got '2023-3-1'"),
        ({"end": "soon"}, "end: must be a date such as 2011-12-10; got 'soon'"),
        ({"start": END, "end": START}, "end must be after start"),
        ({"every": "week"}, "every must be a length of period; got 'week'"),
        ({"tables": {"survey": None}}, r"unknown table 'survey'\. Did you mean 'surveys'\?"),
    ],
)
def test_wrong_requests_are_refused_in_a_sentence(files, options, sentence):
    """Dates, lengths, tables and suffixes that there are not are named."""
    with pytest.raises(ParameterError, match=sentence):
        churnkit.retention_metrics(files("orders"), **options)


@pytest.mark.parametrize("days", [{"start": END, "end": START}, {"start": "2030-01-01"}])
def test_an_end_before_the_start_is_an_error_and_nothing_else(files, days, caplog):
    """No warning about a history of minus so many days comes before the sentence."""
    with pytest.raises(ParameterError, match=r"^metrics: end must be after start"):
        churnkit.retention_metrics(files("orders"), **days)

    assert caplog.messages == []


def test_an_end_before_the_start_is_refused_before_anything_is_read():
    """A history of hours is not read in vain, for any view."""
    config = {"name": "shop", "data": {"orders": {"source": "nowhere.csv"}}}
    for view in ("company", "cohorts", "hindsight"):
        with pytest.raises(ParameterError, match=r"^metrics: end must be after start"):
            churnkit.retention_metrics(config, view=view, start=END, end=START)


def test_wrong_rules_of_segments_are_refused_with_their_path(files):
    """A gap in the table of segments is a fault of the configuration, before any data are read."""
    rules = [{"segment": "recent", "r": [3, 5]}]
    config = files("orders", retention={"segments": rules})

    with pytest.raises(ConfigError, match=r"^shop: retention\.segments: .* 50 cells have none"):
        churnkit.retention_metrics(config)


def test_own_segments_take_the_place_of_the_eleven(files):
    """Rules of the configuration make the segments of the report."""
    rules = [{"segment": "recent", "r": [3, 5]}, {"segment": "gone", "r": [1, 2]}]
    config = files("orders", retention={"segments": rules})

    result = churnkit.retention_metrics(config, start=START, end=END, by="rfm_segment")

    assert set(result.to_pandas()["segment"]) == {"all", "recent", "gone", "absent"}


def test_rfm_segments_begin_a_year_before_the_end_unless_told(files):
    """On the first day of a history nobody is in a segment yet, and one period would say nothing."""
    config = files("orders")
    whole = churnkit.retention_metrics(config)

    result = churnkit.retention_metrics(config, by="rfm_segment")

    year_before = whole.end - dt.timedelta(days=365)
    assert result.start == max(year_before, whole.start + (whole.end - whole.start) // 2)
    assert set(result.to_pandas()["segment"]) > {"all", "absent"}


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("churn", "mean_of_daily"),
        ("repeat", "ever"),
        ("net_revenue", "with_reactivations"),
        ("ces", "mean"),
        ("lifespan", "churn"),
        ("discounted", "first_margin_counted"),
        ("yearly_discount_rate", 0.1),
        ("lift_points", 2.0),
        ("csat_options", 7),
        ("csat_positive_from", 5),
        ("ces_options", 5),
        ("user_events", ("visit",)),
        ("cart_event", "basket"),
        ("purchase_event", "paid"),
        ("cart_window_hours", 2.0),
        ("level", 0.9),
    ],
)
def test_each_definition_is_the_configured_one(key, given):
    """A key of the section changes the definition of its name, and nothing else."""
    data = {"orders": {"source": "orders.csv"}}
    config = Config.from_mapping({"name": "shop", "data": data, "retention": {key: given}})

    made = definitions_of(config)

    plain = Definitions(seed=7)
    differing = [f.name for f in fields(plain) if getattr(made, f.name) != getattr(plain, f.name)]
    assert differing == [key]
    assert getattr(made, key) == given


def test_the_discount_rate_is_that_of_lifetime_values_unless_given():
    """One rate for model and formulas; the retention section may have another."""
    data = {"orders": {"source": "orders.csv"}}
    value = {"lifetime_value": {"yearly_discount_rate": 0.2}}

    shared = Config.from_mapping({"name": "shop", "data": data, **value})
    own = Config.from_mapping(
        {"name": "shop", "data": data, **value, "retention": {"yearly_discount_rate": 0.0}}
    )

    assert definitions_of(shared).yearly_discount_rate == 0.2
    assert definitions_of(own).yearly_discount_rate == 0.0


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("2023-01-15", "2023-04-10"), ("2023-02-01", "2023-04-01", "month")),
        (("2020-01-01", "2023-03-31"), ("2021-04-01", "2023-04-01", "month")),
        (("2023-01-15", "2023-01-20"), ("2023-01-15", "2023-01-21", None)),
    ],
)
def test_a_run_takes_the_last_full_months(tmp_path, days, expected):
    """At most 24 months, none of them cut; without a full month the whole history."""
    orders = pd.DataFrame({"customer_id": ["a", "b"], "ts": list(days), "amount": [1.0, 2.0]})
    config = Config.from_mapping({"name": "shop", "data": {"orders": {"source": "x.csv"}}})

    with open_session(config, tables={"orders": orders}) as session:
        result = monthly_metrics_in(session, output=tmp_path / "m.parquet")

    assert (str(result.start), str(result.end), result.every) == expected
    assert (tmp_path / "m.parquet").exists()


class TestScores:
    """Metrics of other tables in the score table."""

    @pytest.fixture
    def surveys(self, scored):
        """Give answers of a customer with orders and of customers without."""
        rows = [
            ("last-instant-before", "2024-01-01", "csat", 5),
            ("last-instant-before", "2024-01-02", "csat", 1),
            ("last-instant-before", "2024-01-20", "csat", 1),
            ("only-answers", "2024-01-01", "nps", 10),
            ("only-answers-later", "2024-01-20", "nps", 10),
            ("only-bad-answers", "2024-01-01", "nps", -1),
            *((customer, "2024-01-01", "nps", 7) for customer in scored.index[:20]),
        ]
        return pd.DataFrame(rows, columns=["customer_id", "ts", "survey", "score"])

    def test_other_tables_add_their_columns_and_their_customers(self, score, scored, surveys):
        """Answers before as_of count; who only answered has a row, who answers later has none."""
        table = score(tables={"surveys": surveys}).to_pandas().set_index("customer_id")

        assert {"csat", "nps_class", "ces"} <= set(table.columns)
        assert not set(SECTION_COLUMNS) & set(scored.columns)
        assert table.loc["last-instant-before", "csat"] == 50.0
        assert table.loc["only-answers", "status"] == "no_valid_orders"
        assert table.loc["only-answers", "nps_class"] == "promoter"
        assert table.loc["only-bad-answers", "status"] == "no_valid_orders"
        assert set(table.index) - set(scored.index) == {"only-answers", "only-bad-answers"}
        known = table.loc[scored.index]
        pd.testing.assert_series_equal(known["churn_probability"], scored["churn_probability"])

    def test_the_manifest_accounts_for_every_table(self, score, surveys):
        """Rows of surveys set aside are counted and written beside the scores."""
        result = score(tables={"surveys": surveys})

        assert result.manifest["rows"] == len(result.to_pandas())
        assert result.manifest["inputs"]["surveys"]["rows_set_aside"] >= 1
        assert result.manifest["rejected_rows"]["surveys"]["path"].endswith(
            ".surveys.rejected.parquet"
        )

    def test_the_lifespan_of_the_configuration_reaches_formula_ltv(self, score, config_of, shop):
        """With churn it is 1 / yearly churn, counted by hand, for everybody; the manifest says so."""
        config = config_of(shop.csv, retention={"lifespan": "churn", "activity_window_days": 90})
        orders = shop.orders.assign(amount=pd.to_numeric(shop.orders["amount"], "coerce"))
        bought = orders[(orders["amount"] > 0) & (orders["ts"] != "")]
        day, customer = pd.to_datetime(bought["ts"]).dt.normalize(), bought["customer_id"]

        result = score(config, as_of="2024-01-10")

        said = result.manifest["formula_ltv"]
        before, after = pd.Timestamp("2023-01-10"), pd.Timestamp("2024-01-10")
        window = pd.Timedelta(days=90)
        there = set(customer[(day >= before - window) & (day < before)])
        still = set(customer[(day >= after - window) & (day < after)])
        lost = 1 - len(there & still) / len(there)
        yearly = 1 - (1 - lost) ** (365.25 / 365)
        assert said == {"lifespan": "churn", "yearly_churn_probability": pytest.approx(yearly)}
        table = result.to_pandas().dropna(subset=["average_order_value"])
        worth = table["average_order_value"] * table["purchase_frequency_per_year"]
        np.testing.assert_allclose(table["formula_ltv"], 0.4 * worth / yearly)

    def test_a_churn_that_is_not_known_gives_no_formula_ltv(
        self, score, config_of, shop, caplog, scored
    ):
        """Where nobody was there a year before, the column is null and a warning says why."""
        config = config_of(shop.csv, retention={"lifespan": "churn", "activity_window_days": 1})

        table = score(config, as_of="2023-01-12").to_pandas()

        assert table["formula_ltv"].isna().all()
        assert "nobody was active a year before 2023-01-12" in caplog.text

    def test_a_feature_without_its_table_is_refused_by_name(self, config_of, shop):
        """Features of a table that is not configured are told with both names."""
        config = config_of(shop.csv, features={"rfm": {}, "engagement": {}})

        with pytest.raises(ConfigError, match=r"features\.engagement needs data\.events"):
            churnkit.build_features(config)


def test_a_window_longer_than_the_history_is_said(files, caplog):
    """Where every order still counts, nobody can have left: the figure alone would flatter."""
    said = "nobody can have left"

    flattering = churnkit.retention_metrics(files("orders"), start=START, end=END)
    warned = said in caplog.text
    caplog.clear()
    shorter = files("orders", retention={"activity_window_days": 60})
    telling = churnkit.retention_metrics(shorter, start=START, end=END)

    assert value(flattering, "customer_churn_rate") == 0.0
    assert warned
    assert value(telling, "customer_churn_rate") > 0.0
    assert said not in caplog.text
