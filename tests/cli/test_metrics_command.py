"""``churnkit metrics``: tables that fit 80 columns, marks that are explained, JSON and exit codes."""

from __future__ import annotations

import json

import pytest

from churnkit.config.yaml_text import dump_yaml

SUBSCRIPTIONS = """customer_id,started_at,ended_at,mrr
a,2023-01-01,,10
b,2023-01-01,2023-02-15,20
c,2023-02-10,,30
"""
START, END = ("--start", "2023-01-05"), ("--end", "2023-03-01")
SURVEYS = """customer_id,ts,survey,score
a,2023-01-10,csat,5
b,2023-01-11,csat,2
a,2023-02-10,csat,4
"""


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Work in a folder with ``service.yaml``: subscriptions, answers and countries, no orders."""
    names = {"subscriptions": SUBSCRIPTIONS, "surveys": SURVEYS}
    names["customers"] = "customer_id,country\na,FR\nb,GB\nc,FR\n"
    for name, text in names.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    data = {name: {"source": f"{name}.csv"} for name in names}
    (tmp_path / "service.yaml").write_text(dump_yaml({"name": "service", "data": data}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(done, name):
    """Return the words of the lines that begin with a name."""
    return [line.split() for line in done.out.splitlines() if line.strip().startswith(name)]


def test_one_period_shows_value_interval_and_n(service, churnkit_command):
    """Each metric has its value with unit and interval; what has none and what is absent say why."""
    done = churnkit_command("metrics", "service.yaml", "-q", *START, *END)

    assert (done.code, done.err) == (0, "")
    assert lines(done, "csat")[0][:3] == ["csat", "66.7", "%*"]
    assert "95 % interval" in done.out
    assert lines(done, "customer_churn_rate")[0][1:3] == ["50.0", "%*"]
    assert lines(done, "churn")[0] == ["churn", "-20"]
    assert "* rests on fewer than 30 customers, answers or orders." in done.out
    assert "Absent, as events is not given: " in done.out
    assert "Of 3 subscriptions 1 have ended." in done.out


def test_a_metric_without_a_value_says_why(service, churnkit_command):
    """From the first day on nobody was there before: a dash, and the reason below."""
    done = churnkit_command("metrics", "service.yaml", "-q", "--start", "2023-01-01")

    assert lines(done, "customer_retention_rate")[0][1] == "–"
    assert "– no customers at period start: customer_retention_rate" in done.out


def test_a_series_has_a_column_a_period_and_marks_cut_ones(service, churnkit_command):
    """Months stand beside each other, the newest that fit, with a mark where a part is missing."""
    done = churnkit_command(
        "metrics", "service.yaml", "-q", "--every", "month", "--end", "2023-03-01"
    )

    assert lines(done, "metric")[0] == ["metric", "2023-01", "2023-02"]
    assert lines(done, "end_mrr")[0] == ["end_mrr", "30", "40"]
    late = churnkit_command(
        "metrics", "service.yaml", "-q", "--every", "month", "--end", "2023-03-05"
    )
    assert lines(late, "metric")[0][-1] == "2023-03~"
    assert "~ only a part of the period is in it." in late.out


def test_more_periods_than_fit_are_cut_to_the_last(service, churnkit_command):
    """On 80 columns the last four of twelve months are shown, and said to be."""
    asked = ("--every", "month", "--start", "2023-01-01", "--end", "2024-01-01")

    done = churnkit_command("metrics", "service.yaml", "-q", *asked, columns=80)

    assert "(the last 4 of 12 periods)" in done.out
    assert lines(done, "metric")[0] == ["metric", "2023-09", "2023-10", "2023-11", "2023-12"]


@pytest.mark.parametrize("options", [(), ("--every", "quarter"), ("--by", "country")])
def test_tables_fit_80_columns(service, churnkit_command, options):
    """No line of a table is wider than 80 columns, and no name of a metric is cut."""
    done = churnkit_command("metrics", "service.yaml", "-q", *options, columns=80)

    inside = [line for line in done.out.splitlines() if line.startswith("  ")]
    assert inside
    assert max(map(len, inside)) <= 80
    assert "…" not in done.out
    assert lines(done, "customer_retention_rate_strict")


def test_segments_stand_beside_each_other(service, churnkit_command):
    """A column for everybody and one for each country."""
    done = churnkit_command(
        "metrics", "service.yaml", "-q", "--by", "country", "--end", "2023-03-01"
    )

    assert lines(done, "metric")[0] == ["metric", "all", "FR", "GB"]
    assert lines(done, "csat")[0] == ["csat", "66.7", "%*", "100.0", "%*", "0.0", "%*"]


def test_json_is_one_line_with_everything(service, churnkit_command):
    """Machines get metrics, absent ones, movements and survival on one line, also as a file."""
    done = churnkit_command("metrics", "service.yaml", "--json", "-q", *END, "--output", "m.json")

    assert done.json == json.loads((service / "m.json").read_text())
    by_name = {row["metric"]: row for row in done.json["metrics"]}
    assert by_name["csat"]["numerator"] == 2
    assert done.json["survival"]["subscriptions"] == 3
    assert done.json["mrr_movements"][0]["end_mrr"] == 40
    assert done.json["absent"]["stickiness"] == "events is not given"


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("metrics", "service.yaml", "--by", "land"), 2, "by must be"),
        (
            ("metrics", "service.yaml", "--output", "m.xlsx"),
            2,
            "Known: .csv, .html, .json, .parquet.",
        ),
        (("metrics", "service.yaml", "--set", "retention.churn=x"), 2, "retention.churn: must be"),
        (("train", "service.yaml"), 2, "service: data.orders: required key is missing"),
    ],
)
def test_faults_are_a_sentence_and_an_exit_code(service, churnkit_command, options, code, sentence):
    """What cannot be done is said in one sentence on stderr, and nothing is printed."""
    done = churnkit_command(*options, "-q")

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert sentence in done.err


def test_validation_without_orders_says_what_it_is_fit_for(service, churnkit_command):
    """The tables are counted, and metrics are named as the only use."""
    done = churnkit_command("validate", "service.yaml", "-q")

    assert done.code == 0
    assert "without data.orders: fit for churnkit metrics, not for models." in done.out
